# SPDX-License-Identifier: Apache-2.0
"""The surface of a body in its own frame: points, normals, and how they look.

One point a voxel, each a running mean of what the frames showed of it. It is what frames are
aligned to; what is drawn and asked are the body's Gaussians.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.core.motion.bodies.picture import CHANNELS, Mask, RgbdPicture

_BITS, _HALF = 20, 1 << 19  # of a voxel's number along one axis
_CAP = 20.0  # readings that a point is the mean of, at most: it goes with the light
_LEAST = 8  # pixels of a mask that have normals, for the others to be left out
_CORE = 0.4  # share of what the best points were seen that the core was seen, too
_GONE = 2.0  # readings that one look through a point takes from it

Array = NDArray[np.float64]


class Shape:
    """Points of a body.

    Args:
        voxel_m: edge of a voxel.
    """

    def __init__(self, voxel_m: float) -> None:
        self.voxel_m = voxel_m
        self._keys = np.zeros(0, np.int64)
        self.points: Array = np.zeros((0, 3))  # [N, 3] metres, body frame
        self.normals: Array = np.zeros((0, 3))  # [N, 3]
        self.looks: Array = np.zeros((0, CHANNELS))  # [N, 2] see `RgbdPicture.channels`
        self.readings: Array = np.zeros(0)  # [N]

    def __len__(self) -> int:
        return len(self.points)

    @property
    def middle(self) -> Array:
        """[3] median of the points."""
        return np.median(self.points, 0) if len(self) else np.zeros(3)

    @property
    def reach_m(self) -> float:
        """From the middle to nearly the farthest point."""
        if not len(self):
            return 0.0
        return float(np.percentile(np.linalg.norm(self.points - self.middle, axis=1), 95))

    def core(self) -> Mask:
        """[N] what stays in place from frame to frame: a person without the limbs."""
        if not len(self):
            return np.zeros(0, bool)
        return np.asarray(self.readings >= _CORE * np.percentile(self.readings, 90))

    def grow(self, picture: RgbdPicture, T_camera_body: Pose, mask: Mask) -> None:
        """Take in the surface that a mask [H, W] shows, with the body at a pose."""
        normals, flat = picture.surface
        inner = mask & flat & ~picture.jumps
        if inner.sum() < _LEAST:
            inner = mask & picture.known
        if not inner.any():
            return
        depth = picture.smooth[inner]
        there = np.abs(depth - np.median(depth)) < self._thickness_m(picture, mask, depth)
        at = np.argwhere(inner)[there]
        turn, shift = T_camera_body[:3, :3], T_camera_body[:3, 3]
        rows, columns = at.T
        points = picture.rays[rows, columns] * picture.smooth[rows, columns][:, None]
        self._add(
            (points - shift) @ turn,
            normals[rows, columns] @ turn,
            picture.channels[rows, columns, :CHANNELS].astype(np.float64),
        )

    def _thickness_m(self, picture: RgbdPicture, mask: Mask, depth: NDArray[np.floating]) -> float:
        """Readings farther before or behind the others than the thing is wide are others'."""
        rows, columns = np.nonzero(mask)
        wide_px = max(int(np.ptp(rows)), int(np.ptp(columns)), 4)
        z = float(np.median(depth))
        return max(0.75 * wide_px * z / picture.camera.fx, self.reach_m) + 3 * float(
            picture.noise_m(np.array(z))
        )

    def _add(self, points: Array, normals: Array, looks: Array) -> None:
        cells = np.floor(points / self.voxel_m).astype(np.int64) + _HALF
        keys = cells[:, 0] | cells[:, 1] << _BITS | cells[:, 2] << 2 * _BITS
        found, at = np.unique(np.concatenate([self._keys, keys]), return_inverse=True)
        self._keys = np.asarray(found, np.int64)
        weights = np.concatenate([np.minimum(self.readings, _CAP), np.ones(len(points))])
        self.readings = np.bincount(at, weights).astype(np.float64)

        def mean(old: Array, new: Array) -> Array:
            columns = np.concatenate([old, new]).T
            sums = [np.bincount(at, weights * column) for column in columns]
            return np.stack(sums, 1) / self.readings[:, None]

        self.points = mean(self.points, points)
        self.looks = mean(self.looks, looks)
        normals = mean(self.normals, normals)
        self.normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)

    def carve(self, picture: RgbdPicture, T_camera_body: Pose, other: Mask) -> None:
        """Forget what is seen through, and what lies on the surface of something `other` [H, W]."""
        if not len(self):
            return
        there = self.points @ T_camera_body[:3, :3].T + T_camera_body[:3, 3]
        rows, columns, inside = picture.pixels(there)
        z = picture.depth[rows, columns]
        limit = there[:, 2] + 5 * picture.noise_m(there[:, 2]) + 0.03
        through = inside & ((z > limit) | (other[rows, columns] & (z > 2 * there[:, 2] - limit)))
        self.readings = np.where(through, self.readings - _GONE, self.readings)
        kept = self.readings > 0
        self._keys, self.readings = self._keys[kept], self.readings[kept]
        self.points, self.normals = self.points[kept], self.normals[kept]
        self.looks = self.looks[kept]
