# SPDX-License-Identifier: Apache-2.0
"""CUDA backend: gsplat's rasterisation (Ye et al. 2024), version 1.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from f4x_ros.core.render.output import RenderOutput

if TYPE_CHECKING:
    from torch import Tensor


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
    """`f4x_ros.core.render.render` on CUDA tensors.

    gsplat computes in float32; float64 is cast there and back.
    """
    from gsplat.rendering import rasterization

    dtype = means.dtype
    if not means.shape[0]:  # gsplat launches no kernel for nothing; keep the outputs in the graph
        nothing = (
            sum(t.sum() for t in (means, quats, scales, opacities, colors)) * 0 + viewmat.sum() * 0
        )
        image = (
            torch.zeros(height, width, colors.shape[1], dtype=dtype, device=means.device) + nothing
        )
        return RenderOutput(image, image[..., 0], image[..., 0])
    out, alpha, _ = rasterization(
        means.float(),
        quats.float(),
        scales.float(),
        opacities.float(),
        colors.float(),
        viewmat.float()[None],
        K.float()[None],
        width,
        height,
        near_plane=near,
        eps2d=eps2d,
        sh_degree=None,
        packed=False,
        render_mode="RGB+D",
    )
    out, alpha = out[0].to(dtype), alpha[0, ..., 0].to(dtype)
    return RenderOutput(out[..., :-1], out[..., -1], alpha)
