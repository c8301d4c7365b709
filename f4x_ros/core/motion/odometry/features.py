# SPDX-License-Identifier: Apache-2.0
"""Motion from one picture to another, however large: corners, matches, perspective-n-point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, inverse

_CORNERS = 700
_OCTAVES = 4
_FAST = 5  # grey levels: also weak corners, after the contrast is evened out
_HAMMING = 64  # of 256 bits: a worse match is none
_LEAST_MATCHES = 12
_ITERATIONS = 200
_REPROJECTION_PX = 2.5
_HOLE_PX = 5  # a corner without depth takes that of the block around it, ...
_HOLE_READINGS = 4  # ... of so many readings at least, ...
_HOLE_FLAT = 0.05  # ... which differ by less than such a share

_BLOCK = np.ones((_HOLE_PX, _HOLE_PX), np.uint8)


@dataclass(frozen=True, eq=False)
class Features:
    """Corners of a picture.

    Attributes:
        pixels: [N, 2] x and y, centres at +0.5.
        points: [N, 3] metres, camera frame; z = 0 where there is no depth.
        descriptors: [N, 32] uint8.
    """

    pixels: NDArray[np.float64]
    points: NDArray[np.float64]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pixels)


class FeatureFinder:
    """ORB corners (Rublee et al., ICCV 2011) in a picture of even contrast."""

    def __init__(self) -> None:
        self._orb: Any = cv2.ORB_create(_CORNERS, nlevels=_OCTAVES, fastThreshold=_FAST)  # type: ignore[attr-defined]
        self._even = cv2.createCLAHE(3.0, (8, 6))

    def find(
        self, grey: NDArray[np.uint8], depth: NDArray[np.float32], camera: PinholeCamera
    ) -> Features:
        """Corners of a picture [H, W] with depth [H, W]."""
        corners, descriptors = self._orb.detectAndCompute(self._even.apply(grey), None)
        if descriptors is None:
            none = np.zeros((0, 3))
            return Features(none[:, :2], none, np.zeros((0, 32), np.uint8))
        pixels = np.array([corner.pt for corner in corners], np.float64) + 0.5
        height, width = depth.shape
        rows = pixels[:, 1].astype(np.intp).clip(0, height - 1)
        columns = pixels[:, 0].astype(np.intp).clip(0, width - 1)
        z = _holes_filled(depth)[rows, columns].astype(np.float64)
        x = (pixels[:, 0] - camera.cx) / camera.fx * z
        y = (pixels[:, 1] - camera.cy) / camera.fy * z
        return Features(pixels, np.stack([x, y, z], 1), descriptors)


def _holes_filled(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depth [H, W] with the mean of what is around in small holes of flat surfaces."""
    there = depth > 0
    size = (_HOLE_PX, _HOLE_PX)
    total = cv2.boxFilter(depth, -1, size, normalize=False)
    count = cv2.boxFilter(there.astype(np.float32), -1, size, normalize=False)
    low = cv2.erode(np.where(there, depth, np.float32(1e3)), _BLOCK)
    high = cv2.dilate(depth, _BLOCK)
    sure = (count >= _HOLE_READINGS) & (high - low < _HOLE_FLAT * high)
    mean = np.where(sure, total / np.maximum(count, 1), 0)
    return np.where(there, depth, mean).astype(np.float32)


_MATCHER = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)


def motion_between(
    known: Features, seen: Features, camera: PinholeCamera
) -> tuple[Pose | None, int]:
    """`T_known_seen` of two pictures and how many corners agree; None if no motion is found."""
    if len(known) < _LEAST_MATCHES or len(seen) < _LEAST_MATCHES:
        return None, 0
    matches = _MATCHER.match(known.descriptors, seen.descriptors)
    pairs = np.array(
        [(m.queryIdx, m.trainIdx) for m in matches if m.distance < _HAMMING], np.intp
    ).reshape(-1, 2)
    pairs = pairs[known.points[pairs[:, 0], 2] > 0]
    if len(pairs) < _LEAST_MATCHES:
        return None, 0
    points, pixels = known.points[pairs[:, 0]], seen.pixels[pairs[:, 1]]
    cv2.setRNGSeed(0)  # the same pictures, the same answer
    try:
        found, turn, shift, agreeing = cv2.solvePnPRansac(
            points, pixels, camera.K, None, iterationsCount=_ITERATIONS,
            reprojectionError=_REPROJECTION_PX, confidence=0.999, flags=cv2.SOLVEPNP_AP3P,
        )  # fmt: skip
        if not found or agreeing is None or len(agreeing) < _LEAST_MATCHES:
            return None, 0
        rows = agreeing[:, 0]
        turn, shift = cv2.solvePnPRefineLM(points[rows], pixels[rows], camera.K, None, turn, shift)
    except cv2.error:  # degenerate points
        return None, 0
    T_seen_known = np.eye(4)
    T_seen_known[:3, :3], T_seen_known[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
    if not np.isfinite(T_seen_known).all():
        return None, 0
    return inverse(T_seen_known), len(rows)
