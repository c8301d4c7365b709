# SPDX-License-Identifier: Apache-2.0
"""Several extractors side by side: who is asked what, and whose options are whose."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.config import FeaturesConfig
from f4x_ros.core.features.base import Clicks, Examples, FeatureExtractor, Masks, Traits
from f4x_ros.core.features.color import ColorExtractor
from f4x_ros.core.features.heads import Heads, make_heads, split_options
from f4x_ros.core.features.looks import Look, Shot


class Grey(FeatureExtractor):
    """Brightness and edges in a quarter of the resolution; no words."""

    name = "grey"
    dim = 2
    licence = "Apache-2.0"

    def dense(self, images: Tensor) -> Tensor:
        grey = torch.nn.functional.avg_pool2d(images.mean(1, True), 4)
        return torch.cat([grey, 1 - grey], 1)


class Pointed(Grey, Clicks):
    """The same, and every click means all of the picture."""

    def decode(
        self, embedding: Tensor, *, size: tuple[int, int], **prompts: Tensor | None
    ) -> Masks:
        return Masks(torch.ones(1, *size) > 0, torch.ones(1), torch.ones(1, *size))


class Alike(Grey, Examples):
    """The same, and what looks alike is alike."""

    name = "alike"


def test_words_go_to_the_first_that_has_language_and_clicks_to_the_first_that_takes_them() -> None:
    heads = Heads([Pointed(), ColorExtractor()])
    assert heads.words.name == "color"
    assert heads.prompted is heads.extractors["grey"]
    assert (heads.names, heads.name, heads.dims) == (("grey", "color"), "grey,color", (2, 16))
    assert (heads.index(None), heads.index("grey")) == (1, 0)
    assert Heads([ColorExtractor()]).prompted is None


def test_without_any_language_who_is_asked_by_example_is_asked_and_words_say_so() -> None:
    assert Heads([Grey(), Alike()]).words.name == "alike"
    assert Heads([Grey()]).words.name == "grey"
    for extractor, does in (
        (Grey(), "has no language;"),
        (Pointed(), "has no language, it answers clicks and boxes;"),
        (Alike(), "has no language, it finds what looks like an example"),
    ):
        texts = TextVectors(Heads([extractor]).words)
        assert texts.encode([]).shape == (0, 2)
        with pytest.raises(ValueError, match=rf"{does}.* by 'embedded', 'color', 'openclip'$"):
            texts.encode(["mug"])


def test_each_head_keeps_its_resolution() -> None:
    image = torch.rand(3, 24, 32)
    shot = Shot(image, image, Look(0, 0, 32, 24, whole=True), (32, 24))
    coarse, fine = Heads([Grey(), ColorExtractor()]).parts(shot)
    assert coarse.features.shape == (2, 6, 8)
    assert fine.features.shape == (16, 24, 32)
    assert (coarse.start, fine.start) == (0, 2)


def test_heads_are_made_by_their_names() -> None:
    heads = make_heads(FeaturesConfig(extractor=" color "))
    assert heads.names == ("color",)
    for extractor, words in (
        ("color,,", "expected names with commas between"),
        ("", "expected names with commas between"),
        ("color,color", "'color' is given twice"),
        ("color,telepathy", "'telepathy' is unknown"),
    ):
        with pytest.raises(ValueError, match=words):
            make_heads(FeaturesConfig(extractor=extractor))


def test_options_of_several_name_their_extractor() -> None:
    names = ["embedded", "sam2"]
    given = {"sam2.model": "tiny", "embedded.weights": "/a/b.c", "sam2.cache": "x"}
    assert split_options(names, given) == {
        "embedded": {"weights": "/a/b.c"},
        "sam2": {"model": "tiny", "cache": "x"},
    }
    with pytest.raises(ValueError, match=r"'model', expected .*embedded\.model or sam2\.model"):
        split_options(names, {"model": "tiny"})
    with pytest.raises(ValueError, match=r"'dinov2\.model', expected one of .*embedded, sam2"):
        split_options(names, {"dinov2.model": "tiny"})


def test_options_of_one_need_not_name_it() -> None:
    assert split_options(["sam2"], {"model": "tiny", "sam2.cache": "x"}) == {
        "sam2": {"model": "tiny", "cache": "x"}
    }


def test_what_an_extractor_knows_about_its_features_is_taken_along() -> None:
    grey = Grey()
    grey.traits = Traits(moment=torch.eye(2) / 2)
    first, second = Heads([ColorExtractor(), grey]).traits
    assert first.moment is None
    assert second is grey.traits


def test_no_extractor_no_head_and_two_of_a_name_are_errors() -> None:
    with pytest.raises(ValueError, match="no extractors"):
        Heads([])
    with pytest.raises(ValueError, match="'color' is given twice"):
        Heads([ColorExtractor(), ColorExtractor()])
    with pytest.raises(ValueError, match="head is 'sam2', expected one of color"):
        Heads([ColorExtractor()]).index("sam2")
