# SPDX-License-Identifier: Apache-2.0
"""How far apart frames usually are."""

from __future__ import annotations

from collections import deque
from statistics import median

_KEPT = 15  # intervals that the usual one is taken from


class Pace:
    """The usual time from frame to frame: a gap in the stream does not change it."""

    def __init__(self) -> None:
        self._intervals: deque[float] = deque(maxlen=_KEPT)

    def add(self, interval_s: float) -> None:
        """One more frame came, so long after the one before it."""
        self._intervals.append(interval_s)

    @property
    def interval_s(self) -> float:
        """Median of the last intervals in seconds; 0 before the second frame."""
        return median(self._intervals) if self._intervals else 0.0
