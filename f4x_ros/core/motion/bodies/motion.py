# SPDX-License-Identifier: Apache-2.0
"""How a body moves at a moment, for whoever follows objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose


@dataclass(frozen=True, eq=False)
class BodyMotion:
    """Pose and twist of a body.

    Attributes:
        id: of the body.
        T_map_body: [4, 4].
        middle: [3] metres, map frame; the twist is of this point.
        twist: [6] m/s and rad/s, map axes.
        covariance: [12, 12] of the middle, turn, velocity and angular velocity.
        moving: whether it moves.
        turns_known: whether the frames tell how it is turned.
        surface: [N, 3] metres, map frame, one point a voxel, of what is known of it; none while
            it rests.
    """

    id: int
    T_map_body: Pose
    middle: NDArray[np.float64]
    twist: NDArray[np.float64]
    covariance: NDArray[np.float64]
    moving: bool
    turns_known: bool
    surface: NDArray[np.float64]

    def velocity_at(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """[3] m/s of a point [3] that moves with it."""
        return np.asarray(self.twist[:3] + np.cross(self.twist[3:], point - self.middle))
