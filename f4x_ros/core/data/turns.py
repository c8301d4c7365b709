# SPDX-License-Identifier: Apache-2.0
"""Rotations as plain numbers, for inner loops: scipy's `Rotation` takes 0.1 ms to make one.

Quaternions are xyzw and of length 1, rotation vectors are in radians.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SMALL = 1e-8
_NEARLY_STRAIGHT = np.pi - 1e-4  # from there on the axis is read off the symmetric part


def matrix_of_vector(vector: Array) -> Array:
    """[3, 3] of a rotation vector [3] (Rodrigues)."""
    angle = float(np.sqrt(vector @ vector))
    x, y, z = vector
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    if angle < _SMALL:
        return np.asarray(np.eye(3) + cross)
    a, b = np.sin(angle) / angle, (1 - np.cos(angle)) / angle**2
    return np.asarray(np.eye(3) + a * cross + b * (cross @ cross))


def vector_of_matrix(matrix: Array) -> Array:
    """Rotation vector [3] of a rotation [3, 3], no longer than pi."""
    m = matrix
    twice = np.array([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    sine = float(np.sqrt(twice @ twice)) / 2
    angle = float(np.arctan2(sine, (m[0, 0] + m[1, 1] + m[2, 2] - 1) / 2))
    if angle < _SMALL:
        return np.asarray(twice / 2)
    if angle < _NEARLY_STRAIGHT:
        return np.asarray(twice * (angle / (2 * sine)))
    both = (m + m.T) / 2 + np.eye(3)
    axis = both[:, int(np.argmax(np.diag(both)))]
    axis = axis / np.sqrt(axis @ axis)
    return np.asarray(angle * (axis if axis @ twice >= 0 else -axis))


def matrices_of_quats(quats: Array) -> Array:
    """[N, 3, 3] of quaternions [N, 4]."""
    x, y, z, w = quats.T
    out = np.empty((len(quats), 3, 3))
    out[:, 0, 0], out[:, 0, 1], out[:, 0, 2] = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    )  # fmt: skip
    out[:, 1, 0], out[:, 1, 1], out[:, 1, 2] = (
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    )  # fmt: skip
    out[:, 2, 0], out[:, 2, 1], out[:, 2, 2] = (
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return out


def slerp(first: Array, second: Array, share: Array) -> Array:
    """Between quaternions [N, 4], the short way: 0 gives the first, 1 the second (Shoemake)."""
    cosine = np.einsum("nc,nc->n", first, second)
    second = np.where(cosine[:, None] < 0, -second, second)
    angle = np.arccos(np.minimum(np.abs(cosine), 1.0))
    sine = np.sin(angle)
    even = sine < 1e-6
    safe = np.where(even, 1.0, sine)
    a = np.where(even, 1 - share, np.sin((1 - share) * angle) / safe)
    b = np.where(even, share, np.sin(share * angle) / safe)
    out = a[:, None] * first + b[:, None] * second
    return np.asarray(out / np.linalg.norm(out, axis=1, keepdims=True))


def products(a: Array, b: Array) -> Array:
    """Hamilton products [N, 4] of quaternions: first b, then a."""
    x, y, z, w = a.T
    p, q, r, s = b.T
    return np.stack(
        [
            w * p + x * s + y * r - z * q,
            w * q - x * r + y * s + z * p,
            w * r + x * q - y * p + z * s,
            w * s - x * p - y * q - z * r,
        ],
        1,
    )
