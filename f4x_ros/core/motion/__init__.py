# SPDX-License-Identifier: Apache-2.0
"""Motion without words: the camera's path, the filter of positions, what is on its way."""

from __future__ import annotations

from f4x_ros.core.motion.kalman import PositionFilter
from f4x_ros.core.motion.pace import Pace
from f4x_ros.core.motion.passing import (
    gone_beside,
    note_moving_things,
    on_its_way,
    passed_on,
    rest_s,
)
from f4x_ros.core.motion.trajectory import Trajectory

__all__ = [
    "Pace",
    "PositionFilter",
    "Trajectory",
    "gone_beside",
    "note_moving_things",
    "on_its_way",
    "passed_on",
    "rest_s",
]
