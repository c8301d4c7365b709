# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_sam2
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from f4x_ros.core.features.sam2 import Sam2Extractor
from f4x_ros.core.features.sam2_stream import Sam2Stream

FRAMES = 6
SIDE = 256  # of the model's input, and of the frames: the library resizes videos by other means
CHANGES: dict[str, Any] = {
    "image_size": SIDE,
    "num_maskmem": 3,
    "max_obj_ptrs_in_encoder": 4,  # fewer than frames, or the library counts otherwise
    "sigmoid_scale_for_mem_enc": 20.0,
    "sigmoid_bias_for_mem_enc": -10.0,
    "use_mask_input_as_output_without_sam": True,
    "use_obj_ptrs_in_encoder": True,
    "pred_obj_scores": True,
    "pred_obj_scores_mlp": True,
    "fixed_no_obj_ptr": True,
    "use_multimask_token_for_obj_ptr": True,
    "use_mlp_for_obj_ptr_proj": True,
    "multimask_output_for_tracking": True,
    "multimask_min_pt_num": 0,
    "multimask_max_pt_num": 1,
    "no_obj_embed_spatial": True,
    "only_obj_ptrs_in_the_past_for_eval": True,
}
PROMPTS: dict[str, dict[str, Any]] = {
    "click": {"points": [[100.0, 80.0]], "labels": [1]},
    "box": {"box": [40.0, 50.0, 180.0, 200.0]},
    "mask": {"mask": None},
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tiny_sam2.add_model(tmp_path_factory.mktemp("stream"), **CHANGES)
    saved = torch.load(file, weights_only=True)
    # Random weights see the object in no frame, and say nothing about where it would be.
    saved["model"]["sam_mask_decoder.pred_obj_score_head.layers.2.bias"] += 2
    torch.save(saved, file)
    return file


@pytest.fixture(scope="module")
def sam(weights: Path) -> Sam2Extractor:
    return tiny_sam2.load(weights)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames 0.jpg, 1.jpg, ... of a square that moves over noise."""
    folder = tmp_path_factory.mktemp("video")
    noise = np.random.default_rng(0).integers(0, 120, (SIDE, SIDE, 3), dtype=np.uint8)
    for index in range(FRAMES):
        picture = noise.copy()
        picture[60:140, 60 + 12 * index : 140 + 12 * index] = (230, 120, 40)
        Image.fromarray(picture).save(folder / f"{index}.jpg", quality=95)
    return folder


def images(video: Path) -> list[Tensor]:
    files = [video / f"{index}.jpg" for index in range(FRAMES)]
    return [
        torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float() / 255
        for file in files
    ]


def square() -> Tensor:
    mask = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    mask[60:140, 60:140] = True
    return mask


def by_the_library(weights: Path, video: Path, prompt: dict[str, Any]) -> list[Tensor]:
    """Logits [H, W] of every frame, by SAM2VideoPredictor."""
    config = OmegaConf.load(weights.with_suffix(".yaml"))
    config.model._target_ = "sam2.sam2_video_predictor.SAM2VideoPredictor"
    config.model.binarize_mask_from_pts_for_mem_enc = True
    config.model.sam_mask_decoder_extra_args = {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    }
    predictor = instantiate(config.model, _recursive_=True).eval()
    predictor.load_state_dict(torch.load(weights, weights_only=True)["model"])
    state = predictor.init_state(str(video))
    if "mask" in prompt:
        predictor.add_new_mask(state, 0, 1, square())
    else:
        predictor.add_new_points_or_box(state, 0, 1, **prompt)
    return [masks[0, 0] for _, _, masks in predictor.propagate_in_video(state)]


@pytest.mark.parametrize("name", PROMPTS)
def test_objects_are_followed_as_the_library_follows_them(
    weights: Path, sam: Sam2Extractor, video: Path, name: str
) -> None:
    expected = by_the_library(weights, video, PROMPTS[name])
    stream = Sam2Stream(sam)
    first, *rest = images(video)
    assert stream.look(first) == {}
    given = {"mask": square()} if name == "mask" else as_tensors(PROMPTS[name])
    found = [stream.start(7, **given), *(stream.look(image)[7] for image in rest)]
    assert len(found) == len(expected) == FRAMES
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.logits - theirs).abs().max() < 1e-4
        assert torch.equal(ours.mask, ours.logits > 0)
        assert 0.5 < ours.visible <= 1
    assert (expected[1] - expected[-1]).abs().max() > 1e-3  # what is compared does change


def as_tensors(prompt: dict[str, Any]) -> dict[str, Tensor]:
    return {name: torch.tensor(values) for name, values in prompt.items()}


def test_objects_do_not_disturb_each_other_and_memory_is_bounded(
    sam: Sam2Extractor, video: Path
) -> None:
    click, box = as_tensors(PROMPTS["click"]), as_tensors(PROMPTS["box"])
    alone, both = Sam2Stream(sam), Sam2Stream(sam)
    first, *rest = images(video)
    for stream in (alone, both):
        stream.look(first)
        stream.start(1, **click)
    both.start(2, **box)
    for image in rest:
        one, two = alone.look(image), both.look(image)
        assert torch.equal(one[1].logits, two[1].logits)
        assert set(two) == {1, 2}
    kept = both._objects[1]["non_cond_frame_outputs"]
    assert sorted(kept) == [2, 3, 4, 5]
    both.drop(2)
    both.drop(2)
    assert both.ids == (1,)
    assert set(both.look(first)) == {1}


def test_an_object_can_start_anew(sam: Sam2Extractor, video: Path) -> None:
    stream, fresh = Sam2Stream(sam), Sam2Stream(sam)
    first, second, *_ = images(video)
    stream.look(first)
    stream.start(1, **as_tensors(PROMPTS["box"]))
    stream.look(second)
    fresh.look(second)
    click = as_tensors(PROMPTS["click"])
    assert torch.equal(stream.start(1, **click).logits, fresh.start(1, **click).logits)


def test_a_start_that_cannot_be_is_named(sam: Sam2Extractor, video: Path) -> None:
    stream = Sam2Stream(sam)
    with pytest.raises(ValueError, match="no image was seen yet"):
        stream.start(1, **as_tensors(PROMPTS["click"]))
    stream.look(images(video)[0])
    with pytest.raises(ValueError, match="needs clicks or a box, or else a mask"):
        stream.start(1)
    with pytest.raises(ValueError, match="needs clicks or a box, or else a mask"):
        stream.start(1, mask=square(), **as_tensors(PROMPTS["click"]))
    with pytest.raises(ValueError, match=r"mask has shape \(2, 2\), expected \(256, 256\)"):
        stream.start(1, mask=torch.ones(2, 2))
    assert stream.ids == ()
