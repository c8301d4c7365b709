# SPDX-License-Identifier: Apache-2.0
"""A page of a map's movers over time, for `f4x history --picture` and `f4x demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.data import HistoryResult, ThingStates
    from f4x_ros.core.perception import Perception

_MOMENTS = 4
_WIDTH_PX = 960


def write_moments(
    path: Path, perception: Perception, result: HistoryResult, title: str
) -> ThingStates:
    """Draw the things of a history, with states; returns the one that is shown at four times.

    Raises:
        ValueError: the history has no span or no thing.
        OSError: the file cannot be written.
    """
    from f4x_ros.viz.moments import Moments, draw_moments
    from f4x_ros.viz.plan import up_axis
    from f4x_ros.viz.png import save_png

    if result.until_ns <= result.since_ns or not result.things:
        raise BadInputError("there is nothing to draw: expected a span in which things were there")
    thing = max(result.things, key=_way_m)
    stamps = _spread(thing)
    view = perception.viewpoint(None, stamps[-1])[1]
    first = perception.span_ns[0]
    page = Moments(
        title=title,
        views=[perception.show(ns, view, width=_WIDTH_PX, want_labels=False) for ns in stamps],
        captions=[f"{(ns - first) / 1e9:.2f} s" for ns in stamps],
        things=result.things,
        followed=thing.id,
        predictions=perception.predictions() if result.until_ns == perception.stamp_ns else (),
        prompts=perception.prompts,
        up=up_axis(view),
    )
    save_png(path, draw_moments(page))
    return thing


def _way_m(thing: ThingStates) -> float:
    """How far it went while it moved and was in sight."""
    places = np.array([state.position for state in thing.states])
    seen = [
        state.moving and state.last_seen_ns >= ns
        for ns, state in zip(thing.stamps_ns, thing.states, strict=True)
    ]
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    return float(steps[np.array(seen[1:], bool)].sum()) if len(steps) else 0.0


def _spread(thing: ThingStates) -> list[int]:
    """Moments evenly over its history, those at which it was in sight preferred."""
    seen = [
        ns
        for ns, state in zip(thing.stamps_ns, thing.states, strict=True)
        if state.last_seen_ns >= ns
    ] or list(thing.stamps_ns)
    wished = np.linspace(seen[0], seen[-1], _MOMENTS)
    nearest = [min(seen, key=lambda ns: abs(ns - wish)) for wish in wished.tolist()]
    return sorted(set(nearest))
