# SPDX-License-Identifier: Apache-2.0
"""Undoing lens distortion as described by ``sensor_msgs/CameraInfo``."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.errors import BadInputError

_OPENCV_MODELS = ("plumb_bob", "rational_polynomial")
_FISHEYE_MODELS = ("equidistant", "fisheye")


class Rectifier:
    """Maps images of a calibrated camera to those of `camera`, a pinhole camera of the same size.

    Images that are rectified already (``rectified=True``) and cameras without distortion pass
    unchanged. Depth is moved without mixing neighbours.
    """

    def __init__(self, info: Any, *, rectified: bool, where: str) -> None:
        """From a message-like CameraInfo; raises ValueError naming what does not fit."""
        K = np.array(info.k, np.float64).reshape(3, 3)
        P = np.array(info.p, np.float64).reshape(3, 4)[:, :3]
        D = np.array(info.d, np.float64).reshape(-1)
        size = (int(info.width), int(info.height))
        K = P if rectified and P[0, 0] > 0 else K
        try:
            self.camera = PinholeCamera.from_opencv(K, *size)
        except ValueError as error:
            raise BadInputError(f"{where}: {error}") from error
        self._maps: tuple[Any, Any] | None = None
        if rectified or not D.any():
            return
        if info.distortion_model in _OPENCV_MODELS:
            self._maps = cv2.initUndistortRectifyMap(K, D, None, K, size, cv2.CV_32FC1)
        elif info.distortion_model in _FISHEYE_MODELS:
            self._maps = cv2.fisheye.initUndistortRectifyMap(
                K, D[:4], np.eye(3), K, size, cv2.CV_32FC1
            )
        else:
            raise BadInputError(
                f"{where}: distortion_model {info.distortion_model!r}, "
                f"expected one of {[*_OPENCV_MODELS, *_FISHEYE_MODELS]}"
            )

    def color(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rectified ``[H, W, 3]``."""
        if self._maps is None:
            return image
        return np.asarray(cv2.remap(image, *self._maps, cv2.INTER_LINEAR), np.uint8)

    def depth(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rectified ``[H, W]``; 0 where the lens saw nothing."""
        if self._maps is None:
            return image
        return np.asarray(cv2.remap(image, *self._maps, cv2.INTER_NEAREST), np.float32)
