# SPDX-License-Identifier: Apache-2.0
"""Which unit a column of stamps is in: files say seconds, and mean milli- or nanoseconds."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from f4x_ros.io.pairing import nearest_stamps

#: Nanoseconds of each unit.
UNITS = {
    "seconds": 1_000_000_000,
    "milliseconds": 1_000_000,
    "microseconds": 1_000,
    "nanoseconds": 1,
}
# From 1973 to 5138; the same number in the next unit is before 1973.
_EARLIEST_S, _LATEST_S = 100_000_000, 100_000_000_000
_LARGEST_NS = 2**63 - 1
# What moves is filmed with between 500 and 0.5 frames a second.
_LEAST_NS, _MOST_NS = 2_000_000, 2_000_000_000
_USUAL_NS = 33_000_000
# Seldom is a picture taken once an hour.
_LAPSE_NS = 3600 * UNITS["seconds"]


def unit_of_images(stamps: Sequence[Decimal]) -> str:
    """Unit of the stamps of images: by their size, unless whole numbers make no film in it.

    Stamps that count from the start of a recording are told by their distances alone.
    """
    by_size = _by_size(_typical(stamps))
    steps = np.diff(np.unique(np.array([float(stamp) for stamp in stamps])))
    whole = all(stamp == stamp.to_integral_value() for stamp in stamps)
    if not whole or not steps.size:
        return by_size or "seconds"
    step = float(np.median(steps))
    if by_size and step * UNITS[by_size] <= _LAPSE_NS:
        return by_size
    likely = [unit for unit, ns in UNITS.items() if _LEAST_NS <= step * ns <= _MOST_NS]
    if "seconds" in likely or not likely:
        return "seconds"
    return min(likely, key=lambda unit: abs(np.log(step * UNITS[unit] / _USUAL_NS)))


def unit_that_meets(
    stamps: Sequence[Decimal], wanted_ns: NDArray[np.int64], slop_ns: int, unit: str
) -> str:
    """Unit in which the most of ``wanted_ns`` have a stamp within ``slop_ns``.

    Of several the one that the size of the stamps tells, else the ``unit`` of the images.
    """
    first = _by_size(_typical(stamps)) or unit
    order = [first, *(other for other in UNITS if other != first)]
    return max(order, key=lambda name: _met(stamps, wanted_ns, slop_ns, name))


def in_nanoseconds(stamps: Sequence[Decimal], unit: str) -> NDArray[np.int64]:
    """``[N]`` int64 ns; those beyond what it holds (a unit that is not meant) are the largest."""
    exact = (int(stamp * UNITS[unit]) for stamp in stamps)
    return np.array([min(value, _LARGEST_NS) for value in exact], np.int64)


def _met(stamps: Sequence[Decimal], wanted_ns: NDArray[np.int64], slop_ns: int, unit: str) -> int:
    offered = in_nanoseconds(stamps, unit)
    offered = offered[offered < _LARGEST_NS]
    if not offered.size:
        return 0
    index = nearest_stamps(wanted_ns, offered)
    return int((np.abs(offered[index] - wanted_ns) <= slop_ns).sum())


def _by_size(stamp: Decimal) -> str | None:
    """The unit in which a stamp lies between 1973 and 5138; None if it counts from elsewhere."""
    for unit, ns in UNITS.items():
        seconds = stamp * ns / UNITS["seconds"]
        if _EARLIEST_S <= seconds < _LATEST_S:
            return unit
    return None


def _typical(stamps: Sequence[Decimal]) -> Decimal:
    return sorted(stamps)[len(stamps) // 2]
