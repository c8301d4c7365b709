# SPDX-License-Identifier: Apache-2.0
"""How cameras move: carried in the hand, on a robot's base, on a tripod."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.interpolate import CubicSpline

from f4x_ros.sim.mesh import rotation
from f4x_ros.sim.motion import Motion, Pose, Vec3, look_at, pose_from

_OPTICAL_IN_BASE = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class WalkAround:
    """A person walking to and fro on an arc around ``center`` with a camera held in the hand.

    The walk takes ``half_period_s`` from ``start_rad`` to ``stop_rad``, and as long back. Sums of
    sines stand for steps and an unsteady hand; ``phase`` shifts them.
    """

    center: Vec3
    radius_m: float
    start_rad: float
    stop_rad: float
    height_m: float
    half_period_s: float = 5.0
    phase: float = 0.0

    def __call__(self, t: float) -> Pose:
        share = 0.5 - 0.5 * np.cos(np.pi * t / self.half_period_s)
        angle = self.start_rad + (self.stop_rad - self.start_rad) * share
        radius = self.radius_m - 0.28 * np.sin(np.pi * share)
        x, y, z = self.center
        eye = (
            x
            + radius * np.cos(angle)
            + 0.012 * self._sway(t, 0.9, 0.0)
            + 0.004 * self._sway(t, 2.3, 1.0),
            y + radius * np.sin(angle) + 0.012 * self._sway(t, 0.7, 2.0),
            self.height_m
            - 0.12 * np.sin(2 * np.pi * share)
            + 0.01 * self._sway(t, 1.1, 0.5)
            + 0.003 * self._sway(t, 2.9, 2.0),
        )
        target = (
            x - 0.03 + 0.03 * self._sway(t, 0.3, 1.0),
            y + 0.05,
            z + 0.015 * self._sway(t, 0.8, 0.0),
        )
        roll = 0.015 * self._sway(t, 0.6, 0.3) + 0.006 * self._sway(t, 1.9, 1.0)
        return look_at(eye, target, roll)

    def _sway(self, t: float, hz: float, phase: float) -> float:
        return float(np.sin(2 * np.pi * hz * t + phase + self.phase))


@dataclass(frozen=True)
class HandheldWalk:
    """A person strolling with a camera in the hand: through ``eyes``, looking at ``targets``.

    The walk closes on itself after ``period_s``. Steps lift the camera twice a cycle; sums of sines
    of other frequencies stand for an unsteady hand; ``phase`` shifts them.
    """

    eyes: tuple[Vec3, ...]
    targets: tuple[Vec3, ...]
    period_s: float
    phase: float = 0.0
    jitter: float = 1.0
    start_s: float = 0.0

    def __call__(self, t: float) -> Pose:
        eye, target = self._paths(self._share(t))
        sway, far = self._sway, float(np.linalg.norm(target - eye))
        shake = self.jitter * np.array(
            [
                0.010 * sway(t, 0.9, 0.0) + 0.003 * sway(t, 2.3, 1.0),
                0.010 * sway(t, 0.7, 2.0) + 0.003 * sway(t, 2.7, 0.2),
                0.012 * sway(t, 1.8, 0.5) + 0.003 * sway(t, 3.1, 2.0),
            ]
        )
        glance = (
            self.jitter
            * far
            * np.array(
                [0.010 * sway(t, 0.4, 1.0), 0.010 * sway(t, 0.5, 2.2), 0.007 * sway(t, 1.3, 0.7)]
            )
        )
        roll = self.jitter * (0.015 * sway(t, 0.6, 0.3) + 0.006 * sway(t, 1.9, 1.0))
        return look_at(eye + shake, target + glance, roll)

    def _share(self, t: float) -> float:
        return ((t + self.start_s) / self.period_s) % 1.0

    @cached_property
    def _paths(self) -> _Paths:
        return _Paths(self.eyes, self.targets)

    def _sway(self, t: float, hz: float, phase: float) -> float:
        return float(np.sin(2 * np.pi * hz * t + phase + self.phase))


class _Paths:
    """Smooth closed curves through points, evenly spaced in time."""

    def __init__(self, eyes: tuple[Vec3, ...], targets: tuple[Vec3, ...]) -> None:
        self._eye, self._target = self._closed(eyes), self._closed(targets)

    @staticmethod
    def _closed(points: tuple[Vec3, ...]) -> CubicSpline:
        ring = np.array([*points, points[0]], np.float64)
        return CubicSpline(np.linspace(0, 1, len(ring)), ring, bc_type="periodic")

    def __call__(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        return self._eye(share), self._target(share)


@dataclass(frozen=True)
class RobotBase:
    """A camera bolted to a robot at constant height: planar, no roll, ``pitch_rad`` downwards."""

    base: Motion  # x forward, z up
    height_m: float
    pitch_rad: float = 0.0
    forward_m: float = 0.0
    yaw_rad: float = 0.0

    def __call__(self, t: float) -> Pose:
        look = rotation("z", self.yaw_rad) @ rotation("y", self.pitch_rad)
        mount = pose_from(look @ _OPTICAL_IN_BASE, (self.forward_m, 0.0, self.height_m))
        return np.asarray(self.base(t) @ mount)


@dataclass(frozen=True)
class Stare:
    """A camera on a tripod: a slow pan of ``pan_rad`` to either side, and a trace of vibration."""

    eye: Vec3
    target: Vec3
    pan_rad: float = 0.0
    pan_period_s: float = 20.0
    tremble_m: float = 0.0003
    phase: float = field(default=0.0)

    def __call__(self, t: float) -> Pose:
        eye, target = np.asarray(self.eye), np.asarray(self.target)
        turn = self.pan_rad * np.sin(2 * np.pi * t / self.pan_period_s + self.phase)
        ahead = rotation("z", float(turn)) @ (target - eye)
        tremble = self.tremble_m * np.array(
            [np.sin(2 * np.pi * hz * t + self.phase) for hz in (6.1, 7.3, 9.7)]
        )
        return look_at(eye + tremble, eye + ahead)
