# SPDX-License-Identifier: Apache-2.0
"""Reading colour and depth image files, with errors that name the file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from f4x_ros.core.errors import BadInputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


def list_images(folder: Path) -> list[Path]:
    """Image files of a folder, sorted by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def read_rgb(path: Path) -> np.ndarray:
    """Colour image as ``[H, W, 3]`` uint8 RGB; raises ValueError if it cannot be decoded."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise BadInputError(f"{path}: expected a readable PNG or JPEG image")
    return np.ascontiguousarray(bgr[..., ::-1])


def read_depth(path: Path, units_per_metre: float = 1000.0) -> np.ndarray:
    """16-bit depth image as ``[H, W]`` float32 metres, 0 where there is no reading.

    ``units_per_metre`` is 1000 for millimetres and 5000 for TUM RGB-D. Raises ValueError if the
    file is unreadable or is not a single-channel 16-bit image.
    """
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if raw is None:
        raise BadInputError(f"{path}: expected a readable 16-bit PNG depth image")
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise BadInputError(
            f"{path}: depth image of type {raw.dtype} and shape {raw.shape}, "
            "expected uint16 with one channel"
        )
    return raw.astype(np.float32) / np.float32(units_per_metre)
