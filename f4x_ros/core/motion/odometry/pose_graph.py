# SPDX-License-Identifier: Apache-2.0
"""Poses that agree best with what is known between pairs of them: Gauss-Newton on SE(3).

As in Grisetti et al., A tutorial on graph-based SLAM (2010). The first pose stays. For the few
hundred keyframes of odometry scipy's sparse solver does in milliseconds what a library for factor
graphs would; no robot needs one more wheel for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from f4x_ros.core.data import Pose, inverse
from f4x_ros.core.motion.odometry.estimate import moved, twist_of

_ITERATIONS = 10
_STEP = 1e-6  # metres and radians of a step that is the last one


@dataclass(frozen=True, eq=False)
class Edge:
    """What is known between two poses.

    Attributes:
        a: index of the first.
        b: index of the second.
        T_a_b: [4, 4].
        deviations: [2] standard deviations of shift (metres) and turn (radians).
    """

    a: int
    b: int
    T_a_b: Pose
    deviations: tuple[float, float]


def optimised(poses: Sequence[Pose], edges: Sequence[Edge]) -> list[Pose]:
    """The poses [N] of [4, 4] that agree best with the edges; the first is kept as it is.

    Args:
        poses: where to begin from; each is connected to the first by edges.
        edges: between them.
    """
    found = [pose.copy() for pose in poses]
    size = 6 * (len(found) - 1)
    if size == 0:
        return found
    for _ in range(_ITERATIONS):
        rows, columns, values = [], [], []
        gradient = np.zeros(size + 6)
        for edge in edges:
            error = twist_of(inverse(edge.T_a_b) @ inverse(found[edge.a]) @ found[edge.b])
            weights = np.repeat(np.array(edge.deviations) ** -2.0, 3)
            # Each pose is moved in its own frame; for small errors that of b changes the error as
            # it is, and that of a by its adjoint as seen from b.
            J_a = -_adjoint(inverse(found[edge.b]) @ found[edge.a])
            parts = ((edge.a, J_a), (edge.b, np.eye(6)))
            for i, J_i in parts:
                gradient[6 * i : 6 * i + 6] += J_i.T @ (weights * error)
                for j, J_j in parts:
                    block = J_i.T @ (weights[:, None] * J_j)
                    at = np.indices((6, 6))
                    rows.append((6 * i + at[0]).ravel())
                    columns.append((6 * j + at[1]).ravel())
                    values.append(block.ravel())
        whole = coo_matrix(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
            shape=(size + 6, size + 6),
        ).tocsc()
        step = -np.atleast_1d(spsolve(whole[6:, 6:], gradient[6:])).reshape(-1, 6)
        for i, twist in enumerate(step, 1):
            found[i] = found[i] @ moved(twist)
        if np.abs(step).max() < _STEP:
            break
    return found


def _adjoint(T: Pose) -> NDArray[np.float64]:
    """[6, 6] takes small motions in the source frame to those in the target frame."""
    x, y, z = T[:3, 3]
    out = np.kron(np.eye(2), T[:3, :3])
    out[:3, 3:] = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ T[:3, :3]
    return np.asarray(out)
