# SPDX-License-Identifier: Apache-2.0
"""Whether what was moved is named: true moves out of true states, and events against them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabricated import track

from f4x_ros.core.data import Event, Happening
from f4x_ros.eval.metrics.moves import Move, move_scores, true_moves
from f4x_ros.eval.metrics.track_states import ObjectStates

STEP_NS = 100_000_000


def x_of(frame: int) -> float:
    """At rest at 0 to frame 10, then to 0.5 until frame 20, then at rest; off again from 40."""
    return 0.05 * min(max(frame - 10, 0), 10) + 0.05 * max(frame - 40, 0)


def truth(frames: int = 45) -> list[ObjectStates]:
    """The mover 3, and a person 4 who only waves."""
    return [
        ObjectStates(
            k * STEP_NS,
            np.array([3, 4]),
            np.array([[x_of(k), 0, 0.5], [2.0 + 0.01 * (k % 3), 0, 1]]),
            moving=np.array([10 < k <= 20 or k > 40, True]),
        )
        for k in range(frames)
    ]


def event(begin: int, end: int, before: float, after: float, *, moving: bool = False) -> Event:
    there = track(9, "mug", (before, 0.0, 0.5))
    return Event(
        Happening.MOVED, 9, "mug", begin * STEP_NS, end * STEP_NS, there,
        replace(there, position=np.array([after, 0.0, 0.5])), abs(after - before), moving,
    )  # fmt: skip


def moves() -> list[Move]:
    return true_moves(truth(), [set()] * 45)


def test_true_moves_are_from_rest_to_rest_or_to_the_end_and_waving_is_none() -> None:
    first, second = moves()
    assert (first.id, first.begin_ns, first.end_ns) == (3, 11 * STEP_NS, 20 * STEP_NS)
    assert (first.places[0][0], first.places[-1][0]) == (0.0, pytest.approx(0.5))
    assert (first.from_rest, first.to_rest) == (True, True)
    assert (second.from_rest, second.to_rest) == (True, False)
    hidden = true_moves(truth(), [{3} if k < 12 else set() for k in range(45)])[0]
    assert (hidden.from_rest, hidden.to_rest) == (False, True)


def test_exact_events_have_full_marks() -> None:
    scores = move_scores(moves(), [event(12, 21, 0, 0.5), event(42, 44, 0.5, 0.7, moving=True)])
    assert (scores.moves, scores.found, scores.right) == (2, 1.0, 1.0)
    assert (scores.from_median_m, scores.from_5cm) == (0.0, 1.0)
    assert (scores.to_median_m, scores.to_5cm) == (pytest.approx(0), 1.0)


def test_each_kind_of_error_costs_its_own_marks() -> None:
    said = [event(12, 21, 0.08, 0.52), event(30, 33, 0.5, 0.9)]  # 8 cm off; nothing moved then
    scores = move_scores(moves(), said)
    assert (scores.found, scores.right) == (0.5, 0.5)
    assert (scores.from_median_m, scores.from_5cm) == (pytest.approx(0.08), 0.0)
    assert (scores.to_median_m, scores.to_5cm) == (pytest.approx(0.02), 1.0)
    late = move_scores(moves(), [event(28, 33, 0.0, 0.5)])
    assert (late.found, late.right) == (0.0, 0.0)
    nothing = move_scores([], [])
    assert (nothing.moves, nothing.found, nothing.right, nothing.to_5cm) == (0, None, None, None)
