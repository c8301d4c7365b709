# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

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


def test_features_of_low_rank_survive_a_small_latent() -> None:
    codec = LatentCodec(64, 8, warmup=500)
    codec.observe(low_rank(600, 64, 8))
    fresh = low_rank(600, 64, 8)[-50:]
    again = codec.decode(codec.encode(fresh))
    assert codec.encode(fresh).shape == (50, 8)
    assert cosine_similarity(again, fresh, dim=-1).min() > 0.9999
    assert codec.cosine > 0.9999


def test_latents_of_principal_directions_beat_random_ones() -> None:
    features = low_rank(2000, 64, 24)
    codec = LatentCodec(64, 12, warmup=1000)
    codec.observe(features)
    random = torch.linalg.qr(torch.randn(64, 12))[0]
    random_cosine = cosine_similarity(features @ random @ random.T, features, dim=-1).mean()
    assert codec.cosine > random_cosine + 0.2


def test_the_reported_cosine_is_the_one_of_the_reconstruction() -> None:
    features = low_rank(1000, 32, 20)
    codec = LatentCodec(32, 10, warmup=1000)
    codec.observe(features)
    expected = cosine_similarity(codec.decode(codec.encode(features)), features, dim=-1).mean()
    assert codec.cosine == pytest.approx(float(expected), abs=1e-6)
    assert codec.cosine < 0.99


def test_once_fixed_the_basis_never_moves_again() -> None:
    codec = LatentCodec(32, 4, warmup=100)
    codec.observe(low_rank(100, 32, 6, seed=1))
    features = low_rank(10, 32, 6, seed=2)
    before = codec.encode(features)
    codec.observe(low_rank(5000, 32, 6, seed=3))
    assert torch.equal(codec.encode(features), before)


def test_encoding_before_the_warmup_fixes_the_basis_with_what_was_seen() -> None:
    codec = LatentCodec(32, 4, warmup=1000)
    codec.observe(low_rank(50, 32, 3))
    assert not codec.ready
    before = codec.encode(low_rank(10, 32, 3))
    assert codec.ready
    codec.observe(low_rank(2000, 32, 6, seed=9))
    assert torch.equal(codec.encode(low_rank(10, 32, 3)), before)


def test_decoding_an_average_is_averaging_the_decoded() -> None:
    codec = LatentCodec(32, 4, warmup=100)
    codec.observe(low_rank(200, 32, 8))
    a, b = torch.randn(2, 7, 4)
    assert torch.allclose(
        codec.decode(0.3 * a + 0.7 * b), 0.3 * codec.decode(a) + 0.7 * codec.decode(b), atol=1e-6
    )
    assert not codec.decode(torch.zeros(1, 4)).any()


def test_two_runs_give_the_same_latents_bit_by_bit() -> None:
    def run() -> torch.Tensor:
        codec = LatentCodec(48, 6, warmup=100)
        codec.observe(low_rank(150, 48, 9))
        return codec.encode(low_rank(20, 48, 9))

    assert torch.equal(run(), run())


@pytest.mark.parametrize("observed", [0, 30, 300])
def test_a_saved_codec_goes_on_where_it_was(observed: int) -> None:
    codec = LatentCodec(32, 4, warmup=100)
    codec.observe(low_rank(observed, 32, 5))
    copy = LatentCodec(32, 4)
    copy.load_state_dict(codec.state_dict())
    for one in (codec, copy):
        one.observe(low_rank(200, 32, 5, seed=4))
    features = low_rank(10, 32, 5, seed=5)
    assert torch.equal(copy.encode(features), codec.encode(features))
    assert copy.cosine == codec.cosine


def test_a_saved_state_does_not_change_with_the_codec() -> None:
    codec = LatentCodec(32, 4, warmup=100)
    codec.observe(low_rank(50, 32, 5))
    state = codec.state_dict()
    codec.observe(low_rank(40, 32, 5, seed=1))
    assert not torch.equal(state["moment"], codec.state_dict()["moment"])


def test_what_does_not_fit_is_named() -> None:
    codec = LatentCodec(32, 4)
    with pytest.raises(ValueError, match=r"features has shape \(5, 31\), expected \[..., 32\]"):
        codec.encode(torch.zeros(5, 31))
    with pytest.raises(ValueError, match=r"latents has shape \(5, 3\), expected \[..., 4\]"):
        codec.decode(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="observed no features"):
        codec.encode(torch.zeros(5, 32))
    with pytest.raises(ValueError, match="latent_dim is 0"):
        LatentCodec(32, 0)
    with pytest.raises(ValueError, match="for 32 features and 4 latents, expected 32 and 8"):
        LatentCodec(32, 8).load_state_dict(codec.state_dict())
