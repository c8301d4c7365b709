# SPDX-License-Identifier: Apache-2.0
"""Driving a distance from rest to rest: speed rises as a smooth step, holds, and falls again.

Distances in metres, ``speed`` in m/s, ``ramp_s`` is the time from rest to full speed.
"""

from __future__ import annotations


def cruise(length_m: float, speed: float, ramp_s: float) -> float:
    """Speed on the way; a short one leaves no time to reach full speed."""
    return min(speed, length_m / ramp_s)


def drive_s(length_m: float, speed: float, ramp_s: float) -> float:
    """Seconds it takes."""
    return length_m / cruise(length_m, speed, ramp_s) + ramp_s


def driven_m(length_m: float, speed: float, ramp_s: float, since_s: float) -> float:
    """Metres done after so long: speed rises as a smooth step, holds, and falls."""
    whole = drive_s(length_m, speed, ramp_s)
    since = min(since_s, whole)
    rising = _ramp_area(min(since / ramp_s, 1.0)) * ramp_s
    steady = max(0.0, min(since, whole - ramp_s) - ramp_s)
    falling = ramp_s * (0.5 - _ramp_area(min((whole - since) / ramp_s, 1.0)))
    return cruise(length_m, speed, ramp_s) * (rising + steady + falling)


def _ramp_area(u: float) -> float:
    """Integral of 3u^2 - 2u^3 from 0 to ``u``; 1/2 at one."""
    return u * u * u - 0.5 * u**4
