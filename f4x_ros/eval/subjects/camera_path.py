# SPDX-License-Identifier: Apache-2.0
"""The camera's estimated path beside the given one, in bounded memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import Pose

_MOST = 100_000  # frames kept; then every second one goes


class PathErrors(NamedTuple):
    """What the two paths say of each other; None where no pose was given."""

    ate_rmse_m: float | None  # as they are: only the first pose is common
    ate_aligned_rmse_m: float | None  # after the best rigid motion of one of them (Umeyama 1991)
    path_m: float | None  # length of the given path


class CameraPath:
    """Pairs of an estimated and, if there was one, a given position.

    Attributes:
        lost: frames of a camera that was lost.
        weak: frames whose pose was held badly.
        still: frames of a camera without depth that was nearly still.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.weak = 0
        self.still = 0
        self._rows: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._every = 1
        self._count = 0

    def add(self, estimated: Pose, given: Pose | None) -> None:
        """One frame."""
        if self._count % self._every == 0:
            nowhere = np.full(3, np.nan)
            self._rows.append((estimated[:3, 3], nowhere if given is None else given[:3, 3]))
        self._count += 1
        if len(self._rows) > _MOST:
            self._rows, self._every = self._rows[::2], 2 * self._every

    def positions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Estimated and given [N, 3] metres; NaN where none was given."""
        both = np.array(self._rows, np.float64).reshape(-1, 2, 3)
        return both[:, 0], both[:, 1]

    def scaled(self) -> tuple[float | None, float | None]:
        """RMSE [m] after the best motion with scale (Umeyama 1991), and that scale.

        The scale takes the estimated path to the given one; None with fewer than three poses.
        """
        estimated, given = self.positions()
        known = np.isfinite(given).all(1)
        estimated, given = estimated[known], given[known]
        if len(given) < 3:
            return None, None
        ours, theirs = estimated - estimated.mean(0), given - given.mean(0)
        left, sizes, right = np.linalg.svd(theirs.T @ ours)
        signs = np.array([1, 1, np.sign(np.linalg.det(left @ right))])
        spread = float(np.square(ours).sum())
        if not spread:
            return None, None
        scale = float((sizes * signs).sum()) / spread
        turn = left @ np.diag(signs) @ right
        return _rms(scale * ours @ turn.T - theirs), scale

    def errors(self) -> PathErrors:
        """How far they are apart."""
        estimated, given = self.positions()
        known = np.isfinite(given).all(1)
        estimated, given = estimated[known], given[known]
        if len(given) < 2:  # the first is where both begin
            return PathErrors(None, None, None)
        length = float(np.linalg.norm(np.diff(given, axis=0), axis=1).sum())
        ours, theirs = estimated - estimated.mean(0), given - given.mean(0)
        aligned = None
        if len(given) >= 3:
            left, _, right = np.linalg.svd(theirs.T @ ours)
            turn = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
            aligned = _rms(Rotation.from_matrix(turn).apply(ours) - theirs)
        return PathErrors(_rms(estimated - given), aligned, length)


def _rms(off: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.square(off).sum(1).mean()))
