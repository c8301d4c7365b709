# SPDX-License-Identifier: Apache-2.0
"""Ways over the floor, nose forward: round a loop with stops, or to and fro."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, CubicSpline

from f4x_ros.sim.mesh import rotation
from f4x_ros.sim.motion import OpenAndShut, Pose, pose_from, smooth_step, upright
from f4x_ros.sim.rest_to_rest import drive_s, driven_m

Point = tuple[float, float]

_SAMPLE_M = 0.01


class Stop(NamedTuple):
    """A halt nearest to a place on the way."""

    at: Point
    wait_s: float


class _Leg(NamedTuple):
    """From one stop to the next, or a whole lap."""

    start_s: float
    start_m: float
    length_m: float
    drive_s: float  # after it, the wait begins


@dataclass(frozen=True)
class Route:
    """Drive round a closed polygon with rounded corners for ever.

    The way is a cubic B-spline over points about every ``2 * corner_m`` of the polygon: it stays
    inside, long edges stay straight, and no bend is tighter than about 0.7 ``corner_m``.

    Attributes:
        points: corners ``(x, y)`` [m]; the way begins next to the first and leads to the second.
        speed: m/s between stops.
        stops: where it halts; the clock starts with the drive from the last of them (with none, at
            the first point).
        corner_m: how widely corners are rounded.
        start_s: how far in the play it is at t = 0.
        ramp_s: time from rest to full speed.
        z: height above the floor.
    """

    points: tuple[Point, ...]
    speed: float
    stops: tuple[Stop, ...] = ()
    corner_m: float = 0.3
    start_s: float = 0.0
    ramp_s: float = 0.6
    z: float = 0.0

    def __call__(self, t: float) -> Pose:
        return self.at_distance(self.distance(t))

    def at_distance(self, distance_m: float) -> Pose:
        """The pose when so much of the way is done; goes on beyond one lap."""
        share = self._share_of(distance_m % self.length_m)
        x, y = self._curve(share)
        dx, dy = self._curve.derivative()(share)
        return upright(float(x), float(y), self.z, float(np.arctan2(dy, dx)))

    def distance(self, t: float) -> float:
        """Metres done at time ``t`` [s] since the beginning of the play; never falls."""
        laps, within = divmod(t + self.start_s, self.period_s)
        leg = next(leg for leg in reversed(self._legs) if leg.start_s <= within)
        return float(laps * self.length_m + leg.start_m + self._driven(leg, within - leg.start_s))

    def pace(self, t: float) -> float:
        """Share 0..1 of full speed at time ``t`` [s]."""
        return _pace(self, t)

    def arrival_s(self, stop: int) -> float:
        """When, at t >= 0 or within one period before, it comes to rest at ``stops[stop]``."""
        where = self._stop_order.index(stop)
        leg = self._legs[where]
        return leg.start_s + leg.drive_s - self.start_s

    def starting_at(self, place: Point) -> Route:
        """The same way, at t = 0 as near as it comes to a place, on the way out first."""
        clock = np.arange(0, self.period_s, 0.05)
        unset = replace(self, start_s=0.0)
        near = [float(np.hypot(*(unset(t)[:2, 3] - place))) for t in clock]
        return replace(self, start_s=float(clock[int(np.argmin(near))]))

    @property
    def length_m(self) -> float:
        """Length of one lap."""
        return float(self._along[-1])

    @cached_property
    def period_s(self) -> float:
        """Duration of one lap with its stops."""
        waits = sum(stop.wait_s for stop in self.stops)
        return sum(leg.drive_s for leg in self._legs) + waits

    # --- along the curve -----------------------------------------------------------------------

    @cached_property
    def _curve(self) -> BSpline:
        corners = np.asarray(self.points, np.float64)
        after = np.roll(corners, -1, 0)
        control = []
        for a, b in zip(corners, after, strict=True):
            count = max(1, round(float(np.linalg.norm(b - a)) / (2 * self.corner_m)))
            control.append(a + (b - a) * (np.arange(count) / count)[:, None])
        ring = np.concatenate(control)
        wrapped = np.concatenate([ring[-1:], ring, ring[:2]])
        knots = (np.arange(len(wrapped) + 4) - 3) / len(ring)
        return BSpline(knots, wrapped, 3)

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        around = sum(
            float(np.hypot(b[0] - a[0], b[1] - a[1]))
            for a, b in zip(self.points, (*self.points[1:], self.points[0]), strict=True)
        )
        return np.linspace(0, 1, max(64, round(around / _SAMPLE_M)) + 1)

    @cached_property
    def _along(self) -> NDArray[np.float64]:
        """Distance from the beginning at each share."""
        steps = np.linalg.norm(np.diff(self._curve(self._shares), axis=0), axis=1)
        return np.insert(np.cumsum(steps), 0, 0.0)

    def _share_of(self, distance_m: float) -> float:
        return float(self._share_curve(distance_m))

    @cached_property
    def _share_curve(self) -> CubicSpline:
        """Share of the curve by distance; smooth, so that speeds are."""
        return CubicSpline(self._along, self._shares)

    # --- in time -------------------------------------------------------------------------------

    @cached_property
    def _stop_m(self) -> list[float]:
        """Distance of each stop from the beginning."""
        places = self._curve(self._shares)
        gaps = [np.linalg.norm(places - np.asarray(stop.at), axis=1) for stop in self.stops]
        return [float(self._along[int(gap.argmin())]) for gap in gaps]

    @cached_property
    def _stop_order(self) -> list[int]:
        """Stops in the order they are met; the clock starts after the last."""
        return sorted(range(len(self.stops)), key=self._stop_m.__getitem__)

    @cached_property
    def _legs(self) -> list[_Leg]:
        if not self.stops:
            return [_Leg(0.0, 0.0, self.length_m, self.length_m / self.speed)]
        legs: list[_Leg] = []
        clock = 0.0
        before = self._stop_m[self._stop_order[-1]] - self.length_m
        for stop in self._stop_order:
            length = self._stop_m[stop] - before
            legs.append(_Leg(clock, before, length, drive_s(length, self.speed, self.ramp_s)))
            clock += legs[-1].drive_s + self.stops[stop].wait_s
            before = self._stop_m[stop]
        return legs

    def _driven(self, leg: _Leg, since_s: float) -> float:
        if not self.stops:
            return self.speed * since_s
        return driven_m(leg.length_m, self.speed, self.ramp_s, since_s)


@dataclass(frozen=True)
class Shuttle:
    """Straight to ``stop`` and back for ever: waits at each end, then turns in place.

    At t = ``-start_s`` it stands at ``start`` and has just arrived there, its back to ``stop``.

    Attributes:
        start: place ``(x, y)`` [m] of one end.
        stop: place of the other.
        speed: m/s in between.
        wait_s: how long it stands at each end before it turns.
        turn_s: how long half a turn takes.
        start_s: how far in the play it is at t = 0.
        ramp_s: time from rest to full speed.
    """

    start: Point
    stop: Point
    speed: float
    wait_s: float = 1.0
    turn_s: float = 1.0
    start_s: float = 0.0
    ramp_s: float = 0.6

    def __call__(self, t: float) -> Pose:
        half, since = divmod((t + self.start_s) % self.period_s, self.period_s / 2)
        a, b = np.asarray(self.start), np.asarray(self.stop)
        a, b = (b, a) if half else (a, b)
        x, y = a + (b - a) * self._along(since) / self.length_m
        heading = float(np.arctan2(*(b - a)[::-1]))
        turn = np.pi * smooth_step((since - self.wait_s) / self.turn_s)
        return upright(float(x), float(y), 0.0, heading - np.pi + turn)

    def distance(self, t: float) -> float:
        """Metres done at time ``t`` [s] since the beginning of the play."""
        halves, since = divmod(t + self.start_s, self.period_s / 2)
        return float(halves * self.length_m + self._along(since))

    def pace(self, t: float) -> float:
        """Share 0..1 of full speed at time ``t`` [s]."""
        return _pace(self, t)

    @property
    def length_m(self) -> float:
        """From one end to the other."""
        return float(np.hypot(self.stop[0] - self.start[0], self.stop[1] - self.start[1]))

    @property
    def period_s(self) -> float:
        """There and back."""
        drive = drive_s(self.length_m, self.speed, self.ramp_s)
        return 2 * (self.wait_s + self.turn_s + drive)

    def _along(self, since_s: float) -> float:
        since = since_s - self.wait_s - self.turn_s
        return driven_m(self.length_m, self.speed, self.ramp_s, since) if since > 0 else 0.0


@dataclass(frozen=True)
class Rolling:
    """A ball of ``radius_m`` that rolls along a way.

    Its middle is ``middle_m`` above its origin: a football's frame is at its base, a ball's inside.
    """

    way: Route
    radius_m: float
    middle_m: float = 0.0

    def __call__(self, t: float) -> Pose:
        done = self.way.distance(t)
        pose = self.way.at_distance(done)
        turn = pose[:3, :3] @ rotation("y", done / self.radius_m) @ rotation("x", 0.9)
        middle = pose[:3, 3] + np.array([0.0, 0.0, self.radius_m])
        return pose_from(turn, middle - turn @ np.array([0.0, 0.0, self.middle_m]))


@dataclass(frozen=True)
class Shunt:
    """Forwards along a bend to another place, and backwards again, as a robot gets a better view.

    ``play`` says when it is where; on the way the heading turns by ``turn_rad``.
    """

    start: Point
    stop: Point
    turn_rad: float
    play: OpenAndShut

    def __call__(self, t: float) -> Pose:
        share = self.play(t)
        a, b = np.asarray(self.start), np.asarray(self.stop)
        x, y = a + (b - a) * share
        heading = float(np.arctan2(*(b - a)[::-1])) + self.turn_rad * (share - 0.5)
        return upright(float(x), float(y), 0.0, heading)


class _Moving(Protocol):
    """What has a speed and a distance."""

    @property
    def speed(self) -> float: ...

    def distance(self, t: float) -> float: ...


def _pace(way: _Moving, t: float) -> float:
    step = 1e-3
    return float((way.distance(t + step) - way.distance(t - step)) / (2 * step * way.speed))
