# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0's classifier of ImageNet at every place of a picture.

Its first part is the one that `embedded` has: its training left that as it was, so what it finds
there is used twice. The average over the picture, which the classifier ends with, is left out
(as Zhou et al., "Learning deep features for discriminative localization", 2016).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from f4x_ros.core.features.embedded.trunk import Block

STRIDE = 32
"""Pixels of the picture from one place to the next; the first is at the first pixel."""

_NEAR = 24  # channels that the shared part ends with
_GROUPS = ((40, 5, 2, 2), (80, 3, 2, 3), (112, 5, 1, 3), (192, 5, 2, 4), (320, 3, 1, 1))
_WIDE = 1280


class PlaceClassifier(nn.Module):
    """Features of the shared part to scores.

    Args:
        scores: how many it gives.
    """

    def __init__(self, scores: int) -> None:
        super().__init__()
        blocks, before = [], _NEAR
        for width, side, stride, depth in _GROUPS:
            blocks.append(Block(before, width, side, stride))
            blocks += [Block(width, width, side, 1) for _ in range(depth - 1)]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.wide = nn.Conv2d(before, _WIDE, 1)
        self.scores = nn.Conv2d(_WIDE, scores, 1)

    def forward(
        self,
        near: Tensor,  # [B, 24, H / 4, W / 4] of `Trunk`, its first level
    ) -> Tensor:
        """Scores [B, K, H / 32, W / 32] before the softmax."""
        scores = self.scores(functional.relu6(self.wide(self.blocks(near)), inplace=True))
        assert isinstance(scores, Tensor)
        return scores


def at_places(
    values: Tensor,  # [B, C, h, w] of `PlaceClassifier`
    size: tuple[int, int],  # height, width of the picture
    grid: tuple[int, int],
) -> Tensor:
    """The same [B, C, *grid] at the middles of the cells of a grid over the picture."""
    rows, columns = values.shape[2:]
    y, x = (
        ((torch.arange(cells, device=values.device) + 0.5) * (length / cells) - 0.5) / STRIDE
        for cells, length in zip(grid, size, strict=True)
    )
    y, x = ((2 * at + 1) / count - 1 for at, count in ((y, rows), (x, columns)))
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).to(values)
    places = places[None].expand(len(values), -1, -1, -1)
    return functional.grid_sample(values, places, padding_mode="border", align_corners=False)
