# SPDX-License-Identifier: Apache-2.0
"""How an object is turned since it was first seen, and how it turns: as its body does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.motion.bodies import BodyMotion

UNKNOWN_TURN_RAD = float(np.pi / np.sqrt(3))
"""1 sigma of a uniform angle: orientation is not measured."""

UNKNOWN_SPIN_RADPS = 1.0

_NOBODY = 0


class Turn:
    """Orientation and angular velocity of an object.

    Its axes are those of the map when it is first seen. A body that takes the place of another goes
    on from where that left it.
    """

    def __init__(self) -> None:
        self._quat: NDArray[np.float64] = np.array([0.0, 0.0, 0.0, 1.0])  # xyzw
        self._spin: NDArray[np.float64] = np.zeros(3)
        self._sigma, self._spin_sigma = UNKNOWN_TURN_RAD, UNKNOWN_SPIN_RADPS
        self._body, self._offset = _NOBODY, Rotation.identity()

    @property
    def known(self) -> bool:
        """Whether it is measured."""
        return self._sigma < UNKNOWN_TURN_RAD

    @property
    def body(self) -> int:
        """The body it turns with, 0 = none."""
        return self._body

    @property
    def axes(self) -> NDArray[np.float64]:
        """[3, 3] axes of the object in the map, as columns."""
        return np.asarray(Rotation.from_quat(self._quat).as_matrix())

    def follow(self, body: BodyMotion | None) -> None:
        """Take in how its body is turned; None: it has none now."""
        if body is None or not body.turns_known:
            self._body, self._spin = _NOBODY, np.zeros(3)
            self._spin_sigma = UNKNOWN_SPIN_RADPS
            return
        turn = Rotation.from_matrix(body.T_map_body[:3, :3])
        if body.id != self._body:
            self._body, self._offset = body.id, turn.inv() * Rotation.from_quat(self._quat)
        quat = (turn * self._offset).as_quat()
        self._quat = quat if float(quat @ self._quat) >= 0 else -quat
        self._spin = body.twist[3:].copy()
        variances = np.diag(body.covariance)
        self._sigma = min(float(np.sqrt(variances[3:6].max())), 0.99 * UNKNOWN_TURN_RAD)
        self._spin_sigma = min(float(np.sqrt(variances[9:12].max())), UNKNOWN_SPIN_RADPS)

    @property
    def values(self) -> NDArray[np.float64]:
        """[9] quaternion xyzw, angular velocity, logarithms of both standard deviations."""
        sigmas = np.log([self._sigma, self._spin_sigma])
        return np.concatenate([self._quat, self._spin, sigmas])

    @classmethod
    def of_values(cls, values: NDArray[np.float64]) -> Turn:
        """The inverse of `values`; ValueError for a quaternion without length."""
        length = float(np.linalg.norm(values[:4]))
        if not np.isfinite(values).all() or length < 1e-6:
            raise ValueError(f"a turn is {values.tolist()}, expected a quaternion and numbers")
        turn = cls()
        turn._quat, turn._spin = values[:4] / length, values[4:7].copy()
        turn._sigma, turn._spin_sigma = (float(one) for one in np.exp(values[7:]))
        return turn
