# SPDX-License-Identifier: Apache-2.0
"""Where a thing is going to be: constant twist and coordinated turn, with covariances.

The turn rate is that of the velocity about the vertical, as a line through its headings of the last
moment. A coordinated turn (Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to
Tracking and Navigation", 2001, section 11.7) keeps speed and turn rate. What a thing will decide to
do is noise: white accelerations whose density grows with its speed, as what is fast gets farther
from where it was expected. Both fade, as nothing goes on for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import MotionModel, Track

Array = NDArray[np.float64]

LONGEST_S = 10.0
"""Nobody knows what a thing will do after that."""

_LEAST_TURN = 0.25  # rad/s: what turns less goes straight
_SURE_TURN = 2.0  # standard deviations from 0
_FASTEST_TURN = 3.0  # rad/s
_LEAST_HEADINGS = 5
_SLOWEST_MPS = 0.05  # what is slower has no heading
# Tuned on worlds of seeds 8000 to 8100 for tracks as they are, see doc/time.md
_BOX, _BOX_UP = 0.30, 0.36  # that a box's middle is off by, of its size: no filter knows it
_BOX_LEAST_M = 0.02
_TURN_MEMORY_S = 1.7  # a turn goes on for about so long: then the thing goes straight
_WAY_MEMORY_S = 4.0  # and a motion for so long: then the thing has stopped, or gone elsewhere
_UP_MEMORY_S = 0.3  # what goes up or down soon stops, or comes back: it bounces, climbs a step
_ALONG, _ACROSS = 0.85, 0.55  # m/s per m/s of speed and per root second
_ANY, _ANY_UP = 0.40, 0.07  # m/s per root second of what moves, however slow; and upwards
_RESTING = 0.01  # m/s per root second of what rests
_HALTING = 0.30  # the same of what moved a moment ago: it may go on
_HEADING_NOISE = 0.05  # rad, of a heading beside what its velocity's deviation makes of it
_SPIN = 0.5  # rad/s per root second


class Turn(NamedTuple):
    """Turn rate of a velocity about the vertical, rad/s, and its standard deviation."""

    rate: float
    sigma: float


def turn_of(seconds: Array, velocities: Array, sigma_mps: float) -> Turn | None:
    """The turn rate of velocities [N, 3] at times [N] in s; None where they do not tell a turn.

    Args:
        seconds: rising.
        velocities: map frame, z up.
        sigma_mps: standard deviation of a component of them.
    """
    speeds = np.linalg.norm(velocities[:, :2], axis=1)
    use = speeds >= _SLOWEST_MPS
    if use.sum() < _LEAST_HEADINGS:
        return None
    t, v, flat = seconds[use], speeds[use], velocities[use, :2]
    headings = np.unwrap(np.arctan2(flat[:, 1], flat[:, 0]))
    weights = v**2 / (sigma_mps**2 + (v * _HEADING_NOISE) ** 2)
    t0 = float((weights * t).sum() / weights.sum())
    spread = float((weights * (t - t0) ** 2).sum())
    if spread <= 0:
        return None
    rate = float((weights * (t - t0) * headings).sum() / spread)
    line = float((weights * headings).sum() / weights.sum()) + rate * (t - t0)
    misfit = float((weights * (headings - line) ** 2).sum() / max(1, len(t) - 2))
    sigma = float(np.sqrt(max(1.0, misfit) / spread))
    sure = abs(rate) >= max(_LEAST_TURN, _SURE_TURN * sigma) and abs(rate) <= _FASTEST_TURN
    return Turn(rate, sigma) if sure else None


def carried_on(
    track: Track, seconds: Sequence[float], turn: Turn | None = None, *, halts: bool = False
) -> tuple[MotionModel, tuple[Track, ...]]:
    """What a thing is going to be after some seconds each, 0 to `LONGEST_S`, and by which model.

    Args:
        track: what it is now.
        seconds: ahead.
        turn: of its velocity; None: it goes straight.
        halts: it does not move now, but did a moment ago.
    """
    if not track.moving:
        noise = _HALTING if halts else _RESTING
        return MotionModel.RESTS, tuple(_resting(track, dt, noise) for dt in seconds)
    model = MotionModel.CONSTANT_TWIST if turn is None else MotionModel.COORDINATED_TURN
    return model, tuple(_moving(track, dt, turn) for dt in seconds)


def _resting(track: Track, dt: float, density: float) -> Track:
    pose, twist = track.pose_covariance.copy(), track.twist_covariance.copy()
    noise = np.diag([density**2, density**2, _RESTING**2])
    way = np.diag([dt, dt, _faded(dt, _UP_MEMORY_S)])
    pose[:3, :3] += _box(track) + way @ twist[:3, :3] @ way + noise * dt**3 / 3
    twist[:3, :3] += noise * dt
    pose[3:, 3:] = _turned_covariance(pose[3:, 3:], twist[3:, 3:], dt)
    return replace(
        track,
        velocity=np.zeros(3),
        angular_velocity=track.angular_velocity.copy(),
        orientation=_turned(track, dt),
        pose_covariance=pose,
        twist_covariance=twist,
    )


def _moving(track: Track, dt: float, turn: Turn | None) -> Track:
    rate, sigma = (0.0, 0.0) if turn is None else turn
    angle, way_s = rate * _faded(dt, _TURN_MEMORY_S), _faded(dt, _WAY_MEMORY_S)
    up_s = _faded(dt, _UP_MEMORY_S)
    by_velocity = _turned_way(angle, way_s, up_s)
    more, less = (_turned_way(angle + by, way_s, up_s) for by in (1e-4, -1e-4))
    by_rate = dt * (more - less) / 2e-4
    rotation = Rotation.from_rotvec([0, 0, angle]).as_matrix()
    left = np.exp(-dt / np.array([_WAY_MEMORY_S, _WAY_MEMORY_S, _UP_MEMORY_S]))
    velocity = left * (rotation @ track.velocity)
    pose, twist = track.pose_covariance.copy(), track.twist_covariance.copy()
    off = by_rate @ track.velocity
    noise = _noise(track.velocity, velocity)
    pose[:3, :3] += (
        _box(track)
        + by_velocity @ twist[:3, :3] @ by_velocity.T
        + sigma**2 * np.outer(off, off)
        + noise * dt**3 / 3
        + np.diag([0.0, 0.0, (up_s * track.velocity[2]) ** 2])
    )
    bend = sigma * dt * np.array([-velocity[1], velocity[0], 0.0])
    twist[:3, :3] = rotation @ twist[:3, :3] @ rotation.T + np.outer(bend, bend) + noise * dt
    pose[3:, 3:] = _turned_covariance(pose[3:, 3:], twist[3:, 3:], dt)
    twist[3:, 3:] += _SPIN**2 * dt * np.eye(3)
    return replace(
        track,
        position=track.position + by_velocity @ track.velocity,
        velocity=velocity,
        orientation=_turned(track, dt),
        pose_covariance=pose,
        twist_covariance=twist,
    )


def _faded(dt: float, memory_s: float) -> float:
    """Seconds for which something that fades in `memory_s` has gone on after `dt`."""
    return memory_s * float(1 - np.exp(-dt / memory_s))


def _turned_way(angle: float, dt: float, up_s: float) -> Array:
    """[3, 3] from a velocity to the way in `dt` while it turns by an angle, and `up_s` upwards."""
    if abs(angle) < 1e-6:
        ahead, aside = 1.0, angle / 2
    else:
        ahead, aside = float(np.sin(angle)) / angle, float(1 - np.cos(angle)) / angle
    flat = dt * np.array([[ahead, -aside], [aside, ahead]])
    return np.block([[flat, np.zeros((2, 1))], [np.zeros((1, 2)), np.array([[up_s]])]])


def _noise(before: Array, after: Array) -> Array:
    """Density [3, 3] of white accelerations, m^2/s^3, along the way that is taken."""
    way = (before + after) / 2
    speed = float(np.linalg.norm(before))
    along = way / max(float(np.linalg.norm(way)), 1e-9)
    outer = np.outer(along, along)
    own = speed**2 * (_ALONG**2 * outer + _ACROSS**2 * (np.diag([1.0, 1.0, 0.2]) - outer))
    own += np.diag([_ANY**2, _ANY**2, _ANY_UP**2])
    # (of what goes steeply up, across is not all below along)
    values, vectors = np.linalg.eigh(own)
    made: Array = (vectors * np.maximum(values, _ANY_UP**2)) @ vectors.T
    return made


def _box(track: Track) -> Array:
    """Covariance [3, 3] of the middle of the box that is not that of the filter."""
    shares = np.array([_BOX, _BOX, _BOX_UP])
    return np.diag(np.maximum(shares * np.asarray(track.size, np.float64), _BOX_LEAST_M) ** 2)


def _turned(track: Track, dt: float) -> Array:
    turned = Rotation.from_rotvec(track.angular_velocity * dt) * Rotation.from_quat(
        track.orientation
    )
    quat: Array = turned.as_quat()
    return -quat if quat[3] < 0 else quat


def _turned_covariance(pose: Array, twist: Array, dt: float) -> Array:
    """[3, 3] of an orientation after `dt`; no more than that of one that is not known at all."""
    made = pose + dt**2 * twist + _SPIN**2 * dt**3 / 3 * np.eye(3)
    unknown = np.pi**2 / 3
    values, vectors = np.linalg.eigh(made)
    bounded: Array = (vectors * np.minimum(values, unknown)) @ vectors.T
    return bounded
