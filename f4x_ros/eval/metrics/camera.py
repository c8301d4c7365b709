# SPDX-License-Identifier: Apache-2.0
"""How far an estimated camera path is from the true one, by evo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import check_pose
from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.metrics.libraries import library


@dataclass(frozen=True)
class CameraScores:
    """Absolute and relative errors of a camera path (Sturm et al., IROS 2012).

    Attributes:
        ate_rmse_m: RMSE of the camera's position, metres, without any alignment: both paths are in
            the map frame. None without frames.
        ate_max_m: the largest position error, metres.
        ate_rotation_rmse_rad: RMSE of the angle between the orientations, radians, not aligned.
        ate_aligned_rmse_m: RMSE of the position after the best rigid alignment (Umeyama 1991, no
            scale), metres. None where no alignment is determined: fewer than three poses, or a
            path on a straight line.
        rpe_translation_rmse_m: RMSE of the motion's translation error from one frame to the next,
            metres. None with fewer than two frames.
        rpe_rotation_rmse_rad: the same of its rotation, radians.
        path_length_m: length of the true path.
        duration_s: from the first to the last stamp.
        frames: poses compared.
    """

    ate_rmse_m: float | None
    ate_max_m: float | None
    ate_rotation_rmse_rad: float | None
    ate_aligned_rmse_m: float | None
    rpe_translation_rmse_m: float | None
    rpe_rotation_rmse_rad: float | None
    path_length_m: float
    duration_s: float
    frames: int


def camera_scores(
    stamps_ns: NDArray[np.int64], truth: NDArray[np.floating], estimated: NDArray[np.floating]
) -> CameraScores:
    """Compare two camera paths pose by pose.

    Args:
        stamps_ns: [N] strictly rising.
        truth: [N, 4, 4] T_map_camera, true.
        estimated: [N, 4, 4] T_map_camera, estimated at the same stamps.

    Raises:
        ValueError: shapes differ, stamps do not rise, or a pose is no finite rigid transform.
        UnsupportedError: evo is not installed.
    """
    stamps = _checked_stamps(stamps_ns)
    reference = _checked_poses("truth", truth, len(stamps))
    estimate = _checked_poses("estimated", estimated, len(stamps))
    if not len(stamps):
        return CameraScores(None, None, None, None, None, None, 0.0, 0.0, 0)
    paths = _path(reference), _path(estimate)
    metrics = library("evo.core.metrics")
    position, angle = metrics.PoseRelation.translation_part, metrics.PoseRelation.rotation_angle_rad
    absolute = _evaluated(metrics.APE(position), paths)
    steps = len(stamps) > 1
    return CameraScores(
        ate_rmse_m=_rmse(absolute),
        ate_max_m=float(absolute.error.max()),
        ate_rotation_rmse_rad=_rmse(_evaluated(metrics.APE(angle), paths)),
        ate_aligned_rmse_m=_aligned_rmse_m(*paths),
        rpe_translation_rmse_m=_rmse(_evaluated(_rpe(metrics, position), paths)) if steps else None,
        rpe_rotation_rmse_rad=_rmse(_evaluated(_rpe(metrics, angle), paths)) if steps else None,
        path_length_m=float(paths[0].path_length),
        duration_s=float(stamps[-1] - stamps[0]) * 1e-9,
        frames=len(stamps),
    )


def position_errors_m(
    truth: NDArray[np.floating], estimated: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Distance [N] between the camera's positions, metres, frame by frame and not aligned.

    Args:
        truth: [N, 4, 4] T_map_camera, true.
        estimated: [N, 4, 4] T_map_camera, estimated at the same stamps.

    Raises:
        ValueError: shapes differ or a pose is no finite rigid transform.
    """
    reference = _checked_poses("truth", truth, len(truth))
    estimate = _checked_poses("estimated", estimated, len(truth))
    errors = np.linalg.norm(estimate[:, :3, 3] - reference[:, :3, 3], axis=1)
    return np.asarray(errors, np.float64)


def _checked_stamps(stamps_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    stamps = np.asarray(stamps_ns)
    if stamps.ndim != 1 or (stamps.size and not np.issubdtype(stamps.dtype, np.integer)):
        raise BadInputError(f"stamps_ns is {stamps.shape} {stamps.dtype}, expected [N] integers")
    late = np.flatnonzero(np.diff(stamps) <= 0)
    if len(late):
        raise BadInputError(
            f"stamps_ns has {stamps[late[0]]} before {stamps[late[0] + 1]}, "
            "expected stamps that rise strictly"
        )
    return stamps.astype(np.int64)


def _checked_poses(name: str, poses: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Poses [N, 4, 4] float64 whose rotations are exact: evo refuses the rounding of float32."""
    if np.shape(poses) != (count, 4, 4):
        raise BadInputError(f"{name} has shape {np.shape(poses)}, expected ({count}, 4, 4)")
    if not count:
        return np.zeros((0, 4, 4))
    checked = np.stack([check_pose(f"{name}[{i}]", pose) for i, pose in enumerate(poses)])
    left, _, right = np.linalg.svd(checked[:, :3, :3])
    checked[:, :3, :3] = left @ right
    return checked


def _path(poses: NDArray[np.float64]) -> Any:
    return library("evo.core.trajectory").PosePath3D(poses_se3=list(poses))


def _rpe(metrics: Any, relation: Any) -> Any:
    return metrics.RPE(relation, delta=1, delta_unit=metrics.Unit.frames, all_pairs=True)


def _evaluated(metric: Any, paths: tuple[Any, Any]) -> Any:
    metric.process_data(paths)
    return metric


def _rmse(metric: Any) -> float:
    return float(np.sqrt(np.mean(np.square(metric.error))))


def _aligned_rmse_m(reference: Any, estimate: Any) -> float | None:
    geometry = library("evo.core.geometry")
    metrics = library("evo.core.metrics")
    aligned = _path(np.stack(estimate.poses_se3))
    try:
        aligned.align(reference)
    except geometry.GeometryException:  # all positions on one line: any turn about it fits
        return None
    return _rmse(
        _evaluated(metrics.APE(metrics.PoseRelation.translation_part), (reference, aligned))
    )
