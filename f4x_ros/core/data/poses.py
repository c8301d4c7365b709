# SPDX-License-Identifier: Apache-2.0
"""Rigid transforms `T_a_b` [4, 4] float64 that take coordinates in frame b to frame a.

Rotation algebra is scipy's (xyzw quaternions); the rasteriser's wxyz order is reached through
`quats_wxyz_from_xyzw` and back through `quats_xyzw_from_wxyz`, and nowhere else. Only what takes or
makes tensors imports torch: a process that just publishes a recording does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation, Slerp

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Pose = NDArray[np.float64]  # [4, 4]

_ROTATION_TOLERANCE = 1e-3  # float32 odometry chained over hours stays well inside


def check_pose(name: str, value: ArrayLike) -> Pose:
    """`value` as a valid rigid transform [4, 4] float64.

    Raises:
        ValueError: not 4x4, not finite, or its rotation is not orthonormal and right-handed.
    """
    pose = np.array(value, dtype=np.float64)  # a copy: callers reuse their buffers
    if pose.shape != (4, 4):
        raise BadInputError(f"{name} has shape {pose.shape}, expected (4, 4)")
    if not np.isfinite(pose).all():
        raise BadInputError(f"{name} has values that are not finite: {pose.tolist()}")
    rotation = pose[:3, :3]
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        raise BadInputError(
            f"{name} is not a rigid transform: its rotation is off by {error:.2g} "
            f"(determinant {np.linalg.det(rotation):.3g}), expected an orthonormal, "
            "right-handed matrix"
        )
    if np.abs(pose[3] - [0, 0, 0, 1]).max() > 1e-6:
        raise BadInputError(f"{name} has last row {pose[3].tolist()}, expected [0, 0, 0, 1]")
    return pose


def inverse(T_a_b: Pose) -> Pose:
    """`T_b_a`."""
    out = np.eye(4)
    out[:3, :3] = T_a_b[:3, :3].T
    out[:3, 3] = -T_a_b[:3, :3].T @ T_a_b[:3, 3]
    return out


def from_quaternion(position: ArrayLike, xyzw: ArrayLike) -> Pose:
    """Pose from a position [3] and a quaternion [4] in xyzw order (ROS), normalised here.

    Raises:
        ValueError: a value is not finite or the quaternion has length zero.
    """
    p = np.asarray(position, dtype=np.float64)
    q = np.asarray(xyzw, dtype=np.float64)
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise BadInputError(f"pose has values that are not finite: position {p}, quaternion {q}")
    norm = float(np.linalg.norm(q))
    if norm < 1e-6:
        raise BadInputError(
            "pose has a quaternion of length zero, expected a unit quaternion (xyzw)"
        )
    out = np.eye(4)
    out[:3, :3] = Rotation.from_quat(q / norm).as_matrix()
    out[:3, 3] = p
    return out


def to_quaternion(T_a_b: Pose) -> NDArray[np.float64]:
    """The rotation's unit quaternion [4] in xyzw order, w >= 0."""
    q: NDArray[np.float64] = Rotation.from_matrix(T_a_b[:3, :3]).as_quat()
    return -q if q[3] < 0 else q


def interpolate(T_a: Pose, T_b: Pose, fraction: float) -> Pose:
    """Between two poses: linear in position, slerp in rotation; 0 gives `T_a`, 1 gives `T_b`."""
    between = Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([T_a[:3, :3], T_b[:3, :3]])))
    position = (1 - fraction) * T_a[:3, 3] + fraction * T_b[:3, 3]
    return from_quaternion(position, between(fraction).as_quat())


def rotation_angle_rad(T_a: Pose, T_b: Pose) -> float:
    """Angle between the rotations of two poses, radians in 0..pi."""
    cosine = (np.trace(T_a[:3, :3].T @ T_b[:3, :3]) - 1) / 2
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def quats_wxyz_from_xyzw(quats: Tensor) -> Tensor:
    """Quaternions [..., 4]: scipy's and ROS's xyzw order to the rasteriser's wxyz."""
    import torch

    return torch.roll(quats, 1, -1)


def quats_xyzw_from_wxyz(quats: Tensor) -> Tensor:
    """Quaternions [..., 4]: the rasteriser's wxyz order to scipy's and ROS's xyzw."""
    import torch

    return torch.roll(quats, -1, -1)


def viewmat(T_map_camera: Pose, device: torch.device | str = "cpu") -> Tensor:
    """`T_camera_map` [4, 4] float32, as the rasteriser takes it."""
    import torch

    return torch.as_tensor(inverse(T_map_camera), dtype=torch.float32, device=device)
