# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_sam2
import torch
from numpy.typing import NDArray
from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
from sam2.sam2_image_predictor import SAM2ImagePredictor
from torch import Tensor
from torch.nn.functional import cosine_similarity, interpolate

from f4x_ros.core.config import Config
from f4x_ros.core.features import Clicks, Examples, Words, describe, language_of, make_extractor
from f4x_ros.core.features.sam2 import Sam2Extractor
from f4x_ros.core.features.sam2_decoder import joined_prompts
from f4x_ros.core.features.weights import CHECKPOINTS, checkpoint
from f4x_ros.core.field.snapshot import take_snapshot
from f4x_ros.core.perception import Perception
from f4x_ros.sim import World

CLICKS: dict[str, dict[str, Any]] = {
    "one click": {"points": [[[40.0, 30.0]]], "labels": [[1]]},
    "three clicks": {"points": [[[40.0, 30.0], [60.0, 70.0], [10.0, 5.0]]], "labels": [[1, 1, 0]]},
    "a box": {"boxes": [[20.0, 10.0, 90.0, 80.0]]},
    "a box and a click": {
        "boxes": [[20.0, 10.0, 90.0, 80.0]],
        "points": [[[40.0, 30.0]]],
        "labels": [[0]],
    },
}
SIZE = (96, 128)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sam2.add_model(tmp_path_factory.mktemp("sam2"))


@pytest.fixture(scope="module")
def sam(weights: Path) -> Sam2Extractor:
    return tiny_sam2.load(weights)


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def image(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def library(sam: Sam2Extractor, pixels: NDArray[np.uint8]) -> SAM2ImagePredictor:
    predictor = SAM2ImagePredictor(sam.model)
    predictor.set_image(pixels)
    return predictor


def as_tensors(prompt: dict[str, Any]) -> dict[str, Tensor]:
    return {name: torch.tensor(values) for name, values in prompt.items()}


def test_features_are_those_of_the_predictor(
    sam: Sam2Extractor, library: SAM2ImagePredictor, image: Tensor
) -> None:
    found = sam.features(image[None])
    assert found.embedding.shape == (1, sam.dim, 64, 64)
    assert (found.embedding - library.get_image_embedding()).abs().max() < 1e-4
    assert library.get_image_embedding().std() > 0.1
    for ours, theirs in zip(found.high_res, library._features["high_res_feats"], strict=True):
        assert (ours - theirs).abs().max() < 1e-4
    assert torch.equal(sam.dense(image[None]), found.embedding)


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("prompt", CLICKS)
def test_masks_are_those_of_the_predictor(
    sam: Sam2Extractor, library: SAM2ImagePredictor, image: Tensor, prompt: str, several: bool
) -> None:
    given = as_tensors(CLICKS[prompt])
    found = sam.features(image[None])
    places = joined_prompts(
        given.get("points"),
        given.get("labels"),
        given.get("boxes"),
        size=SIZE,
        input_size=1024,
        device=torch.device("cpu"),
    )
    high_res = [one[0] for one in found.high_res]
    logits, iou = sam.decoder.candidates(found.embedding[0], high_res, *places, SIZE, several)
    clicks = {name: np.asarray(values[0]) for name, values in CLICKS[prompt].items()}
    theirs, their_iou, _ = library.predict(
        clicks.get("points"),
        clicks.get("labels"),
        clicks.get("boxes"),
        multimask_output=several,
        return_logits=True,
    )
    assert logits.shape == (1, 3 if several else 1, *SIZE)
    assert np.abs(logits[0].numpy() - theirs).max() < 1e-4
    assert np.abs(iou[0].numpy() - their_iou).max() < 1e-4
    assert theirs.std() > 0.01


def test_one_click_gets_the_best_of_three_masks_and_more_get_one(
    sam: Sam2Extractor, library: SAM2ImagePredictor, image: Tensor
) -> None:
    one = as_tensors(CLICKS["one click"])
    found = sam.points(image, one["points"], one["labels"])
    logits, iou, _ = library.predict(
        one["points"][0].numpy(), one["labels"][0].numpy(), return_logits=True
    )
    assert np.abs(found.logits[0].numpy() - logits[iou.argmax()]).max() < 1e-4
    assert float(found.iou[0]) == pytest.approx(float(iou.max()), abs=1e-4)
    assert torch.equal(found.masks, found.logits > 0)

    box = as_tensors(CLICKS["a box"])
    logits, _, _ = library.predict(
        box=box["boxes"][0].numpy(), multimask_output=False, return_logits=True
    )
    assert np.abs(sam.boxes(image, box["boxes"]).logits[0].numpy() - logits[0]).max() < 1e-4


def test_many_prompts_are_answered_as_one_by_one(sam: Sam2Extractor, image: Tensor) -> None:
    points = torch.rand(66, 1, 2) * torch.tensor([128.0, 96.0])
    labels = torch.ones(66, 1)
    together = sam.points(image, points, labels)
    assert together.masks.shape == (66, *SIZE)
    for i in (0, 63, 64, 65):  # on both sides of where a batch ends
        alone = sam.points(image, points[i : i + 1], labels[i : i + 1])
        assert (alone.logits[0] - together.logits[i]).abs().max() < 1e-4
    assert sam.points(image, points[:0], labels[:0]).masks.shape == (0, *SIZE)


def test_a_click_that_is_none_changes_nothing(sam: Sam2Extractor, image: Tensor) -> None:
    embedding = sam.dense(image[None])[0]
    two = as_tensors(CLICKS["three clicks"])
    padded = {
        "points": torch.cat([two["points"], torch.tensor([[[99.0, 1.0]]])], 1),
        "labels": torch.tensor([[1, 1, 0, -1]]),
    }
    elsewhere = {**padded, "points": padded["points"] + torch.tensor([0, 0, 0, 1])[:, None] * 7}
    found = [sam.decode(embedding, size=SIZE, **given).logits for given in (padded, elsewhere)]
    assert torch.equal(found[0], found[1])


def test_without_fine_features_it_decodes_as_the_library_with_zeros(
    sam: Sam2Extractor, library: SAM2ImagePredictor, image: Tensor
) -> None:
    given = as_tensors(CLICKS["three clicks"])
    found = sam.decode(sam.dense(image[None])[0], size=SIZE, **given)
    fine = library._features["high_res_feats"]
    try:
        library._features["high_res_feats"] = [torch.zeros_like(one) for one in fine]
        logits, _, _ = library.predict(
            given["points"][0].numpy(),
            given["labels"][0].numpy(),
            multimask_output=False,
            return_logits=True,
        )
    finally:
        library._features["high_res_feats"] = fine
    assert np.abs(found.logits[0].numpy() - logits[0]).max() < 1e-4


def test_a_rendered_embedding_may_have_the_size_of_the_view(sam: Sam2Extractor) -> None:
    """A smooth map drawn at 96 x 128 answers as the map at 64 x 64 it was enlarged from."""
    torch.manual_seed(1)
    coarse = interpolate(
        torch.randn(1, sam.dim, 4, 4), (64, 64), mode="bicubic", align_corners=False
    )
    rendered = interpolate(coarse, SIZE, mode="bilinear", align_corners=False)
    given = as_tensors(CLICKS["three clicks"])
    exact = sam.decode(coarse[0], size=SIZE, **given).logits
    found = sam.decode(rendered[0], size=SIZE, **given).logits
    assert (found - exact).abs().mean() < 0.02 * exact.std()
    assert (sam.decode(-coarse[0], size=SIZE, **given).logits - exact).abs().mean() > exact.std()


def test_proposals_are_those_of_the_library(
    weights: Path, image: Tensor, pixels: NDArray[np.uint8]
) -> None:
    sam = tiny_sam2.load(weights, points_per_side="4", min_iou="0", min_stability="0")
    found = sam.proposals(image)
    theirs = SAM2AutomaticMaskGenerator(
        sam.model, points_per_side=4, pred_iou_thresh=0.0, stability_score_thresh=0.0
    ).generate(pixels)
    assert len(theirs) > 0
    assert found.masks.shape == (len(theirs), *SIZE)
    assert found.iou.tolist() == sorted(found.iou.tolist(), reverse=True)
    ordered = sorted(theirs, key=lambda one: -one["predicted_iou"])
    for mask, iou, one in zip(found.masks, found.iou, ordered, strict=True):
        assert np.array_equal(mask.numpy(), one["segmentation"])
        assert float(iou) == pytest.approx(one["predicted_iou"])


def test_there_may_be_no_proposal(weights: Path, image: Tensor) -> None:
    found = tiny_sam2.load(weights, points_per_side="2", min_iou="1").proposals(image)
    assert found.masks.shape == (0, *SIZE)
    assert len(found.iou) == len(found.stability) == 0


def test_another_input_size_and_no_fine_features_work(tmp_path: Path, image: Tensor) -> None:
    file = tiny_sam2.add_model(tmp_path, image_size=512, use_high_res_features_in_sam=False)
    sam = tiny_sam2.load(file, points_per_side="2", min_iou="0", min_stability="0")
    found = sam.features(image[None])
    assert found.embedding.shape == (1, sam.dim, 32, 32)
    assert found.high_res == ()
    one = as_tensors(CLICKS["one click"])
    assert sam.points(image, one["points"], one["labels"]).masks.shape == (1, *SIZE)
    assert len(sam.proposals(image).masks) > 0


def test_it_says_what_it_can_and_has_no_words(sam: Sam2Extractor) -> None:
    assert isinstance(sam, Clicks)
    assert isinstance(sam, Examples)
    assert not isinstance(sam, Words)
    with pytest.raises(ValueError, match=r"'sam2' has no language.*'color'.*'openclip'"):
        language_of(sam)
    assert {status.name: status.available for status in describe()}["sam2"]


def test_an_example_is_relevant_to_itself(sam: Sam2Extractor, image: Tensor) -> None:
    features = sam.dense(image[None])[0].flatten(1).T
    scores = sam.likeness(features, features[:3])
    assert scores.shape == (4096, 3)
    assert torch.allclose(scores[range(3), range(3)], torch.ones(3), atol=1e-5)
    assert sam.likeness(torch.zeros(1, sam.dim), features[:1]) == 0
    assert (sam.likeness(-features[:3], features[:3]).diagonal() == 0).all()


def test_clicks_are_answered_from_what_the_field_renders(weights: Path, tmp_path: Path) -> None:
    options = {
        "features.extractor": "sam2",
        "features.options": f"config='{weights.with_suffix('.yaml')}' checkpoint='{weights}'",
        "mapping.iterations": 1,
    }
    world = World(width=96, cache=tmp_path / "world")
    perception = Perception(Config.from_dotted(options))
    for index in (0, 8, 15):
        perception.process(world[index])
    with pytest.raises(ValueError, match="'sam2' has no language"):
        perception.query("red mug")

    frame, memory = world[15], perception._memory
    sam: Any = memory.distiller.prompted
    assert frame.T_map_camera is not None
    snapshot = take_snapshot(memory.field)
    out = snapshot.render(snapshot.latents, frame.camera, frame.T_map_camera, perception.backend)
    latents = out.image / out.alpha.clamp(min=0.5)[..., None]
    rendered = memory.distiller.decode(latents, "sam2").permute(2, 0, 1)
    seen = sam.dense(torch.from_numpy(frame.rgb).permute(2, 0, 1)[None].float() / 255)[0]

    small = interpolate(rendered[None], (64, 64), mode="area")[0]
    assert cosine_similarity(small, seen, dim=0).mean() > 0.9
    boxes = torch.tensor([[20.0, 10.0, 70.0, 60.0], [5.0, 30.0, 60.0, 70.0]])
    size = frame.rgb.shape[:2]
    mean = seen.mean((1, 2), keepdim=True).expand_as(seen)
    expected, found, blank = (
        sam.decode(embedding, size=size, boxes=boxes).logits for embedding in (seen, rendered, mean)
    )
    assert (agreement(found, expected) > 0.9).all()
    assert (agreement(blank, expected) < 0.9).all()  # what the prompt alone makes of it


def agreement(first: Tensor, second: Tensor) -> Tensor:
    """Correlation [N] of logits [N, H, W]."""
    centred = [one.flatten(1) - one.flatten(1).mean(1, keepdim=True) for one in (first, second)]
    return cosine_similarity(*centred, dim=1)


@pytest.mark.parametrize(
    "prompt,reason",
    [
        ({}, "neither points nor boxes"),
        ({"points": [[1.0, 2.0]], "labels": [[1]]}, r"points has shape \(1, 2\), expected"),
        ({"points": [[[1.0, 2.0]]]}, r"labels has shape None, expected \(1, 1\)"),
        ({"points": [[[1.0, 2.0]]], "labels": [[3]]}, r"labels has \[3\], expected 1, 0 and -1"),
        ({"boxes": [[1.0, 2.0, 3.0]]}, r"boxes has shape \(1, 3\), expected \[N, 4\]"),
        (
            {"points": [[[1.0, 2.0]]], "labels": [[1]], "boxes": [[0.0] * 4] * 2},
            "there are 2 boxes and 1 sets of points",
        ),
    ],
)
def test_prompts_that_do_not_fit_are_named(
    sam: Sam2Extractor, prompt: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        sam.decode(torch.zeros(sam.dim, 8, 8), size=SIZE, **as_tensors(prompt))


def test_feature_maps_that_do_not_fit_are_named(sam: Sam2Extractor) -> None:
    box = torch.tensor([[0.0, 0.0, 9.0, 9.0]])
    with pytest.raises(ValueError, match=r"embedding has shape \(7, 8, 8\), expected \[32, h, w\]"):
        sam.decode(torch.zeros(7, 8, 8), size=SIZE, boxes=box)
    wrong = [torch.zeros(8, 8, 8), torch.zeros(4, 4, 4)]
    with pytest.raises(ValueError, match=r"high_res has shapes .*expected \[4, h, w\] and \[8, "):
        sam.decode(torch.zeros(32, 8, 8), wrong, size=SIZE, boxes=box)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_weights_that_are_missing_or_wrong_are_named(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"sam2\.1_hiera_tiny\.pt \(156 MB\).*f4x weights fetch"):
        make_extractor("sam2", options={"cache": str(tmp_path)})
    with pytest.raises(ValueError, match="there is no such file"):
        make_extractor("sam2", options={"checkpoint": str(tmp_path / "gone.pt")})
    with pytest.raises(ValueError, match=r"'sam3' .*is unknown, expected one of sam2-hiera-tiny"):
        make_extractor("sam2", options={"model": "sam3"})
    with pytest.raises(ValueError, match=r"does not fit the model.*Missing key"):
        make_extractor("sam2", options={"checkpoint": str(weights)})
    with pytest.raises(ValueError, match="expected the option checkpoint with it"):
        make_extractor("sam2", options={"config": "tiny.yaml"})
    with pytest.raises(ValueError, match="no model comes of it"):
        tiny_sam2.load(weights, config=str(tmp_path / "gone.yaml"))
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"broken\.pt' does not fit"):
        make_extractor("sam2", options={"checkpoint": str(broken)})
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # or it tries for long
    with pytest.raises(ValueError, match=r"cannot be fetched: .*"):
        make_extractor("sam2", options={"cache": str(tmp_path), "allow_download": "true"})


@pytest.mark.usefixtures("no_network")
def test_a_published_model_is_built_and_found_in_the_cache(tmp_path: Path) -> None:
    from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES, build_sam2

    listed = {
        one.repository: (one.file, one.megabytes) for one in CHECKPOINTS if one.extractor == "sam2"
    }
    assert {name: file for name, (_, file) in HF_MODEL_ID_TO_FILENAMES.items()} == {
        name: file for name, (file, _) in listed.items()
    }
    known = checkpoint("sam2.1-hiera-tiny")
    model = build_sam2(HF_MODEL_ID_TO_FILENAMES[known.repository][0], None, device="cpu")
    state = model.state_dict()
    size = sum(value.numel() * value.element_size() for value in state.values()) / 1e6
    assert known.megabytes == pytest.approx(size, abs=0.1)
    folder = tmp_path / "models--facebook--sam2.1-hiera-tiny" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    torch.save({"model": state}, folder / known.file)
    sam = Sam2Extractor.load({"cache": str(tmp_path)})
    assert sam.dim == 256
    assert sam.decoder.grid == 64
    assert torch.equal(sam.model.no_mem_embed, model.no_mem_embed)
    assert sam.model.sam_mask_decoder.dynamic_multimask_via_stability
    shutil.rmtree(tmp_path)
