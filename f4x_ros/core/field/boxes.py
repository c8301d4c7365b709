# SPDX-License-Identifier: Apache-2.0
"""Boxes by the number of their block, and which of them cameras may see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frustum, met_by_any
from f4x_ros.core.field.places import Corners

_FIRST = 64  # places to begin with; they double


class BoxIndex:
    """Axis-aligned boxes, each under a code; to add or drop one never costs what all of them do."""

    def __init__(self) -> None:
        self._place: dict[int, int] = {}
        self._free: list[int] = []
        self._codes = np.zeros(0, np.int64)
        self._corners = np.zeros((0, 2, 3))  # lowest and highest; NaN where no box is

    def __len__(self) -> int:
        return len(self._place)

    def add(self, code: int, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        """Set the corners [3] of a box."""
        place = self._place.get(code)
        if place is None:
            if not self._free:
                self._grow()
            place = self._place[code] = self._free.pop()
        self._codes[place] = code
        self._corners[place] = low, high

    def drop(self, code: int) -> None:
        """Forget a box; KeyError if it is not there."""
        place = self._place.pop(code)
        self._corners[place] = np.nan
        self._free.append(place)

    def corners(self, codes: Sequence[int]) -> Corners:
        """Lowest and highest corners [B, 3] of some boxes; KeyError if one is not there."""
        both = self._corners[[self._place[code] for code in codes]]
        return both[:, 0], both[:, 1]

    def met_by(self, frusta: list[Frustum]) -> list[int]:
        """Codes of the boxes that at least one of the frusta may meet, in ascending order."""
        met = met_by_any(frusta, self._corners[:, 0], self._corners[:, 1])
        return sorted(int(code) for code in self._codes[met])

    def _grow(self) -> None:
        old = len(self._codes)
        more = max(_FIRST, old)
        self._codes = np.concatenate([self._codes, np.zeros(more, np.int64)])
        self._corners = np.concatenate([self._corners, np.full((more, 2, 3), np.nan)])
        self._free.extend(range(old + more - 1, old - 1, -1))
