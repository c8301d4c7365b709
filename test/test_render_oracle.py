# SPDX-License-Identifier: Apache-2.0
"""Every backend draws and differentiates like the dense reference, which is right by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from render_scenes import cloud, covariance_2d, falloff

from f4x_ros.core.render import native, reference, render, uplift

LEAVES = ("means", "quats", "scales", "opacities", "colors", "viewmat")


@pytest.fixture(params=["best", "baseline"])
def build(request, monkeypatch):
    """Each compiled library on this machine in turn: the one for this processor, and for any."""
    if request.param == "baseline":
        path = native.library().path.with_name("libf4x_rast.so")
        baseline = native.Library(Path(path))
        monkeypatch.setattr(native, "library", lambda: baseline)
    return request.param


def draw(scene, backend, *, seed=1, wanted=LEAVES):
    """Images and, for a random linear loss on all three, the gradients."""
    values = dict(zip(vars(scene), scene.args(), strict=True))
    for name in wanted:
        values[name] = values[name].clone().requires_grad_()
    out = render(**values, backend=backend)
    g = torch.Generator().manual_seed(seed)
    images = (out.image, out.depth, out.alpha)
    weights = [torch.randn(t.shape, generator=g, dtype=torch.float64).to(t.dtype) for t in images]
    loss = sum((w * t).sum() for w, t in zip(weights, images, strict=True))
    grads = torch.autograd.grad(loss, [values[name] for name in wanted])
    return images, dict(zip(wanted, grads, strict=True))


def assert_same(have, want, tolerance):
    assert have.shape == want.shape
    scale = want.abs().max().clamp(min=1e-12) if want.numel() else 1.0
    assert ((have - want).abs() <= tolerance * scale).all()


@pytest.mark.parametrize("channels", [1, 3, 8, 70])
def test_compiled_equals_reference_in_float64(channels, build):
    scene = cloud(channels=channels)
    images, grads = draw(scene, "cpu")
    want_images, want_grads = draw(scene, "reference")
    for have, want in zip(images, want_images, strict=True):
        assert_same(have, want, 1e-12)
    for name in LEAVES:
        assert want_grads[name].abs().max() > 0
        assert_same(grads[name], want_grads[name], 1e-9)


@pytest.mark.parametrize("channels", [3, 19])
def test_compiled_equals_reference_in_float32(channels, build):
    scene = cloud(channels=channels)
    images, grads = draw(scene.to(torch.float32), "cpu")
    want_images, want_grads = draw(scene, "reference")
    for have, want in zip(images, want_images, strict=True):
        assert_same(have, want, 2e-5)
    for name in LEAVES:
        assert_same(grads[name], want_grads[name], 5e-5)


@pytest.mark.parametrize("channels", [1, 5])
def test_padded_equals_reference_in_float64(channels):
    scene = cloud(channels=channels)
    images, grads = draw(scene, "padded")
    want_images, want_grads = draw(scene, "reference")
    for have, want in zip(images, want_images, strict=True):
        assert_same(have, want, 1e-12)
    for name in LEAVES:
        assert_same(grads[name], want_grads[name], 1e-9)


def test_large_faint_gaussians_fill_pixels_to_the_stop():
    scene = cloud(300, size=0.5, seed=4)
    images, grads = draw(scene, "cpu")
    want_images, want_grads = draw(scene, "reference")
    assert (want_images[2] > 0.999).any()
    for have, want in zip(images, want_images, strict=True):
        assert_same(have, want, 1e-12)
    for name in LEAVES:
        assert_same(grads[name], want_grads[name], 1e-9)


def test_many_entries_per_tile_span_several_chunks():
    scene = cloud(700, width=24, height=17, seed=5)
    images, grads = draw(scene, "cpu")
    want_images, want_grads = draw(scene, "reference")
    assert_same(images[0], want_images[0], 1e-12)
    for name in LEAVES:
        assert_same(grads[name], want_grads[name], 1e-9)


@pytest.mark.parametrize("channels", [3, 6])
def test_gradients_do_not_depend_on_which_are_asked_for(channels):
    scene = cloud(channels=channels)
    _, want = draw(scene, "reference")
    for wanted in (("colors",), ("opacities",), ("viewmat",), ("means", "colors")):
        _, grads = draw(scene, "cpu", wanted=wanted)
        for name in wanted:
            assert_same(grads[name], want[name], 1e-9)


@pytest.mark.parametrize("picture", ["image", "depth", "alpha"])
def test_gradient_of_one_picture_alone(picture):
    scene = cloud()
    grads = []
    for backend in ("cpu", "reference"):
        means = scene.means.clone().requires_grad_()
        out = render(means, *scene.args()[1:], backend=backend)
        grads.append(torch.autograd.grad(getattr(out, picture).square().sum(), means)[0])
    assert_same(grads[0], grads[1], 1e-9)


@pytest.mark.parametrize("channels, weighted", [(0, False), (3, True), (16, False), (67, True)])
def test_uplift_is_the_transposed_reference_weights(channels, weighted, build):
    scene = cloud(seed=2)
    g = torch.Generator().manual_seed(3)
    features = torch.randn(scene.height, scene.width, channels, generator=g, dtype=torch.float64)
    weight = torch.rand(scene.height, scene.width, generator=g, dtype=torch.float64)
    w, ids, _ = reference.weights(*scene.uplift_args(), 0.01, 0.3)
    if weighted:
        w = w * weight.reshape(-1, 1)
    want_sum = torch.zeros(len(scene.means), channels, dtype=torch.float64)
    want_sum[ids] = w.T @ features.reshape(scene.height * scene.width, channels)
    want_weight = torch.zeros(len(scene.means), dtype=torch.float64)
    want_weight[ids] = w.sum(0)
    have = uplift(*scene.uplift_args(), features, weight if weighted else None, backend="cpu")
    assert_same(have[0], want_sum, 1e-12)
    assert_same(have[1], want_weight, 1e-12)


def test_uplift_is_the_same_by_autograd():
    scene = cloud(seed=2)
    features = torch.randn(scene.height, scene.width, 5, dtype=torch.float64)
    have = uplift(*scene.uplift_args(), features, backend="cpu")
    for backend in ("padded", "reference"):
        want = uplift(*scene.uplift_args(), features, backend=backend)
        assert_same(have[0], want[0], 1e-12)
        assert_same(have[1], want[1], 1e-12)


@pytest.mark.parametrize("backend", ["cpu", "padded", "reference"])
def test_one_round_gaussian_by_hand(backend):
    f, z, scale, opacity, color = 50.0, 2.5, 0.1, 0.6, 0.8
    out = render(
        torch.tensor([[0.0, 0.0, z]]),
        torch.tensor([[2.0, 0.0, 0.0, 0.0]]),
        torch.full((1, 3), scale),
        torch.tensor([opacity]),
        torch.tensor([[color]]),
        torch.eye(4),
        torch.tensor([[f, 0, 10.5], [0, f, 8.5], [0, 0, 1.0]]),
        21,
        17,
        backend=backend,
    )
    variance = covariance_2d(f, scale, z)
    for x, y in ((10, 8), (11, 8), (13, 8), (10, 5), (12, 10)):
        distance = ((x - 10) ** 2 + (y - 8) ** 2) ** 0.5  # pixel centres at + 0.5
        alpha = opacity * falloff(distance, variance)
        assert out.alpha[y, x].item() == pytest.approx(alpha, abs=2e-6)
        assert out.image[y, x, 0].item() == pytest.approx(alpha * color, abs=2e-6)
        assert out.depth[y, x].item() == pytest.approx(alpha * z, abs=5e-6)
        assert out.expected_depth[y, x].item() == pytest.approx(z, abs=1e-5)
    assert out.alpha[0, 0] == 0
    assert out.expected_depth[0, 0] == 0


def test_two_gaussians_composite_front_to_back_whatever_their_order():
    def alpha_of(opacity):
        return min(opacity, 0.999)

    means = torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, 2.0]], dtype=torch.float64)
    out = render(
        means,
        torch.tensor([[1.0, 0, 0, 0]] * 2, dtype=torch.float64),
        torch.full((2, 3), 0.2, dtype=torch.float64),
        torch.tensor([0.9, 0.5], dtype=torch.float64),
        torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64),
        torch.eye(4, dtype=torch.float64),
        torch.tensor([[40.0, 0, 4.5], [0, 40.0, 4.5], [0, 0, 1]], dtype=torch.float64),
        9,
        9,
        backend="cpu",
    )
    near, far = alpha_of(0.5), alpha_of(0.9) * (1 - alpha_of(0.5))
    assert out.image[4, 4].tolist() == pytest.approx([far, near], rel=1e-12)
    assert out.depth[4, 4].item() == pytest.approx(near * 2 + far * 3, rel=1e-12)
    assert out.alpha[4, 4].item() == pytest.approx(near + far, rel=1e-12)
