# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import tiny
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from f4x_ros.core.features import describe, make_extractor
from f4x_ros.core.features.base import Examples, Words
from f4x_ros.core.features.openclip import NEGATIVES, TEMPLATES, OpenClipExtractor
from f4x_ros.core.features.openclip_vit import ATTENTIONS, dense_tokens, pooled

TOWERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "averaged": {"pool_type": "avg", "final_ln_after_pool": True},
    "scaled": {"ls_init_value": 0.5, "no_ln_pre": True},
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("towers")
    return {name: tiny.add_model(folder, f"f4x-{name}", **kw) for name, kw in TOWERS.items()}


@pytest.fixture(scope="module")
def plain(checkpoints: dict[str, Path]) -> OpenClipExtractor:
    return tiny.load(checkpoints["plain"])


def by_the_library(extractor: OpenClipExtractor, images: Tensor) -> Tensor:
    """Images [B, 3, H, W] in 0..1, normalised as open_clip's own transform does."""
    config = extractor.model.visual.preprocess_cfg
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    return (images - mean) / std


@pytest.mark.parametrize("tower", TOWERS)
def test_pooled_output_is_encode_image(checkpoints: dict[str, Path], tower: str) -> None:
    extractor = tiny.load(checkpoints[tower])
    images = by_the_library(extractor, torch.rand(2, 3, 64, 64))
    expected = extractor.model.encode_image(images)
    assert (pooled(extractor.model.visual, images) - expected).abs().max() < 1e-5
    assert expected.abs().max() > 0.1


def test_unchanged_attention_gives_the_tokens_of_the_library(plain: OpenClipExtractor) -> None:
    visual = plain.model.visual
    images = by_the_library(plain, torch.rand(2, 3, 64, 64))
    visual.output_tokens = True
    try:
        tokens = visual(images)[1] @ visual.proj
    finally:
        visual.output_tokens = False
    dense = dense_tokens(visual, images, "clip")
    assert dense.shape == (2, 32, 4, 4)
    assert (dense.flatten(2).transpose(1, 2) - tokens).abs().max() < 1e-5


@pytest.mark.parametrize("size", [32, 96, 160])
def test_other_sizes_agree_with_a_model_built_for_them(
    checkpoints: dict[str, Path], size: int
) -> None:
    extractor = tiny.load(checkpoints["plain"])
    other = open_clip.create_model(
        "f4x-plain", pretrained=str(checkpoints["plain"]), force_image_size=size
    ).eval()
    images = by_the_library(extractor, torch.rand(1, 3, size, size))
    with torch.no_grad():
        expected = other.encode_image(images)
    assert (pooled(extractor.model.visual, images) - expected).abs().max() < 1e-5


def by_the_formula(attn: Any, x: Tensor, attention: str) -> Tensor:
    """The papers' attention for one image [L, width], head by head."""
    out = torch.zeros_like(x)
    width = x.shape[1]
    size = width // attn.num_heads
    for head in range(attn.num_heads):
        q, k, v = (
            x @ attn.in_proj_weight[part * width + head * size :][:size].T
            + attn.in_proj_bias[part * width + head * size :][:size]
            for part in range(3)
        )
        own = torch.eye(len(x))
        weights = {
            "sclip": (q @ q.T / size**0.5).softmax(-1) + (k @ k.T / size**0.5).softmax(-1),
            "vv": (v @ v.T / size**0.5).softmax(-1),
            "maskclip": own,
            "clip": (q @ k.T / size**0.5).softmax(-1),
        }[attention]
        out[:, head * size : (head + 1) * size] = weights @ v
    return out @ attn.out_proj.weight.T + attn.out_proj.bias


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_attention_is_that_of_the_paper(plain: OpenClipExtractor, attention: str) -> None:
    visual = plain.model.visual
    images = by_the_library(plain, torch.rand(1, 3, 64, 64))
    x = visual._embeds(images)
    for block in visual.transformer.resblocks[:-1]:
        x = block(x)
    last = visual.transformer.resblocks[-1]
    x = x[0] + by_the_formula(last.attn, last.ln_1(x)[0], attention)
    x = x + last.mlp(last.ln_2(x))
    expected = (visual.ln_post(x)[1:] @ visual.proj).T.reshape(1, 32, 4, 4)
    assert (dense_tokens(visual, images, attention) - expected).abs().max() < 1e-5


def test_the_default_attention_is_not_clip_s_own(plain: OpenClipExtractor) -> None:
    images = torch.rand(1, 3, 64, 64)
    unchanged = dense_tokens(plain.model.visual, by_the_library(plain, images), "clip")
    assert (plain.dense(images) - normalize(unchanged, dim=1)).abs().max() > 1e-3


@pytest.mark.parametrize(
    "height,width,size,grid",
    [
        (64, 64, "0", (4, 4)),
        (241, 319, "0", (4, 5)),
        (17, 200, "0", (4, 47)),
        (240, 320, "128", (8, 11)),
        (5, 5, "16", (1, 1)),
    ],
)
def test_odd_sizes_become_whole_patches(
    checkpoints: dict[str, Path], height: int, width: int, size: str, grid: tuple[int, int]
) -> None:
    extractor = tiny.load(checkpoints["plain"], size=size)
    features = extractor.dense(torch.rand(2, 3, height, width))
    assert features.shape == (2, extractor.dim, *grid)
    assert torch.allclose(features.norm(dim=1), torch.ones(2, *grid), atol=1e-5)


def test_patches_lie_where_the_image_has_them(checkpoints: dict[str, Path]) -> None:
    extractor = tiny.load(checkpoints["plain"], attention="maskclip", size="128")
    black = torch.zeros(1, 3, 128, 192)
    spot = black.clone()
    spot[:, :, 32:48, 112:128] = 1  # row 2, column 7
    change = (extractor.dense(spot) - extractor.dense(black)).norm(dim=1)[0]
    assert int(change.argmax()) == 2 * 12 + 7


def test_several_sizes_are_averaged_on_the_finest_grid(checkpoints: dict[str, Path]) -> None:
    images = torch.rand(1, 3, 96, 128)
    small, large, both = (
        tiny.load(checkpoints["plain"], size=size).dense(images) for size in ("64", "128", "128,64")
    )
    assert both.shape == large.shape
    enlarged = interpolate(small, large.shape[2:], mode="bilinear", align_corners=False)
    assert torch.allclose(both, normalize(large + enlarged, dim=1), atol=1e-5)
    assert (both - large).abs().max() > 1e-2


@pytest.mark.parametrize("size", ["64,", "64,big", "64,12.5", "-1", "64,5000"])
def test_sizes_that_are_no_numbers_are_named(checkpoints: dict[str, Path], size: str) -> None:
    with pytest.raises(ValueError, match=r"option 'size' of extractor 'openclip' is .*, expected"):
        tiny.load(checkpoints["plain"], size=size)


def test_text_is_encode_text_averaged_over_the_templates(plain: OpenClipExtractor) -> None:
    tokenizer = open_clip.get_tokenizer("f4x-plain")
    prompts = ["red mug", "wooden table"]
    for prompt, vector in zip(prompts, plain.text(prompts), strict=True):
        tokens = tokenizer([template.format(prompt) for template in TEMPLATES])
        expected = normalize(plain.model.encode_text(tokens, normalize=True).mean(0), dim=0)
        assert (vector - expected).abs().max() < 1e-5


def test_relevancy_is_lerf_s(plain: OpenClipExtractor) -> None:
    features, text = torch.randn(50, 32), plain.text(["mug", "chair"])
    unit = normalize(features, dim=-1)
    negatives = plain.text(NEGATIVES)
    pairs = torch.stack(
        [
            torch.stack([(10 * unit @ text.T), (10 * unit @ n)[:, None].expand(-1, 2)]).softmax(0)
            for n in negatives
        ]
    )
    found = plain.relevancy(features, text)
    assert torch.allclose(found, pairs[:, 0].amin(0), atol=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1


def test_the_prompt_s_own_vector_is_relevant_and_a_negative_is_not(
    plain: OpenClipExtractor,
) -> None:
    text = plain.text(["mug"])
    assert plain.relevancy(text, text) > plain.threshold
    assert plain.relevancy(plain.text(NEGATIVES[:1]), text) < plain.threshold


def test_a_feature_never_observed_is_nothing(plain: OpenClipExtractor) -> None:
    assert plain.relevancy(torch.zeros(3, plain.dim), plain.text(["mug"])).abs().max() == 0


def test_nothing_it_returns_keeps_a_graph(plain: OpenClipExtractor) -> None:
    features, text = plain.dense(torch.rand(1, 3, 64, 64)), plain.text(["mug"])
    assert not features.requires_grad
    weights = torch.ones(1, requires_grad=True)
    (features.mean() * weights).sum().backward()  # not an inference tensor
    assert weights.grad is not None
    assert not text.requires_grad


def test_it_is_an_extractor_of_the_registry(checkpoints: dict[str, Path]) -> None:
    extractor = make_extractor(
        "openclip", options={"model": "f4x-plain", "pretrained": str(checkpoints["plain"])}
    )
    assert isinstance(extractor, Words)
    assert isinstance(extractor, Examples)
    assert extractor.dim == 32
    assert {status.name: status.available for status in describe()}["openclip"]


def test_a_prompt_that_would_be_cut_is_refused(plain: OpenClipExtractor) -> None:
    with pytest.raises(ValueError, match="tokens, expected at most 75"):
        plain.text(["mug " * 80])
    assert plain.text([]).shape == (0, 32)


def test_wrong_images_are_named(plain: OpenClipExtractor) -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 4, 8, 8\), expected \[B, 3, H, W\]"):
        plain.dense(torch.rand(1, 4, 8, 8))
