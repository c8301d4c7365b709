# SPDX-License-Identifier: Apache-2.0
"""What a depth image says about places being empty: the clock of the 4D field.

A reading at depth d says that everything before d along its ray is free. A Gaussian in that free
space is gone (it dies and belongs to the past); a new Gaussian whose place an earlier view saw as
free was born after that view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.observe.surfaces import farthest_surface
from f4x_ros.core.observe.views import MIN_DEPTH_M, View


def seen_through(
    view: View, means: Tensor, margin_m: Tensor, tolerance: float, *, at_edges: bool = False
) -> Tensor:
    """Mask [N]: points that lie in the free space of a view.

    Args:
        view: image with depth.
        means: points [N, 3] in the map frame.
        margin_m: extent of each point towards the camera [N], metres.
        tolerance: depth error of the sensor, share of the depth.
        at_edges: whether to judge beside edges of the depth image, too.
    """
    inside, pixels, z = _pixels([view], means)
    surface = _at([view.depth if at_edges else view.nearest], pixels)
    through: Tensor = inside & (surface > 0) & (surface * (1 - tolerance) > z + margin_m)
    return through[0]


class Sights(NamedTuple):
    """What K views say of N points, as masks [K, N]."""

    empty: Tensor  # they lie in free space, see `seen_through`
    looked: Tensor  # something was measured in their direction


def sights(views: Sequence[View], means: Tensor, margin_m: Tensor, tolerance: float) -> Sights:
    """What each of some views says of each point; arguments are those of `seen_through`.

    Points that move are [K, N, 3], with their place at the time of each view.
    """
    inside, pixels, z = _pixels(views, means)
    surface = _at([view.nearest for view in views], pixels)
    empty = inside & (surface > 0) & (surface * (1 - tolerance) > z + margin_m)
    return Sights(empty, inside & (_at([view.depth for view in views], pixels) > 0))


def hidden(view: View, means: Tensor, margin_m: Tensor, tolerance: float) -> Tensor:
    """Mask [N]: points that lie behind the surface that a view has measured.

    Arguments are those of `seen_through`, with `margin_m` away from the camera.
    """
    inside, pixels, z = _pixels([view], means)
    surface = _at([farthest_surface(view.depth)], pixels)
    behind: Tensor = inside & (surface > 0) & (z - margin_m > surface * (1 + tolerance))
    return behind[0]


def _pixels(views: Sequence[View], means: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which points [N, 3] or [K, N, 3] each of K views has a pixel for, its place, and their depth.

    All [K, N]; places are counted along the rows of the view's image, 0 where there is none.
    """
    viewmats = torch.stack([view.viewmat for view in views])
    K = torch.stack([view.K for view in views])[..., None]  # [K, 3, 3, 1]
    width, height = means.new_tensor([view.size for view in views]).T[..., None]
    x, y, z = (viewmats[:, :3, :3] @ means.mT + viewmats[:, :3, 3:]).unbind(1)
    safe = z.clamp(min=1e-3)
    u = (K[:, 0, 0] * x / safe + K[:, 0, 2]).floor()
    v = (K[:, 1, 1] * y / safe + K[:, 1, 2]).floor()
    inside = (z > MIN_DEPTH_M) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    return inside, torch.where(inside, v * width + u, 0).long(), z


def _at(images: Sequence[Tensor], pixels: Tensor) -> Tensor:
    """[K, N] what each of K images [H, W] has at places [K, N]."""
    pairs = zip(images, pixels, strict=True)
    return torch.stack([image.reshape(-1)[places] for image, places in pairs])
