# SPDX-License-Identifier: Apache-2.0
"""What every room may use: files written whole or not at all, times of stages, half floats."""

from __future__ import annotations

from f4x_ros.core.base.atomic import atomic_write
from f4x_ros.core.base.half import round_to_half
from f4x_ros.core.base.stages import StageClock

__all__ = ["StageClock", "atomic_write", "round_to_half"]
