# SPDX-License-Identifier: Apache-2.0
"""Dense torch backend: every Gaussian at every pixel. Specification and oracle of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from f4x_ros.core.render.output import RenderOutput
from f4x_ros.core.render.projection import composite_weights, falloff, project

if TYPE_CHECKING:
    from torch import Tensor


def weights(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    viewmat: Tensor,
    K: Tensor,
    width: int,
    height: int,
    near: float,
    eps2d: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compositing weights [H * W, M] of the M visible Gaussians, their indices and depths [M]."""
    p = project(means, quats, scales, opacities, viewmat, K, width, height, near, eps2d)
    ys, xs = torch.meshgrid(
        torch.arange(height, dtype=means.dtype, device=means.device) + 0.5,
        torch.arange(width, dtype=means.dtype, device=means.device) + 0.5,
        indexing="ij",
    )
    dx = xs.reshape(-1, 1) - p.means2d[:, 0]
    dy = ys.reshape(-1, 1) - p.means2d[:, 1]
    alpha = p.opacities * falloff(dx, dy, *p.conics.unbind(-1))
    if not alpha.shape[1]:
        return alpha, p.ids, p.depths
    return composite_weights(alpha, 1), p.ids, p.depths


def render(
    means: Tensor,  # [N, 3]
    quats: Tensor,  # [N, 4]
    scales: Tensor,  # [N, 3]
    opacities: Tensor,  # [N]
    colors: Tensor,  # [N, C]
    viewmat: Tensor,  # [4, 4]
    K: Tensor,  # [3, 3]
    width: int,
    height: int,
    near: float,
    eps2d: float,
) -> RenderOutput:
    """`f4x_ros.core.render.render` with O(H W N) memory, in any float type, on any device."""
    w, ids, depths = weights(
        means, quats, scales, opacities, viewmat, K, width, height, near, eps2d
    )
    image = (w @ colors[ids]).reshape(height, width, -1)
    return RenderOutput(image, (w @ depths).reshape(height, width), w.sum(1).reshape(height, width))
