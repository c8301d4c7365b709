# SPDX-License-Identifier: Apache-2.0
"""The CUDA backend against gsplat where there is a GPU, and what it asks of gsplat everywhere."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from render_scenes import cloud

from f4x_ros.core.render import available_backends, cuda, reference, render

LEAVES = ("means", "quats", "scales", "opacities", "colors", "viewmat")


def rasterization_1_5_3(
    means,  # [..., N, 3]
    quats,  # [..., N, 4]
    scales,  # [..., N, 3]
    opacities,  # [..., N]
    colors,  # [..., (C,) N, D]
    viewmats,  # [..., C, 4, 4]
    Ks,  # [..., C, 3, 3]
    width,
    height,
    near_plane=0.01,
    far_plane=1e10,
    radius_clip=0.0,
    eps2d=0.3,
    sh_degree=None,
    packed=True,
    tile_size=16,
    backgrounds=None,
    render_mode="RGB",
):
    """The head of gsplat 1.5.3's function over the dense reference, for one camera."""
    n = means.shape[0]
    assert means.dtype == torch.float32
    assert viewmats.shape == (1, 4, 4)
    assert Ks.shape == (1, 3, 3)
    assert quats.shape == (n, 4)
    assert scales.shape == (n, 3)
    assert opacities.shape == (n,)
    assert colors.shape[:-1] == (n,)
    assert (packed, render_mode, sh_degree) == (False, "RGB+D", None)
    gaussians = (means, quats, scales, opacities, colors)
    out = reference.render(*gaussians, viewmats[0], Ks[0], width, height, near_plane, eps2d)
    picture = torch.cat([out.image, out.depth[..., None]], -1)
    return picture[None], out.alpha[None, ..., None], {}


@pytest.fixture
def gsplat_stand_in(monkeypatch):
    package, module = ModuleType("gsplat"), ModuleType("gsplat.rendering")
    module.rasterization = rasterization_1_5_3
    monkeypatch.setitem(sys.modules, "gsplat", package)
    monkeypatch.setitem(sys.modules, "gsplat.rendering", module)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [0, 40])
def test_gsplat_is_called_by_its_own_words(gsplat_stand_in, count, dtype):
    scene = cloud(count, channels=5, dtype=dtype)
    results = []
    for draw in (cuda.render, reference.render):
        values = dict(zip(vars(scene), scene.args(), strict=True))
        for name in LEAVES:
            values[name] = values[name].clone().requires_grad_()
        out = draw(**values, near=0.5, eps2d=0.7)
        assert out.image.dtype == dtype
        loss = out.image.sum() + out.depth.sum() + out.alpha.sum()
        grads = torch.autograd.grad(loss, [values[n] for n in LEAVES])
        results.append([out.image, out.depth, out.alpha, *grads])
    for have, want in zip(*results, strict=True):
        assert have.shape == want.shape
        assert torch.allclose(have, want, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(
    available_backends()["cuda"] != "ok",
    reason=f"needs a CUDA GPU and gsplat: {available_backends()['cuda']}",
)
def test_gsplat_equals_the_reference_on_the_gpu():
    scene = cloud(dtype=torch.float32)
    results = []
    for device, backend in (("cuda", "cuda"), ("cpu", "reference")):
        values = {
            k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in vars(scene).items()
        }
        for name in LEAVES:
            values[name] = values[name].clone().requires_grad_()
        out = render(**values, backend=backend)
        loss = out.image.sum() + out.depth.sum() + out.alpha.sum()
        grads = torch.autograd.grad(loss, [values[n] for n in LEAVES])
        results.append([t.cpu() for t in (out.image, out.depth, out.alpha, *grads)])
    for have, want in zip(*results, strict=True):
        assert (have - want).norm() <= 1e-2 * want.norm()
