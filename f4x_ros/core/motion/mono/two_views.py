# SPDX-License-Identifier: Apache-2.0
"""The beginning: how a camera moved between two pictures of points that nobody knows yet."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.core.motion.mono.bundle import Array, triangulated

_DIRECTIONS = 300
_ROUNDS = 6
_CANDIDATES = 3
_ALIKE = 0.9  # cosine of two directions that are one candidate


def turn_between(rays_a: Array, rays_b: Array) -> tuple[NDArray[np.float64], Array]:
    """The rotation [3, 3] that takes rays a to rays b best, and what is left of each [N], radians.

    Kabsch's on unit vectors, repeated with less weight for what does not fit (movers, parallax).
    """
    a, b = _unit(rays_a), _unit(rays_b)
    weights = np.ones(len(a))
    turn, left = np.eye(3), np.zeros(len(a))
    for _ in range(8):
        U, _, Vt = np.linalg.svd((b * weights[:, None]).T @ a)
        turn = U @ np.diag([1, 1, np.sign(np.linalg.det(U @ Vt))]) @ Vt
        left = np.linalg.norm(b - a @ turn.T, axis=1)
        usual = max(float(np.median(left)), 1e-4)
        weights = 1 / np.maximum(left / usual, 1)
    return turn, left


def motions(rays_a: Array, rays_b: Array, turn: NDArray[np.float64], noise: float) -> list[Pose]:
    """Motions `T_b_a` [4, 4], shift of length 1, that explain two pictures; the best first.

    For each direction on a half sphere the turn that goes with it is found by least squares, which
    is linear for small turns beside the known one (Heeger & Jepson, Subspace methods for recovering
    rigid motion, IJCV 1992). With little parallax several directions, far from each other, explain
    the same two pictures: which one is right, more pictures must tell.

    Args:
        rays_a: [N, 2] normalised pixels of corners in the first picture.
        rays_b: [N, 2] of the same corners in the second.
        turn: [3, 3] of `turn_between`.
        noise: standard deviation of a ray.
    """
    b = np.concatenate([rays_b, np.ones((len(rays_b), 1))], 1) @ turn  # as before the turn
    flow = b[:, :2] / b[:, 2:] - rays_a
    x, y = rays_a.T
    # A further small turn moves a ray by A @ turn.
    A = np.stack(
        [np.stack([-x * y, 1 + x * x, -y], 1), np.stack([-(1 + y * y), x * y, x], 1)], 1
    )  # [N, 2, 3]
    directions = _half_sphere(_DIRECTIONS)
    across = np.stack(  # square to how a shift moves each ray: [C, N, 2]
        [
            -(directions[:, None, 1] - directions[:, None, 2] * y),
            directions[:, None, 0] - directions[:, None, 2] * x,
        ],
        -1,
    )
    across /= np.maximum(np.linalg.norm(across, axis=2, keepdims=True), 1e-9)
    by_turn = np.einsum("cni,nij->cnj", across, A)
    off = np.einsum("cni,ni->cn", across, flow)
    weights = np.ones_like(off)
    for _ in range(_ROUNDS):
        normal = np.einsum("cni,cn,cnj->cij", by_turn, weights, by_turn) + 1e-12 * np.eye(3)
        right = np.einsum("cni,cn,cn->ci", by_turn, weights, off)
        turns = np.linalg.solve(normal, right[..., None])[..., 0]
        left = np.abs(off - np.einsum("cni,ci->cn", by_turn, turns)) / noise
        weights = 1 / np.maximum(left, 1) * (left < 6)
    costs = np.minimum(left, 6.0).sum(1)
    found: list[Pose] = []
    chosen: list[Array] = []
    for i in np.argsort(costs).tolist():
        if any(abs(float(directions[i] @ one)) > _ALIKE for one in chosen):
            continue
        chosen.append(directions[i])
        found += _both_ways(directions[i], turns[i], turn, flow - A @ turns[i], rays_a, A)
        if len(chosen) == _CANDIDATES:
            break
    return found


def _both_ways(
    direction: Array, small: Array, turn: NDArray[np.float64], flow: Array, rays: Array, A: Array
) -> list[Pose]:
    """A motion forwards and backwards, each turned so that most points are in front.

    A turn about the axis square to a shift moves all rays along with it, so two pictures alone
    hardly tell one from the other; a world turned inside out then fits nearly as well.
    """
    by_shift = direction[:2] - rays * direction[2]
    length = np.maximum(np.linalg.norm(by_shift, axis=1), 1e-9)
    along = (flow * by_shift).sum(1) / length  # inverse depth times how much a shift moves a ray
    axis = np.array([-direction[1], direction[0], 0.0])
    per_turn = ((A @ axis) * by_shift).sum(1) / length
    out = []
    for sign, share in ((1, 10), (-1, 90)):
        usual = float(np.median(per_turn))
        extra = float(np.percentile(along, share)) / usual if abs(usual) > 1e-3 else 0.0
        spread = float(np.percentile(along, 90) - np.percentile(along, 10))
        extra -= sign * 0.3 * spread / usual if abs(usual) > 1e-3 else 0.0
        T = np.eye(4)
        T[:3, :3] = turn @ cv2.Rodrigues(small + extra * axis)[0]
        T[:3, 3] = turn @ (sign * direction)
        out.append(T)
    return out


def _half_sphere(count: int) -> Array:
    """Directions [count, 3], evenly spread over z >= 0 (Fibonacci's spiral)."""
    z = (np.arange(count) + 0.5) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], 1)


def first_points(T_b_a: Pose, rays_a: Array, rays_b: Array) -> Array:
    """Corners [N, 4] as [x, y, 1, 1 / depth] in frame a; what cannot be is as far as the rest."""
    count = len(rays_a)
    points = triangulated(
        np.broadcast_to(np.eye(4), (count, 4, 4)), rays_a,
        np.broadcast_to(T_b_a, (count, 4, 4)), rays_b,
    )  # fmt: skip
    inverse_depth = 1 / np.where(np.abs(points[:, 2]) < 1e-9, 1e-9, points[:, 2])
    good = inverse_depth > 0
    usual = float(np.median(inverse_depth[good])) if good.any() else 0.02
    inverse_depth = np.where(good, np.clip(inverse_depth, usual / 10, usual * 10), usual / 3)
    return np.concatenate([rays_a, np.ones((count, 1)), inverse_depth[:, None]], 1)


def parallax(points: Array, eye_a: Array, eye_b: Array) -> Array:
    """Angle [N], radians, under which points [N, 3] see two eyes [3] or [N, 3]."""
    a, b = points - eye_a, points - eye_b
    cos = (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)
    return np.asarray(np.arccos(np.clip(cos, -1, 1)))


def _unit(rays: Array) -> Array:
    full = np.concatenate([rays, np.ones((len(rays), 1))], 1)
    return np.asarray(full / np.linalg.norm(full, axis=1, keepdims=True))
