# SPDX-License-Identifier: Apache-2.0
"""The latent codec: what it keeps of features, and that stored latents stay readable."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity, normalize

from f4x_ros.core.features import LatentCodec


def low_rank(count: int, dim: int, rank: int, seed: int = 0) -> torch.Tensor:
    """Unit features [count, dim] that lie in `rank` dimensions."""
    rng = torch.Generator().manual_seed(seed)
    basis = torch.randn(rank, dim, generator=rng)
    return normalize(torch.randn(count, rank, generator=rng) @ basis, dim=-1)


def learned(features: torch.Tensor, latent_dim: int, images: int = 8) -> LatentCodec:
    """A codec that has observed `features` as so many images."""
    codec = LatentCodec([features.shape[1]], latent_dim)
    for image in features.chunk(images):
        codec.observe(image)
    return codec


def kept(codec: LatentCodec, features: torch.Tensor) -> float:
    """Mean cosine of features with their reconstruction."""
    again = codec.decode(codec.encode(features))
    return float(cosine_similarity(again, features, dim=-1).mean())


@settings(max_examples=20, deadline=None)
@given(dim=st.integers(1, 12), extra=st.integers(0, 6))
def test_features_that_fit_come_back_unchanged(dim: int, extra: int) -> None:
    codec = LatentCodec([dim], dim + extra)
    features = torch.rand(3, 5, dim)
    codec.observe(features)
    latents = codec.encode(features)
    assert latents.shape == (3, 5, dim + extra)
    assert torch.allclose(codec.decode(latents), features, rtol=1e-5)
    assert torch.equal(latents[..., dim:], torch.zeros(3, 5, extra))
    assert codec.cosines == pytest.approx((1.0,), abs=1e-6)


def test_features_of_low_rank_survive_a_small_latent() -> None:
    features = low_rank(3000, 64, 8)
    codec = learned(features[:2900], 8)
    latents = codec.encode(features[2900:])
    assert latents.shape == (100, 8)
    again = codec.decode(latents)
    assert cosine_similarity(again, features[2900:], dim=-1).min() > 0.9999


def test_learned_directions_are_the_best_ones() -> None:
    features = low_rank(3000, 64, 24) @ torch.diag(0.9 ** torch.arange(64))
    codec = learned(features, 12)
    best = torch.linalg.svd(features, full_matrices=False).Vh[:12]
    random = torch.linalg.qr(torch.randn(64, 12))[0].T

    def cosine(basis: torch.Tensor) -> float:
        return float(cosine_similarity(features @ basis.T @ basis, features, dim=-1).mean())

    assert kept(codec, features) > cosine(best) - 1e-3
    assert cosine(best) > cosine(random) + 0.1


def test_the_reported_cosine_is_the_one_of_the_reconstruction() -> None:
    features = low_rank(1000, 32, 20)
    codec = LatentCodec([32], 10)
    assert math.isnan(codec.cosines[0])
    codec.observe(features)
    assert codec.cosines[0] == pytest.approx(kept(codec, features), abs=1e-6)
    assert codec.cosines[0] < 0.99


def test_stored_latents_decode_to_the_same_after_the_code_was_fitted_anew() -> None:
    codec = LatentCodec([48], 14)
    early = low_rank(100, 48, 5, seed=1)
    codec.observe(early)
    untouched = stored = codec.encode(early)
    before = codec.decode(stored)
    changes = 0
    for seed in range(2, 18):
        change = codec.observe(low_rank(300, 48, 4, seed=2 + seed % 2))
        if change is not None:
            stored, changes = stored @ change, changes + 1
    assert changes == 4  # images 2, 4, 8 and 16
    assert cosine_similarity(codec.decode(stored), before, dim=-1).min() > 0.9999
    assert cosine_similarity(codec.decode(untouched), before, dim=-1).mean() < 0.9


def test_a_change_of_scale_does_not_change_what_stored_latents_mean() -> None:
    codec = LatentCodec([6], 8)
    codec.observe(torch.full((4, 6), 100.0))
    features = torch.rand(5, 6)
    stored = codec.encode(features)
    change = codec.observe(torch.rand(4, 6))
    assert change is not None
    assert not torch.allclose(change, torch.eye(8), atol=0.1)
    assert torch.allclose(codec.decode(stored @ change), features, rtol=1e-4)


def test_what_comes_later_is_learned_too_and_nothing_is_forgotten() -> None:
    early, late = low_rank(200, 48, 4, seed=1), low_rank(2000, 48, 3, seed=2)
    codec = LatentCodec([48], 8)
    codec.observe(early)
    assert kept(codec, late) < 0.5
    for _ in range(40):
        codec.observe(late)
    assert kept(codec, late) > 0.999
    assert kept(codec, early) > 0.999


def test_heads_share_a_latent_and_are_read_one_by_one() -> None:
    one, two = low_rank(500, 40, 5, seed=1), 300 * low_rank(500, 24, 4, seed=2)
    codec = LatentCodec([40, 24], 10)
    for part in torch.cat([one, two], 1).chunk(8):
        codec.observe(part)
    shares = codec.encode(one, 0) + codec.encode(two, 40)
    assert torch.allclose(shares, codec.encode(torch.cat([one, two], 1)), atol=1e-5)
    for head, features in enumerate((one, two)):
        again = codec.decode(shares, head)
        assert cosine_similarity(again, features, dim=-1).min() > 0.999
        assert torch.allclose(again.norm(dim=-1), features.norm(dim=-1), rtol=0.01)
    assert min(codec.cosines) > 0.999


def test_a_head_of_large_numbers_leaves_room_for_one_of_small_numbers() -> None:
    large, small = 1000 * low_rank(2000, 40, 30, seed=1), low_rank(2000, 40, 3, seed=2)
    codec = LatentCodec([40, 40], 16)
    for part in torch.cat([large, small], 1).chunk(8):
        codec.observe(part)
    assert codec.cosines[1] > 0.99


@pytest.mark.parametrize("dims, latent_dim", [([40, 24], 10), ([3, 4], 8)])
def test_the_energy_of_a_latent_is_about_one(dims: list[int], latent_dim: int) -> None:
    features = torch.cat([7 * low_rank(900, dim, 3, seed=dim) for dim in dims], 1)
    codec = learned(features, latent_dim) if len(dims) == 1 else LatentCodec(dims, latent_dim)
    for part in features.chunk(8):
        codec.observe(part)
    assert codec.encode(features).square().sum(-1).mean() == pytest.approx(1, rel=0.05)


def test_an_image_of_few_or_dark_features_wastes_no_directions() -> None:
    codec = LatentCodec([32], 16)
    codec.observe(torch.zeros(5, 32))
    assert not codec.ready
    assert math.isnan(codec.cosines[0])
    codec.observe(low_rank(3, 32, 3))
    assert int(codec.state_dict()["basis"].any(-1).sum()) == 3


def test_a_moment_known_beforehand_makes_the_first_image_readable() -> None:
    known = low_rank(2000, 48, 10)
    codec = LatentCodec([48], 10, [known.T @ known / len(known)])
    assert codec.ready
    assert kept(codec, known) > 0.999
    cold, poor = LatentCodec([48], 10), known[:5]
    for one in (codec, cold):
        one.observe(poor)
    assert kept(codec, known) > 0.999
    assert kept(cold, known) < 0.8


def test_a_moment_of_one_head_only_does_not_starve_the_other() -> None:
    one, two = low_rank(800, 40, 30, seed=1), low_rank(800, 40, 3, seed=2)
    codec = LatentCodec([40, 40], 8, [one.T @ one / len(one), None])
    assert not codec.ready
    codec.observe(torch.cat([one, two], 1))
    assert codec.cosines[1] > 0.99


def test_decoding_an_average_is_averaging_the_decoded() -> None:
    codec = LatentCodec([32], 4)
    codec.observe(low_rank(200, 32, 8))
    a, b = torch.randn(2, 7, 4)
    assert torch.allclose(
        codec.decode(0.3 * a + 0.7 * b), 0.3 * codec.decode(a) + 0.7 * codec.decode(b), atol=1e-5
    )
    assert not codec.decode(torch.zeros(1, 4)).any()


def test_two_runs_give_the_same_latents_bit_by_bit() -> None:
    def run() -> torch.Tensor:
        codec = learned(low_rank(150, 48, 9), 6, 5)
        return codec.encode(low_rank(20, 48, 9))

    assert torch.equal(run(), run())


@pytest.mark.parametrize("images", [0, 1, 6])
def test_a_saved_codec_goes_on_where_it_was(images: int) -> None:
    codec, copy = LatentCodec([20, 12], 4), LatentCodec([20, 12], 4)
    for seed in range(images):
        codec.observe(low_rank(40, 32, 5, seed=seed))
    copy.load_state_dict(codec.state_dict())
    for one in (codec, copy):
        one.observe(low_rank(200, 32, 5, seed=9))
    features = low_rank(10, 32, 5, seed=5)
    assert torch.equal(copy.encode(features), codec.encode(features))
    assert copy.cosines == codec.cosines
    assert copy.images == codec.images


def test_a_saved_state_does_not_change_with_the_codec() -> None:
    codec = LatentCodec([32], 4)
    codec.observe(low_rank(50, 32, 5))
    state = codec.state_dict()
    copies = {name: value.clone() for name, value in state.items()}
    codec.observe(low_rank(400, 32, 5, seed=1))
    assert all(torch.equal(state[name], copies[name]) for name in state)
    assert not torch.equal(state["basis"], codec.state_dict()["basis"])


def test_what_does_not_fit_is_named() -> None:
    codec = LatentCodec([32], 4)
    with pytest.raises(ValueError, match=r"features has shape \(5, 31\), expected \[..., 32\]"):
        codec.encode(torch.zeros(5, 31))
    with pytest.raises(ValueError, match=r"latents has shape \(5, 3\), expected \[..., 4\]"):
        codec.decode(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="observed no features"):
        codec.encode(torch.zeros(5, 32))
    assert not codec.decode(torch.ones(5, 4)).any()
    with pytest.raises(ValueError, match="not finite"):
        codec.observe(torch.full((5, 32), math.nan))
    with pytest.raises(ValueError, match="latent_dim is 0"):
        LatentCodec([32], 0)
    with pytest.raises(ValueError, match=r"moment has shape \(3, 3\), expected \(32, 32\)"):
        LatentCodec([32], 4, [torch.eye(3)])
    with pytest.raises(ValueError, match="32 features of 1 heads and 4 latents, expected 32 of 1"):
        LatentCodec([32], 8).load_state_dict(codec.state_dict())
    with pytest.raises(ValueError, match=r"of 1 heads .* expected 32 of 2"):
        LatentCodec([16, 16], 4).load_state_dict(codec.state_dict())


def test_rare_features_are_kept_although_few_pixels_have_them() -> None:
    """A thing that is seen late and small gets its direction within a few images."""
    generator = torch.Generator().manual_seed(0)
    common = torch.zeros(400, 24)
    common[:, :8] = torch.randn(400, 8, generator=generator)
    common[:, 5:] *= 0.1  # there is room for more than what matters
    codec = LatentCodec([24], 8)
    for _ in range(9):
        codec.observe(common)
    rare = torch.zeros(8, 24)
    rare[:, 20] = 3.0
    changes = [codec.observe(torch.cat([common, rare]), len(common)) for _ in range(6)]
    assert any(change is not None for change in changes)
    again = codec.decode(codec.encode(rare))
    assert torch.cosine_similarity(again, rare).min() > 0.8


def test_a_code_that_keeps_rare_features_is_not_fitted_anew() -> None:
    features = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    codec = LatentCodec([6], 4)
    rare = torch.zeros(4, 6)
    rare[:, 0] = 1.0
    features[:, 3:] *= 1e-3
    fitted = [codec.observe(torch.cat([features, rare]), 400) is not None for _ in range(16)]
    assert [k + 1 for k, one in enumerate(fitted) if one] == [1, 2, 4, 8, 16]


def test_numbers_that_no_feature_has_take_no_part_in_the_code() -> None:
    """As most evidence of photographs: the code is that of the other numbers alone."""
    generator = torch.Generator().manual_seed(4)
    some = torch.randn(200, 12, generator=generator) * torch.linspace(3, 0.1, 12)
    used = torch.arange(0, 300, 25)
    features = torch.zeros(200, 300)
    features[:, used] = some
    alone, among = LatentCodec([12], 6), LatentCodec([300], 6)
    alone.observe(some)
    among.observe(features)
    assert torch.allclose(among.encode(features), alone.encode(some), atol=1e-4)
    again = among.decode(among.encode(features))
    assert torch.allclose(again[:, used], alone.decode(alone.encode(some)), atol=1e-4)
    again[:, used] = 0
    assert not again.any()
