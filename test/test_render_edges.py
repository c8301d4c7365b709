# SPDX-License-Identifier: Apache-2.0
"""Empty views, odd sizes, extreme Gaussians, threads, and input that is refused."""

from __future__ import annotations

import gc
import math
import weakref
from dataclasses import replace

import pytest
import torch
from render_scenes import cloud

from f4x_ros.core.render import native, render, uplift

BACKENDS = ("cpu", "padded", "reference")
LEAVES = ("means", "quats", "scales", "opacities", "colors", "viewmat")


def gradients(scene, backend="cpu"):
    values = dict(zip(vars(scene), scene.args(), strict=True))
    for name in LEAVES:
        values[name] = values[name].clone().requires_grad_()
    out = render(**values, backend=backend)
    loss = out.image.sum() + out.depth.square().sum() + out.alpha.sum()
    return out, torch.autograd.grad(loss, [values[n] for n in LEAVES])


def assert_nothing_drawn(scene, backend):
    out, grads = gradients(scene, backend)
    assert out.image.shape == (scene.height, scene.width, scene.colors.shape[1])
    for t in (out.image, out.depth, out.alpha, out.expected_depth, *grads):
        assert (t == 0).all()
    features = torch.ones(scene.height, scene.width, 2, dtype=scene.means.dtype)
    total, weight = uplift(*scene.uplift_args(), features, backend=backend)
    assert total.shape == (len(scene.means), 2)
    assert (total == 0).all()
    assert (weight == 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_gaussians(backend, dtype):
    assert_nothing_drawn(cloud(0, dtype=dtype), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_gaussians_behind_the_camera(backend):
    scene = cloud(30)
    assert_nothing_drawn(replace(scene, means=scene.means - torch.tensor([0, 0, 9.0])), backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_gaussians_beside_the_view(backend):
    scene = cloud(30)
    assert_nothing_drawn(replace(scene, means=scene.means + torch.tensor([900.0, 0, 0])), backend)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(1, 1), (1, 33), (17, 1), (15, 16), (16, 16), (31, 47), (3, 5)])
def test_sizes_that_tiles_do_not_divide(size, dtype):
    scene = cloud(80, width=size[0], height=size[1], dtype=dtype)
    out, grads = gradients(scene)
    want, want_grads = gradients(scene.to(torch.float64), "reference")
    tolerance = 1e-11 if dtype == torch.float64 else 1e-4
    assert out.image.shape == (size[1], size[0], 3)
    assert (out.image - want.image).abs().max() <= tolerance
    for have, wanted in zip(grads, want_grads, strict=True):
        assert (have - wanted).abs().max() <= tolerance * wanted.abs().max().clamp(min=1e-9)


def test_gaussians_larger_than_the_view_and_thinner_than_a_pixel():
    scene = cloud(40)
    scene.scales[:5] = torch.tensor([30.0, 30.0, 1e-4], dtype=torch.float64)
    scene.scales[5:10] = 0.0
    scene.scales[10:15] = torch.tensor([5.0, 1e-6, 1e-6], dtype=torch.float64)
    scene.means[15:18, 2] = 0.02
    out, grads = gradients(scene)
    want, want_grads = gradients(scene, "reference")
    assert (out.image - want.image).abs().max() < 1e-10
    for have, wanted in zip(grads, want_grads, strict=True):
        assert torch.isfinite(have).all()
        assert (have - wanted).abs().max() <= 1e-8 * wanted.abs().max()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["means", "quats", "scales", "opacities"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gaussian_that_is_not_finite_is_left_out(backend, name, value):
    if (name, value) == ("opacities", math.inf):
        value = -math.inf
    scene = cloud(20, dtype=torch.float32)
    broken = replace(scene, **{name: getattr(scene, name).clone()})
    getattr(broken, name)[7] = value
    keep = torch.arange(20) != 7
    names = ("means", "quats", "scales", "opacities", "colors")
    without = replace(scene, **{n: getattr(scene, n)[keep] for n in names})
    out, want = (render(*s.args(), backend=backend) for s in (broken, without))
    assert torch.equal(out.image, want.image)
    assert torch.isfinite(out.image).all()


def test_bits_do_not_depend_on_run_or_thread_count():
    scene = cloud(12_000, width=150, height=110, size=0.02, channels=5, dtype=torch.float32)
    features = torch.randn(110, 150, 3)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 2, 3, 5):
            torch.set_num_threads(count)
            out, grads = gradients(scene)
            lifted = uplift(*scene.uplift_args(), features, backend="cpu")
            results.append([out.image, out.depth, out.alpha, *grads, *lifted])
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.equal(a, b)


def test_equal_depths_keep_the_order_of_the_gaussians():
    scene = cloud(40)
    scene.viewmat[:] = torch.eye(4, dtype=torch.float64)
    scene.means[:, 2] = 2.0
    out, want = (render(*scene.args(), backend=b) for b in ("cpu", "reference"))
    assert (out.image - want.image).abs().max() < 1e-12


def test_without_gradients_the_same_bits_and_no_graph():
    scene = cloud(dtype=torch.float32)
    with_grad, _ = gradients(scene)
    plain = render(*scene.args(), backend="cpu")
    assert not plain.image.requires_grad
    assert torch.equal(with_grad.image, plain.image)
    with torch.no_grad():
        assert not render(scene.means.requires_grad_(), *scene.args()[1:]).image.requires_grad


def test_strided_input_and_gradients_are_understood():
    scene = cloud(channels=4)
    wide = torch.randn(len(scene.means), 8, dtype=torch.float64)
    odd = replace(scene, colors=wide[:, ::2], means=scene.means.T.contiguous().T)
    dense = replace(scene, colors=wide[:, ::2].contiguous())
    means = odd.means.clone().requires_grad_()
    out = render(means, *odd.args()[1:], backend="cpu")
    assert torch.equal(out.image, render(*dense.args(), backend="cpu").image)
    out.image.permute(2, 1, 0).sum().backward()  # an expanded gradient
    want = scene.means.clone().requires_grad_()
    render(want, *dense.args()[1:], backend="reference").image.sum().backward()
    assert (means.grad - want.grad).abs().max() < 1e-9


def test_backward_may_run_twice_and_memory_is_returned_without_the_collector(monkeypatch):
    plans = []

    class WatchedPlan(native.Plan):
        def __init__(self, library):
            super().__init__(library)
            plans.append(weakref.ref(self))

    monkeypatch.setattr(native, "Plan", WatchedPlan)
    scene = cloud()
    means = scene.means.clone().requires_grad_()
    out = render(means, *scene.args()[1:], backend="cpu")
    loss = out.image.sum()
    (first,) = torch.autograd.grad(loss, means, retain_graph=True)
    (second,) = torch.autograd.grad(loss, means)
    assert torch.equal(first, second)

    assert len(plans) == 1
    gc.disable()
    try:
        del out, loss
        assert plans[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"means": torch.zeros(90, 2, dtype=torch.float64)}, r"means .*\[90, 2\].*\[any, 3\]"),
        ({"quats": torch.zeros(89, 4, dtype=torch.float64)}, r"quats .*\[89, 4\].*\[90, 4\]"),
        ({"scales": torch.zeros(90, 3)}, "scales .*float32.*float64"),
        ({"opacities": torch.zeros(90, 1, dtype=torch.float64)}, r"opacities .*\[90, 1\]"),
        ({"colors": torch.zeros(90, 0, dtype=torch.float64)}, "colors .*0 channels"),
        ({"colors": torch.zeros(90, dtype=torch.float64)}, r"colors .*\[90\]"),
        ({"means": torch.zeros(90, 3, dtype=torch.int64)}, "means .*int64"),
        ({"means": [[0.0, 0.0, 1.0]]}, "means is a list"),
        ({"viewmat": torch.eye(3, dtype=torch.float64)}, r"viewmat .*\[3, 3\].*\[4, 4\]"),
        ({"viewmat": torch.eye(4, dtype=torch.float64, device="meta")}, "viewmat is on meta.*cpu"),
        ({"K": torch.eye(4, dtype=torch.float64)}, r"K .*\[4, 4\].*\[3, 3\]"),
        ({"K": torch.eye(3, dtype=torch.float64, requires_grad=True)}, "K requires grad"),
        ({"width": 0}, "width is 0"),
        ({"height": -4}, "height is -4"),
        ({"width": 2.5}, r"width is 2\.5"),
        ({"width": 10**6}, "width is 1000000"),
        ({"near": 0.0}, r"near is 0\.0"),
        ({"near": math.nan}, "near is nan"),
        ({"eps2d": -1.0}, r"eps2d is -1\.0"),
        ({"backend": "metal"}, "backend is 'metal', expected 'auto' or one of cuda, cpu"),
        ({"backend": "cuda"}, "backend is 'cuda' but the tensors are on cpu"),
    ],
)
def test_bad_input_is_named(changes, words):
    values = vars(cloud()) | changes
    with pytest.raises(ValueError, match=words):
        render(**values)


def test_bad_features_and_weights_are_named():
    scene = cloud()
    good = torch.zeros(scene.height, scene.width, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match="features has shape"):
        uplift(*scene.uplift_args(), good[:-1])
    with pytest.raises(ValueError, match="weight has shape"):
        uplift(*scene.uplift_args(), good, good)
    with pytest.raises(ValueError, match="features has dtype"):
        uplift(*scene.uplift_args(), good.float())
