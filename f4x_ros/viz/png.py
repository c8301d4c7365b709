# SPDX-License-Identifier: Apache-2.0
"""Pictures as files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from f4x_ros.core.base import atomic_write
from f4x_ros.core.errors import BadInputError
from f4x_ros.viz.text import Image8


def save_png(path: str | Path, rgb: Image8) -> None:
    """Write [H, W, 3] uint8 RGB as a PNG; an older file there is replaced.

    Raises:
        ValueError: not a picture.
        OSError: the file cannot be written; names the path, and nothing is left.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise BadInputError(f"picture {path} is {rgb.shape} {rgb.dtype}, expected (H, W, 3) uint8")
    done, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not done:
        raise BadInputError(f"picture {path} of shape {rgb.shape} cannot be encoded as PNG")
    with atomic_write(Path(path)) as file:
        file.write(encoded.tobytes())
