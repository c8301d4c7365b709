# SPDX-License-Identifier: Apache-2.0
"""What a 2D model is shown of a frame: the whole of it, or a part magnified.

What is small in the whole is as large in a part as if it were near. Slicing a picture into tiles
finds small things that a network misses in the whole (Akyon et al. 2022, "Slicing aided hyper
inference"), at many times the price. A map has time: one frame brings a look at the whole, the next
one a tile, until the average of the field has seen them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from f4x_ros.core.data import PinholeCamera

SHARP = 640
"""Pixels of the longer side of a whole picture that models are shown at most."""

_ZOOM = 2  # width and height of the picture over those of a tile
_BEYOND = 1.0  # places are drawn from three times what there is, so that a third lies at each rim
R2 = (0.7548776662466927, 0.5698402909980532)
"""Multiples of these modulo 1 cover a square evenly (Roberts 2018)."""


class Look(NamedTuple):
    """A part of a view that is shown to a model, in pixels of the view."""

    x: int
    y: int
    width: int
    height: int
    whole: bool

    @property
    def pixels(self) -> tuple[slice, slice]:
        """Rows and columns of the view."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels of the view."""
        return self.height, self.width

    def grid(self, maps: Sequence[Tensor]) -> tuple[int, int]:
        """Height and width at which maps [h, w, D] of this part are used.

        That of the finest, but no finer than the view, and no coarser than half of it.
        """
        finest = [max(one.shape[axis] for one in maps) for axis in (0, 1)]
        rows, columns = (
            min(max(fine, -(-own // 2)), own) for fine, own in zip(finest, self.size, strict=True)
        )
        return rows, columns

    def of_map(self, features: Tensor, view: tuple[int, int]) -> Tensor:
        """This part [C, h', w'] of a map [C, h, w] of a whole view (width, height)."""
        height, width = features.shape[1:]
        rows = max(1, round(height * self.height / view[1]))
        columns = max(1, round(width * self.width / view[0]))
        y = (self.y + (torch.arange(rows) + 0.5) * (self.height / rows)) / view[1] * 2 - 1
        x = (self.x + (torch.arange(columns) + 0.5) * (self.width / columns)) / view[0] * 2 - 1
        places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None].to(features)
        return grid_sample(features[None], places, padding_mode="border", align_corners=False)[0]

    def camera(self, view: PinholeCamera, size: tuple[int, int]) -> PinholeCamera:
        """The camera [width, height] that sees this part of a view alone."""
        sx, sy = size[0] / self.width, size[1] / self.height
        return PinholeCamera(
            *size, view.fx * sx, view.fy * sy, (view.cx - self.x) * sx, (view.cy - self.y) * sy
        )

    def cut(self, picture: NDArray[np.uint8], view: tuple[int, int]) -> Tensor:
        """This part of a picture [H', W', 3] of a view (width, height), as large as the view.

        [3, H, W] in 0..1, cut from the resolution that the camera has.
        """
        down, across = picture.shape[0] / view[1], picture.shape[1] / view[0]
        rows = slice(round(self.y * down), max(1, round((self.y + self.height) * down)))
        columns = slice(round(self.x * across), max(1, round((self.x + self.width) * across)))
        part = np.ascontiguousarray(picture[rows, columns])
        how = cv2.INTER_CUBIC if view[0] > part.shape[1] else cv2.INTER_AREA
        return torch.from_numpy(cv2.resize(part, view, interpolation=how)).permute(2, 0, 1) / 255


class Shot(NamedTuple):
    """A view as models are shown it.

    Attributes:
        image: [3, H, W] in 0..1, the part that is looked at, as large as the view.
        whole: [3, H', W'] in 0..1, all of the view, as sharp as the camera gave it up to `SHARP`
            pixels of the longer side.
        look: which part it is.
        view: width and height of the view.
    """

    image: Tensor
    whole: Tensor
    look: Look
    view: tuple[int, int]


def sharp(picture: NDArray[np.uint8]) -> Tensor:
    """[3, H, W] in 0..1 of a picture [H', W', 3] reduced to `SHARP` pixels of the longer side."""
    height, width = picture.shape[:2]
    shrink = SHARP / max(height, width)
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return torch.tensor(picture).permute(2, 0, 1) / 255


def look(nth: int, view: tuple[int, int], tiles: int) -> Look:
    """The `nth` look at views (width, height): the whole, then so many tiles, and so on.

    The tiles cover the view evenly, a quarter of it each.
    """
    rounds, place = divmod(nth, tiles + 1)
    if not place:
        return Look(0, 0, *view, whole=True)
    number = rounds * tiles + place - 1
    size = [-(-length // _ZOOM) for length in view]
    places = []
    for step, room in zip(R2, (view[0] - size[0], view[1] - size[1]), strict=True):
        share = (number * step % 1) * (1 + 2 * _BEYOND) - _BEYOND
        places.append(round(min(1.0, max(0.0, share)) * room))
    return Look(places[0], places[1], size[0], size[1], whole=False)
