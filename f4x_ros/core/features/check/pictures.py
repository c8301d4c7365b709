# SPDX-License-Identifier: Apache-2.0
"""The pictures: four photographs, and a drawn table of things with their outlines.

tools/make_check_pictures.py made the files; NOTICE says where the photographs come from.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.errors import CorruptError

PHOTOGRAPHS = {"cat": "cat", "cup of coffee": "coffee", "rocket": "rocket", "brick wall": "bricks"}
"""What each shows, and its file."""

THINGS = {
    "teapot": 1,
    "rubber duck": 2,
    "globe": 3,
    "bowl": 4,
    "laptop": 5,
    "banana": 6,
    "toy car": 7,
    "mug": 8,
    "person": 9,
    "bookshelf": 10,
    "pear": 11,
}
"""Things on the drawn table and around it, and their number in the file of outlines."""

COLORS = {"red thing": "pear", "blue thing": "teapot", "yellow thing": "banana",
          "purple thing": "mug"}  # fmt: skip
"""Of things that are of one colour."""


_CUT = 256  # pixels of what is cut out
_AROUND = 1.4  # its size, in those of the thing


def photograph(what: str) -> Tensor:
    """[1, 3, H, W] in 0..1."""
    return _read(PHOTOGRAPHS[what])


def table() -> Tensor:
    """The drawn table, [1, 3, 360, 480] in 0..1."""
    return _read("table")


def outlines() -> dict[str, Tensor]:
    """Where in `table` each of `THINGS` is, [360, 480] bool."""
    numbers = torch.from_numpy(_decoded("outlines.png", cv2.IMREAD_GRAYSCALE))
    return {thing: numbers == number for thing, number in THINGS.items()}


def cut_out(thing: str) -> tuple[Tensor, Tensor]:
    """A thing with a little around it, magnified: [1, 3, 256, 256] in 0..1, outline [256, 256].

    In the whole picture it is smaller than the patches of some models.
    """
    outline = outlines()[thing]
    height, width = outline.shape
    rows, columns = outline.any(1).nonzero()[:, 0], outline.any(0).nonzero()[:, 0]
    tall, wide = int(rows.max() - rows.min()), int(columns.max() - columns.min())
    side = min(height, round(_AROUND * max(tall, wide)))
    top = min(height - side, max(0, int(rows.min()) - (side - tall) // 2))
    left = min(width - side, max(0, int(columns.min()) - (side - wide) // 2))
    room = (..., slice(top, top + side), slice(left, left + side))
    large = functional.interpolate(table()[room], (_CUT, _CUT), mode="bicubic", antialias=True)
    mask = functional.interpolate(outline[None, None][room].float(), (_CUT, _CUT))
    return large.clamp(0, 1), mask[0, 0] > 0


def within(
    features: Tensor,  # [C, h, w] that cover the picture
    outline: Tensor,  # [H, W] bool
) -> Tensor:
    """Mean feature [C] of what is within, each weighed by its share, as the field averages them."""
    size = (features.shape[1], features.shape[2])
    share = functional.adaptive_avg_pool2d(outline[None].to(features), size)[0]
    return (features * share).sum((1, 2)) / share.sum().clamp(min=1e-6)


def _read(name: str) -> Tensor:
    pixels = cv2.cvtColor(_decoded(f"{name}.jpg", cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _decoded(name: str, kind: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    path = Path(__file__).parent / name
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), kind)
    if pixels is None:
        raise CorruptError(f"{path} is no picture: install f4x-ros again")
    return np.asarray(pixels, np.uint8)
