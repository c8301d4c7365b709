# SPDX-License-Identifier: Apache-2.0
"""Pixels at the silhouettes of things show two of them: they teach a Gaussian little."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, interpolate, max_pool2d

_ALIKE_POWER = 16.0  # how fast a pixel counts less where the features around it differ
_BEND = 0.03  # second difference of inverse depth, as a share of it, that is an edge
_AT_DEPTH_EDGE = 0.2  # weight factor of a pixel next to one
_LEAST = 0.01  # no pixel counts less: thin things have nothing but edges


def pixel_weights(maps: Sequence[Tensor], depth: Tensor, size: tuple[int, int]) -> Tensor:
    """Weight [h, w] in 0..1 of each pixel of a size for uplifting its features.

    Args:
        maps: features, or latents of them, [h', w', D] of each head that tells things apart, none
            for depth alone; where the 3x3 of one differ, their mean is shorter than they are.
        depth: [H, W] metres, 0 = no reading; a plane has no second difference of inverse depth.
        size: height and width, at most those of the depth.
    """
    edges = adaptive_max_pool2d(_depth_edges(depth), size)[0, 0]
    weights = torch.where(edges > 0, _AT_DEPTH_EDGE, 1.0)
    alike = [_resized(_alikeness(one), size) for one in maps]
    if alike:
        weights = weights * torch.stack(alike).amin(0) ** _ALIKE_POWER
    return weights.clamp(min=_LEAST)


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """[h', w'] to [h, w]."""
    if image.shape == size:
        return image
    return interpolate(image[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def _alikeness(features: Tensor) -> Tensor:
    """Length of the mean of 3x3 features over the mean of their lengths, [h', w']."""
    lengths = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    mean = _around(features)
    alike: Tensor = torch.linalg.vector_norm(mean, dim=-1)
    return alike / _around(lengths)[..., 0].clamp(min=1e-9)


def _around(image: Tensor) -> Tensor:
    """Sum [h, w, D] over 3x3, the rim repeated; row by row and then column by column."""
    rows = torch.cat([image[:1], image, image[-1:]])
    down = rows[:-2] + rows[1:-1]
    down += rows[2:]
    columns = torch.cat([down[:, :1], down, down[:, -1:]], 1)
    across = columns[:, :-2] + columns[:, 1:-1]
    across += columns[:, 2:]
    return across


def _depth_edges(depth: Tensor) -> Tensor:
    """1 [1, 1, H, W] where a pixel touches a depth edge or one without a reading, else 0."""
    known = depth > 0
    inverse = torch.where(known, 1 / depth.clamp(min=1e-3), 0.0)
    bend = torch.zeros_like(depth)
    bend[:, 1:-1] = (inverse[:, 2:] + inverse[:, :-2] - 2 * inverse[:, 1:-1]).abs()
    upright = (inverse[2:] + inverse[:-2] - 2 * inverse[1:-1]).abs()
    bend[1:-1] = torch.maximum(bend[1:-1], upright)
    edges = ((bend * depth > _BEND) | ~known).to(depth.dtype)
    near: Tensor = max_pool2d(edges[None, None], 3, 1, 1)
    return near
