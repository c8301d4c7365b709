# SPDX-License-Identifier: Apache-2.0
"""PNG files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.atomic import atomic_write


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a grey [H, W] or RGB [H, W, 3] uint8 picture.

    Raises:
        ValueError: the picture is neither.
        OSError: it cannot be written; names the path and the free space.
    """
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
        raise ValueError(f"picture is {picture.shape} {picture.dtype}, expected uint8 grey or RGB")
    done, png = cv2.imencode(".png", picture[..., ::-1] if picture.ndim == 3 else picture)
    if not done:
        raise ValueError(f"{path}: OpenCV cannot compress a picture of shape {picture.shape}")
    with atomic_write(path) as file:
        file.write(png.tobytes())
