# SPDX-License-Identifier: Apache-2.0
"""The lens of pictures that say nothing of it: a file, an angle, or a guess that is said."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.calibration import Calibration, calibration_of_info, checked_matrix
from f4x_ros.io.rectify import Rectifier
from f4x_ros.io.text_rows import read_matrix

GUESSED_FOV_DEG = 60.0
"""Horizontal field of view that is taken if nobody knows it: that of many phones and webcams."""
FOV_RANGE_DEG = (1.0, 170.0)


class Lens:
    """Rectifies pictures of one size.

    Args:
        width: of the pictures, pixels.
        height: of them.
        fov: horizontal field of view in degrees; 0 = not known.
        calibration: file of 3x3 numbers (pixel centres at integers), or YAML as ROS's
            camera_calibration writes it; "" = none.

    Attributes:
        rectifier: undoes the lens.
        remarks: that the field of view was guessed, if so, and what else was taken for granted.

    Raises:
        BadInputError: both are given, the angle is out of range, or the file does not fit; names
            the value and what was expected.
    """

    def __init__(self, width: int, height: int, fov: float = 0.0, calibration: str = "") -> None:
        low, high = FOV_RANGE_DEG
        if fov and not low <= fov <= high:
            raise BadInputError(f"fov is {fov:g}, expected {low:g} to {high:g} degrees, or 0")
        if fov and calibration:
            raise BadInputError(f"fov is {fov:g} and calibration {calibration!r}, expected one")
        self.remarks: list[str] = []
        if calibration:
            made = _read(Path(calibration).expanduser(), width, height)
            self.remarks += made.remarks
            self.rectifier = Rectifier.of(made, where=calibration)
            return
        if not fov:
            fov = GUESSED_FOV_DEG
            self.remarks.append(
                f"The focal length is not known: a field of view of {fov:g} degrees is guessed "
                "(--fov DEGREES or --calibration FILE say better); shapes are bent as far as it "
                "is wrong."
            )
        camera = camera_of_fov(width, height, fov)
        plain = Calibration(camera, camera.to_opencv_K(), np.empty(0), np.eye(3))
        self.rectifier = Rectifier.of(plain, where="fov")


def camera_of_fov(width: int, height: int, fov_deg: float) -> PinholeCamera:
    """A camera so many degrees wide with square pixels and the principal point in the middle."""
    focal = width / 2 / math.tan(math.radians(fov_deg) / 2)
    return PinholeCamera(width, height, focal, focal, width / 2, height / 2)


def _read(path: Path, width: int, height: int) -> Calibration:
    if not path.is_file():
        raise BadInputError(f"calibration {str(path)!r}: no such file")
    if path.suffix.lower() not in (".yaml", ".yml"):
        K = checked_matrix(str(path), "the matrix", read_matrix(path, 3), width, height)
        return Calibration(PinholeCamera.from_opencv(K, width, height), K, np.empty(0), np.eye(3))
    info = _info(path)
    if (info.width, info.height) != (width, height):
        raise BadInputError(
            f"{path}: it is of {info.width}x{info.height} pixels, the pictures have "
            f"{width}x{height}; expected one of the same size"
        )
    return calibration_of_info(info, rectified=False, where=str(path))


def _info(path: Path) -> SimpleNamespace:
    """What a file of camera_calibration says, with the names of `CameraInfo`."""
    try:
        said: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return SimpleNamespace(
            width=int(said["image_width"]),
            height=int(said["image_height"]),
            k=_numbers(said["camera_matrix"], 9),
            d=_numbers(said.get("distortion_coefficients", {"data": []})),
            r=_numbers(said.get("rectification_matrix", {"data": [1, 0, 0, 0, 1, 0, 0, 0, 1]}), 9),
            p=_numbers(said.get("projection_matrix", {"data": [0] * 12}), 12),
            distortion_model=str(said.get("distortion_model", "plumb_bob")),
            binning_x=0,
            binning_y=0,
            roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(
            f"{path}: {type(error).__name__} {error}, expected image_width, image_height and "
            "camera_matrix as camera_calibration writes them"
        ) from error


def _numbers(part: Any, count: int = 0) -> list[float]:
    numbers = [float(one) for one in part["data"]]
    if count and len(numbers) != count:
        raise ValueError(f"{len(numbers)} numbers instead of {count}")
    return numbers
