# SPDX-License-Identifier: Apache-2.0
"""How a thing moved over a span: samples of its way, and the pieces of time in which it moved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from f4x_ros.core.ask.tools.resolve import Moment
from f4x_ros.core.ask.tools.scene import Scene, State, Thing, Vector, even_stamps

MOVED_M = 0.06
"""What is farther from where it was has moved."""

_STEP_S = 1 / 15
_MOST = 600  # samples of a span
_SLOWEST_MPS = 0.04
_LEAST_DOUBT = 0.04
_LAG = 0.8  # share of a speed's doubt that does not average out along a way, as a filter lags
_GAP_S = 0.2  # a shorter rest is none
_SHORT_S = 0.2  # a shorter move, by less than MOVED_M, is none


class Way(NamedTuple):
    """Samples of a thing's way, where it is known.

    Attributes:
        stamps_ns: [n] moments.
        centers: [n, 3] m.
        speeds: [n] m/s.
        moving: [n] whether it moved.
        sigmas: [n] m/s, standard deviation of the speeds.
    """

    stamps_ns: list[int]
    centers: Vector
    speeds: Vector
    moving: list[bool]
    sigmas: Vector

    @property
    def doubt(self) -> float:
        """Standard deviation of its length, share of it."""
        going = np.array(self.moving, bool)
        if not going.any():
            return _LEAST_DOUBT
        mean = float(self.speeds[going].mean())
        return _LEAST_DOUBT + _LAG * float(self.sigmas[going].mean()) / max(mean, 1e-3)

    @property
    def length_m(self) -> float:
        """Of the way while it moved: the speed summed up, as noise lengthens a way of places."""
        if len(self.stamps_ns) < 2:
            return 0.0
        going = np.where(self.moving, self.speeds, 0.0)
        seconds = np.diff(np.array(self.stamps_ns)) / 1e9
        return float(((going[1:] + going[:-1]) / 2 * seconds).sum())

    @property
    def reach_m(self) -> float:
        """Farthest distance of two places on it from the first one."""
        if not len(self.centers):
            return 0.0
        return float(np.linalg.norm(self.centers - self.centers[0], axis=1).max())

    def pieces(self) -> list[tuple[int, int]]:
        """Begin and end, as stamps, of the pieces in which it moved; short rests do not end one."""
        spans: list[list[int]] = []
        for ns, moves in zip(self.stamps_ns, self.moving, strict=True):
            if not moves:
                continue
            if spans and ns - spans[-1][1] <= (_GAP_S + _STEP_S) * 1e9:
                spans[-1][1] = ns
            else:
                spans.append([ns, ns])
        return [(a, b) for a, b in spans if (b - a) / 1e9 >= _SHORT_S or self._moved(a, b)]

    def _moved(self, begin: int, end: int) -> bool:
        rows = [k for k, ns in enumerate(self.stamps_ns) if begin <= ns <= end]
        return float(np.linalg.norm(self.centers[rows[-1]] - self.centers[rows[0]])) >= MOVED_M


def way_of(scene: Scene, thing: Thing, since: Moment, until: Moment) -> Way:
    """The way of a thing in a span, sampled evenly."""
    del scene
    first, last = thing.span_ns()
    begin, end = max(since.ns, first), min(until.ns, last)
    number = min(_MOST, max(2, round((until.ns - since.ns) / 1e9 / _STEP_S) + 1))
    stamps, states = [], []
    for ns in even_stamps(since.ns, until.ns, number):
        state = thing.state_at(ns) if begin <= ns <= end else None
        if state is not None:
            stamps.append(ns)
            states.append(state)
    speeds = np.array([speed_of(state)[0] for state in states])
    return Way(
        stamps,
        np.array([state.center for state in states]).reshape(-1, 3),
        speeds,
        [bool(s.moving and v >= _SLOWEST_MPS) for s, v in zip(states, speeds, strict=True)],
        np.array([speed_of(state)[1] for state in states]),
    )


def speed_of(state: State) -> tuple[float, float]:
    """Speed and its standard deviation, m/s; 0 of what rests."""
    if not state.moving:
        return 0.0, float(state.velocity_sigma.max())
    speed = float(np.linalg.norm(state.velocity))
    along = state.velocity / speed if speed > 1e-6 else np.full(3, 3**-0.5)
    return speed, float(np.sqrt((along**2 * state.velocity_sigma**2).sum()))


def goes(state: State) -> bool:
    """Whether a thing moves fast enough to have a direction."""
    return state.moving and float(np.linalg.norm(state.velocity)) >= _SLOWEST_MPS
