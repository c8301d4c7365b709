# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import save_file

from f4x_ros.core.features.openclip import OpenClipExtractor


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.add_model(tmp_path_factory.mktemp("weights"), "f4x-weights")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_checkpoint_file_is_what_ends_up_in_the_model(checkpoint: Path) -> None:
    saved = torch.load(checkpoint, weights_only=True)
    loaded = tiny.load(checkpoint).model.state_dict()
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)


def test_a_folder_with_configuration_and_weights_loads(checkpoint: Path, tmp_path: Path) -> None:
    model = json.loads(checkpoint.with_suffix(".json").read_text())
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": model}))
    with pytest.raises(ValueError, match=f"'local-dir:{tmp_path}' does not load"):
        OpenClipExtractor.load({"model": f"local-dir:{tmp_path}"})
    weights = torch.load(checkpoint, weights_only=True)
    save_file(weights, tmp_path / "open_clip_model.safetensors")
    extractor = OpenClipExtractor.load({"model": f"local-dir:{tmp_path}"})
    assert torch.equal(extractor.text(["mug"]), tiny.load(checkpoint).text(["mug"]))


def test_a_tag_is_taken_from_the_cache_of_the_hub(checkpoint: Path, tmp_path: Path) -> None:
    tiny.add_tag("f4x-weights", "in_hub", hf_hub="f4x/weights/")
    repository = tmp_path / "models--f4x--weights"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    save_file(torch.load(checkpoint, weights_only=True), snapshot / "open_clip_model.safetensors")
    extractor = OpenClipExtractor.load(
        {"model": "f4x-weights", "pretrained": "in_hub", "cache": str(tmp_path)}
    )
    assert torch.equal(extractor.text(["mug"]), tiny.load(checkpoint).text(["mug"]))


def test_a_tag_brings_its_activation_and_normalisation(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "quick.pt").write_bytes(checkpoint.read_bytes())
    tiny.add_tag(
        "f4x-weights",
        "quick",
        url="https://example.org/quick.pt",
        quick_gelu=True,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    )
    extractor = OpenClipExtractor.load(
        {"model": "f4x-weights", "pretrained": "quick", "cache": str(tmp_path)}
    )
    block = extractor.model.visual.transformer.resblocks[0]
    assert type(block.mlp.gelu).__name__ == "QuickGELU"
    assert extractor.model.visual.preprocess_cfg["std"] == (0.25, 0.25, 0.25)


def test_a_tag_that_is_not_cached_is_named_and_not_fetched(tmp_path: Path) -> None:
    options = {"model": "ViT-B-16", "pretrained": "laion2b_s34b_b88k", "cache": str(tmp_path)}
    with pytest.raises(ValueError, match="is not in") as caught:
        OpenClipExtractor.load(options)
    for part in (
        "open_clip_model.safetensors (598 MB)",
        str(tmp_path / "models--laion--CLIP-ViT-B-16-laion2B-s34B-b88K"),
        "f4x weights fetch ViT-B-16.laion2b_s34b_b88k",
        "pretrained=PATH",
        "allow_download=true",
    ):
        assert part in str(caught.value)


def test_a_tag_that_our_table_lacks_is_named_as_well(checkpoint: Path, tmp_path: Path) -> None:
    tiny.add_tag("f4x-weights", "nowhere", hf_hub="f4x/nowhere/")
    options = {"model": "f4x-weights", "pretrained": "nowhere", "cache": str(tmp_path)}
    folder = tmp_path / "models--f4x--nowhere"
    with pytest.raises(ValueError, match=f"open_clip_model.safetensors in {folder}.*=true"):
        OpenClipExtractor.load(options)


def test_a_download_that_fails_is_told(checkpoint: Path, tmp_path: Path) -> None:
    tiny.add_tag("f4x-weights", "online", url="https://example.org/online.pt")
    options = {
        "model": "f4x-weights",
        "pretrained": "online",
        "cache": str(tmp_path),
        "allow_download": "true",
    }
    with pytest.raises(ValueError, match=r"'online' .*cannot be fetched: .*asked for the network"):
        OpenClipExtractor.load(options)


@pytest.mark.parametrize(
    "options,why",
    [
        ({}, "pretrained of extractor 'openclip' is missing.*laion2b_s34b_b88k"),
        ({"pretrained": "/no/such/file.pt"}, "'/no/such/file.pt': there is no such file"),
        ({"model": "ViT-X", "pretrained": "a"}, "model 'ViT-X' is unknown to open_clip"),
        ({"modle": "ViT-B-16"}, "option 'modle' .* is unknown; known: model, pretrained"),
        (
            {"attention": "qq"},
            "'attention' of extractor 'openclip' is 'qq', expected one of auto, sclip",
        ),
        ({"size": "big"}, "'size' of extractor 'openclip' is 'big'"),
        ({"allow_download": "maybe"}, "'allow_download' .* is 'maybe', expected a value of type"),
        ({"model": "local-dir:/no/such"}, "/no/such"),
        ({"model": "local-dir:/tmp", "pretrained": "x"}, "expected none with 'local-dir:/tmp'"),
        ({"model": "hf-hub:a/b"}, "'hf-hub:a/b' needs allow_download=true"),
    ],
)
def test_wrong_options_are_named(options: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        OpenClipExtractor.load(options)


def test_a_model_with_words_from_elsewhere_does_not_reach_out(checkpoint: Path) -> None:
    options = {"model": "roberta-ViT-B-32", "pretrained": str(checkpoint)}
    with pytest.raises(ValueError, match="'roberta-base' of the transformers library"):
        OpenClipExtractor.load(options)


def test_a_file_that_is_no_checkpoint_is_named(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.pt").write_bytes(b"not a checkpoint")
    for file in (tmp_path / "noise.pt", tmp_path / "other.pt"):
        torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pt")
        with pytest.raises(ValueError, match=f"checkpoint '{file}' does not load"):
            tiny.load(checkpoint, pretrained=str(file))


def test_a_tower_that_is_no_transformer_is_refused(tmp_path: Path) -> None:
    file = tiny.add_model(tmp_path, "resnet-f4x")
    with pytest.raises(ValueError, match="'resnet-f4x' has the image tower ModifiedResNet"):
        tiny.load(file)
