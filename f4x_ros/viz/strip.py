# SPDX-License-Identifier: Apache-2.0
"""One view at several moments, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from f4x_ros.core.errors import BadInputError
from f4x_ros.viz.palette import Rgb
from f4x_ros.viz.text import Image8, draw_text, fitted, line_height

_COLUMNS = 4
_GAP_PX = 6
_LEAST_WIDTH_PX = 320  # smaller pictures are enlarged to it
_GROUND: Rgb = (24, 26, 30)
_INK: Rgb = (235, 238, 242)


def strip(pictures: Sequence[Image8], captions: Sequence[str], columns: int = _COLUMNS) -> Image8:
    """Pictures [H, W, 3] uint8 of one size in the order of time, each with a line above it.

    Raises:
        ValueError: there is no picture, sizes differ, or there are not as many captions.
    """
    sizes = {picture.shape for picture in pictures}
    if len(sizes) != 1:
        raise BadInputError(f"pictures have sizes {sorted(sizes)}, expected one size")
    if len(captions) != len(pictures):
        raise BadInputError(f"{len(captions)} captions for {len(pictures)} pictures")
    height, width = pictures[0].shape[:2]
    scale = max(1, round(_LEAST_WIDTH_PX / width))
    width, height = width * scale, height * scale
    text_px = max(13, width // 26)
    bar = line_height(text_px) + 4
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    page: Image8 = np.full(
        (rows * (height + bar + _GAP_PX) - _GAP_PX, columns * (width + _GAP_PX) - _GAP_PX, 3),
        _GROUND, np.uint8,
    )  # fmt: skip
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        top = number // columns * (height + bar + _GAP_PX)
        left = number % columns * (width + _GAP_PX)
        text = fitted(caption, text_px, width - 8)
        draw_text(page, text, left + 4, top + 2, text_px, _INK)
        large = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
        page[top + bar : top + bar + height, left : left + width] = large
    return page
