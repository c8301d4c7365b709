# SPDX-License-Identifier: Apache-2.0
"""DAVIS sequences: pictures of a moving camera with the true mask of what moves."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.images import list_images, other_files
from f4x_ros.io.lens import GUESSED_FOV_DEG, camera_of_fov
from f4x_ros.io.pictures import PicturesAlone

#: Horizontal field of view of the nominal camera.
NOMINAL_FOV_RAD = math.radians(GUESSED_FOV_DEG)


def is_davis_folder(path: Path) -> bool:
    """True if ``path`` has the layout of `DavisFolder` (``images``, ``masks`` and no ``K.txt``)."""
    folders = (path / "images").is_dir() and (path / "masks").is_dir()
    return folders and not (path / "K.txt").exists()


class DavisFolder(PicturesAlone):
    """Colour frames with the true mask of what moves, from a folder laid out as follows.

    - ``images/*.jpg`` (or png): colour; the natural order of the names (2 before 10) is the order
      in time.
    - ``masks/*.png``: one channel, 255 where the object that moves is, 0 elsewhere; same names and
      size as the images. It is the one object that was annotated (DAVIS 2016, Perazzi et al.,
      "A benchmark dataset and evaluation methodology for video object segmentation", CVPR 2016);
      whatever else moves counts as background.

    There is no depth and no pose: motion has to tell them. Without `fov` (degrees) or a file of a
    `calibration` the camera is nominal, see `Lens`: 60 degrees wide, square pixels, principal point
    in the middle. Stamps are ``1 / rate_hz`` apart, starting at ``START_NS``.
    """

    def __init__(
        self, path: str | Path, *, rate_hz: float = 24.0, fov: float = 0.0, calibration: str = ""
    ) -> None:
        """Index the folder; raises ValueError naming the file or count that does not fit."""
        self.path = Path(path)
        if not is_davis_folder(self.path):
            raise BadInputError(f"{self.path}: expected a folder with images/ and masks/, no K.txt")
        images = list_images(self.path / "images")
        if not images:
            raise BadInputError(f"{self.path / 'images'}: expected JPEG or PNG images, found none")
        self._masks = list_images(self.path / "masks")
        if [p.stem for p in self._masks] != [p.stem for p in images]:
            raise BadInputError(
                f"{self.path / 'masks'}: {len(self._masks)} masks whose names do not match the "
                f"{len(images)} of images/, expected the same names in both"
            )
        super().__init__(self.path.name, images, rate_hz, fov, calibration)
        self.remarks[:0] = other_files(self.path / "images") + other_files(self.path / "masks")

    def moving_mask(self, index: int) -> NDArray[np.bool_]:
        """``[H, W]`` true pixels of the annotated object in frame ``index``.

        Raises:
            IndexError: there is no such frame.
            ValueError: the file is unreadable or holds anything but 0 and 255 in one channel.
        """
        path = self._masks[self.checked_index(index)]
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if mask is None:
            raise BadInputError(f"{path}: expected a readable PNG mask")
        if mask.dtype != np.uint8 or mask.ndim != 2 or not np.isin(mask, (0, 255)).all():
            raise BadInputError(
                f"{path}: mask of type {mask.dtype} and shape {mask.shape}, "
                "expected uint8 with one channel and no values but 0 and 255"
            )
        return np.asarray(mask == 255)


def nominal_camera(width: int, height: int) -> PinholeCamera:
    """A camera 60 degrees wide with square pixels and the principal point in the middle."""
    return camera_of_fov(width, height, GUESSED_FOV_DEG)
