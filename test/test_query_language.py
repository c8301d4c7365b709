# SPDX-License-Identifier: Apache-2.0
"""The grammar of questions and the vectors of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import torch
from fabricated import OnlyWords

from f4x_ros.core.ask.cosines import cosines
from f4x_ros.core.ask.language import parse_question
from f4x_ros.core.ask.prompts import combined, make_prompts
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.features.codec import LatentCodec


class Letters(OnlyWords):
    """The first letter decides; counts what it was asked."""

    dim = 26

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def text(self, prompts: Sequence[str]) -> torch.Tensor:
        self.asked.append(list(prompts))
        if "qqq" in prompts:
            raise ValueError("prompt 'qqq' is not understood")
        return torch.eye(26)[[ord(prompt[0]) - ord("a") for prompt in prompts]]


@pytest.mark.parametrize(
    ("text", "wanted", "excluded"),
    [
        ("mug", "mug", ()),
        ("mug -red", "mug", ("red",)),
        ("  chair  -wooden   chair -red ", "chair", ("wooden chair", "red")),
        ("t-shirt", "t-shirt", ()),
        ("black t-shirt -v-neck", "black t-shirt", ("v-neck",)),
        ("mug \u2212red", "mug", ("red",)),  # the sign that word processors write
        ("mug -red -red", "mug", ("red",)),
    ],
)
def test_a_minus_before_a_word_excludes_and_a_hyphen_inside_does_not(
    text: str, wanted: str, excluded: tuple[str, ...]
) -> None:
    question = parse_question(text)
    assert (question.wanted, question.excluded) == (wanted, excluded)
    assert question.text == text.strip()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "blank"),
        ("  ", "blank"),
        ("-red", "wants nothing"),
        ("-red -blue", "wants nothing"),
        ("mug -", "without a word"),
        ("mug - red", "without a word"),
        ("mug -red -", "without a word"),
    ],
)
def test_questions_that_cannot_be_meant_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_question(text)


def test_what_is_excluded_takes_its_share_away() -> None:
    of_terms = torch.tensor([[0.9, 0.8, 0.5], [0.9, 0.0, 0.0], [0.1, 0.0, 1.0]])
    scores = combined(of_terms, [(0,), (0, 1), (0, 1, 2)])
    expected = [[0.9, 0.9 * 0.2, 0.9 * 0.2 * 0.5], [0.9, 0.9, 0.9], [0.1, 0.1, 0.0]]
    torch.testing.assert_close(scores, torch.tensor(expected))
    assert of_terms[0, 0] == 0.9  # left as it was


def test_terms_that_prompts_share_are_encoded_once_and_together() -> None:
    words = Letters()
    prompts = make_prompts(TextVectors(words), ["mug -red", "red", "mug"], (), 0.5)
    assert words.asked == [["mug", "red"]]
    assert prompts.terms == ((0, 1), (1,), (0,))
    assert prompts.texts == ("mug -red", "red", "mug")
    assert prompts.vectors.argmax(1).tolist() == [12, 17]


def test_a_known_text_is_not_encoded_again_and_the_oldest_are_forgotten() -> None:
    words = Letters()
    encoder = TextVectors(words, capacity=2)
    encoder.encode(["a", "b"])
    encoder.encode(["a"])
    encoder.encode(["c"])  # b was used longest ago
    encoder.encode(["a", "c"])
    assert words.asked == [["a", "b"], ["c"]]
    both = encoder.encode(["b", "a", "b", "c"])  # more than are kept
    assert words.asked[-1] == ["b"]
    assert both.argmax(1).tolist() == [1, 0, 1, 2]
    assert len(encoder) == 2


def test_a_refused_text_leaves_nothing_behind() -> None:
    encoder = TextVectors(Letters())
    with pytest.raises(ValueError, match="qqq"):
        encoder.encode(["a", "qqq"])
    assert len(encoder) == 0


@pytest.mark.parametrize("texts", [["mug", "mug "], ["", "mug"], ["-mug"], ["mug"] * 1001])
def test_prompts_that_cannot_stand_together_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="prompt"):
        make_prompts(TextVectors(Letters()), texts, (), 0.5)


def test_cosines_of_latents_are_those_of_the_features_they_stand_for() -> None:
    torch.manual_seed(0)
    codec = LatentCodec([40], 12)
    features = torch.randn(500, 12) @ torch.randn(12, 40)
    for _ in range(3):
        codec.observe(features)
    latents = torch.cat([codec.encode(features), torch.zeros(2, 12)])
    distiller = SimpleNamespace(latent_dim=12, decode=codec.decode, words=SimpleNamespace(dim=40))
    vectors = torch.nn.functional.normalize(torch.randn(7, 40), dim=1)
    found, lengths = cosines(distiller, latents, vectors)
    decoded = codec.decode(latents)
    expected = torch.nn.functional.normalize(decoded, dim=1) @ vectors.T
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(lengths[:, 0], decoded.norm(dim=1), atol=1e-3, rtol=1e-4)
    assert not found[-2:].any()


def test_cosines_hold_for_one_of_several_heads() -> None:
    torch.manual_seed(0)
    codec = LatentCodec([20, 30], 12)
    features = torch.randn(500, 12) @ torch.randn(12, 50)
    for _ in range(3):
        codec.observe(features)
    latents = codec.encode(features)
    words = SimpleNamespace(dim=30)
    distiller = SimpleNamespace(latent_dim=12, decode=lambda z: codec.decode(z, 1), words=words)
    vectors = torch.nn.functional.normalize(torch.randn(7, 30), dim=1)
    found, _ = cosines(distiller, latents, vectors)
    expected = torch.nn.functional.normalize(codec.decode(latents, 1), dim=1) @ vectors.T
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
