# SPDX-License-Identifier: Apache-2.0
"""Constant-velocity Kalman filter of one object's position (white-noise acceleration).

Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001,
section 6.3.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STILL_ACCELERATION = 0.02  # m/s^2 (1 sigma): what has not been seen to move
_MOVING_ACCELERATION = 2.0  # m/s^2: a rolling ball, a walking person
_INITIAL_SPEED = 0.5  # m/s (1 sigma)
_STILL_SPEED = 0.01  # m/s: how still a thing is that rests


class PositionFilter:
    """State [6]: position (m) and velocity (m/s), both in the map frame."""

    def __init__(self, position: Array, sigma_m: float) -> None:
        self.mean: Array = np.concatenate([position, np.zeros(3)])
        self.covariance: Array = np.diag([sigma_m**2] * 3 + [_INITIAL_SPEED**2] * 3)

    def predict(self, dt_s: float, *, moving: bool) -> None:
        """Move on by `dt_s` seconds (>= 0); the covariance grows."""
        transition = np.eye(6)
        transition[:3, 3:] = dt_s * np.eye(3)
        noise = (_MOVING_ACCELERATION if moving else _STILL_ACCELERATION) ** 2
        g = np.vstack([dt_s**2 / 2 * np.eye(3), dt_s * np.eye(3)])
        self.mean = transition @ self.mean
        self.covariance = transition @ self.covariance @ transition.T + noise * g @ g.T

    def correct(self, position: Array, sigma_m: float) -> None:
        """Take in a measured position [3] with a standard deviation in metres."""
        self._update(np.eye(3, 6), position, sigma_m)

    def move(self, velocity: Array, covariance: Array) -> None:
        """Take in a measured velocity [3] with its covariance [3, 3]."""
        self._take_in(np.eye(3, 6, 3), velocity, covariance)

    def rest(self) -> None:
        """Take in that the object does not move (zero-velocity update)."""
        self._update(np.eye(3, 6, 3), np.zeros(3), _STILL_SPEED)

    def loosen(self, shift_m: Array) -> None:
        """Take in that the centre of a box has shifted by up to `shift_m` [3] without motion."""
        self.covariance[:3, :3] += np.diag(np.square(shift_m))

    def release(self) -> None:
        """Take in that a resting object was set in motion: its velocity is unknown again."""
        self.covariance[3:, 3:] += _INITIAL_SPEED**2 * np.eye(3)

    def slow_down(self, factor: float) -> None:
        """Take the object to be stopping: its velocity shrinks, what is unsure of it stays."""
        self.mean[3:] *= factor

    def _update(self, h: Array, measured: Array, sigma: float) -> None:
        self._take_in(h, measured, sigma**2 * np.eye(3))

    def _take_in(self, h: Array, measured: Array, noise: Array) -> None:
        s = h @ self.covariance @ h.T + noise
        gain = np.linalg.solve(s, h @ self.covariance).T
        self.mean = self.mean + gain @ (measured - h @ self.mean)
        # Joseph form: stays symmetric and positive
        left = np.eye(6) - gain @ h
        self.covariance = left @ self.covariance @ left.T + gain @ noise @ gain.T

    @property
    def position(self) -> Array:
        """[3] metres."""
        return self.mean[:3]

    @property
    def velocity(self) -> Array:
        """[3] m/s."""
        return self.mean[3:]
