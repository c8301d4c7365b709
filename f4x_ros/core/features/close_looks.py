# SPDX-License-Identifier: Apache-2.0
"""Parts of a picture magnified: what is small in the whole is as large there as if it were near.

Slicing a picture into tiles finds small things that a network misses in the whole (Akyon et al.
2022, "Slicing aided hyper inference"), at many times the price. A map has time: here each frame
brings one tile, and the next frame another, until the average of the field has seen them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

_ZOOM = 2  # width and height of the picture over those of a tile
_BEYOND = 1.0  # places are drawn from three times what there is, so that a third lies at each rim
R2 = (0.7548776662466927, 0.5698402909980532)
"""Multiples of these modulo 1 cover a square evenly (Roberts 2018)."""


class Tile(NamedTuple):
    """A part of a grid, in cells."""

    x: int
    y: int
    width: int
    height: int

    @property
    def cells(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    def pixels(self, grid: tuple[int, int], image: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of an image (height, width) that a grid (height, width) covers."""
        down, across = image[0] / grid[0], image[1] / grid[1]
        rows = slice(round(self.y * down), max(1, round((self.y + self.height) * down)))
        return rows, slice(round(self.x * across), max(1, round((self.x + self.width) * across)))


def tile(nth: int, grid: tuple[int, int]) -> Tile:
    """The `nth` tile of a grid (height, width): they cover it evenly."""
    height, width = (-(-length // _ZOOM) for length in grid)
    places = []
    for step, room in zip(R2, (grid[1] - width, grid[0] - height), strict=True):
        share = (nth * step % 1) * (1 + 2 * _BEYOND) - _BEYOND
        places.append(round(min(1.0, max(0.0, share)) * room))
    return Tile(places[0], places[1], width, height)


def look_closer(
    dense: Callable[[Tensor], Tensor],
    whole: Tensor,
    picture: NDArray[np.uint8],
    size: tuple[int, int],
    looks: range,
) -> tuple[Tensor, Tensor]:
    """Features of a picture with those of some magnified tiles, and how much each then counts.

    A pixel inside of a tile counts more, as much as makes up for all the tiles that do not show it:
    in the mean of many frames both looks have the same say, and a pixel counts about 1.

    Args:
        dense: features [B, C, h, w] of images [B, 3, H, W] in 0..1.
        whole: [C, h, w] those of the whole picture, on the device of `dense`.
        picture: [H', W', 3] RGB in the camera's resolution, from which tiles are cut.
        size: (width, height) of what `dense` is given, as for `whole`.
        looks: numbers of the tiles, see `tile`.

    Returns:
        Features [C, h, w] and counts [h, w].
    """
    grid = (whole.shape[1], whole.shape[2])
    say = _ZOOM**2 / max(1, len(looks))
    total, counts = whole.clone(), whole.new_ones(grid)
    for nth in looks:
        part = tile(nth, grid)
        near = _magnified(picture[part.pixels(grid, picture.shape[:2])], size).to(whole)
        cells = (slice(None), *part.cells)
        total[cells] += say * interpolate(dense(near), (part.height, part.width), mode="area")[0]
        counts[part.cells] += say
    return total / counts, counts / 2


def _magnified(part: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """[1, 3, H, W] in 0..1."""
    grows = size[0] > part.shape[1]
    how = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    resized = cv2.resize(np.ascontiguousarray(part), size, interpolation=how)
    return torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 255
