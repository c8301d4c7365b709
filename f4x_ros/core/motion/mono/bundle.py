# SPDX-License-Identifier: Apache-2.0
"""Poses and points that agree best with where points were seen: robust least squares.

Levenberg-Marquardt with the points eliminated first (the Schur complement; Triggs et al., Bundle
adjustment - a modern synthesis, 1999). For some ten poses and some hundred points dense matrices
of numpy take milliseconds.

Rays are normalised pixels [x, y] = ((u - cx) / fx, (v - cy) / fy); `T` takes map to camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.core.motion.odometry.estimate import moved

Array = NDArray[np.float64]

_LEAST_Z = 1e-3
_FARTHEST = 1e-3  # inverse depth that a point has at least, in units of the first shift
PLACES, INVERSE = (0, 1, 2), (0, 1, 3)
"""What of a homogeneous point [x, y, z, w] is adjusted: its place, or direction and 1 / depth."""
_CUT = 4.0  # residuals beyond so many deviations do not count at all


@dataclass
class Seen:
    """What was seen where: M observations.

    Attributes:
        pose: [M] index of the pose.
        point: [M] index of the point.
        rays: [M, 2].
    """

    pose: NDArray[np.intp]
    point: NDArray[np.intp]
    rays: Array


def adjust(
    poses: Array,
    points: Array,
    seen: Seen,
    fixed: NDArray[np.bool_],
    noise: float,
    steps: int = 6,
    free: tuple[int, int, int] = PLACES,
) -> tuple[Array, Array, float]:
    """The poses and points that fit best, and what is left: the sum of robust losses.

    Args:
        poses: [K, 4, 4] `T_camera_map`.
        points: [P, 4] homogeneous, map; each seen at least twice.
        seen: observations.
        fixed: [K] poses that stay as they are; two at least, or the size of all is not determined.
        noise: standard deviation of a ray.
        steps: at most.
        free: `PLACES`, or `INVERSE` of points [x, y, 1, 1 / depth] in the frame of the first pose.
    """
    poses, points = poses.copy(), points.copy()
    loose = np.flatnonzero(~fixed)
    row = np.full(len(poses), -1)
    row[loose] = np.arange(len(loose))
    damping = 1e-3
    residuals, J_pose, J_point, weights, loss = _linear(poses, points, seen, noise, free)
    for _ in range(steps):
        twists, step, _ = _solved(
            residuals, J_pose, J_point, weights, seen, row, len(loose), len(points), damping
        )
        tried, moved_points = poses.copy(), points.copy()
        moved_points[:, free] += step
        if free == INVERSE:
            moved_points[:, 3] = np.maximum(moved_points[:, 3], _FARTHEST)
        for i, twist in zip(loose, twists, strict=True):
            tried[i] = moved(twist) @ poses[i]
        after = _linear(tried, moved_points, seen, noise, free)
        if after[-1] < loss:
            gain = 1 - after[-1] / max(loss, 1e-12)
            poses, points = tried, moved_points
            residuals, J_pose, J_point, weights, loss = after
            damping = max(damping / 5, 1e-6)
            if gain < 1e-4:
                break
        else:
            damping *= 10
    return poses, points, loss


def direction_deviation(
    poses: Array,
    points: Array,
    seen: Seen,
    fixed: NDArray[np.bool_],
    noise: float,
    free: tuple[int, int, int] = PLACES,
) -> float:
    """Standard deviation, radians, of the direction in which the last pose lies from a fixed one.

    Arguments are those of `adjust`; distances are in units of how far the last pose is away, which
    nothing determines if only one pose is fixed.
    """
    loose = np.flatnonzero(~fixed)
    row = np.full(len(poses), -1)
    row[loose] = np.arange(len(loose))
    linear = _linear(poses, points, seen, noise, free)
    information = _solved(*linear[:-1], seen, row, len(loose), len(points), 1e-9)[2]
    shift = poses[-1, :3, 3]
    length = float(np.linalg.norm(shift))
    along = np.zeros(len(information))
    along[-6:-3] = shift / length
    known = information + np.outer(along, along) * (1e3 / length) ** 2
    covariance = np.linalg.inv(known)[-6:-3, -6:-3]
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(covariance)[-1]))) / length


def residuals_of(poses: Array, points: Array, seen: Seen) -> tuple[Array, Array]:
    """Where points are [M, 2] less where they were seen, rays; and their depth [M]."""
    local = np.einsum("mij,mj->mi", poses[seen.pose, :3], points[seen.point])
    z = np.maximum(local[:, 2], _LEAST_Z)
    return local[:, :2] / z[:, None] - seen.rays, local[:, 2]


def _linear(
    poses: Array, points: Array, seen: Seen, noise: float, free: tuple[int, int, int]
) -> tuple[Array, Array, Array, Array, float]:
    """Residuals, slopes by pose [M, 2, 6] and point [M, 2, 3], weights [M], robust loss."""
    T, mine = poses[seen.pose, :3], points[seen.point]
    local = np.einsum("mij,mj->mi", T, mine)
    z = np.maximum(local[:, 2], _LEAST_Z)
    x, y = local[:, 0] / z, local[:, 1] / z
    residuals = np.stack([x, y], 1) - seen.rays
    by_local = np.zeros((len(z), 2, 3))
    by_local[:, 0, 0] = by_local[:, 1, 1] = 1 / z
    by_local[:, 0, 2], by_local[:, 1, 2] = -x / z, -y / z
    J_pose = np.empty((len(z), 2, 6))
    J_pose[..., :3] = by_local * mine[:, 3, None, None]
    # A turn w before the camera moves a point by w x local.
    lx, ly, lz = local.T
    zero = np.zeros_like(lx)
    cross = np.stack([zero, lz, -ly, -lz, zero, lx, ly, -lx, zero], -1).reshape(-1, 3, 3)
    J_pose[..., 3:] = by_local @ cross
    J_point = by_local @ T[:, :, free]
    off = np.sqrt(np.square(residuals).sum(1)) / noise
    behind = local[:, 2] < _LEAST_Z
    weights = np.where(off < 1, 1.0, 1 / np.maximum(off, 1e-9))
    weights[(off > _CUT) | behind] = 0
    rho = np.where(off < 1, 0.5 * off * off, off - 0.5)
    rho = np.where((off > _CUT) | behind, _CUT - 0.5, rho)
    return residuals, J_pose, J_point, weights / noise**2, float(rho.sum())


def _solved(
    residuals: Array, J_pose: Array, J_point: Array, weights: Array, seen: Seen,
    row: NDArray[np.intp], free: int, count: int, damping: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Steps of the free poses [F, 6] and of the points [P, 3]; information [6 F, 6 F] of poses."""
    weighted = J_point * weights[:, None, None]
    V = np.zeros((count, 3, 3))
    np.add.at(V, seen.point, np.einsum("mij,mik->mjk", weighted, J_point))
    g_point = np.zeros((count, 3))
    np.add.at(g_point, seen.point, np.einsum("mij,mi->mj", weighted, residuals))
    diagonal = np.einsum("pii->pi", V)
    V = V + np.eye(3) * (damping * diagonal + 1e-9 + 1e-6 * diagonal.max(1, keepdims=True))[:, None]
    V_inverse = np.linalg.inv(V)
    mine = row[seen.pose] >= 0
    at, J, w = row[seen.pose[mine]], J_pose[mine], weights[mine]
    U = np.zeros((free, 6, 6))
    np.add.at(U, at, np.einsum("mij,m,mik->mjk", J, w, J))
    g_pose = np.zeros((free, 6))
    np.add.at(g_pose, at, np.einsum("mij,m,mi->mj", J, w, residuals[mine]))
    W = np.zeros((free, count, 6, 3))
    np.add.at(W, (at, seen.point[mine]), np.einsum("mij,m,mik->mjk", J, w, J_point[mine]))
    across = W.transpose(0, 2, 1, 3).reshape(6 * free, 3 * count)
    Y = np.einsum("fpij,pjk->fpik", W, V_inverse).transpose(0, 2, 1, 3).reshape(across.shape)
    S = -Y @ across.T
    for i in range(free):
        S[6 * i : 6 * i + 6, 6 * i : 6 * i + 6] += U[i] + np.diag(damping * np.diag(U[i]) + 1e-9)
    twists = -np.linalg.solve(S, g_pose.ravel() - Y @ g_point.ravel())
    back = g_point + (across.T @ twists).reshape(-1, 3)
    return twists.reshape(-1, 6), -np.einsum("pij,pj->pi", V_inverse, back), S


def pose_of(
    T_camera_map: Pose, points: Array, rays: Array, noise: float, steps: int = 8
) -> tuple[Pose, Array, Array]:
    """The pose that sees known points [N, 3] along rays [N, 2], its information [6, 6], residuals.

    The information is along the camera's axes; residuals [N] are in deviations.
    """
    pose, points = T_camera_map, homogeneous(points)
    count = len(points)
    seen = Seen(np.zeros(count, np.intp), np.arange(count), rays)
    information = np.zeros((6, 6))
    for step in range(steps):
        # Wide at first, so that a prediction that is off does not lose all of them.
        width = noise * max(1.0, 8.0 / 2.0**step)
        residuals, J, _, weights, _ = _linear(pose[None], points, seen, width, PLACES)
        information = np.einsum("mij,m,mik->jk", J, weights, J)
        gradient = np.einsum("mij,m,mi->j", J, weights, residuals)
        twist = -np.linalg.solve(information + 1e-9 * np.eye(6), gradient)
        pose = moved(twist) @ pose
    residuals, z = residuals_of(pose[None], points, seen)
    off = np.sqrt(np.square(residuals).sum(1)) / noise
    return pose, information, np.where(z > _LEAST_Z, off, np.inf)


def homogeneous(points: Array) -> Array:
    """Places [N, 3] as [N, 4]."""
    return np.concatenate([points, np.ones((len(points), 1))], 1)


def triangulated(poses_a: Array, rays_a: Array, poses_b: Array, rays_b: Array) -> Array:
    """Points [N, 3] that are seen along rays [N, 2] from poses [N, 4, 4] `T_camera_map` twice."""
    rows = [
        rays[:, i, None] * poses[:, 2] - poses[:, i]
        for poses, rays in ((poses_a, rays_a), (poses_b, rays_b))
        for i in (0, 1)
    ]
    A = np.stack(rows, 1)  # [N, 4, 4]
    A /= np.linalg.norm(A[..., :3], axis=2, keepdims=True)
    last = np.linalg.svd(A)[2][:, -1]
    w = last[:, 3:]
    w = np.where(np.abs(w) < 1e-9, 1e-9, w)
    return np.asarray(last[:, :3] / w)
