# SPDX-License-Identifier: Apache-2.0
"""The first half of the network: EfficientNet-Lite0 (Tan & Le 2019) without its end.

Its training starts from published weights (``training/start.py``). They come with normalisations
folded into the convolutions, for training as well: the statistics stay those of photographs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from f4x_ros.core.errors import BadInputError

_EXPAND = 6  # channels inside of a block, for each outside


class _Group(NamedTuple):
    """Blocks of one width."""

    side: int  # of the depth-wise kernels
    stride: int  # of the first block
    seen: bool  # whether the second half of the network gets its features


_GROUPS = (
    _Group(3, 2, True),
    _Group(5, 2, True),
    _Group(3, 2, False),
    _Group(5, 1, True),
    _Group(5, 2, True),
)


class Trunk(nn.Module):
    """Pictures in -1..1 to features at 1/4, 1/8, 1/16 and 1/32 of the size.

    Args:
        widths: channels of the stem, of the first block and of the five groups after it.
        depths: blocks of the groups.

    Raises:
        ValueError: there are more or fewer of them.
    """

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        if (len(widths), len(depths)) != (len(_GROUPS) + 2, len(_GROUPS)):
            raise BadInputError(
                f"trunk has {len(widths)} widths and {len(depths)} depths, expected "
                f"{len(_GROUPS) + 2} and {len(_GROUPS)}"
            )
        stem, before, *wide = widths
        self.stem = nn.Conv2d(3, stem, 3, 2, 1)
        self.first = Block(stem, before, 3, 1, expand=1)
        groups, seen = [], []
        for group, width, depth in zip(_GROUPS, wide, depths, strict=True):
            blocks = [Block(before, width, group.side, group.stride)]
            blocks += [Block(width, width, group.side, 1) for _ in range(depth - 1)]
            groups.append(nn.Sequential(*blocks))
            before = width
            if group.seen:
                seen.append(width)
        self.groups = nn.ModuleList(groups)
        self.channels = tuple(seen)

    def forward(
        self,
        images: Tensor,  # [B, 3, H, W]
    ) -> list[Tensor]:
        """Features [B, channels[k], H / 2**(k + 2), W / 2**(k + 2)], finest first."""
        x = self.first(functional.relu6(self.stem(images), inplace=True))
        levels = []
        for group, blocks in zip(_GROUPS, self.groups, strict=True):
            x = blocks(x)
            if group.seen:
                levels.append(x)
        return levels

    def near(
        self,
        images: Tensor,  # [B, 3, H, W]
    ) -> Tensor:
        """The first of these features alone, [B, channels[0], H / 4, W / 4]."""
        near = self.groups[0](self.first(functional.relu6(self.stem(images), inplace=True)))
        assert isinstance(near, Tensor)
        return near

    def blocks(self) -> Iterator[Block]:
        """All of them, from first to last."""
        yield self.first
        for group in self.groups:
            assert isinstance(group, nn.Sequential)
            for block in group:
                assert isinstance(block, Block)
                yield block

    def freeze(self) -> None:
        """Train nothing up to a quarter of the size, where edges and colours are found.

        They are as good for drawn pictures as for photographs, and most of the time goes there.
        """
        for part in (self.stem, self.first, self.groups[0]):
            part.requires_grad_(False)


class Block(nn.Module):
    """Inverted residual (Sandler et al. 2018): wider, a depth-wise convolution, and back."""

    def __init__(
        self, before: int, after: int, side: int, stride: int, expand: int = _EXPAND
    ) -> None:
        super().__init__()
        inside = before * expand
        self.expand = nn.Conv2d(before, inside, 1) if expand > 1 else None
        self.depth = nn.Conv2d(inside, inside, side, stride, side // 2, groups=inside)
        self.project = nn.Conv2d(inside, after, 1)
        self.same = stride == 1 and before == after
        for conv in (self.expand, self.depth, self.project):
            if conv is not None:
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        if self.same:  # the block starts as nothing
            nn.init.zeros_(self.project.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else functional.relu6(self.expand(x), inplace=True)
        y = self.project(functional.relu6(self.depth(y), inplace=True))
        assert isinstance(y, torch.Tensor)
        return x + y if self.same else y
