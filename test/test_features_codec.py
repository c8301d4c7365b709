# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from f4x_ros.core.features import LatentCodec


def low_rank(count: int, dim: int, rank: int, seed: int = 0) -> torch.Tensor:
    """Unit features [count, dim] that lie in `rank` dimensions."""
    rng = torch.Generator().manual_seed(seed)
    basis = torch.randn(rank, dim, generator=rng)
    features = torch.randn(count, rank, generator=rng) @ basis
    return torch.nn.functional.normalize(features, dim=-1)


@settings(max_examples=20)
@given(dim=st.integers(1, 12), extra=st.integers(0, 6))
def test_features_that_fit_come_back_unchanged(dim: int, extra: int) -> None:
    codec = LatentCodec(dim, dim + extra)
    features = torch.rand(3, 5, dim)
    latents = codec.encode(features)
    assert latents.shape == (3, 5, dim + extra)
    assert torch.equal(codec.decode(latents), features)
    assert torch.equal(latents[..., dim:], torch.zeros(3, 5, extra))
    assert codec.cosine == 1.0


def grown(features: torch.Tensor, latent_dim: int, steps: int = 5) -> LatentCodec:
    """A codec that has observed `features` in growing portions."""
    codec = LatentCodec(features.shape[1], latent_dim)
    for step in range(steps):
        codec.observe(features[step :: 2 ** max(0, steps - 1 - step)])
    return codec


def test_features_of_low_rank_survive_a_small_latent() -> None:
    features = low_rank(3000, 64, 8)
    codec = grown(features[:2900], 8)
    fresh = features[2900:]
    latents = codec.encode(fresh)
    assert latents.shape == (100, 8)
    assert codec.directions == 8
    assert cosine_similarity(codec.decode(latents), fresh, dim=-1).min() > 0.9999


def test_learned_directions_come_near_to_the_best_ones() -> None:
    features = low_rank(3000, 64, 24) @ torch.diag(0.9 ** torch.arange(64))
    codec = grown(features, 12)
    best = torch.linalg.svd(features, full_matrices=False).Vh[:12]
    random = torch.linalg.qr(torch.randn(64, 12))[0].T

    def cosine(basis: torch.Tensor) -> float:
        return float(cosine_similarity(features @ basis.T @ basis, features, dim=-1).mean())

    found = codec.decode(codec.encode(features))
    assert cosine_similarity(found, features, dim=-1).mean() > cosine(best) - 0.03
    assert cosine(best) - 0.03 > cosine(random) + 0.1


def test_the_reported_cosine_is_the_one_of_the_reconstruction() -> None:
    features = low_rank(1000, 32, 20)
    codec = LatentCodec(32, 10)
    assert math.isnan(codec.cosine)
    codec.observe(features)
    expected = cosine_similarity(codec.decode(codec.encode(features)), features, dim=-1).mean()
    assert codec.cosine == pytest.approx(float(expected), abs=1e-6)
    assert codec.cosine < 0.99


def test_stored_latents_decode_to_the_same_after_the_codec_has_learned_more() -> None:
    codec = LatentCodec(48, 8)
    codec.observe(low_rank(100, 48, 5, seed=1))
    stored = codec.encode(low_rank(10, 48, 5, seed=1))
    before, used = codec.decode(stored), codec.directions
    for seed in range(2, 12):
        codec.observe(low_rank(100 * seed, 48, 20, seed=seed))
    assert codec.directions == 8 > used
    assert torch.allclose(codec.decode(stored), before, atol=1e-6)


def test_what_comes_later_is_learned_too() -> None:
    early, late = low_rank(200, 48, 4, seed=1), low_rank(2000, 48, 3, seed=2)
    codec = LatentCodec(48, 8)
    codec.observe(early)

    def cosine(features: torch.Tensor) -> float:
        again = codec.decode(codec.encode(features))
        return float(cosine_similarity(again, features, dim=-1).mean())

    assert cosine(late) < 0.5
    for _ in range(8):
        codec.observe(late)
    assert cosine(late) > 0.999
    assert cosine(early) > 0.999


def test_directions_are_orthonormal_and_settle() -> None:
    features = low_rank(4000, 32, 30)
    codec = grown(features, 8)
    basis = codec.decode(torch.eye(8))
    assert torch.allclose(basis @ basis.T, torch.eye(8), atol=1e-5)
    codec.observe(low_rank(9000, 32, 30, seed=3))
    assert torch.equal(codec.decode(torch.eye(8)), basis)


def test_an_observation_of_few_features_wastes_no_directions() -> None:
    codec = LatentCodec(32, 16)
    codec.observe(low_rank(3, 32, 3))
    assert codec.directions == 3
    codec.observe(torch.zeros(5, 32))
    assert codec.directions == 3


def test_decoding_an_average_is_averaging_the_decoded() -> None:
    codec = LatentCodec(32, 4)
    codec.observe(low_rank(200, 32, 8))
    a, b = torch.randn(2, 7, 4)
    assert torch.allclose(
        codec.decode(0.3 * a + 0.7 * b), 0.3 * codec.decode(a) + 0.7 * codec.decode(b), atol=1e-6
    )
    assert not codec.decode(torch.zeros(1, 4)).any()


def test_two_runs_give_the_same_latents_bit_by_bit() -> None:
    def run() -> torch.Tensor:
        codec = grown(low_rank(150, 48, 9), 6, 5)
        return codec.encode(low_rank(20, 48, 9))

    assert torch.equal(run(), run())


@pytest.mark.parametrize("observed", [0, 30, 300])
def test_a_saved_codec_goes_on_where_it_was(observed: int) -> None:
    codec = LatentCodec(32, 4)
    codec.observe(low_rank(observed, 32, 5))
    copy = LatentCodec(32, 4)
    copy.load_state_dict(codec.state_dict())
    for one in (codec, copy):
        one.observe(low_rank(200, 32, 5, seed=4))
    features = low_rank(10, 32, 5, seed=5)
    assert torch.equal(copy.encode(features), codec.encode(features))
    assert copy.cosine == codec.cosine
    assert copy.directions == codec.directions


def test_a_saved_state_does_not_change_with_the_codec() -> None:
    codec = LatentCodec(32, 4)
    codec.observe(low_rank(50, 32, 5))
    state = codec.state_dict()
    copies = {name: value.clone() for name, value in state.items()}
    codec.observe(low_rank(400, 32, 5, seed=1))
    assert all(torch.equal(state[name], copies[name]) for name in state)
    assert not torch.equal(state["basis"], codec.state_dict()["basis"])


def test_what_does_not_fit_is_named() -> None:
    codec = LatentCodec(32, 4)
    with pytest.raises(ValueError, match=r"features has shape \(5, 31\), expected \[..., 32\]"):
        codec.encode(torch.zeros(5, 31))
    with pytest.raises(ValueError, match=r"latents has shape \(5, 3\), expected \[..., 4\]"):
        codec.decode(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="observed no features"):
        codec.encode(torch.zeros(5, 32))
    assert not codec.decode(torch.ones(5, 4)).any()
    with pytest.raises(ValueError, match="latent_dim is 0"):
        LatentCodec(32, 0)
    with pytest.raises(ValueError, match="for 32 features and 4 latents, expected 32 and 8"):
        LatentCodec(32, 8).load_state_dict(codec.state_dict())
