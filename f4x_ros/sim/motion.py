# SPDX-License-Identifier: Apache-2.0
"""How things and the camera move: poses as pure functions of time in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from f4x_ros.sim.mesh import rotation

Pose = NDArray[np.float64]  # [4, 4]
Vec3 = tuple[float, float, float]

#: The step over which velocities are measured [s].
_STEP_S = 1e-3


class Motion(Protocol):
    """Pose ``[4, 4]`` at time ``t`` [s], relative to where the thing was placed."""

    def __call__(self, t: float) -> Pose: ...


def pose_from(turn: ArrayLike, position: ArrayLike) -> Pose:
    """A pose from a rotation ``[3, 3]`` and a position ``[3]``."""
    pose = np.eye(4)
    pose[:3, :3] = turn
    pose[:3, 3] = position
    return pose


def upright(x: float, y: float, z: float, yaw_rad: float = 0.0) -> Pose:
    """The pose of something standing at a place, turned about z."""
    return pose_from(rotation("z", yaw_rad), (x, y, z))


def look_at(eye: ArrayLike, target: ArrayLike, roll_rad: float = 0.0) -> Pose:
    """``T_map_camera`` of an optical frame (z forward, x right, y down) with z up in the map."""
    position = np.asarray(eye, np.float64)
    forward = np.asarray(target, np.float64) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward], 1)
    return pose_from(axes @ rotation("z", roll_rad), position)


def velocity_of(T_map_object: Motion, t: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Velocity of the origin [m/s] and angular velocity [rad/s], both in the map frame."""
    before, after = T_map_object(t - _STEP_S), T_map_object(t + _STEP_S)
    linear = (after[:3, 3] - before[:3, 3]) / (2 * _STEP_S)
    spin = (after[:3, :3] @ before[:3, :3].T - np.eye(3)) / (2 * _STEP_S)
    angular = 0.5 * np.array(
        [spin[2, 1] - spin[1, 2], spin[0, 2] - spin[2, 0], spin[1, 0] - spin[0, 1]]
    )
    return linear, angular


@dataclass(frozen=True)
class Turn:
    """Turn about z without pause."""

    rate_rad_s: float

    def __call__(self, t: float) -> Pose:
        return upright(0, 0, 0, self.rate_rad_s * t)


@dataclass(frozen=True)
class Drive:
    """Wait, then drive round an ellipse, nose forward, reaching full speed within a second."""

    radii_m: tuple[float, float]
    lap_s: float
    phase_rad: float = 0.0
    wait_s: float = 0.0

    def __call__(self, t: float) -> Pose:
        moving = max(t - self.wait_s, 0.0)
        ramp = moving**2 / 2 if moving < 1 else moving - 0.5
        angle = self.phase_rad + 2 * np.pi * ramp / self.lap_s
        a, b = self.radii_m
        heading = np.arctan2(b * np.cos(angle), -a * np.sin(angle))
        return upright(a * np.cos(angle), b * np.sin(angle), 0, heading)


@dataclass(frozen=True)
class Bounce:
    """Hop to and fro between the start and ``reach``, rolling forward; the origin is the centre."""

    reach: Vec3
    there_and_back_s: float
    hop_s: float
    hop_m: float
    radius_m: float

    def __call__(self, t: float) -> Pose:
        share = 0.5 - 0.5 * np.cos(2 * np.pi * t / self.there_and_back_s)
        place = np.asarray(self.reach) * share
        u = (t / self.hop_s) % 1.0
        height = self.radius_m + 4 * self.hop_m * u * (1 - u)
        heading = np.arctan2(self.reach[1], self.reach[0])
        rolled = float(np.linalg.norm(self.reach)) * share / self.radius_m
        turn = rotation("z", heading) @ rotation("y", rolled) @ rotation("x", 0.9)
        return pose_from(turn, place + np.array([0, 0, height]))


@dataclass(frozen=True)
class OpenAndShut:
    """How far something is open, 0..1: shut, opening, open, shutting, and again.

    Attributes:
        period_s: of the whole play.
        start_s: when it begins to open.
        ramp_s: time it takes to open, and to shut.
        hold_s: time it stays open.
    """

    period_s: float
    start_s: float = 0.0
    ramp_s: float = 1.2
    hold_s: float = 1.0

    def __call__(self, t: float) -> float:
        since = (t - self.start_s) % self.period_s
        if since < self.ramp_s + self.hold_s:
            return smooth_step(since / self.ramp_s)
        return 1 - smooth_step((since - self.ramp_s - self.hold_s) / self.ramp_s)


@dataclass(frozen=True)
class Swing:
    """Turn about z by up to ``angle_rad`` and back: a door on its hinge."""

    angle_rad: float
    play: OpenAndShut

    def __call__(self, t: float) -> Pose:
        return upright(0, 0, 0, self.angle_rad * self.play(t))


@dataclass(frozen=True)
class Slide:
    """Move in a straight line to ``reach`` and back: a drawer, a fork."""

    reach: Vec3
    play: OpenAndShut

    def __call__(self, t: float) -> Pose:
        return pose_from(np.eye(3), np.asarray(self.reach) * self.play(t))


def smooth_step(share: float) -> float:
    """From 0 to 1 while ``share`` does, starting and ending at rest, speed without jumps."""
    u = min(max(share, 0.0), 1.0)
    return u * u * u * (u * (6 * u - 15) + 10)
