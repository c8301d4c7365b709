# SPDX-License-Identifier: Apache-2.0
"""What a camera may see: which boxes its pyramid of view meets before what it measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.poses import Pose, inverse

Boxes = NDArray[np.float64]  # [B, 3] metres, map frame

_TILES = (12, 16)  # of the image, rows and columns, each with one farthest surface
_BLIND = 0.1  # share of a tile without a reading from which there may be anything in it
_BEHIND = 1.1  # times the farthest reading of the tiles: what is behind that is hidden
_NEAR_M = 1e-3  # a corner that is nearer has no place in the image


@dataclass(frozen=True, eq=False)
class Frustum:
    """The part of the map before a camera.

    Attributes:
        camera: intrinsics.
        T_map_camera: [4, 4] of the optical frame.
        far_m: what lies farther along the optical axis is left out.
        surface_m: [R, C] farthest surface in each tile of the image, see `farthest`; what is hidden
            behind it is left out. None: nobody knows what there is to see.
    """

    camera: PinholeCamera
    T_map_camera: Pose
    far_m: float
    surface_m: NDArray[np.float32] | None = None

    def planes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Normals [6, 3] that point inwards and offsets [6]: inside is normal . p + offset >= 0."""
        c = self.camera
        normals = np.array(
            [
                [1.0, 0.0, c.cx / c.fx],  # left of the image: x / z = -cx / fx
                [-1.0, 0.0, (c.width - c.cx) / c.fx],
                [0.0, 1.0, c.cy / c.fy],
                [0.0, -1.0, (c.height - c.cy) / c.fy],
                [0.0, 0.0, 1.0],
                [0.0, 0.0, -1.0],
            ]
        )
        offsets = np.array([0.0, 0.0, 0.0, 0.0, 0.0, self.far_m])
        T = inverse(self.T_map_camera)
        return normals @ T[:3, :3], offsets + normals @ T[:3, 3]

    def meets(self, low: Boxes, high: Boxes) -> NDArray[np.bool_]:
        """Which boxes [B] it may meet.

        A box is left out only where it lies wholly on the outer side of one plane (Assarsson &
        Moeller 2000) or behind the surface of all tiles that it covers (Greene et al. 1993), so
        some that are near a corner are taken too many, and none too few.
        """
        normals, offsets = self.planes()
        middle, half = (low + high) / 2, (high - low) / 2
        reach = middle @ normals.T + offsets + half @ np.abs(normals).T  # of the corner most inside
        met = np.asarray((reach >= 0).all(1))
        if self.surface_m is not None and met.any():
            met[met] = self._before(self.surface_m, low[met], high[met])
        return met

    def _before(self, surface_m: NDArray[np.float32], low: Boxes, high: Boxes) -> NDArray[np.bool_]:
        """Which boxes [B] are not behind the surface of all tiles that they cover."""
        sides = np.stack([low, high], 1)
        pick = np.indices((2, 2, 2)).reshape(3, 8).T
        corners = sides[:, pick, np.arange(3)]  # [B, 8, 3]
        T = inverse(self.T_map_camera)
        x, y, z = np.moveaxis(corners @ T[:3, :3].T + T[:3, 3], -1, 0)  # [B, 8] each
        ahead = z > _NEAR_M
        c, depth = self.camera, np.where(ahead, z, 1.0)
        rows, columns = surface_m.shape
        v = (c.fy * y / depth + c.cy) * rows / c.height
        u = (c.fx * x / depth + c.cx) * columns / c.width
        covered = _spans(v, rows)[:, :, None] & _spans(u, columns)[:, None, :]  # [B, R, C]
        surface = np.where(covered, surface_m, 0.0).max((1, 2))
        return np.asarray(~ahead.all(1) | (z.min(1) <= _BEHIND * surface))


def _spans(places: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Which of so many tiles [B, count] lie between the least and greatest of places [B, 8]."""
    tile = np.arange(count)
    low, high = places.min(1)[:, None], places.max(1)[:, None]
    return np.asarray((tile + 1 >= low) & (tile <= high))


def farthest(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Farthest reading [R, C] in each tile of a depth image [H, W] (metres, 0 = none).

    Infinite where a part of the tile has no reading: behind a window or beyond the sensor's range
    there may be anything.
    """
    rows, columns = (min(n, size) for n, size in zip(_TILES, depth.shape, strict=True))
    at_y = -(-np.arange(rows) * depth.shape[0] // rows)  # rounded up, as pixels fall into tiles
    at_x = -(-np.arange(columns) * depth.shape[1] // columns)
    most = np.maximum.reduceat(np.maximum.reduceat(depth, at_y, 0), at_x, 1)
    blind = (depth <= 0).astype(np.float32)
    blind = np.add.reduceat(np.add.reduceat(blind, at_y, 0), at_x, 1)
    pixels = np.diff(at_y, append=depth.shape[0])[:, None] * np.diff(at_x, append=depth.shape[1])
    return np.where(blind > _BLIND * pixels, np.float32(np.inf), most)


def met_by_any(frusta: list[Frustum], low: Boxes, high: Boxes) -> NDArray[np.bool_]:
    """Which boxes [B] at least one of the frusta may meet."""
    met = np.zeros(len(low), bool)
    for one in frusta:
        left = np.flatnonzero(~met)
        if not len(left):
            break
        met[left] = one.meets(low[left], high[left])
    return met
