# SPDX-License-Identifier: Apache-2.0
"""How patterned or striped the neighbourhood of a pixel is, from the image gradient.

Patterned is where many pixels of a neighbourhood lie on an edge: a single outline does not count.
Striped is patterned with one direction, told by the coherence of the structure tensor (Bigün &
Granlund, Optimal orientation detection of linear symmetry, 1987).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

TEXTURES = ("patterned", "striped")
"""Order of the textures; what is neither is smooth."""

_WORKING_WIDTH = 160  # pixels the image is reduced to
_WINDOW = 13  # pixels of the reduced image, odd
_EDGE = 0.02  # change of luma per pixel that makes an edge
_BUSY = (0.30, 0.42)  # share of edge pixels from smooth to textured
_ONE_WAY = (0.55, 0.80)  # coherence from patterned to striped


def texture(
    images: Tensor,  # [B, 3, H, W] RGB 0..1
) -> Tensor:
    """Patterned and striped, [B, 2, H, W] in 0..1 with a sum of at most 1."""
    height, width = images.shape[-2:]
    luma = (images * images.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, True)
    factor = min(max(1, round(width / _WORKING_WIDTH)), height)
    luma = functional.avg_pool2d(luma, factor, ceil_mode=True, count_include_pad=False)

    padded = functional.pad(luma, (1, 1, 1, 1), mode="replicate")
    gx = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    gy = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    edge = ((gx.square() + gy.square()).sqrt() - _EDGE).mul(8 / _EDGE).sigmoid()
    share, xx, yy, xy = _mean_filter([edge, gx * gx, gy * gy, gx * gy])

    busy = _ramp(share, *_BUSY)
    coherence = ((xx - yy).square() + 4 * xy.square()).sqrt() / (xx + yy + 1e-8)
    one_way = _ramp(coherence, *_ONE_WAY)
    found = torch.cat([busy * (1 - one_way), busy * one_way], 1)
    return functional.interpolate(found, (height, width), mode="bilinear", align_corners=False)


def _mean_filter(maps: list[Tensor]) -> list[Tensor]:
    """Mean over a square window of each map [B, 1, h, w]; at the border over what is inside."""
    half = _WINDOW // 2
    across = functional.avg_pool2d(
        torch.cat(maps, 1), (1, _WINDOW), 1, padding=(0, half), count_include_pad=False
    )
    both = functional.avg_pool2d(
        across, (_WINDOW, 1), 1, padding=(half, 0), count_include_pad=False
    )
    return [both[:, i : i + 1] for i in range(len(maps))]


def _ramp(value: Tensor, low: float, high: float) -> Tensor:
    return ((value - low) / (high - low)).clamp(0, 1)
