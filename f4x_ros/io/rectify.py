# SPDX-License-Identifier: Apache-2.0
"""Undoing lens distortion, and telling which pixels of the result the lens saw."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io.calibration import Calibration, calibration_of_info

_LEAST_OBSERVED = 0.25


class Rectifier:
    """Maps images of a calibrated camera to those of `camera`, a pinhole camera of the same size.

    Images that are rectified already (``rectified=True``) and cameras without distortion pass
    unchanged. Depth is moved without mixing neighbours.

    Attributes:
        camera: of the rectified images.
        observed: [H, W] bool, pixels of the rectified image that the lens saw wholly; the others
            are mixed from black. None = all.
        remarks: what of the calibration was taken to mean what, in sentences.
    """

    def __init__(self, info: Any, *, rectified: bool, where: str) -> None:
        """From a message-like CameraInfo; raises ValueError naming what does not fit."""
        self._use(calibration_of_info(info, rectified=rectified, where=where), where)

    @classmethod
    def of(cls, calibration: Calibration, *, where: str) -> Rectifier:
        """From a calibration that was read elsewhere; raises like the constructor."""
        made = cls.__new__(cls)
        made._use(calibration, where)
        return made

    def _use(self, calibration: Calibration, where: str) -> None:
        self.camera = calibration.camera
        self.observed: NDArray[np.bool_] | None = None
        self.remarks = calibration.remarks
        self._where = where
        self._maps: tuple[Any, Any] | None = None
        if calibration.bends:
            self._maps = _maps(calibration)
            seen = _seen(*self._maps)
            if seen.mean() < _LEAST_OBSERVED:
                raise BadInputError(
                    f"{where}: d is {calibration.D.tolist()}; undistorted with it, only "
                    f"{seen.mean():.0%} of the image would show something, expected most of it"
                )
            self.observed = None if seen.all() else seen

    def color(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rectified ``[H, W, 3]``; raises BadSampleError if it is of another size."""
        self._check_size(image, "images_of_other_size")
        if self._maps is None:
            return image
        return np.asarray(cv2.remap(image, *self._maps, cv2.INTER_LINEAR), np.uint8)

    def depth(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rectified ``[H, W]``, 0 where the lens saw nothing; raises like `color`."""
        self._check_size(image, "depth_of_other_size")
        if self._maps is None:
            return image
        return np.asarray(cv2.remap(image, *self._maps, cv2.INTER_NEAREST), np.float32)

    def _check_size(self, image: NDArray[Any], reason: str) -> None:
        if image.shape[:2] != self.camera.shape:
            height, width = image.shape[:2]
            raise BadSampleError(
                reason,
                f"{self._where}: it is for {self.camera.width}x{self.camera.height} pixels, the "
                f"{'depth' if 'depth' in reason else 'colour'} image has {width}x{height}",
            )


def _maps(calibration: Calibration) -> tuple[Any, Any]:
    """For each pixel of the rectified image, column and row [H, W] float32 where it comes from."""
    camera, K = calibration.camera, calibration.K
    D = calibration.D if calibration.D.size else None
    size = (camera.width, camera.height)
    undo: Any = (  # OpenCV's stubs know neither of them with all its arguments
        cv2.fisheye.initUndistortRectifyMap
        if calibration.projection == "fisheye"
        else cv2.initUndistortRectifyMap
    )
    columns, rows = undo(K, D, calibration.R, camera.to_opencv_K(), size, cv2.CV_32FC1)
    return columns, rows


def _seen(columns: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels [H, W] whose four neighbours in the image as it came are all there.

    Beyond the angle up to which a polynomial was fitted it may turn back, and show a second time
    what stands elsewhere; there the image is mirrored, which shows in the sign of the derivative.
    """
    height, width = columns.shape
    inside = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    if min(height, width) < 2:
        return inside
    with np.errstate(all="ignore"):  # of absurd coefficients, outside
        (columns_v, columns_u), (rows_v, rows_u) = np.gradient(columns), np.gradient(rows)
        return np.asarray(inside & (columns_u * rows_v - columns_v * rows_u > 0))
