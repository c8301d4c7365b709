# SPDX-License-Identifier: Apache-2.0
"""Cameras anywhere in a room, and what they see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.sim.motion import Pose, look_at
from f4x_ros.sim.raycast import Raycaster
from f4x_ros.sim.scene import Scene
from f4x_ros.sim.shading import to_srgb

WIDTH, HEIGHT = 320, 240

_PREVIEW = 10  # a preview is so many times smaller
_NEAREST_M = 0.18  # what is nearer to the camera than this is in the way
_BLOCKED = 0.05  # share of a view that may be in the way
_ONE_THING = 0.6  # share of a view that one thing may take
_MANY_THINGS = 7  # that a view should show; fewer where that cannot be had
_TRIES = 30
_CLEAR_M = 0.06  # between the camera and the box of a thing


class View(NamedTuple):
    """A camera and its picture."""

    rgb: NDArray[np.uint8]  # [H, W, 3]
    instances: NDArray[np.uint16]  # [H, W] object id, 0 = nothing hit
    focal_px: float
    T_map_camera: Pose


class RoomCaster(Raycaster):
    """Draws colour and ids only: the visible share of every object is not needed here."""

    def picture(
        self, camera: PinholeCamera, T_map_camera: Pose, t: float, seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float32]]:
        """Colour [H, W, 3], ids [H, W] and depth [H, W] in metres (0: nothing hit)."""
        poses = [made.body_poses(t) for made in self._scene.objects]
        placed = self._placed(poses, t)
        light, hits = self._light(camera, T_map_camera, placed, poses, seed)
        shape = (camera.height, camera.width)
        ids = np.where(hits.found, self._face_id[hits.face], 0).astype(np.uint16)
        depth = np.where(hits.found, hits.distance, 0).astype(np.float32)
        rgb = (to_srgb(light) * 255 + 0.5).astype(np.uint8)
        return rgb.reshape(*shape, 3), ids.reshape(shape), depth.reshape(shape)


def camera_of(focal_px: float, scale: int = 1) -> PinholeCamera:
    """A camera of 320x240, or one so many times smaller that sees the same."""
    width, height, focal = WIDTH // scale, HEIGHT // scale, focal_px / scale
    return PinholeCamera(width, height, focal, focal, width / 2, height / 2)


def views_of(scene: Scene, count: int, rng: np.random.Generator, t: float = 0.0) -> Iterator[View]:
    """Views from random places that show something; fewer if none are found."""
    caster = RoomCaster(scene)
    boxes = _boxes(scene, t)
    for _ in range(count):
        found = _good_view(scene, caster, boxes, rng, t)
        if found is not None:
            focal, pose = found
            rgb, ids, _ = caster.picture(camera_of(focal), pose, t, int(rng.integers(2**31)))
            yield View(rgb, ids, focal, pose)


def _good_view(
    scene: Scene,
    caster: RoomCaster,
    boxes: NDArray[np.float64],
    rng: np.random.Generator,
    t: float,
) -> tuple[float, Pose] | None:
    """Focal length and pose; the more often none is found, the fewer things have to be in view."""
    make = _close_up if rng.random() < 0.5 else _across_the_room
    for attempt in range(_TRIES):
        focal = WIDTH * float(rng.uniform(0.6, 1.2))
        pose = make(scene, boxes, rng)
        if pose is None:
            continue
        _, ids, depth = caster.picture(camera_of(focal, _PREVIEW), pose, t, 0)
        blocked = float((depth < _NEAREST_M).mean())
        room = ids <= 3  # floor, wall and ceiling come first
        _, counts = np.unique(ids[~room], return_counts=True)
        enough = max(2, _MANY_THINGS - attempt // 3)
        if blocked <= _BLOCKED and len(counts) >= enough and counts.max() <= _ONE_THING * ids.size:
            return focal, pose
    return None


def _close_up(scene: Scene, boxes: NDArray[np.float64], rng: np.random.Generator) -> Pose | None:
    """A camera near one of the things, by its size; None if it would be in something."""
    low, high = boxes[int(rng.integers(3, len(boxes)))]
    target = rng.uniform(low, high)
    reach = float(np.linalg.norm(high - low))
    distance = float(np.clip(reach * np.exp(rng.uniform(0.0, 2.2)), 0.4, 5.0))
    around, up = rng.uniform(-np.pi, np.pi), rng.uniform(np.deg2rad(2), np.deg2rad(62))
    way = np.array([math.cos(around) * math.cos(up), math.sin(around) * math.cos(up), math.sin(up)])
    return _looking(scene, boxes, rng, target + way * distance, target)


def _across_the_room(
    scene: Scene, boxes: NDArray[np.float64], rng: np.random.Generator
) -> Pose | None:
    """A camera anywhere, as high as hands or robots carry it, that looks at one of the things."""
    x, y, _ = scene.spec.room.size
    eye = np.array([rng.uniform(-x, x) / 2, rng.uniform(-y, y) / 2, rng.uniform(0.3, 1.9)])
    low, high = boxes[int(rng.integers(3, len(boxes)))]
    return _looking(scene, boxes, rng, eye, rng.uniform(low, high))


def _looking(
    scene: Scene,
    boxes: NDArray[np.float64],
    rng: np.random.Generator,
    eye: NDArray[np.float64],
    target: NDArray[np.float64],
) -> Pose | None:
    """A pose that has the target near the middle of the picture, the eye moved into the room."""
    x, y, z = scene.spec.room.size
    eye = np.clip(eye, (-x / 2 + 0.15, -y / 2 + 0.15, 0.15), (x / 2 - 0.15, y / 2 - 0.15, z - 0.25))
    if np.linalg.norm(eye[:2] - target[:2]) < 0.3 or _inside_any(eye, boxes[3:]):
        return None
    aside = rng.normal(0, 0.12, 3) * float(np.linalg.norm(target - eye))
    return look_at(eye, target + aside, float(rng.normal(0, np.deg2rad(5))))


def _boxes(scene: Scene, t: float) -> NDArray[np.float64]:
    """Lowest and highest corner [objects, 2, 3] of each object in the map frame."""
    found = []
    for made in scene.objects:
        vertices = made.mesh_at(t).vertices
        pose = made.pose(t)
        placed = vertices @ pose[:3, :3].T + pose[:3, 3]
        found.append((placed.min(0), placed.max(0)))
    return np.array(found)


def _inside_any(point: NDArray[np.float64], boxes: NDArray[np.float64]) -> bool:
    inside = (point > boxes[:, 0] - _CLEAR_M) & (point < boxes[:, 1] + _CLEAR_M)
    return bool(inside.all(1).any())
