# SPDX-License-Identifier: Apache-2.0
"""A patterned box before a patterned wall and floor, filmed by a camera: all is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import Frame, PinholeCamera, Pose, inverse

CAMERA = PinholeCamera(160, 120, 150.0, 150.0, 80.0, 60.0)
START_NS = 1_700_000_000_000_000_000
STEP_NS = 66_666_667  # 15 Hz
HALF_M = np.array([0.22, 0.15, 0.2])
DOWN_RAD = 0.35
LOOK = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])  # optical frame in a map with z up
LOOK = LOOK @ Rotation.from_euler("x", -DOWN_RAD).as_matrix()


def at(x: float, y: float, z: float, yaw: float) -> Pose:
    """`T_map_box`."""
    out = np.eye(4)
    out[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
    out[:3, 3] = x, y, z
    return out


@dataclass(frozen=True)
class BoxRoom:
    """A room with a box that is moved.

    Attributes:
        box: `T_map_box` of a frame's number; None: there is no box.
        camera_step_m: by which the camera moves along x from frame to frame.
        post: whether a post stands before the middle of the room.
    """

    box: Callable[[int], Pose] | None
    camera_step_m: float = 0.004
    post: bool = False

    def pose(self, index: int) -> Pose:
        """`T_map_camera`."""
        out = np.eye(4)
        out[:3, :3] = LOOK
        out[:3, 3] = self.camera_step_m * index, 0.0, 0.9
        return out

    def __call__(self, index: int) -> Frame:
        """The frame of a number."""
        pose = self.pose(index)
        rays = CAMERA.pixel_rays().astype(np.float64) @ pose[:3, :3].T
        eye = pose[:3, 3]
        depth = (3.0 - eye[1]) / rays[..., 1]  # the wall y = 3
        rgb = _pattern(eye + rays * depth[..., None], (150, 140, 120), 5.0, 22)
        with np.errstate(divide="ignore"):
            floor = np.where(rays[..., 2] < -1e-6, -eye[2] / rays[..., 2], np.inf)
        nearer = floor < depth
        depth = np.where(nearer, floor, depth)
        ground = eye + rays * depth[..., None]
        rgb[nearer] = _pattern(ground, (110, 90, 70), 7.0, 22)[nearer]
        if self.box is not None:
            _put(rays, eye, depth, rgb, self.box(index), HALF_M, (190, 70, 60))
        if self.post:
            _put(
                rays,
                eye,
                depth,
                rgb,
                at(0.0, 1.2, 0.5, 0.0),
                np.array([0.3, 0.05, 0.5]),
                (60, 90, 160),
            )
        return Frame(
            START_NS + STEP_NS * index, rgb.clip(0, 255).astype(np.uint8), CAMERA,
            depth.astype(np.float32), pose,
        )  # fmt: skip

    def mask(self, index: int) -> NDArray[np.bool_]:
        """[H, W] pixels of the box."""
        alone = BoxRoom(None, self.camera_step_m, self.post)(index).depth
        there = self(index).depth
        assert alone is not None
        assert there is not None
        return np.asarray(there < alone - 1e-4)


def _put(
    rays: NDArray[np.float64],
    eye: NDArray[np.float64],
    depth: NDArray[np.float64],
    rgb: NDArray[np.float64],
    T_map_box: Pose,
    half: NDArray[np.float64],
    color: tuple[int, int, int],
) -> None:
    """Draw a box over what is there, where it is nearer."""
    T = inverse(T_map_box)
    origin, ways = T[:3, :3] @ eye + T[:3, 3], rays @ T[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(-half - origin) / ways, (half - origin) / ways])
    first, last = ends.min(0).max(-1), ends.max(0).min(-1)
    hit = (first < last) & (first > 0.05) & (first < depth)
    depth[hit] = first[hit]
    rgb[hit] = _pattern(origin + ways * first[..., None], color, 31.0, 70)[hit]


def _pattern(
    points: NDArray[np.float64], color: tuple[int, int, int], waves: float, strength: float
) -> NDArray[np.float64]:
    """Colours [H, W, 3] of places: stripes across stripes."""
    x, y, z = np.moveaxis(points, -1, 0)
    grey = np.sin(waves * (x + 0.3 * z)) + np.sin(waves * 0.8 * (z - 0.4 * y) + 1)
    tint = np.sin(waves * 0.6 * (y + x - z))
    return np.array(color) + strength * np.stack([grey, grey + tint, grey - tint], -1) / 2
