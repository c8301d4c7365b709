# SPDX-License-Identifier: Apache-2.0
"""The CUDA backend against gsplat where there is a GPU, and what it asks of gsplat everywhere."""

from __future__ import annotations

import gsplat_stand_in
import pytest
import torch
from render_scenes import cloud

from f4x_ros.core.render import available_backends, cuda, reference, render

LEAVES = ("means", "quats", "scales", "opacities", "colors", "viewmat")


@pytest.fixture
def gsplat_over_the_reference(monkeypatch):
    gsplat_stand_in.install(monkeypatch, reference.render)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [0, 40])
def test_gsplat_is_called_by_its_own_words(gsplat_over_the_reference, count, dtype):
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
