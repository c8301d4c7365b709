# SPDX-License-Identifier: Apache-2.0
"""One optimiser step: the compiled one is the one by autograd, and only what is seen moves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.data import Frame, PinholeCamera
from f4x_ros.core.field import PARAMETERS, GaussianField, GaussianSet, present_columns
from f4x_ros.core.mapping import adam, optimiser
from f4x_ros.core.mapping.adam import Drawn
from f4x_ros.core.mapping.loss import loss_gradients, view_loss
from f4x_ros.core.observe import Exposure, View, make_view

CAMERA = PinholeCamera(48, 32, 40.0, 40.0, 24.0, 16.0)
STATE = (*PARAMETERS, "adam_m", "adam_v", "steps")


def random_set(count: int) -> GaussianSet:
    generator = torch.Generator().manual_seed(1)
    gaussians = GaussianSet(present_columns(4), "cpu")
    shapes = {name: gaussians[name].shape[1:] for name in PARAMETERS}
    gaussians.append({n: torch.randn(count, *s, generator=generator) for n, s in shapes.items()})
    return gaussians


def gradients(count: int, seed: int) -> Drawn:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((3,), (4,), (3,), (), (3,))
    return Drawn(*(torch.randn(count, *shape, generator=generator) for shape in shapes))


def a_view(seed: int = 0) -> View:
    rng = np.random.default_rng(seed)
    depth = rng.uniform(1, 4, (32, 48)).astype(np.float32)
    depth[:8, :8] = 0
    frame = Frame(
        stamp_ns=0,
        rgb=rng.integers(0, 256, (32, 48, 3), dtype=np.uint8),
        camera=CAMERA,
        depth=depth,
        T_map_camera=np.eye(4),
    )
    exposure = Exposure(torch.tensor([[1.1, 0.9, 1.0], [0.02, -0.03, 0.0]]), learn=True)
    return make_view(frame, 0.5, MappingConfig(), torch.device("cpu"), exposure)


def a_field() -> GaussianField:
    """Some Gaussians before the camera, some of them dead since, and some beside it."""
    field = GaussianField(4, 10**8)
    generator = torch.Generator().manual_seed(2)
    means = torch.rand(300, 3, generator=generator) * torch.tensor([3.0, 2.0, 3.0])
    means += torch.tensor([-1.5, -1.0, 1.0])
    means[:40, 0] += 50.0
    field.present.append(
        {
            "means": means,
            "quats": torch.randn(300, 4, generator=generator),
            "log_scales": torch.full((300, 3), math.log(0.05)),
            "logit_opacities": torch.randn(300, generator=generator),
            "colors": torch.rand(300, 3, generator=generator),
        }
    )
    mask = torch.zeros(300, dtype=torch.bool)
    mask[250:280] = True
    field.retire(mask, 1.0)  # there at the view's time, 0.5
    mask = torch.zeros(270, dtype=torch.bool)
    mask[250:] = True
    field.retire(mask, 0.2)  # gone before it
    return field


def test_compiled_and_torch_adam_agree() -> None:
    results = []
    for step in (adam.native_adam_step, adam.adam_step):
        gaussians = random_set(50)
        for seed in range(5):
            rows = torch.arange(seed, 50, 2)
            g = gradients(len(rows), seed)
            g.colors[::3] = 0  # not seen
            step(gaussians, rows, Drawn.of(gaussians, rows), g)
        results.append(gaussians)
    for name in STATE:
        assert torch.allclose(results[0][name], results[1][name], rtol=1e-4, atol=1e-6), name


def test_rows_agree_with_torch_optim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adam, "FALL", 0.0)
    gaussians = random_set(20)
    rows = torch.arange(20)
    leaves = {n: gaussians[n].clone().requires_grad_() for n in PARAMETERS}
    groups = [{"params": [leaves[n]], "lr": adam.LEARNING_RATES[n]} for n in PARAMETERS]
    reference = torch.optim.Adam(groups, betas=adam.BETAS, eps=adam.EPS)
    for seed in range(4):
        drawn, g = Drawn.of(gaussians, rows), gradients(20, seed)
        leaves["means"].grad, leaves["quats"].grad = g.means.clone(), g.quats.clone()
        leaves["log_scales"].grad = g.scales * drawn.scales
        leaves["logit_opacities"].grad = g.opacities * drawn.opacities * (1 - drawn.opacities)
        leaves["colors"].grad = g.colors.clone()
        reference.step()
        adam.native_adam_step(gaussians, rows, drawn, g)
    for name, leaf in leaves.items():
        assert torch.allclose(gaussians[name], leaf, atol=1e-5), name


@pytest.mark.parametrize("step", [adam.native_adam_step, adam.adam_step])
def test_a_second_moment_falls_slowly(step) -> None:
    gaussians = random_set(3)
    rows = torch.arange(3)
    for size in [1.0] * 5 + [1e-3] * 300:
        g = Drawn(*(size * t for t in gradients(3, 0)))
        step(gaussians, rows, Drawn.of(gaussians, rows), g)
        if size == 1:
            top = gaussians["adam_v"].clone()
    assert torch.allclose(gaussians["adam_v"], 0.999**300 * top, rtol=1e-3)


@pytest.mark.parametrize("step", [adam.native_adam_step, adam.adam_step])
def test_what_was_not_seen_stays_as_it_was(step) -> None:
    gaussians = random_set(10)
    before = {name: tensor.clone() for name, tensor in gaussians.items()}
    rows = torch.tensor([3, 5])
    g = gradients(2, 0)
    g.colors[1] = 0
    step(gaussians, rows, Drawn.of(gaussians, rows), g)
    others = torch.arange(10) != 3
    for name in STATE:
        assert torch.equal(gaussians[name][others], before[name][others]), name
        assert not torch.equal(gaussians[name][3], before[name][3]), name


@pytest.mark.parametrize("masked", [False, True])
def test_compiled_loss_has_the_gradients_of_the_torch_one(masked: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    view = a_view()
    color = torch.rand(32, 48, 3, generator=generator)
    alpha = torch.rand(32, 48, generator=generator)
    alpha[0] = 0.01
    depth = alpha * 3 * torch.rand(32, 48, generator=generator)
    leaves = [t.clone().requires_grad_() for t in (color, depth, alpha, view.exposure.values)]
    absent = torch.rand(32, 48, generator=generator) < 0.3 if masked else None
    loss = view_loss(*leaves[:3], view, leaves[3], absent)
    expected = torch.autograd.grad(loss, leaves)
    found = loss_gradients(color, depth, alpha, view, view.exposure.values, absent)
    assert found.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    for one, other in zip(found[1:], expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-9)


def test_compiled_and_torch_steps_agree() -> None:
    fields, views = [a_field(), a_field()], [a_view(), a_view()]
    losses = []
    for backend, field, view in zip(("cpu", "padded"), fields, views, strict=True):
        (chosen,) = optimiser.in_view(field, [view], backend)
        losses.append(float(optimiser.step(field, view, chosen, backend)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    ours, theirs = (field.present for field in fields)
    assert torch.equal(ours["steps"], theirs["steps"])
    largest = float(theirs["adam_m"].abs().max())
    assert torch.allclose(ours["adam_m"], theirs["adam_m"], rtol=1e-3, atol=1e-5 * largest)
    clear = theirs["adam_m"].abs() > 1e-3 * largest  # Adam makes steps of noise as well
    moved = torch.cat([(ours[n] - theirs[n]).reshape(250, -1) for n in PARAMETERS], 1).abs()
    assert clear.sum() > 500
    assert float(moved[clear].max()) < 1e-3
    assert torch.allclose(views[0].exposure.values, views[1].exposure.values, atol=1e-4)


def test_only_what_is_in_view_at_its_time_takes_part() -> None:
    field, view = a_field(), a_view()
    (chosen,) = optimiser.in_view(field, [view], "cpu")
    assert len(field.present) == 250
    assert chosen.present.min() >= 40  # the others are 50 m aside
    assert 20 < len(chosen.past) <= 30
    assert (field.past["death_s"][chosen.past] == 1.0).all()


@pytest.mark.parametrize("backend", ["cpu", "padded"])
def test_what_is_too_small_for_a_view_is_drawn_and_stays_as_it_is(backend: str) -> None:
    field, view = a_field(), a_view()
    depth = field.present["means"] @ view.viewmat[2, :3] + view.viewmat[2, 3]
    tiny = torch.arange(250) % 5 == 0
    least = optimiser._LEAST_PX * depth / view.camera.fx
    field.present["log_scales"][tiny] = (0.9 * least[tiny]).clamp(min=1e-4).log()[:, None]
    (chosen,) = optimiser.in_view(field, [view], backend)
    assert len(chosen.fixed) > 20
    assert tiny[chosen.fixed].all()
    assert not tiny[chosen.present].any()
    means = field.present["means"].clone()
    optimiser.refine(field, [view], backend, lambda: None)
    moved = (field.present["means"] != means).any(-1)
    assert not moved[tiny].any()
    assert moved[chosen.present].float().mean() > 0.5


@pytest.mark.parametrize("backend", ["cpu", "padded"])
def test_pixels_of_what_is_not_in_memory_teach_nothing(backend: str) -> None:
    field, view = a_field(), a_view()
    everywhere = torch.ones(view.depth.shape, dtype=torch.bool)
    before = {name: field.present[name].clone() for name in PARAMETERS}
    exposure = view.exposure.values.clone()
    optimiser.refine(field, [view], backend, lambda: None, {view: everywhere})
    assert all(torch.equal(field.present[name], old) for name, old in before.items())
    assert torch.allclose(view.exposure.values, exposure, atol=1e-3)  # pulled by its prior alone
    left = everywhere.clone()
    left[:, 24:] = False
    optimiser.refine(field, [view], backend, lambda: None, {view: left})
    p = field.present["means"] @ view.viewmat[:3, :3].T + view.viewmat[:3, 3]
    column = view.camera.fx * p[:, 0] / p[:, 2] + view.camera.cx
    far = (p[:, 2] > 0.5) & (column < 8)
    near = (p[:, 2] > 0.5) & (column > 30) & (column < 44)
    moved = (field.present["colors"] != before["colors"]).any(-1)
    assert far.sum() > 3
    assert moved[near].float().mean() > moved[far].float().mean() + 0.3


def test_rows_in_view_draw_what_all_rows_draw() -> None:
    field, view = a_field(), a_view()
    (chosen,) = optimiser.in_view(field, [view], "cpu")
    everything = torch.arange(len(field.present))
    drawn = [
        optimiser._draw(Drawn.of(field.present, rows), view, "cpu")
        for rows in (torch.cat([chosen.present, chosen.fixed]), everything)
    ]
    assert torch.equal(drawn[0].image, drawn[1].image)
    assert torch.equal(drawn[0].alpha, drawn[1].alpha)


def test_a_refined_field_explains_its_view_better() -> None:
    field, view = a_field(), a_view()
    calls = []
    (chosen,) = optimiser.in_view(field, [view], "cpu")
    before = float(optimiser.step(field, view, chosen, "cpu"))
    optimiser.refine(field, [view] * 40, "cpu", lambda: calls.append(1))
    assert len(calls) == 40
    assert float(optimiser.step(field, view, chosen, "cpu")) < 0.8 * before


def test_compiled_and_torch_choices_and_rows_agree() -> None:
    field = a_field()
    views = [a_view(), a_view(1)]
    turn = np.eye(4)
    turn[:3, :3] = [[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]
    frame = Frame(0, np.zeros((32, 48, 3), np.uint8), CAMERA, np.ones((32, 48), np.float32), turn)
    cpu = torch.device("cpu")
    views.append(make_view(frame, 0.1, MappingConfig(), cpu, Exposure.neutral(cpu, learn=False)))
    ours, theirs = (optimiser.in_view(field, views, backend) for backend in ("cpu", "padded"))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.present, other.present)
        assert torch.equal(one.fixed, other.fixed)
        assert torch.equal(one.past, other.past)
    assert len({len(one.present) for one in ours}) > 1
    rows = ours[0].present
    compiled = Drawn.of(field.present, rows, compiled=True)
    for one, other in zip(compiled, Drawn.of(field.present, rows), strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=1e-7)
    nothing = optimiser.in_view(GaussianField(4, 10**8), views, "cpu")
    assert all(len(one.present) == 0 for one in nothing)
