# SPDX-License-Identifier: Apache-2.0
"""What every room may use: options, whole files, times, counts, half floats, a device's arrays."""

from __future__ import annotations

from f4x_ros.core.base.atomic import atomic_write
from f4x_ros.core.base.half import round_to_half
from f4x_ros.core.base.host import on_host
from f4x_ros.core.base.left_out import LeftOut
from f4x_ros.core.base.options import Parameter, Value, checked_values, option, parameters_of
from f4x_ros.core.base.stages import StageClock

__all__ = [
    "LeftOut",
    "Parameter",
    "StageClock",
    "Value",
    "atomic_write",
    "checked_values",
    "on_host",
    "option",
    "parameters_of",
    "round_to_half",
]
