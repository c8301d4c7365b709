# SPDX-License-Identifier: Apache-2.0
"""A frame becomes a view: reduced, with an exposure, and what its depth proves empty.

In: a `Frame`. Out: a `View` at the resolution of the map; `seen_through` and `hidden` say which
points lie in the free space before its surfaces, and which behind them.
"""

from __future__ import annotations

from f4x_ros.core.observe.exposure import Exposure, ExposureTrack, apply
from f4x_ros.core.observe.free_space import Sights, hidden, seen_through, sights
from f4x_ros.core.observe.views import View, make_view, reduced

__all__ = [
    "Exposure",
    "ExposureTrack",
    "Sights",
    "View",
    "apply",
    "hidden",
    "make_view",
    "reduced",
    "seen_through",
    "sights",
]
