# SPDX-License-Identifier: Apache-2.0
"""Answers beside the truth, for eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.viz.text import Image8, draw_text, fitted

_RIGHT, _MISSED, _WRONG = (46, 160, 92), (235, 190, 40), (214, 60, 50)
_TEXT_PX = 13
_BAR_PX = 20


@dataclass(frozen=True, eq=False)
class MaskPicture:
    """One answer: the image, what was selected and what should have been."""

    rgb: Image8  # [H, W, 3]
    predicted: NDArray[np.bool_]  # [H, W]
    truth: NDArray[np.bool_]  # [H, W]
    title: str


def mask_sheet(pictures: Sequence[MaskPicture], columns: int = 4) -> Image8:
    """A grid of pictures of one size: green right, yellow missed, red wrong, in grey scenery.

    Raises:
        ValueError: there is no picture, or sizes differ.
    """
    if not pictures:
        raise BadInputError("there is no picture, expected at least one")
    sizes = {picture.rgb.shape for picture in pictures}
    if len(sizes) > 1:
        raise BadInputError(f"pictures have sizes {sorted(sizes)}, expected one")
    tiles = [_tile(picture) for picture in pictures]
    while len(tiles) % columns and len(tiles) > columns:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    return np.concatenate(rows, 0)


def _tile(picture: MaskPicture) -> Image8:
    grey = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    out = np.repeat((90 + grey * 0.6)[..., None], 3, 2)
    for mask, color in (
        (picture.predicted & picture.truth, _RIGHT),
        (~picture.predicted & picture.truth, _MISSED),
        (picture.predicted & ~picture.truth, _WRONG),
    ):
        out[mask] = 0.35 * out[mask] + 0.65 * np.array(color, np.float32)
    bar = np.full((_BAR_PX, out.shape[1], 3), 255, np.float32)
    tile = np.concatenate([bar, out]).clip(0, 255).astype(np.uint8)
    title = fitted(picture.title, _TEXT_PX, tile.shape[1] - 8)
    draw_text(tile, title, 4, 2, _TEXT_PX, (34, 37, 43))
    return tile
