# SPDX-License-Identifier: Apache-2.0
"""The compiled Adam is the torch one, and leaves alone what was not seen."""

from __future__ import annotations

import torch

from f4x_ros.core.field.gaussians import PARAMETERS, GaussianSet
from f4x_ros.core.mapping import adam


def random_set(count: int) -> GaussianSet:
    generator = torch.Generator().manual_seed(1)
    gaussians = GaussianSet(4, "cpu", trained=True)
    shapes = {name: gaussians[name].shape[1:] for name in PARAMETERS}
    gaussians.append({n: torch.randn(count, *s, generator=generator) for n, s in shapes.items()})
    return gaussians


def gradients(gaussians: GaussianSet, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {n: torch.randn(gaussians[n].shape, generator=generator) for n in PARAMETERS}


def test_compiled_and_torch_steps_agree(monkeypatch) -> None:
    results = []
    for native in (True, False):
        monkeypatch.setattr(adam, "_native_available", lambda native=native: native)
        gaussians = random_set(50)
        for seed in range(5):
            visible = torch.arange(50) % (seed + 1) == 0
            adam.adam_step(gaussians, gradients(gaussians, seed), visible)
        results.append(gaussians)
    for name in (*PARAMETERS, "adam_m", "adam_v", "steps"):
        assert torch.allclose(results[0][name], results[1][name], rtol=1e-5, atol=1e-7)


def test_rows_agree_with_torch_optim() -> None:
    gaussians = random_set(20)
    leaves = {n: gaussians[n].clone().requires_grad_() for n in PARAMETERS}
    groups = [{"params": [leaves[n]], "lr": adam.LEARNING_RATES[n]} for n in PARAMETERS]
    reference = torch.optim.Adam(groups, betas=adam.BETAS, eps=adam.EPS)
    for seed in range(4):
        g = gradients(gaussians, seed)
        for name, leaf in leaves.items():
            leaf.grad = g[name].clone()
        reference.step()
        adam.adam_step(gaussians, g, torch.ones(20, dtype=torch.bool))
    for name, leaf in leaves.items():
        assert torch.allclose(gaussians[name], leaf, atol=1e-5)


def test_what_was_not_seen_stays_as_it_was() -> None:
    gaussians = random_set(10)
    before = {name: tensor.clone() for name, tensor in gaussians.items()}
    visible = torch.zeros(10, dtype=torch.bool)
    visible[3] = True
    adam.adam_step(gaussians, gradients(gaussians, 0), visible)
    for name in (*PARAMETERS, "adam_m", "adam_v", "steps"):
        assert torch.equal(gaussians[name][~visible], before[name][~visible])
        assert not torch.equal(gaussians[name][visible], before[name][visible])
