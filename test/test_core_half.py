# SPDX-License-Identifier: Apache-2.0
"""Running averages in half precision go on where plain rounding stalls."""

from __future__ import annotations

import torch

from f4x_ros.core.base.half import round_to_half


def averaged(target: torch.Tensor, steps: int, share: float, *, plain: bool) -> torch.Tensor:
    """A running average from 0 towards `target` [N, D], kept in half precision."""
    mean = torch.zeros_like(target).half()
    for step in range(steps):
        new = torch.lerp(mean.float(), target, share)
        mean = new.half() if plain else round_to_half(new, step)
    return mean.float()


def test_an_average_that_plain_rounding_stalls_arrives() -> None:
    rng = torch.Generator().manual_seed(0)
    target = torch.randn(50, 32, generator=rng) / 32**0.5
    share = 0.2 / 200  # a Gaussian that is hardly seen, at the bound of the weight
    exact = target * (1 - (1 - share) ** 8000)
    ours = (averaged(target, 8000, share, plain=False) - exact).abs()
    plain = (averaged(target, 8000, share, plain=True) - exact).abs()
    assert ours.max() < 3e-3 * target.abs().max()
    assert plain.max() > 20 * ours.max()


def test_what_half_precision_holds_is_not_changed_by_any_step() -> None:
    held = torch.randn(100, 32).half()
    for step in range(50):
        assert torch.equal(round_to_half(held.float(), step), held)


def test_rounding_is_to_one_of_the_two_neighbours_and_right_on_average() -> None:
    values = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    steps = torch.stack([round_to_half(values, step).float() for step in range(2000)])
    place = values.abs() * 2**-10
    assert ((steps - values).abs() <= place).all()
    assert ((steps.double().mean(0) - values).abs() < 0.02 * place).all()
