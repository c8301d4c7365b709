# SPDX-License-Identifier: Apache-2.0
"""Motion without words: the camera's path, the filter of positions, what is on its way."""

from __future__ import annotations

from f4x_ros.core.motion.cameras import CameraMemory, Cameras, LastView
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
    "CameraMemory",
    "Cameras",
    "LastView",
    "Pace",
    "PositionFilter",
    "Trajectory",
    "gone_beside",
    "note_moving_things",
    "on_its_way",
    "passed_on",
    "rest_s",
]
