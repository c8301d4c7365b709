# SPDX-License-Identifier: Apache-2.0
"""A room with grain on its walls, exact and quick: boxes cut by rays, no drawing library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import Frame, PinholeCamera, Pose

CAMERA = PinholeCamera(160, 120, 140.0, 140.0, 80.0, 60.0)
START_NS = 1_700_000_000_000_000_000
Box = tuple[Sequence[float], Sequence[float]]  # least and greatest corner, metres

ROOM: Box = ((-2.5, -1.3, -2.0), (2.5, 1.2, 3.0))
THINGS: tuple[Box, ...] = (
    ((-1.3, 0.3, 1.4), (-0.5, 1.2, 2.0)),
    ((0.5, 0.6, 1.0), (1.2, 1.2, 1.6)),
    ((0.2, -1.3, 2.0), (0.6, 1.2, 2.4)),
)


def pose_at(x: float, y: float = 0.0, z: float = 0.0, turn_deg: float = 0.0) -> Pose:
    """`T_map_camera` of a camera that looks along z and is turned about y (down)."""
    out = np.eye(4)
    out[:3, :3] = Rotation.from_euler("y", turn_deg, degrees=True).as_matrix()
    out[:3, 3] = x, y, z
    return out


def grain(seed: int) -> NDArray[np.float32]:
    """[256, 256] grey of several sizes of blots."""
    rng = np.random.default_rng(seed)
    total = np.zeros((256, 256), np.float32)
    for sigma in (1.5, 4.0, 12.0):
        noise = cv2.GaussianBlur(rng.normal(size=(256, 256)).astype(np.float32), (0, 0), sigma)
        total += noise / noise.std()
    return np.clip(128 + 30 * total, 0, 255).astype(np.float32)


_GRAIN = [grain(seed) for seed in range(3)]


@dataclass(frozen=True)
class OdometryRoom:
    """Draws frames of the room from anywhere."""

    camera: PinholeCamera = CAMERA
    plain: bool = False  # without grain
    noise: float = 0.0  # grey levels, and thousandths of the squared depth in metres

    def frame(
        self, index: int, pose: Pose, *, rate_hz: float = 10.0, more: Sequence[Box] = (),
        given: Pose | None = None, things: Sequence[Box] = THINGS,
    ) -> Frame:  # fmt: skip
        """A frame from `pose`, which it only says if `given` does."""
        rays = self.camera.pixel_rays().astype(np.float64) @ pose[:3, :3].T
        eye, z = pose[:3, 3], np.full(rays.shape[:2], np.inf)
        grey = np.zeros(rays.shape[:2], np.float32)
        for number, box in enumerate((ROOM, *things, *more)):
            near, far = self._cut(rays, eye, box)
            hit = far if number == 0 else np.where((near < far) & (near > 0.05), near, np.inf)
            closer = hit < z
            z = np.where(closer, hit, z)
            corner = np.zeros(3) if number <= len(things) else np.asarray(box[0])  # it moves along
            points = eye + rays * np.where(np.isfinite(hit), hit, 0)[..., None] - corner
            grey = np.where(closer, self._look(points, box, corner, number), grey)
        rng = np.random.default_rng(index)
        if self.noise:
            grey = grey + rng.normal(0, self.noise, grey.shape)
            z = z + rng.normal(0, 1e-3 * self.noise, z.shape) * z * z
        rgb = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, -1)
        stamp_ns = START_NS + round(index * 1e9 / rate_hz)
        return Frame(stamp_ns, rgb, self.camera, z.astype(np.float32), given)

    def black(self, index: int, rate_hz: float = 10.0) -> Frame:
        """A frame that shows nothing."""
        size = self.camera.shape
        stamp_ns = START_NS + round(index * 1e9 / rate_hz)
        nothing = np.zeros((*size, 3), np.uint8)
        return Frame(stamp_ns, nothing, self.camera, np.zeros(size, np.float32))

    @staticmethod
    def _cut(rays: NDArray, eye: NDArray, box: Box) -> tuple[NDArray, NDArray]:
        """Where rays come into a box and leave it, in depths."""
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (np.asarray(box[0]) - eye) / rays, (np.asarray(box[1]) - eye) / rays
        return np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)

    def _look(self, points: NDArray, box: Box, corner: NDArray, number: int) -> NDArray:
        """Grey [H, W] of surface points [H, W, 3], by the face they are on."""
        low, high = np.asarray(box[0]) - corner, np.asarray(box[1]) - corner
        face = np.minimum(np.abs(points - low), np.abs(points - high)).argmin(-1)
        grey = np.zeros(points.shape[:2], np.float32)
        for axis in range(3):
            u, v = (points[..., other] for other in range(3) if other != axis)
            at = [(100 * (w + 0.37 * number + axis) % 254).astype(np.float32) for w in (u, v)]
            seen = cv2.remap(_GRAIN[(axis + number) % 3], *at, cv2.INTER_LINEAR)
            level = 80 + 20 * ((axis + number) % 5)
            grey = np.where(face == axis, level if self.plain else seen, grey)
        return grey


def error_m(estimated: Pose | None, true: Pose) -> float:
    """Distance of two positions."""
    assert estimated is not None
    return float(np.linalg.norm(estimated[:3, 3] - true[:3, 3]))
