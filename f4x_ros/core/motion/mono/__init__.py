# SPDX-License-Identifier: Apache-2.0
"""A camera without depth: its path, and how deep its pictures are, see doc/mono.md."""

from __future__ import annotations

from f4x_ros.core.motion.mono.depth import MotionDepth
from f4x_ros.core.motion.mono.odometry import MonoOdometry

__all__ = ["MonoOdometry", "MotionDepth"]
