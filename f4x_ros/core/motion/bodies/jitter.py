# SPDX-License-Identifier: Apache-2.0
"""By how much things at rest seem to move, by the errors of poses, depth and shutter.

It is learned from the recording itself, as the median over the things that were tried, most of
which rest. What moves must move by several times as much.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

_KEPT = 64  # trials it is the median of
_FEWEST = 8  # trials below which it is guessed


class Jitter(NamedTuple):
    """Apparent motion within a quarter of a second, or so, of what rests."""

    pixels: float = 0.15  # shift of its middle in the picture
    radians: float = 0.006  # turn


class JitterMeter:
    """The median of the last apparent motions."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def add(self, pixels: float, radians: float) -> None:
        """One more thing was aligned to where it should be if it rests."""
        self._seen.append((pixels, radians))

    @property
    def value(self) -> Jitter:
        """What it is now."""
        if len(self._seen) < _FEWEST:
            return Jitter()
        pixels, radians = np.median(np.array(self._seen), 0).tolist()
        return Jitter(pixels, radians)
