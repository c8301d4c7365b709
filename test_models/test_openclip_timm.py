# SPDX-License-Identifier: Apache-2.0
"""SigLIP 2 and MobileCLIP 2: image towers of timm inside of open_clip."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import open_clip
import pytest
import tiny
import tiny_timm
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import normalize

from f4x_ros.core.features.openclip import TEMPLATES, OpenClipExtractor
from f4x_ros.core.features.openclip_timm import TimmTower
from f4x_ros.core.features.weights import CHECKPOINTS

WORDS = "a photo of the in room there is scene cropped object things stuff texture red mug"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("timm")
    return {name: tiny_timm.add_model(folder, name) for name in tiny_timm.NAMES}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def places(checkpoint: Path, images: Tensor, attention: str = "clip") -> Tensor:
    """Our features of every place [B, L, C], not normalised."""
    tower = TimmTower("tiny", tiny_timm.by_the_library(checkpoint).visual)
    return tower.dense(images, attention).flatten(2).transpose(1, 2)


def test_of_convolutions_the_mean_over_places_is_encode_image(
    checkpoints: dict[str, Path],
) -> None:
    """In any size, and though the library's branches are fused here."""
    checkpoint = checkpoints["f4x-mobile-s"]
    library = tiny_timm.by_the_library(checkpoint)
    for size in ((64, 64), (96, 160)):
        images = torch.rand(2, 3, *size)
        found = places(checkpoint, images)
        assert found.shape == (2, size[0] * size[1] // 32**2, 48)
        expected = library.encode_image(images)
        torch.testing.assert_close(found.mean(1), expected, atol=1e-5, rtol=1e-4)
        assert found.std(1).mean() > 1e-3


def test_of_attention_pooling_a_picture_of_one_place_is_encode_image(
    checkpoints: dict[str, Path],
) -> None:
    checkpoint = checkpoints["f4x-pooled"]
    images = torch.rand(3, 3, 16, 16)
    expected = tiny_timm.by_the_library(checkpoint, size=16).encode_image(images)
    found = places(checkpoint, images)
    assert found.shape == (3, 1, 48)
    torch.testing.assert_close(found[:, 0], expected, atol=1e-5, rtol=1e-5)


def test_of_attention_pooling_each_place_is_its_own_value(checkpoints: dict[str, Path]) -> None:
    checkpoint = checkpoints["f4x-pooled"]
    trunk = tiny_timm.by_the_library(checkpoint).visual.trunk
    images = torch.rand(2, 3, 64, 64)
    pool = trunk.attn_pool
    tokens = trunk.forward_features(images)
    value = tokens @ pool.kv.weight[48:].T + pool.kv.bias[48:]
    said = value @ pool.proj.weight.T + pool.proj.bias
    expected = said + pool.mlp(pool.norm(said))
    torch.testing.assert_close(places(checkpoint, images), expected, atol=1e-5, rtol=1e-5)
    assert (expected[:, 0] - expected[:, 5]).abs().max() > 1e-2


def by_the_formula(attn: Any, x: Tensor, attention: str) -> Tensor:
    """The papers' attention for one picture [L, width], head by head."""
    width = x.shape[1]
    size = width // attn.num_heads
    out = torch.zeros_like(x)
    for head in range(attn.num_heads):
        q, k, v = (
            x @ attn.qkv.weight[part * width + head * size :][:size].T
            + attn.qkv.bias[part * width + head * size :][:size]
            for part in range(3)
        )
        weights = {
            "sclip": (q @ q.T / size**0.5).softmax(-1) + (k @ k.T / size**0.5).softmax(-1),
            "vv": (v @ v.T / size**0.5).softmax(-1),
            "maskclip": torch.eye(len(x)),
            "clip": (q @ k.T / size**0.5).softmax(-1),
        }[attention]
        out[:, head * size : (head + 1) * size] = weights @ v
    return out @ attn.proj.weight.T + attn.proj.bias


@pytest.mark.parametrize("attention", ["sclip", "vv", "maskclip", "clip"])
@pytest.mark.parametrize("name", ["f4x-mobile-b", "f4x-pooled"])
def test_the_last_block_has_the_attention_of_the_paper(
    checkpoints: dict[str, Path], name: str, attention: str
) -> None:
    trunk = tiny_timm.by_the_library(checkpoints[name]).visual.trunk
    images = torch.rand(1, 3, 64, 64)
    before: list[Tensor] = []
    trunk.blocks[-1].register_forward_pre_hook(lambda _, args: before.append(args[0]))
    trunk.forward_features(images)
    last = trunk.blocks[-1]
    x = before[0][0]
    x = x + by_the_formula(last.attn, last.norm1(x), attention)
    x = trunk.norm(x + last.mlp(last.norm2(x)))[trunk.num_prefix_tokens :]
    expected = torch.stack([trunk.forward_head(place[None, None])[0] for place in x])
    found = places(checkpoints[name], images, attention)[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["f4x-mobile-b", "f4x-pooled"])
@pytest.mark.parametrize("size", [(32, 96), (112, 80)])
def test_other_sizes_agree_with_a_model_built_for_them(
    checkpoints: dict[str, Path], name: str, size: tuple[int, int]
) -> None:
    built = tiny_timm.by_the_library(checkpoints[name]).visual
    built.set_input_size(size)
    images = torch.rand(1, 3, *size)
    seen = built.trunk.forward_features(images)[0, built.trunk.num_prefix_tokens :]
    expected = torch.stack([built.trunk.forward_head(place[None, None])[0] for place in seen])
    found = places(checkpoints[name], images)[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", tiny_timm.NAMES)
def test_they_are_extractors_with_words(checkpoints: dict[str, Path], name: str) -> None:
    extractor = tiny.load(checkpoints[name], size="96")
    features = extractor.dense(torch.rand(2, 3, 90, 140))
    stride = 32 if name == "f4x-mobile-s" else 16
    assert features.shape == (2, 48, 96 // stride, round(140 * 96 / 90 / stride))
    assert torch.allclose(features.norm(dim=1), torch.ones(features.shape[0], 1, 1), atol=1e-5)
    assert not features.requires_grad
    text = extractor.text(["red mug"])
    assert text.shape == (1, extractor.dim)
    found = extractor.relevancy(features.flatten(2)[0].T, text)
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("name", tiny_timm.NAMES)
def test_places_lie_where_the_image_has_them(checkpoints: dict[str, Path], name: str) -> None:
    extractor = tiny.load(checkpoints[name], size="256")
    gray = torch.full((1, 3, 256, 384), 0.5)
    spot = gray.clone()
    spot[:, :, 64:96, 256:288] = 1
    change = (extractor.dense(spot) - extractor.dense(gray)).norm(dim=1)[0]
    row, column = divmod(int(change.argmax()), change.shape[1])
    stride = 256 // change.shape[0]
    assert abs((row + 0.5) * stride - 80) <= stride  # convolutions see their neighbours, too
    assert abs((column + 0.5) * stride - 272) <= stride


def test_the_last_block_is_changed_only_where_there_is_a_class_token(
    checkpoints: dict[str, Path],
) -> None:
    images = torch.rand(1, 3, 64, 64)
    for name, own in (("f4x-pooled", "clip"), ("f4x-mobile-b", "sclip"), ("f4x-mobile-s", "clip")):
        auto = tiny.load(checkpoints[name]).dense(images)
        assert torch.equal(auto, tiny.load(checkpoints[name], attention=own).dense(images))
    with pytest.raises(ValueError, match=r"attention is 'sclip'.*no last block"):
        tiny.load(checkpoints["f4x-mobile-s"], attention="sclip").dense(images)


def test_a_file_is_prepared_as_all_published_ones_of_its_model(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    """SigLIP wants other pixels than CLIP, and a file alone does not say so."""
    half = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    name = "f4x-prepared"
    checkpoint = tiny_timm.add_model(tmp_path, "f4x-pooled", called=name)
    default = tiny.load(checkpoint).model.visual.preprocess_cfg
    assert default["mean"][0] == pytest.approx(0.481, abs=0.001)
    tiny.add_tag(name, "one", url="https://example.org/one.pt", **half)
    tiny.add_tag(name, "two", url="https://example.org/two.pt", **half)
    assert tiny.load(checkpoint).model.visual.preprocess_cfg["std"] == (0.5, 0.5, 0.5)
    tiny.add_tag(name, "three", url="https://example.org/three.pt", mean=(0.0, 0.0, 0.0))
    assert tiny.load(checkpoint).model.visual.preprocess_cfg["mean"] == default["mean"]


def test_words_are_read_by_the_tokenizer_beside_the_checkpoint(tmp_path: Path) -> None:
    """As files of SigLIP lie in the cache, and in a folder that `f4x weights fetch --to` made."""
    kwargs = {"hf_tokenizer_name": "f4x/nowhere", "tokenizer_kwargs": {"clean": "canonicalize"}}
    checkpoint = tiny_timm.add_model(tmp_path, "f4x-pooled", called="f4x-worded", **kwargs)
    with pytest.raises(ValueError, match=r"reads words with tokenizer\.json .* of f4x/nowhere"):
        tiny.load(checkpoint, cache=str(tmp_path / "cache"))
    tiny_timm.add_tokenizer(tmp_path, WORDS)
    extractor = tiny.load(checkpoint)
    library = tiny_timm.by_the_library(checkpoint)
    tokenizer = open_clip.tokenizer.HFTokenizer(
        str(tmp_path), context_length=16, clean="canonicalize"
    )
    tokens = tokenizer([template.format("red mug") for template in TEMPLATES])
    assert tokens.shape == (5, 16)
    expected = normalize(library.encode_text(tokens, normalize=True).mean(0), dim=0)
    assert (extractor.text(["red mug"])[0] - expected).abs().max() < 1e-5
    assert (extractor.text(["red mug"]) - extractor.text(["red room"])).abs().max() > 1e-3
    with pytest.raises(ValueError, match="tokens, expected at most 14"):
        extractor.text(["mug " * 15])


def test_a_folder_with_tokenizer_and_weights_loads(tmp_path: Path) -> None:
    text = {"hf_tokenizer_name": "f4x/nowhere", "tokenizer_kwargs": {"clean": "canonicalize"}}
    checkpoint = tiny_timm.add_model(tmp_path, "f4x-pooled", called="f4x-foldered", **text)
    folder = tmp_path / "folder"
    folder.mkdir()
    config = {
        "model_cfg": tiny_timm.config_of("f4x-pooled", **text),
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(torch.load(checkpoint, weights_only=True), folder / "open_clip_model.safetensors")
    with pytest.raises(ValueError, match=r"neither in .*folder nor in"):
        OpenClipExtractor.load({"model": f"local-dir:{folder}"})
    tiny_timm.add_tokenizer(folder, WORDS)
    tiny_timm.add_tokenizer(tmp_path, WORDS)
    extractor = OpenClipExtractor.load({"model": f"local-dir:{folder}"})
    assert torch.equal(extractor.text(["mug"]), tiny.load(checkpoint).text(["mug"]))
    assert list(extractor.model.visual.preprocess_cfg["mean"]) == [0.5, 0.5, 0.5]
    assert extractor.calibrated.checkpoint == folder / "open_clip_config.json"


def test_the_listed_checkpoints_are_the_library_s() -> None:
    listed = [one for one in CHECKPOINTS if one.extractor == "openclip"]
    assert len(listed) == 12
    for known in listed:
        model, _, tag = known.name.partition(".")
        with torch.device("meta"):
            made = open_clip.create_model(model, pretrained=None, device="meta")
        size = sum(v.numel() * v.element_size() for v in made.state_dict().values()) / 1e6
        assert known.megabytes == pytest.approx(size, abs=0.1), known.name
        published = open_clip.get_pretrained_cfg(model, tag)
        assert published["hf_hub"].strip("/") == known.repository
        text = open_clip.get_model_config(model)["text_cfg"]
        assert bool(known.companions) == bool(text.get("hf_tokenizer_name"))
        if known.companions:
            assert text["hf_tokenizer_name"] == known.repository
        tower = getattr(made.visual, "trunk", made.visual)
        assert type(tower).__name__ in ("VisionTransformer", "FastVit")
