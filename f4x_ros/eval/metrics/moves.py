# SPDX-License-Identifier: Apache-2.0
"""Whether what was moved is named, with where it was moved from and to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from f4x_ros.core.data import Event, Happening
from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.metrics.track_states import ObjectStates

CLOSE_M = 0.05
"""A place is right within this."""

_MOVED_M = 0.06  # what ends nearer than this to where it began, all the way, has not moved
_GAP_NS = 1_000_000_000  # what rests for less is held, or halts on its way
_LATE_NS = 600_000_000  # that an event may be off in time
_FAR_M = 0.5  # an event that begins farther away is of something else


@dataclass(frozen=True, eq=False)
class Move:
    """One truly moved thing.

    Attributes:
        id: of the true object.
        begin_ns: stamp of the first frame in which it moved.
        end_ns: stamp of the last one.
        places: [n, 3] where it was, from the frame before to the one after.
        from_rest: it rested before, in the run, and could be seen.
        to_rest: it rested after, in the run, and could be seen.
    """

    id: int
    begin_ns: int
    end_ns: int
    places: NDArray[np.float64]
    from_rest: bool
    to_rest: bool


@dataclass(frozen=True)
class MoveScores:
    """How well moves are named; None where there is nothing to measure.

    Attributes:
        moves: true ones that began at rest and could be seen.
        found: share of them that an event names.
        right: share of the events that are of something that truly moved then.
        from_median_m: distance of the place where it is said to have been from the true one.
        from_5cm: share of all moves of which that is within 5 cm; what is not named is not.
        to_median_m: the same of the place where it came to rest.
        to_5cm: share, of all moves that came to rest in sight.
    """

    moves: int
    found: float | None
    right: float | None
    from_median_m: float | None
    from_5cm: float | None
    to_median_m: float | None
    to_5cm: float | None


def true_moves(truth: Sequence[ObjectStates], unseen: Sequence[Collection[int]]) -> list[Move]:
    """All moves of a run, also those that began before it or out of sight.

    Args:
        truth: the true movers of each frame, with `moving`.
        unseen: for each frame the ids that could hardly be seen.
    """
    if len(truth) != len(unseen):
        raise BadInputError(f"{len(truth)} frames and {len(unseen)} of what is unseen")
    moves = []
    for number in sorted({int(one) for states in truth for one in states.ids}):
        moves += _moves_of(number, truth, unseen)
    return moves


def _moves_of(
    number: int, truth: Sequence[ObjectStates], unseen: Sequence[Collection[int]]
) -> list[Move]:
    frames, places, moving = [], [], []
    for index, states in enumerate(truth):
        rows = np.flatnonzero(states.ids == number)
        if len(rows) and states.moving is not None:
            frames.append(index)
            places.append(np.asarray(states.positions[rows[0]], np.float64))
            moving.append(bool(states.moving[rows[0]]))
    moves = []
    for first, last in _runs(moving, [truth[k].stamp_ns for k in frames]):
        before, after = max(first - 1, 0), min(last + 1, len(frames) - 1)
        way = np.array(places[before : after + 1])
        if np.linalg.norm(way - way[0], axis=1).max() < _MOVED_M:
            continue
        moves.append(
            Move(
                number,
                truth[frames[first]].stamp_ns,
                truth[frames[last]].stamp_ns,
                way,
                first > 0 and number not in unseen[frames[before]],
                last + 1 < len(frames) and number not in unseen[frames[after]],
            )
        )
    return moves


def _runs(moving: Sequence[bool], stamps: Sequence[int]) -> list[tuple[int, int]]:
    """First and last index of each stretch of motion; short rests do not end one."""
    runs: list[tuple[int, int]] = []
    for index, moves in enumerate(moving):
        if not moves:
            continue
        if runs and stamps[index] - stamps[runs[-1][1]] <= _GAP_NS:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def move_scores(moves: Sequence[Move], events: Sequence[Event]) -> MoveScores:
    """Score the events of a run that say MOVED; others are passed over.

    A move and an event match if they overlap in time (0.6 s off at most) and the event begins
    within half a metre of where the move did; the nearest are paired.
    """
    said = [event for event in events if event.event is Happening.MOVED]
    wanted = [move for move in moves if move.from_rest]
    pairs = _paired(wanted, said)
    froms = [
        float(np.linalg.norm(said[column].before.position - wanted[row].places[0]))
        for row, column in pairs
    ]
    rested = [move for move in wanted if move.to_rest]
    tos = [
        float(np.linalg.norm(said[column].after.position - wanted[row].places[-1]))
        for row, column in pairs
        if wanted[row].to_rest and not said[column].moving
    ]
    right = sum(any(_may_be(move, event) for move in moves) for event in said)
    return MoveScores(
        moves=len(wanted),
        found=len(pairs) / len(wanted) if wanted else None,
        right=right / len(said) if said else None,
        from_median_m=percentile_or_none(froms, 50),
        from_5cm=_close(froms) / len(wanted) if wanted else None,
        to_median_m=percentile_or_none(tos, 50),
        to_5cm=_close(tos) / len(rested) if rested else None,
    )


def _close(errors: Sequence[float]) -> int:
    return sum(error <= CLOSE_M for error in errors)


def _paired(wanted: Sequence[Move], said: Sequence[Event]) -> list[tuple[int, int]]:
    if not wanted or not said:
        return []
    worth = np.zeros((len(wanted), len(said)))
    for row, move in enumerate(wanted):
        for column, event in enumerate(said):
            off = float(np.linalg.norm(event.before.position - move.places[0]))
            if off < _FAR_M and _at_one_time(move, event):
                worth[row, column] = 1 - off / _FAR_M
    rows, columns = linear_sum_assignment(-worth)
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if worth[row, column] > 0
    ]


def _may_be(move: Move, event: Event) -> bool:
    """Whether an event is of a move, wherever on its way it begins."""
    near = np.linalg.norm(move.places - event.before.position, axis=1).min() < _FAR_M
    return bool(near) and _at_one_time(move, event)


def _at_one_time(move: Move, event: Event) -> bool:
    return event.begin_ns <= move.end_ns + _LATE_NS and event.end_ns >= move.begin_ns - _LATE_NS
