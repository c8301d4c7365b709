# SPDX-License-Identifier: Apache-2.0
"""Asking by example: how like a given vector the features are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.errors import BadInputError


def similar(
    features: Tensor,  # [B, C, h, w] of a model's `dense`
    query: Tensor,  # [Q, C] vectors of the same model
) -> Tensor:
    """Cosine of every feature with every query, [B, Q, h, w] in -1..1.

    Features and queries that are all zeros (never observed) have a cosine of 0.

    Raises:
        ValueError: the shapes are others, or do not agree on C.
    """
    if features.ndim != 4:
        raise BadInputError(f"features has shape {tuple(features.shape)}, expected [B, C, h, w]")
    if query.ndim != 2 or query.shape[1] != features.shape[1]:
        raise BadInputError(
            f"query has shape {tuple(query.shape)}, expected [Q, {features.shape[1]}] like the "
            "features"
        )
    unit = functional.normalize(features, dim=1)
    return torch.einsum("bchw,qc->bqhw", unit, functional.normalize(query.to(unit), dim=1))


def at_pixel(
    features: Tensor,  # [C, h, w] that cover the image
    x: float,
    y: float,
    size: tuple[int, int],
) -> Tensor:
    """The feature [C] under pixel (x, y) of an image of `size` (height, width).

    Interpolated between the nearest four, as correspondences want it; pixel centres are at +0.5.

    Raises:
        ValueError: the pixel is not in the image.
    """
    height, width = size
    if not (0 <= x < width and 0 <= y < height):
        raise BadInputError(f"pixel is ({x}, {y}), expected one of a {width} x {height} image")
    place = features.new_tensor([[[[2 * x / width - 1, 2 * y / height - 1]]]])
    found: Tensor = functional.grid_sample(
        features[None], place, mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[0, :, 0, 0]


def best_match(
    cosine: Tensor,  # [Q, h, w] as of `similar`
    size: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Where each query is found best: pixels [Q, 2] (x, y) of an image of `size`, cosine [Q].

    The centre of the best patch.
    """
    rows, columns = cosine.shape[-2:]
    best, index = cosine.flatten(1).max(1)
    x = (index % columns + 0.5) * (size[1] / columns)
    y = (index // columns + 0.5) * (size[0] / rows)
    return torch.stack([x, y], dim=1), best
