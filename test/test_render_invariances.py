# SPDX-License-Identifier: Apache-2.0
"""What must not change a rendering, and what its parts owe each other."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from render_scenes import cloud, quaternion_product

from f4x_ros.core.render import render, uplift
from f4x_ros.core.render.projection import rotation_matrices

BACKENDS = ("cpu", "reference")
seeds = st.integers(0, 10_000)
few = settings(max_examples=8)


def pictures(scene, backend):
    out = render(*scene.args(), backend=backend)
    return torch.cat([out.image, out.depth[..., None], out.alpha[..., None]], -1)


def shuffled(scene, seed):
    order = torch.randperm(len(scene.means), generator=torch.Generator().manual_seed(seed))
    names = ("means", "quats", "scales", "opacities", "colors")
    return order, replace(scene, **{n: getattr(scene, n)[order] for n in names})


@pytest.mark.parametrize("backend", BACKENDS)
@few
@given(seed=seeds)
def test_order_of_the_gaussians_does_not_matter(backend, seed):
    scene = cloud(40, seed=seed, width=19, height=17)
    order, other = shuffled(scene, seed)
    assert torch.allclose(pictures(scene, backend), pictures(other, backend), atol=1e-12)
    features = torch.randn(scene.height, scene.width, 2, dtype=torch.float64)
    total, weight = uplift(*scene.uplift_args(), features, backend=backend)
    other_total, other_weight = uplift(*other.uplift_args(), features, backend=backend)
    assert torch.allclose(total[order], other_total, atol=1e-11)
    assert torch.allclose(weight[order], other_weight, atol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
@few
@given(seed=seeds, shift=st.tuples(*[st.floats(-50, 50)] * 3))
def test_moving_world_and_camera_together_changes_nothing(backend, seed, shift):
    scene = cloud(40, seed=seed, width=19, height=17)
    g = torch.Generator().manual_seed(seed)
    turn = torch.randn(1, 4, generator=g, dtype=torch.float64)
    turn = turn / turn.norm()
    T = torch.eye(4, dtype=torch.float64)
    T[:3, :3] = rotation_matrices(turn)[0]
    T[:3, 3] = torch.tensor(shift, dtype=torch.float64)
    moved = replace(
        scene,
        means=scene.means @ T[:3, :3].T + T[:3, 3],
        quats=quaternion_product(turn.expand_as(scene.quats), scene.quats),
        viewmat=scene.viewmat @ torch.linalg.inv(T),
    )
    assert torch.allclose(pictures(scene, backend), pictures(moved, backend), atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@few
@given(seed=seeds, opacity=st.sampled_from([0.0, 1.0 / 256]))
def test_a_transparent_gaussian_changes_no_bit(backend, seed, opacity):
    scene = cloud(40, seed=seed, width=19, height=17)
    extra = cloud(20, seed=seed + 1, width=19, height=17)
    names = ("means", "quats", "scales", "opacities", "colors")
    extra.opacities[:] = opacity
    both = replace(scene, **{n: torch.cat([getattr(scene, n), getattr(extra, n)]) for n in names})
    assert torch.equal(pictures(scene, backend), pictures(both, backend))


@few
@given(seed=seeds, length=st.floats(1e-3, 1e3))
def test_the_length_of_a_quaternion_has_no_effect(seed, length):
    scene = cloud(40, seed=seed, width=19, height=17)
    longer = replace(scene, quats=scene.quats * length)
    assert torch.allclose(pictures(scene, "cpu"), pictures(longer, "cpu"), atol=1e-10)


@few
@given(
    seed=seeds, channels=st.integers(1, 9), dtype=st.sampled_from([torch.float32, torch.float64])
)
def test_uplift_is_the_adjoint_of_render(seed, channels, dtype):
    scene = cloud(80, seed=seed, channels=channels, dtype=dtype)
    features = torch.randn(
        scene.height, scene.width, channels, generator=torch.Generator().manual_seed(seed)
    ).to(dtype)
    image = render(*scene.args(), backend="cpu").image
    total, _ = uplift(*scene.uplift_args(), features, backend="cpu")
    tolerance = 1e-9 if dtype == torch.float64 else 1e-3
    left, right = (image * features).sum().item(), (scene.colors * total).sum().item()
    assert left == pytest.approx(right, abs=tolerance * (image * features).abs().sum().item())


@few
@given(seed=seeds)
def test_an_image_of_ones_is_the_alpha(seed):
    scene = cloud(80, seed=seed, channels=1)
    out = render(*replace(scene, colors=torch.ones_like(scene.colors)).args(), backend="cpu")
    assert torch.allclose(out.image[..., 0], out.alpha, atol=1e-12)
    assert out.alpha.min() >= 0
    assert out.alpha.max() <= 1 - 1e-4


@few
@given(seed=seeds, split=st.integers(1, 6))
def test_channels_do_not_influence_each_other(seed, split):
    scene = cloud(60, seed=seed, channels=7, dtype=torch.float32)
    whole = render(*scene.args(), backend="cpu").image
    left = render(*replace(scene, colors=scene.colors[:, :split]).args(), backend="cpu").image
    right = render(*replace(scene, colors=scene.colors[:, split:]).args(), backend="cpu").image
    assert torch.allclose(whole, torch.cat([left, right], -1), atol=1e-6)
