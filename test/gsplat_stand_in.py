# SPDX-License-Identifier: Apache-2.0
"""gsplat 1.5.3 without a GPU: the head of its one function over our own rasterisers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from f4x_ros.core.render import RenderOutput

Draw = Callable[..., RenderOutput]
"""As the backends: Gaussians, a view, its size, near and eps2d to what is seen."""


def rasterization_by(draw: Draw) -> Callable[..., Any]:
    """`gsplat.rendering.rasterization`, as far as it is asked for; one camera."""

    def rasterization(
        means: Tensor,  # [..., N, 3]
        quats: Tensor,  # [..., N, 4]
        scales: Tensor,  # [..., N, 3]
        opacities: Tensor,  # [..., N]
        colors: Tensor,  # [..., (C,) N, D]
        viewmats: Tensor,  # [..., C, 4, 4]
        Ks: Tensor,  # [..., C, 3, 3]
        width: int,
        height: int,
        near_plane: float = 0.01,
        far_plane: float = 1e10,
        radius_clip: float = 0.0,
        eps2d: float = 0.3,
        sh_degree: int | None = None,
        packed: bool = True,
        tile_size: int = 16,
        backgrounds: Tensor | None = None,
        render_mode: str = "RGB",
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        n = means.shape[0]
        gaussians = (means, quats, scales, opacities, colors)
        assert {one.dtype for one in (*gaussians, viewmats, Ks)} == {torch.float32}
        assert viewmats.shape == (1, 4, 4)
        assert Ks.shape == (1, 3, 3)
        assert quats.shape == (n, 4)
        assert scales.shape == (n, 3)
        assert opacities.shape == (n,)
        assert colors.shape[:-1] == (n,)
        assert (packed, render_mode, sh_degree) == (False, "RGB+D", None)
        out = draw(*gaussians, viewmats[0], Ks[0], width, height, near_plane, eps2d)
        picture = torch.cat([out.image, out.depth[..., None]], -1)
        return picture[None], out.alpha[None, ..., None], {}

    return rasterization


def install(monkeypatch: pytest.MonkeyPatch, draw: Draw) -> None:
    """Let `import gsplat` find it."""
    package, module = ModuleType("gsplat"), ModuleType("gsplat.rendering")
    module.rasterization = rasterization_by(draw)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gsplat", package)
    monkeypatch.setitem(sys.modules, "gsplat.rendering", module)
