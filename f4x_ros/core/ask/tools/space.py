# SPDX-License-Identifier: Apache-2.0
"""Relations of boxes in a frame whose z points up, and of boxes seen by somebody."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from f4x_ros.core.ask.tools.scene import State, Vector

Z90 = 1.645
"""Standard deviations either side that hold 90 % of a normal distribution."""

_TOUCH_M = 0.08  # a thing stands on another if its base is so near to the other's top
_NEXT_M = 0.5  # things with a smaller gap are next to each other ...
_NEXT_SHARE = 0.5  # ... or with one smaller than this share of the smaller one's size
_INSIDE = 0.6  # share of a thing's box in another's from which it is in it
_BETWEEN = (0.1, 0.9)  # of the way from one to the other
_ASIDE = 0.35  # how far aside of the way, share of it


def distance_of(first: State, second: State) -> tuple[float, float]:
    """Between the middles of two boxes, and its standard deviation, m."""
    way = second.center - first.center
    length = float(np.linalg.norm(way))
    along = way / length if length > 1e-6 else np.full(3, 1 / math.sqrt(3))
    variance = first.sigma_m**2 + second.sigma_m**2
    return length, float(np.sqrt((along**2 * variance).sum()))


def gap_of(first: State, second: State) -> float:
    """Between the surfaces of two boxes, m; 0 where they touch or overlap."""
    apart = np.maximum(first.low - second.high, second.low - first.high)
    return float(np.linalg.norm(np.maximum(apart, 0)))


def is_on(first: State, second: State) -> bool:
    """Whether the first stands on the second: its base at the other's top, over its footprint."""
    if not _over(first, second):
        return False
    if abs(float(first.low[2] - second.high[2])) <= _TOUCH_M:
        return True
    # On a seat or a shelf: above its lower part, below its top, and too large to be in it
    base = float(first.low[2] - second.low[2])
    inside = _share_inside(first, second)
    return 0.25 * second.size[2] <= base <= second.size[2] and not inside >= _INSIDE


def is_in(first: State, second: State) -> bool:
    """Whether the first is inside of the second."""
    return _over(first, second) and _share_inside(first, second) >= _INSIDE


def is_above(first: State, second: State) -> bool:
    """Whether the first is straight above the second, touching or not."""
    return _overlap_flat(first, second) and bool(first.low[2] >= second.high[2] - _TOUCH_M)


def is_below(first: State, second: State) -> bool:
    """Whether the first is straight below the second, as a rug is below a table."""
    return _overlap_flat(first, second) and bool(
        first.high[2] <= second.high[2] - 0.5 * second.size[2] and first.low[2] <= second.low[2]
    )


def is_next_to(first: State, second: State) -> bool:
    """Whether two stand side by side: a small gap, and neither on nor in the other."""
    smaller = min(float(first.size.max()), float(second.size.max()))
    if gap_of(first, second) > min(_NEXT_M, max(0.15, _NEXT_SHARE * smaller + 0.1)):
        return False
    pairs = ((first, second), (second, first))
    return not any(test(a, b) for test in (is_on, is_in, is_above) for a, b in pairs)


def is_between(first: State, one: State, other: State) -> bool:
    """Whether the first is on the way from one to the other, seen from above."""
    way = (other.center - one.center)[:2]
    length = float(np.linalg.norm(way))
    if length < 1e-3:
        return False
    step = (first.center - one.center)[:2]
    share = float(step @ way) / length**2
    aside = abs(float(way[0] * step[1] - way[1] * step[0])) / length
    return _BETWEEN[0] <= share <= _BETWEEN[1] and aside <= max(_ASIDE * length, 0.1)


RELATIONS: dict[str, Callable[[State, State], bool]] = {
    "on": is_on,
    "in": is_in,
    "above": is_above,
    "below": is_below,
    "next to": is_next_to,
}
"""Relations of two boxes that need no viewer."""

SEEN_RELATIONS = ("left of", "right of", "in front of", "behind")
"""Relations of two boxes as somebody sees them."""


def _over(first: State, second: State) -> bool:
    """Whether the middle of the first is over the footprint of the second."""
    off = np.abs(first.center - second.center)[:2]
    return bool((off <= second.size[:2] / 2 + 0.03).all()) and bool(
        (first.size[:2] <= second.size[:2] * 1.3 + 0.1).all()
    )


def _overlap_flat(first: State, second: State) -> bool:
    """Whether half of the smaller footprint is over the other."""
    wide = np.minimum(first.high, second.high)[:2] - np.maximum(first.low, second.low)[:2]
    if (wide <= 0).any():
        return False
    smaller = min(float(np.prod(first.size[:2])), float(np.prod(second.size[:2])))
    return float(np.prod(wide)) >= 0.5 * max(smaller, 1e-9)


def _share_inside(first: State, second: State) -> float:
    wide = np.minimum(first.high, second.high) - np.maximum(first.low, second.low)
    volume = float(np.prod(np.maximum(first.size, 1e-3)))
    return float(np.prod(np.maximum(wide, 0))) / volume


# --- somebody's view -----------------------------------------------------------------------------


def bearing(eye: Vector, forward: Vector, point: Vector) -> float:
    """Angle in rad from a viewer's way of looking to a point, seen from above; left is positive."""
    to = (point - eye)[:2]
    ahead = forward[:2]
    cross = float(ahead[0] * to[1] - ahead[1] * to[0])
    return math.atan2(cross, float(ahead @ to))


def word_of_axis(way: Vector) -> str:
    """The axis of the map that a horizontal way is most along: "+x", "-x", "+y", "-y"."""
    axis = int(abs(way[1]) > abs(way[0]))
    return f"{'+' if way[axis] >= 0 else '-'}{'xy'[axis]}"
