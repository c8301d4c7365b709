# SPDX-License-Identifier: Apache-2.0
"""Depth from a calibrated pair of pictures, by OpenCV's semi-global matching.

Hirschmueller, "Stereo Processing by Semiglobal Matching and Mutual Information", TPAMI 2008, in
the blockwise form of `cv2.StereoSGBM`. A pixel whose match is not unique, or is another one seen
from the right picture, has no reading.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io.calibration import stereo_calibration
from f4x_ros.io.rectify import Rectifier

SWAPPED, NO_PAIR = "pairs_swapped", "pairs_that_do_not_fit"
"""Reasons under which pairs are left out whose pictures are the wrong way round, or of no pair."""

_NEAREST_M = 0.3  # what is nearer has no reading
_LEAST_PX = 3.0  # disparity below which a quarter of a pixel is too much of the depth
_MOST_SHARE = 0.5  # of the width that disparities may reach
_BLOCK_PX = 5
_UNIQUE_PERCENT = 10  # that the second best match must be worse
_LEFT_RIGHT_PX = 1
_SPECKLE_PX, _SPECKLE_RANGE = 60, 2  # islands of so many pixels, or less, are mistakes
_BASELINE_M = (0.005, 5.0)
_SAME_PX = 0.5  # by which rows of the two rectified pictures may be apart
_FEATURES, _ALIKE_BITS = 500, 40  # of ORB: so many are looked for, so different are the same
_LEAST_FEATURES = 30  # that pictures have in common, to judge them by
_ROWS_PX = 2.0  # by which the rows of a feature may be apart
_ON_ROWS, _RIGHT_WAY = 0.4, 0.5  # share of features that must lie so


class StereoPair:
    """Rectifies the pictures of a pair, and matches them.

    Args:
        left, right: message-like `CameraInfo` of each; `p` of the right one has -fx * baseline.
        rectified: whether the pictures are rectified already.
        where_left, where_right: names for errors.

    Attributes:
        left: rectifier of the left picture, whose camera the depth is of.
        baseline_m: from the left camera to the right one.
        remarks: what was taken to mean what.

    Raises:
        BadInputError: a calibration that is none or not of a pair, no baseline, left and right
            swapped; names the field, its value and what was expected.
    """

    def __init__(
        self, left: Any, right: Any, *, rectified: bool, where_left: str, where_right: str
    ) -> None:
        self.baseline_m = _baseline_m(left, right, where_left, where_right)
        self.left = Rectifier.of(
            stereo_calibration(left, rectified=rectified, where=where_left), where=where_left
        )
        self._right = Rectifier.of(
            stereo_calibration(right, rectified=rectified, where=where_right), where=where_right
        )
        self.remarks = (*self.left.remarks, *self._right.remarks)
        a, b = self.left.camera, self._right.camera
        off = (b.width - a.width, b.height - a.height, b.fx - a.fx, b.fy - a.fy, b.cy - a.cy)
        if max(abs(one) for one in off) > _SAME_PX:
            raise BadInputError(
                f"{where_right}: p is of a camera of {b.width}x{b.height} with fx {b.fx:g}, fy "
                f"{b.fy:g}, cy {b.cy:g}, expected those of {where_left}, {a.width}x{a.height} with "
                f"{a.fx:g}, {a.fy:g}, {a.cy:g}: a rectified pair has common rows"
            )
        self._offset_px = a.cx - b.cx  # disparity of what is infinitely far
        most = a.fx * self.baseline_m / _NEAREST_M + max(0.0, self._offset_px)
        count = 16 * int(np.ceil(min(most, _MOST_SHARE * a.width) / 16))
        self._count = max(16, count)
        self._fits = False  # pictures have shown that they are of a pair

    def color(self, left: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The rectified left picture [H, W, 3]; BadSampleError if it is of another size."""
        return self.left.color(left)

    def depth(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Depth [H, W] metres of the rectified left camera, 0 where there is no sure match.

        Args:
            left, right: pictures [H, W, 3] as they come.

        Raises:
            BadSampleError: a picture of another size; pictures that are swapped (`SWAPPED`), or
                that are of no pair (`NO_PAIR`), as those of different times.
        """
        a, b = self.left.color(left), self._right.color(right)
        if not self._fits:
            self._fits = _are_pair(a, b, self._offset_px)
        disparity = self._matched(a, b)
        apart = disparity - np.float32(self._offset_px)
        known = (disparity > 0) & (apart >= _LEAST_PX)
        reach = np.float32(self.left.camera.fx * self.baseline_m)
        metres = np.where(known, reach / np.where(known, apart, 1), np.float32(0))
        if self.left.observed is not None:
            metres = np.where(self.left.observed, metres, np.float32(0))
        return metres.astype(np.float32)

    def _matched(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Disparity [H, W] in pixels of the left picture, 0 where there is none."""
        pad = ((0, 0), (self._count, 0), (0, 0))  # (else so many columns had no reading)
        channels = left.shape[2]
        matcher = cv2.StereoSGBM.create(
            minDisparity=0,
            numDisparities=self._count,
            blockSize=_BLOCK_PX,
            P1=8 * channels * _BLOCK_PX**2,
            P2=32 * channels * _BLOCK_PX**2,
            disp12MaxDiff=_LEFT_RIGHT_PX,
            preFilterCap=31,
            uniquenessRatio=_UNIQUE_PERCENT,
            speckleWindowSize=_SPECKLE_PX,
            speckleRange=_SPECKLE_RANGE,
        )
        found = matcher.compute(np.pad(left, pad), np.pad(right, pad))[:, self._count :]
        disparity = found.astype(np.float32) / 16
        columns = np.arange(left.shape[1], dtype=np.float32)
        return np.where((disparity > 0) & (disparity <= columns), disparity, np.float32(0))


def calibration_key(info: Any) -> tuple[object, ...]:
    """Equal for calibrations that say the same."""
    roi = info.roi
    return (
        *(info.width, info.height, info.distortion_model),
        *(tuple(info.d), tuple(info.k), tuple(info.r), tuple(info.p)),
        *(info.binning_x, info.binning_y),
        *(roi.x_offset, roi.y_offset, roi.width, roi.height),
    )


def _are_pair(left: NDArray[np.uint8], right: NDArray[np.uint8], offset_px: float) -> bool:
    """Whether features of two rectified pictures lie as those of a pair do; False: too few to tell.

    Features are ORB (Rublee et al., ICCV 2011), matched in both directions.

    Raises:
        BadSampleError: they do not.
    """
    orb = cv2.ORB.create(_FEATURES)
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in (left, right)]
    (keys_a, bits_a), (keys_b, bits_b) = (
        orb.detectAndCompute(one, None)
        for one in grey  # type: ignore[call-overload]
    )
    if bits_a is None or bits_b is None:
        return False
    found = cv2.BFMatcher.create(cv2.NORM_HAMMING, crossCheck=True).match(bits_a, bits_b)
    pairs = [
        (keys_a[m.queryIdx].pt, keys_b[m.trainIdx].pt) for m in found if m.distance < _ALIKE_BITS
    ]
    if len(pairs) < _LEAST_FEATURES:
        return False
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    on_rows = np.abs(a[:, 1] - b[:, 1]) <= _ROWS_PX
    if on_rows.mean() < _ON_ROWS:
        raise BadSampleError(
            NO_PAIR,
            f"left and right pictures do not fit: {on_rows.mean():.0%} of {len(pairs)} features "
            f"that both have lie on the same row, expected at least {_ON_ROWS:.0%}: are they of "
            "one time, and of these calibrations?",
        )
    way = (a[on_rows, 0] - b[on_rows, 0]) >= offset_px - 1
    if way.mean() < _RIGHT_WAY:
        raise BadSampleError(
            SWAPPED,
            f"left and right pictures are swapped: {1 - way.mean():.0%} of {on_rows.sum()} "
            "features that both have lie farther to the right in the right one, expected to the "
            "left",
        )
    return True


def _baseline_m(left: Any, right: Any, where_left: str, where_right: str) -> float:
    """How far the right camera is to the right."""
    P, Q = (np.array(one.p, np.float64).reshape(3, 4) for one in (left, right))
    for where, matrix in ((where_left, P), (where_right, Q)):
        if not np.isfinite(matrix).all() or not matrix[0, 0] > 0:
            raise BadInputError(
                f"{where}: p is {_text(matrix)}, expected the matrix of a rectified stereo pair"
            )
    if P[0, 3] < 0 <= Q[0, 3] or Q[0, 3] > 0:
        raise BadInputError(
            f"{where_right}: p[3] is {Q[0, 3]:g} and that of {where_left} {P[0, 3]:g}, expected "
            "-fx * baseline, below 0, and 0: left and right are swapped"
        )
    if abs(Q[1, 3]) > abs(Q[0, 3]):
        raise BadInputError(
            f"{where_right}: p[7] is {Q[1, 3]:g}, expected 0: pairs one above the other are not "
            "read"
        )
    baseline = float(P[0, 3] / P[0, 0] - Q[0, 3] / Q[0, 0])
    if not _BASELINE_M[0] <= baseline <= _BASELINE_M[1]:
        said = "there is no baseline" if baseline == 0 else f"the baseline is {baseline:g} m"
        raise BadInputError(
            f"{where_right}: {said} (p[3] is {Q[0, 3] + 0.0:g}), expected p[3] = -fx * baseline "
            f"with {_BASELINE_M[0]:g} to {_BASELINE_M[1]:g} m"
        )
    return baseline


def _text(values: NDArray[np.float64]) -> str:
    return f"[{', '.join(f'{value:g}' for value in values.reshape(-1))}]"
