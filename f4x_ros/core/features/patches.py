# SPDX-License-Identifier: Apache-2.0
"""Pictures for networks that cut them into patches."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

MOST_PIXELS = 4096
"""Longest shorter side that may be asked for."""


def whole_patches(
    images: Tensor,  # [B, 3, H, W] float, 0..1
    size: int,
    patch: tuple[int, int],
) -> Tensor:
    """Resized (bicubic) to whole patches [height, width], the shorter side about `size` pixels."""
    height, width = images.shape[-2:]
    scale = size / min(height, width)
    shape = (
        max(1, round(height * scale / patch[0])) * patch[0],
        max(1, round(width * scale / patch[1])) * patch[1],
    )
    if shape == (height, width):
        return images
    return functional.interpolate(
        images, shape, mode="bicubic", align_corners=False, antialias=True
    ).clamp(0, 1)
