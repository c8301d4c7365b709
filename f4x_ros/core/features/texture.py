# SPDX-License-Identifier: Apache-2.0
"""How patterned or striped the neighbourhood of a pixel is, from the image gradient.

Patterned is where gradients of a neighbourhood cancel each other: a pattern goes up and down, while
along an outline, sharp or blurred, all point to one side. Striped is patterned with one direction,
told by the coherence of the structure tensor (Bigün & Granlund, Optimal orientation detection of
linear symmetry, 1987).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

TEXTURES = ("patterned", "striped")
"""Order of the textures; what is neither is smooth."""

_WORKING_WIDTH = 160  # pixels the image is reduced to
_WINDOW = 20  # pixels of the reduced image
_STRIDE = 4  # of the window; window and stride both even keeps the windows centred
_EDGE = 0.03  # change of luma per pixel that counts fully
_BUSY = (0.38, 0.55)  # share of the window whose gradients cancel: from smooth to textured
_ONE_WAY = (0.55, 0.80)  # coherence: from patterned to striped


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
    # Directions of length 1 where there is an edge, shorter where there is less.
    strength = (gx.square() + gy.square()).sqrt().clamp_min(_EDGE)
    x, y = gx / strength, gy / strength
    mean_x, mean_y, size_x, size_y, xx, yy, xy = _mean_filter(
        torch.cat([x, y, x.abs(), y.abs(), x * x, y * y, x * y], 1)
    )
    cancelled = ((size_x - mean_x.abs()).square() + (size_y - mean_y.abs()).square()).sqrt()
    busy = _ramp(cancelled, *_BUSY)
    coherence = ((xx - yy).square() + 4 * xy.square()).sqrt() / (xx + yy + 1e-6)
    one_way = _ramp(coherence, *_ONE_WAY)
    found = torch.cat([busy * (1 - one_way), busy * one_way], 1)
    return functional.interpolate(found, (height, width), mode="bilinear", align_corners=False)


def _mean_filter(maps: Tensor) -> tuple[Tensor, ...]:
    """Mean of each channel of [B, K, h, w] over square windows, as K maps [B, 1, h / 4, w / 4].

    At the border it is over what is inside.
    """
    margin = (_WINDOW - _STRIDE) // 2
    for kernel, stride, padding in (
        ((1, _WINDOW), (1, _STRIDE), (0, margin)),
        ((_WINDOW, 1), (_STRIDE, 1), (margin, 0)),
    ):
        maps = functional.avg_pool2d(
            maps, kernel, stride, padding, ceil_mode=True, count_include_pad=False
        )
    return tuple(maps[:, i : i + 1] for i in range(maps.shape[1]))


def _ramp(value: Tensor, low: float, high: float) -> Tensor:
    return ((value - low) / (high - low)).clamp(0, 1)
