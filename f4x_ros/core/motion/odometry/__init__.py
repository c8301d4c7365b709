# SPDX-License-Identifier: Apache-2.0
"""The camera's pose from its own pictures, see doc/odometry.md."""

from __future__ import annotations

from f4x_ros.core.motion.odometry.estimate import (
    PoseEstimate,
    TrackingState,
    carried,
    twist_carried,
)
from f4x_ros.core.motion.odometry.odometry import START, Odometry

__all__ = ["START", "Odometry", "PoseEstimate", "TrackingState", "carried", "twist_carried"]
