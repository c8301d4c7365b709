# SPDX-License-Identifier: Apache-2.0
"""The same place found again in another picture of it: what features are good for without words.

The other picture is a magnified part of the first with less light and half of its colour, so
neither position nor colour alone finds anything.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.features.base import FeatureExtractor
from f4x_ros.core.features.check.outcome import Outcome, See, Trial
from f4x_ros.core.features.check.pictures import photograph, table

_PARTS = ((0.3, 0.25), (0.05, 0.35), (0.35, 0.05))  # left, top, as shares of the picture
_PART = 0.6  # width and height
_PLACES = 12  # along each side of the part
_NEAR = 0.1  # of the picture's width, from where it is; or one place of the model, if that is more
_LEAST = 0.25  # share of places; networks with random weights find 0.05 to 0.15


def places(model: FeatureExtractor, see: See, *, drawn: bool = False) -> Trial:
    """Places of magnified parts found again in the whole: in photographs, or on the drawn table."""
    pictures = {"drawn table": table()} if drawn else _photographs()
    found = [_found(model, see, name, picture) for name, picture in pictures.items()]
    return Trial("places found again", tuple(found), len(found))


def _photographs() -> Mapping[str, Tensor]:
    return {name: photograph(name) for name in ("cat", "cup of coffee")}


def _found(model: FeatureExtractor, see: See, name: str, picture: Tensor) -> Outcome:
    whole = functional.normalize(model.dense(see(picture))[0], dim=0)
    shares = [_share(model, see, whole, picture, corner) for corner in _PARTS]
    share = sum(shares) / len(shares)
    expected = f"at least {_LEAST:.0%} of places"
    return Outcome(name, expected, f"{share:.0%}", share >= _LEAST)


def _share(
    model: FeatureExtractor,
    see: See,
    whole: Tensor,  # [C, h, w] unit features
    picture: Tensor,  # [1, 3, H, W]
    corner: tuple[float, float],
) -> float:
    """Share of places of the part at `corner` whose most alike feature is where they are."""
    part = model.dense(see(_magnified(picture, corner)))
    steps = (torch.arange(_PLACES) + 0.5) / _PLACES
    y, x = (axis.flatten() for axis in torch.meshgrid(steps, steps, indexing="ij"))
    grid = torch.stack([x, y], -1).to(part)[None, None] * 2 - 1
    asked = functional.grid_sample(part, grid, mode="bilinear", align_corners=False)[0, :, 0]
    best = (functional.normalize(asked, dim=0).T @ whole.flatten(1)).argmax(1).cpu()
    height, width = whole.shape[1:]
    found_x, found_y = (best % width + 0.5) / width, (best // width + 0.5) / height
    error = torch.hypot(found_x - corner[0] - x * _PART, found_y - corner[1] - y * _PART)
    return float((error < max(_NEAR, 1 / min(height, width))).float().mean())


def _magnified(picture: Tensor, corner: tuple[float, float]) -> Tensor:
    """A part in the size of the whole, darker and paler."""
    height, width = picture.shape[-2:]
    top, left = round(corner[1] * height), round(corner[0] * width)
    part = picture[..., top : top + round(_PART * height), left : left + round(_PART * width)]
    large = functional.interpolate(part, (height, width), mode="bicubic", antialias=True)
    large = large.clamp(0, 1)
    return 0.9 * ((large + large.mean(1, keepdim=True)) / 2) ** 1.5
