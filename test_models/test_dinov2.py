# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import register_model
from torch import Tensor
from torch.nn.functional import normalize

from f4x_ros.core.features import Clicks, Examples, Words, describe, language_of, make_extractor
from f4x_ros.core.features.dinov2 import Dinov2Extractor
from f4x_ros.core.features.examples import at_pixel, best_match, similar
from f4x_ros.core.features.patches import whole_patches
from f4x_ros.core.features.weights import CHECKPOINTS


def f4x_tiny_dinov2(pretrained: bool = False, **kwargs: Any) -> Any:
    """As timm makes vit_small_patch14_dinov2, smaller."""
    from timm.models.vision_transformer import _create_vision_transformer

    small = {"patch_size": 14, "embed_dim": 48, "depth": 3, "num_heads": 3, "init_values": 1e-5}
    arguments = {**small, "img_size": 70, **kwargs}
    return _create_vision_transformer("vit_small_patch14_dinov2", pretrained, **arguments)


def naflexvit_f4x_tiny_radio(pretrained: bool = False, **kwargs: Any) -> Any:
    """As timm makes naflexvit_base_patch16_radio_v3, smaller."""
    from timm.models.naflexvit import _create_naflexvit, _radio_vit_cfg

    cfg = _radio_vit_cfg(embed_dim=48, depth=3, num_heads=3, init_values=1e-5, reg_tokens=7)
    return _create_naflexvit("naflexvit_base_patch16_radio_v3", pretrained, cfg=cfg, **kwargs)


register_model(f4x_tiny_dinov2)
register_model(naflexvit_f4x_tiny_radio)


def random(model: Any) -> Any:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():  # norms, biases and layer scales start as constants
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return model.eval()


@pytest.fixture(scope="module")
def model() -> Any:
    return random(timm.create_model("f4x_tiny_dinov2", num_classes=0))


@pytest.fixture(scope="module")
def weights(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dino") / "tiny.safetensors"
    save_file(model.state_dict(), file)
    return file


def load(weights: Path, **options: str) -> Dinov2Extractor:
    given = {"model": "f4x_tiny_dinov2", "checkpoint": str(weights), "size": "70", **options}
    return Dinov2Extractor.load(given)


@pytest.fixture(scope="module")
def dino(weights: Path) -> Dinov2Extractor:
    return load(weights)


def by_the_library(model: Any, images: Tensor) -> Tensor:
    """Tokens of forward_features, of images normalised as the library's configuration says."""
    config = model.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        return model.forward_features((images - mean) / std)


def test_patch_features_are_those_of_forward_features(dino: Dinov2Extractor, model: Any) -> None:
    images = torch.rand(2, 3, 70, 70)
    tokens = by_the_library(model, images)
    assert tokens.shape == (2, 1 + 25, 48)
    expected = normalize(tokens[:, 1:], dim=2)
    found = dino.dense(images)
    assert found.shape == (2, 48, 5, 5)
    assert (found.flatten(2).transpose(1, 2) - expected).abs().max() < 1e-5
    assert expected.std(1).mean() > 0.01


def test_other_sizes_are_those_of_a_model_built_for_them(
    dino: Dinov2Extractor, weights: Path
) -> None:
    """timm resamples a checkpoint's positions when the model is built for another size."""
    built = timm.create_model(
        "f4x_tiny_dinov2",
        pretrained=True,
        pretrained_cfg_overlay={"file": str(weights)},
        num_classes=0,
        img_size=(70, 98),
    ).eval()
    images = torch.rand(1, 3, 70, 98)
    expected = normalize(by_the_library(built, images)[:, 1:], dim=2)
    found = dino.dense(images)
    assert found.shape == (1, 48, 5, 7)
    assert (found.flatten(2).transpose(1, 2) - expected).abs().max() < 1e-5


@pytest.mark.parametrize(
    "height,width,size,grid",
    [(241, 319, "70", (5, 7)), (17, 200, "28", (2, 24)), (5, 5, "14", (1, 1))],
)
def test_odd_sizes_become_whole_patches(
    weights: Path, height: int, width: int, size: str, grid: tuple[int, int]
) -> None:
    features = load(weights, size=size).dense(torch.rand(2, 3, height, width))
    assert features.shape == (2, 48, *grid)
    assert torch.allclose(features.norm(dim=1), torch.ones(2, *grid), atol=1e-5)


def test_patches_lie_where_the_image_has_them(dino: Dinov2Extractor) -> None:
    black = torch.zeros(1, 3, 70, 98)
    spot = black.clone()
    spot[:, :, 28:42, 70:84] = 1  # row 2, column 5
    change = (dino.dense(spot) - dino.dense(black)).norm(dim=1)[0]
    assert int(change.argmax()) == 2 * 7 + 5


def test_a_thing_is_found_where_it_moved_to(dino: Dinov2Extractor) -> None:
    torch.manual_seed(3)
    thing = torch.rand(1, 3, 14, 14)
    first, second = (torch.full((1, 3, 140, 140), 0.5) for _ in range(2))
    first[:, :, 28:42, 42:56] = thing
    second[:, :, 112:126, 84:98] = thing
    wide = {"size": "140"}
    dino = load(Path(dino.model.pretrained_cfg["file"]), **wide)
    query = at_pixel(dino.dense(first)[0], 49, 35, (140, 140))
    pixels, cosine = best_match(similar(dino.dense(second), query[None])[0], (140, 140))
    assert pixels.tolist() == [[91.0, 119.0]]
    assert cosine > 0.9


def test_files_of_meta_load_as_well(model: Any, weights: Path, tmp_path: Path) -> None:
    """They have a mask token that timm leaves out."""
    file = tmp_path / "dinov2_pretrain.pth"
    torch.save({**model.state_dict(), "mask_token": torch.zeros(1, 48)}, file)
    images = torch.rand(1, 3, 70, 70)
    assert torch.equal(load(file).dense(images), load(weights).dense(images))


@pytest.mark.parametrize("name", ["vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"])
def test_registers_and_the_third_version_are_left_out_of_the_patches(
    name: str, tmp_path: Path
) -> None:
    made = random(timm.create_model(name, num_classes=0, dynamic_img_size=True))
    torch.save(made.state_dict(), tmp_path / "w.pth")
    patch = made.patch_embed.patch_size[0]
    dino = Dinov2Extractor.load(
        {"model": name, "checkpoint": str(tmp_path / "w.pth"), "size": str(3 * patch)}
    )
    images = torch.rand(1, 3, 3 * patch, 4 * patch)
    expected = normalize(by_the_library(made, images)[:, 5:], dim=2)
    found = dino.dense(images).flatten(2).transpose(1, 2)
    assert found.shape == (1, 12, 384)
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("height,width,size", [(64, 96, "64"), (120, 90, "48")])
def test_radio_is_that_of_the_library_in_any_size(
    height: int, width: int, size: str, tmp_path: Path
) -> None:
    name = "f4x_tiny_radio"
    made = random(timm.create_model(f"naflexvit_{name}", num_classes=0))
    torch.save(made.state_dict(), tmp_path / "w.pth")
    options = {"model": f"naflexvit_{name}", "checkpoint": str(tmp_path / "w.pth"), "size": size}
    radio = Dinov2Extractor.load(options)
    images = torch.rand(2, 3, height, width)
    scale = int(size) / min(height, width)
    grid = tuple(round(side * scale / 16) for side in (height, width))
    resized = whole_patches(images, int(size), (16, 16))
    assert resized.shape[2:] == (16 * grid[0], 16 * grid[1])
    expected = normalize(by_the_library(made, resized)[:, made.num_prefix_tokens :], dim=2)
    found = radio.dense(images)
    assert found.shape == (2, 48, *grid)
    assert (found.flatten(2).transpose(1, 2) - expected).abs().max() < 1e-5
    assert expected.std(1).mean() > 0.01


def test_it_says_what_it_can_and_has_no_words(dino: Dinov2Extractor) -> None:
    assert isinstance(dino, Examples)
    assert not isinstance(dino, (Words, Clicks))
    with pytest.raises(ValueError, match=r"'dinov2' has no language.*'color'.*'openclip'"):
        language_of(dino)
    assert {status.name: status.available for status in describe()}["dinov2"]


def test_an_example_is_relevant_to_itself_and_nothing_is_to_nothing(dino: Dinov2Extractor) -> None:
    features = dino.dense(torch.rand(1, 3, 70, 70))[0].flatten(1).T
    scores = dino.likeness(features, features)
    assert torch.allclose(scores.diagonal(), torch.ones(25), atol=1e-5)
    assert dino.likeness(torch.zeros(1, 48), features).abs().max() == 0


def test_nothing_it_returns_keeps_a_graph(dino: Dinov2Extractor) -> None:
    features = dino.dense(torch.rand(1, 3, 70, 70))
    assert not features.requires_grad
    weight = torch.ones(1, requires_grad=True)
    (features.mean() * weight).sum().backward()  # not an inference tensor
    assert weight.grad is not None


def test_the_listed_checkpoints_are_the_library_s() -> None:
    listed = [one for one in CHECKPOINTS if one.extractor == "dinov2"]
    assert len(listed) == 10
    for known in listed:
        with torch.device("meta"):
            made = timm.create_model(known.name, num_classes=0)
        size = sum(v.numel() * v.element_size() for v in made.state_dict().values()) / 1e6
        assert known.megabytes == pytest.approx(size, abs=0.1), known.name
        assert known.repository == made.pretrained_cfg["hf_hub_id"]
        words = made.pretrained_cfg["license"].replace("-", " ")
        assert known.licence.lower().replace("-", " ") == words


def test_weights_that_are_missing_or_wrong_are_named(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    here = {"cache": str(tmp_path)}
    with pytest.raises(ValueError, match=r"model\.safetensors \(88 MB\).*f4x weights fetch"):
        make_extractor("dinov2", options=here)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # or it tries for long
    with pytest.raises(ValueError, match="cannot be fetched"):
        make_extractor("dinov2", options={**here, "allow_download": "true"})
    with pytest.raises(ValueError, match="option checkpoint of extractor 'dinov2' is missing"):
        make_extractor("dinov2", options={"model": "f4x_tiny_dinov2"})
    with pytest.raises(ValueError, match="there is no such file"):
        make_extractor("dinov2", options={"checkpoint": str(tmp_path / "gone.pth")})
    with pytest.raises(
        ValueError, match=r"'resnet18' .*neither DINO nor RADIO, expected one of .*dinov2.*radio_v3"
    ):
        make_extractor("dinov2", options={"model": "resnet18"})
    with pytest.raises(ValueError, match="does not load into 'vit_small_patch14_dinov2'"):
        make_extractor("dinov2", options={"checkpoint": str(weights)})
    with pytest.raises(ValueError, match="'allow_download' of extractor 'dinov2' is 'yes'"):
        make_extractor("dinov2", options={"allow_download": "yes"})
