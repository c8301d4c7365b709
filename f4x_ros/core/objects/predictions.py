# SPDX-License-Identifier: Apache-2.0
"""Predictions of all tracks for planners: which model, by what the history supports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from f4x_ros.core.data import Prediction, Track, TrackState
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.motion.predict import LONGEST_S, Turn, carried_on, turn_of
from f4x_ros.core.objects.history import Life

AHEAD_S = (0.5, 1.0, 2.0)
"""Seconds ahead that planners are told of."""

_WINDOW_S = 0.8  # whose headings tell a turn
_SAMPLES = 13
_LATELY_NS = 3_000_000_000  # what moved so lately may go on


def predictions(
    tracks: Sequence[Track],
    lives: Iterable[Life],
    stamp_ns: int,
    ahead_s: Sequence[float] = AHEAD_S,
) -> tuple[Prediction, ...]:
    """Where tracks are going to be, ascending id; those that are LOST are left out.

    Args:
        tracks: of the last frame.
        lives: their histories; of one that has none a turn is not known.
        stamp_ns: of the last frame.
        ahead_s: seconds ahead, rising, 0 to `LONGEST_S`.

    Raises:
        ValueError: seconds ahead that are not as expected.
    """
    if not all(0 <= one <= LONGEST_S for one in ahead_s) or sorted(set(ahead_s)) != list(ahead_s):
        raise BadInputError(
            f"ahead_s is {list(ahead_s)}, expected rising seconds of 0 to {LONGEST_S:g}"
        )
    known = {life.id: life for life in lives}
    made = []
    for track in sorted(tracks, key=lambda one: one.id):
        if track.state is TrackState.LOST:
            continue
        life = known.get(track.id)
        turn = turn_at(track, life, stamp_ns)
        model, ahead = carried_on(track, ahead_s, turn, halts=moved_lately(life, stamp_ns))
        made.append(Prediction(track, model, 0.0 if turn is None else turn.rate, ahead))
    return tuple(made)


def moved_lately(life: Life | None, stamp_ns: int) -> bool:
    """Whether it moved a moment ago: it may only halt."""
    if life is None:
        return False
    rows = life.rows
    since = int(np.searchsorted(rows["stamp_ns"], stamp_ns - _LATELY_NS))
    return bool(rows["moving"][max(0, since - 1) :].any())


def turn_at(track: Track, life: Life | None, stamp_ns: int) -> Turn | None:
    """The turn rate of the last moment in which it moved; None where nothing tells it."""
    if life is None or not track.moving:
        return None
    first = max(int(life.rows["stamp_ns"][0]), stamp_ns - round(_WINDOW_S * 1e9))
    steps = np.linspace(0.0, 1.0, _SAMPLES)
    stamps = [first + round(float(step) * (stamp_ns - first)) for step in steps]
    states = [(ns, life.state_at(ns)) for ns in dict.fromkeys(stamps)]
    moving = [(ns, one) for ns, one in states if one is not None and one.moving]
    if not moving:
        return None
    seconds = np.array([(ns - stamp_ns) / 1e9 for ns, _ in moving])
    velocities = np.array([one.velocity for _, one in moving])
    sigma = float(np.sqrt(np.trace(track.twist_covariance[:2, :2]) / 2))
    return turn_of(seconds, velocities, sigma)
