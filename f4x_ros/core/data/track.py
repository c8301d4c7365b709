# SPDX-License-Identifier: Apache-2.0
"""An object of the field, followed over time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class TrackState(IntEnum):
    """Life of a track; the values are those of `msg/Track`."""

    TENTATIVE = 0
    CONFIRMED = 1
    OCCLUDED = 2
    LOST = 3


@dataclass(frozen=True, eq=False)
class Track:
    """One object of the field, followed over time. Frames and units as in `msg/Track`.

    `position` [3] is the centre of the object's box, `velocity` [3] its rate, both in the map
    frame (m, m/s). `orientation` [4] is xyzw; covariances [6, 6] are ordered x, y, z, then
    rotations about X, Y, Z, as in ROS. `size` [3] is the box's full extent in metres.
    """

    id: int
    label: str
    score: float
    state: TrackState
    moving: bool
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    pose_covariance: NDArray[np.float64]
    velocity: NDArray[np.float64]
    angular_velocity: NDArray[np.float64]
    twist_covariance: NDArray[np.float64]
    size: NDArray[np.float64]
    first_seen_ns: int
    last_seen_ns: int
