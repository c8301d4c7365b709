# SPDX-License-Identifier: Apache-2.0
"""Poses whose camera goes as fast as none does: those in millimetres are read as metres."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose

_FASTEST_MPS = 100.0
_PAIRS = 100  # of images one after the other that are looked at


def speed_remark(stamps_ns: NDArray[np.int64], pose_of: Callable[[int], Pose | None]) -> list[str]:
    """What to say of a camera that goes faster than any, in most of some steps; [] of others.

    Args:
        stamps_ns: ``[N]`` of the images, ascending.
        pose_of: ``T_map_camera`` of an image by its number.
    """
    last = len(stamps_ns) - 2
    firsts = np.unique(np.linspace(0, max(last, 0), _PAIRS).astype(int))
    speeds = []
    for k in firsts.tolist() if last >= 0 else ():
        one, other = pose_of(k), pose_of(k + 1)
        if one is not None and other is not None:
            seconds = int(stamps_ns[k + 1] - stamps_ns[k]) / 1e9
            speeds.append(float(np.linalg.norm(other[:3, 3] - one[:3, 3])) / seconds)
    middle = float(np.median(speeds)) if speeds else 0.0
    if middle <= _FASTEST_MPS:
        return []
    return [
        f"the camera goes {middle:.0f} m/s (median of {len(speeds)} steps): are its poses in "
        "millimetres, expected metres?"
    ]
