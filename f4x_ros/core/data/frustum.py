# SPDX-License-Identifier: Apache-2.0
"""What a camera may see: which boxes its pyramid of view meets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.poses import Pose, inverse

Boxes = NDArray[np.float64]  # [B, 3] metres, map frame


@dataclass(frozen=True, eq=False)
class Frustum:
    """The part of the map before a camera.

    Attributes:
        camera: intrinsics.
        T_map_camera: [4, 4] of the optical frame.
        far_m: what lies farther along the optical axis is left out.
    """

    camera: PinholeCamera
    T_map_camera: Pose
    far_m: float

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
        Moeller 2000), so some that are near a corner are taken too many, and none too few.
        """
        normals, offsets = self.planes()
        middle, half = (low + high) / 2, (high - low) / 2
        reach = middle @ normals.T + offsets + half @ np.abs(normals).T  # of the corner most inside
        return np.asarray((reach >= 0).all(1))


def met_by_any(frusta: list[Frustum], low: Boxes, high: Boxes) -> NDArray[np.bool_]:
    """Which boxes [B] at least one of the frusta may meet."""
    met = np.zeros(len(low), bool)
    for one in frusta:
        left = np.flatnonzero(~met)
        if not len(left):
            break
        met[left] = one.meets(low[left], high[left])
    return met
