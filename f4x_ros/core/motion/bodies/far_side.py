# SPDX-License-Identifier: Apache-2.0
"""The side of a thing that nobody saw: the middle of what is seen is not that of the thing.

A thing is taken to be as deep as it is usually wide, seen from where it is seen: so are balls,
bottles, robots and, about, people. What was seen from other sides as well is deep enough already.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SLICES = 8  # along the up axis, whose widths are looked at
_FEWEST = 4  # points of a slice
_UP = np.array([0.0, 0.0, 1.0])  # of the map (REP-103)
_STEEP = 0.95  # cosine above which a look is straight down or up


def completed(points: NDArray[np.float64], eye: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points [N, 3] of a surface that was seen from an eye [3], and its far side after them."""
    if len(points) < _FEWEST:
        return points
    middle = (points.min(0) + points.max(0)) / 2
    ray = middle - eye
    length = float(np.linalg.norm(ray))
    if length < 1e-6 or abs(float(ray @ _UP)) > _STEEP * length:
        return points
    away = ray - (ray @ _UP) * _UP
    away /= np.linalg.norm(away)
    across = points @ np.cross(_UP, away)
    height = points @ _UP
    low, high = np.percentile(height, (2, 98))
    number = np.floor((height - low) / max(high - low, 1e-6) * _SLICES).astype(int)
    number = number.clip(0, _SLICES - 1)
    widths = [
        float(np.ptp(across[number == one]))
        for one in range(_SLICES) if (number == one).sum() >= _FEWEST
    ]  # fmt: skip
    if not widths:
        return points
    near, far = np.percentile(points @ away, (2, 98))
    missing = float(np.median(widths)) - (far - near)
    return np.concatenate([points, points + missing * away]) if missing > 0 else points
