# SPDX-License-Identifier: Apache-2.0
"""The flow that a still scene would have, and what of a flow it does not explain.

A plane, or anything seen by a camera that only turns, moves by a homography (MAGSAC++, Barath et
al., CVPR 2020). What of a still scene lies off the plane moves on towards, or away from, one point
of the picture, the epipole: plane and parallax of Irani and Anandan, "A unified approach to moving
object detection in 2D and 3D scenes", PAMI 1998. A thing that moves along these lines as well
cannot be told from a still one by two pictures. So parallax is an excuse only as far as the picture
is full of it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.motion.picture.flow import pixels

_GRID_PX = 6  # between the points that the background is fitted to
_FEWEST = 12  # of these points must be trusted
_FIT_PX = 1.0  # inliers of the plane lie within
_OFF_PX = 0.35  # what is off by more is not explained by the plane
_PARALLAX_FROM, _PARALLAX_TO = 0.5, 0.75  # share of the picture off the plane: excused not, fully
_VIOLATION_PX = 0.5  # off the epipolar line by so much counts a quarter
_LARGEST_PX = 4.0  # residuals above this weigh no more
_STEPS = 12


def plane_residual(
    flow: NDArray[np.float32], trust: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """What is left ``[H, W, 2]`` of a flow ``[H, W, 2]`` besides the dominant plane's, in pixels.

    None where hardly anything of the flow is trusted (``[H, W]``), or no plane fits.
    """
    height, width = flow.shape[:2]
    part = (slice(_GRID_PX // 2, None, _GRID_PX),) * 2
    every = pixels(height, width)
    kept = trust[part] > 0.5
    here, there = every[part][kept], (every + flow)[part][kept]
    if len(here) < _FEWEST:
        return None
    H, _ = cv2.findHomography(here, there, cv2.USAC_MAGSAC, _FIT_PX, maxIters=2000)
    if H is None:
        return None  # type: ignore[unreachable]  # OpenCV's stubs are wrong
    moved = cv2.perspectiveTransform(every.reshape(-1, 1, 2), H).reshape(height, width, 2)
    left: NDArray[np.float32] = flow - (moved - every)
    return left


def unexplained_px(
    residual: NDArray[np.float32], trust: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Length ``[H, W]`` of what is left of `plane_residual` besides parallax, in pixels."""
    length = np.hypot(residual[..., 0], residual[..., 1])
    off = float(np.mean(length > _OFF_PX))
    excuse = np.clip((off - _PARALLAX_FROM) / (_PARALLAX_TO - _PARALLAX_FROM), 0, 1)
    if excuse == 0:
        return np.asarray(length, np.float32)
    across = np.abs(_across(residual, epipole(residual, trust)))
    left: NDArray[np.float32] = np.hypot(across, (1 - excuse) * length).astype(np.float32)
    return left


def epipole(residual: NDArray[np.float32], trust: NDArray[np.float32]) -> NDArray[np.float64]:
    """The point that most residuals ``[H, W, 2]`` point to or away from.

    Returns:
        [3] homogeneous, in a frame with its origin in the middle and half the width as its unit.
    """
    height, width = trust.shape
    part = (slice(_GRID_PX // 2, None, _GRID_PX),) * 2
    left = residual[part].reshape(-1, 2).astype(np.float64)
    x = _centred(height, width)[part].reshape(-1, 2).astype(np.float64)
    length = np.linalg.norm(left, axis=1)
    normal = np.stack([-left[:, 1], left[:, 0]], 1) / np.maximum(length, 1e-6)[:, None]
    lines = np.concatenate([normal, -(normal * x).sum(1, keepdims=True)], 1)
    weight = trust[part].ravel() * np.minimum(length, _LARGEST_PX) ** 2
    doubt = np.ones_like(length)
    for _ in range(_STEPS):
        point: NDArray[np.float64] = np.linalg.eigh((lines * (weight * doubt)[:, None]).T @ lines)[
            1
        ][:, 0]
        far = np.linalg.norm(point[:2] - point[2] * x, axis=1) + 1e-9
        off_px = lines @ point / far * length
        doubt = 1 / (far**2 * (1 + (off_px / _VIOLATION_PX) ** 2) ** 2)
    return point


def _across(residual: NDArray[np.float32], point: NDArray[np.float64]) -> NDArray[np.float32]:
    """The part ``[H, W]`` of a residual that leads past the epipole, in pixels."""
    towards = point[:2].astype(np.float32) - np.float32(point[2]) * _centred(*residual.shape[:2])
    cross = residual[..., 0] * towards[..., 1] - residual[..., 1] * towards[..., 0]
    return np.asarray(cross / (np.hypot(towards[..., 0], towards[..., 1]) + 1e-6), np.float32)


def _centred(height: int, width: int) -> NDArray[np.float32]:
    middle = np.array([width / 2, height / 2], np.float32)
    centred: NDArray[np.float32] = (pixels(height, width) - middle) / np.float32(width / 2)
    return centred
