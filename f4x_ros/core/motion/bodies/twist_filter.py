# SPDX-License-Identifier: Apache-2.0
"""Pose and twist of a rigid body in the map frame; accelerations are white noise.

Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation", 2001,
section 6.3.2, on SE(3) by small turns about the body's middle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, inverse, turns
from f4x_ros.core.motion.bodies.align import Fit, about

Array = NDArray[np.float64]

_BEGIN = np.repeat([0.02, 0.05, 1.0, 2.0], 3)  # m, rad, m/s, rad/s: 1 sigma of a new body
_TRUST = 0.3  # share of a fit's information that is new: the same pixels are off the same way
_SLOWING_S = 0.5  # what turns out of sight is taken to stop turning in this time


class TwistFilter:
    """State of one body.

    Attributes:
        T_map_body: [4, 4].
        twist: [6] velocity of the middle (m/s) and angular velocity (rad/s), map axes.
        covariance: [12, 12] of the place of the middle, turn, velocity, angular velocity.
    """

    def __init__(self, T_map_body: Pose, acceleration: tuple[float, float]) -> None:
        """A body at rest; `acceleration` is 1 sigma in m/s^2 and rad/s^2."""
        self.T_map_body = T_map_body.copy()
        self.twist: Array = np.zeros(6)
        self.covariance: Array = np.diag(np.square(_BEGIN))
        self.local_middle: Array = np.zeros(3)  # body frame
        self.acceleration = acceleration

    @property
    def middle(self) -> Array:
        """[3] metres, map frame."""
        return np.asarray(self.T_map_body[:3, :3] @ self.local_middle + self.T_map_body[:3, 3])

    def velocity_at(self, point: Array) -> Array:
        """[3] m/s of a point of the body, map frame."""
        return np.asarray(self.twist[:3] + np.cross(self.twist[3:], point - self.middle))

    def predict(self, dt_s: float, *, seen: bool = True) -> None:
        """Move on by `dt_s` seconds."""
        self.T_map_body = about(self.T_map_body, self.middle, self.twist * dt_s)
        if not seen:
            self.twist[3:] *= np.exp(-dt_s / _SLOWING_S)
        F = np.eye(12)
        F[:6, 6:] = dt_s * np.eye(6)
        noise = np.repeat(np.square(self.acceleration), 3)
        self.covariance = F @ self.covariance @ F.T + np.block(
            [
                [np.diag(noise * dt_s**3 / 3), np.diag(noise * dt_s**2 / 2)],
                [np.diag(noise * dt_s**2 / 2), np.diag(noise * dt_s)],
            ]
        )

    def prior(self, T_map_camera: Pose) -> tuple[Pose, Array]:
        """`T_camera_body` that is expected, and its information [6, 6] along the camera's axes."""
        axes = _axes(T_map_camera)
        known = axes.T @ np.linalg.inv(self.covariance[:6, :6]) @ axes
        return inverse(T_map_camera) @ self.T_map_body, known

    def correct(self, T_map_camera: Pose, fit: Fit) -> None:
        """Take in a pose that was found with the prior, and the information of the data alone."""
        axes, found = _axes(T_map_camera), T_map_camera @ fit.T_camera_body
        before = np.linalg.inv(self.covariance[:6, :6])
        turn = turns.vector_of_matrix(found[:3, :3] @ self.T_map_body[:3, :3].T)
        shift = found[:3, :3] @ self.local_middle + found[:3, 3] - self.middle
        pose = np.linalg.inv(before + _TRUST * axes @ fit.information @ axes.T)
        gain = self.covariance[6:, :6] @ before
        rest = self.covariance[6:, 6:] - gain @ (self.covariance[:6, :6] - pose) @ gain.T
        self.twist = self.twist + gain @ np.concatenate([shift, turn])
        self.T_map_body = found
        self.covariance = np.block([[pose, pose @ gain.T], [gain @ pose, rest]])


def _axes(T_map_camera: Pose) -> Array:
    """[6, 6] from the camera's axes to those of the map."""
    return np.asarray(np.kron(np.eye(2), T_map_camera[:3, :3]))
