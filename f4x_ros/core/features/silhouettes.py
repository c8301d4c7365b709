# SPDX-License-Identifier: Apache-2.0
"""Pixels at the silhouettes of things show two of them: they teach a Gaussian little."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

_ALIKE_POWER = 16.0  # how fast a pixel counts less where the features around it differ
_BEND = 0.03  # second difference of inverse depth, as a share of it, that is an edge
_AT_DEPTH_EDGE = 0.2  # weight factor of a pixel next to one
_LEAST = 0.01  # no pixel counts less: thin things have nothing but edges


def pixel_weights(maps: Sequence[Tensor], depth: Tensor) -> Tensor:
    """Weight [H, W] in 0..1 of each pixel for uplifting its features.

    Args:
        maps: feature maps [C, h, w] of each head that tells things apart, none for depth alone;
            where the 3x3 of one differ, their mean is shorter than they are.
        depth: [H, W] metres, 0 = no reading; a plane has no second difference of inverse depth.
    """
    size = depth.shape
    alike = [
        interpolate(_alikeness(one), size, mode="bilinear", align_corners=False) for one in maps
    ]
    weights = torch.where(_depth_edges(depth), _AT_DEPTH_EDGE, 1.0)
    if alike:
        weights = weights * torch.stack(alike).amin(0)[0, 0] ** _ALIKE_POWER
    return weights.clamp(min=_LEAST)


def _alikeness(features: Tensor) -> Tensor:
    """Length of the mean of 3x3 features over the mean of their lengths, [1, 1, h, w]."""
    lengths = features.norm(dim=0, keepdim=True)
    around = pad(torch.cat([features, lengths])[None], (1, 1, 1, 1), mode="replicate")
    mean = avg_pool2d(around, 3, 1)
    alike: Tensor = mean[:, :-1].norm(dim=1, keepdim=True) / mean[:, -1:].clamp(min=1e-9)
    return alike


def _depth_edges(depth: Tensor) -> Tensor:
    """Mask [H, W] of the pixels that touch a depth edge or a pixel without a reading."""
    known = depth > 0
    inverse = torch.where(known, 1 / depth.clamp(min=1e-3), 0.0)
    bend = torch.zeros_like(depth)
    bend[:, 1:-1] = (inverse[:, 2:] + inverse[:, :-2] - 2 * inverse[:, 1:-1]).abs()
    upright = (inverse[2:] + inverse[:-2] - 2 * inverse[1:-1]).abs()
    bend[1:-1] = torch.maximum(bend[1:-1], upright)
    edges = ((bend * depth > _BEND) | ~known).to(depth.dtype)
    near: Tensor = max_pool2d(edges[None, None], 3, 1, 1)[0, 0] > 0
    return near
