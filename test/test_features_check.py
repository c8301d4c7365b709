# SPDX-License-Identifier: Apache-2.0
"""Whether a model makes sense of known pictures, and what is wrong where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.features import Clicks, Examples, FeatureExtractor, make_extractor
from f4x_ros.core.features.base import Masks
from f4x_ros.core.features.check import check
from f4x_ros.core.features.check.outcome import See
from f4x_ros.core.features.check.pictures import (
    COLORS,
    PHOTOGRAPHS,
    THINGS,
    outlines,
    photograph,
    table,
    within,
)
from f4x_ros.core.features.embedded.extractor import EmbeddedExtractor


def embedded(see: See = lambda picture: picture) -> EmbeddedExtractor:
    """The shipped model, shown everything through `see`."""
    model = EmbeddedExtractor.load({"photographs": "false"})
    shown = model.dense
    model.dense = lambda images: shown(see(images))  # type: ignore[method-assign]
    return model


def test_the_pictures_are_there_and_their_outlines_are_of_things() -> None:
    for what in PHOTOGRAPHS:
        picture = photograph(what)
        assert picture.shape[:2] == (1, 3)
        assert 256 <= min(picture.shape[2:]) < 400
    assert table().shape == (1, 3, 360, 480)
    found = outlines()
    assert found.keys() == THINGS.keys()
    assert all(500 < int(outline.sum()) < 20000 for outline in found.values())
    red, green, blue = (float(table()[0, k][found["teapot"]].mean()) for k in range(3))
    assert blue > 2 * max(red, green)  # RGB, and the outline lies on the blue teapot
    assert set(COLORS.values()) <= THINGS.keys()


def test_the_mean_within_an_outline_is_of_what_is_within() -> None:
    features = torch.zeros(1, 4, 6)
    features[0, :2] = 1.0
    outline = torch.zeros(40, 60, dtype=torch.bool)
    outline[:18] = True
    assert within(features, outline).item() == pytest.approx(1.0)
    assert within(features, ~outline).item() == pytest.approx(0.2 / 2.2)


def test_the_shipped_model_makes_sense() -> None:
    verdict = check(embedded())
    assert verdict.sensible
    assert (verdict.hints, verdict.cause) == ((), "")
    assert {trial.name: (trial.right, len(trial.outcomes)) for trial in verdict.trials} == {
        "drawn things": (9, 10),
        "colours": (4, 4),
    }


def test_exchanged_channels_are_found_and_named() -> None:
    verdict = check(embedded(lambda images: images.flip(1)))
    assert not verdict.sensible
    assert "red and blue exchanged (BGR)" in verdict.cause
    wrong = {one.asked for trial in verdict.trials for one in trial.outcomes if not one.right}
    assert {"red thing", "blue thing"} <= wrong


def test_another_normalisation_is_found_and_named() -> None:
    verdict = check(embedded(lambda images: (images - 0.45) / 0.225))
    assert not verdict.sensible
    assert "mean and std are not those of its training" in verdict.cause


def test_random_weights_of_the_image_side_make_no_sense() -> None:
    model = embedded()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.net.parameters():
            if parameter.numel() > 1:
                parameter.copy_(torch.randn_like(parameter) * parameter.std())
    verdict = check(model)
    assert not any(trial.passed for trial in verdict.trials)
    assert verdict.cause.startswith("words are alike as they should be, places in pictures are not")


def test_words_of_another_model_are_found_by_asking_them_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = embedded()

    def text(prompts: Sequence[str]) -> Tensor:
        """A vector for each text that has nothing to do with what it means."""
        seeds = (int.from_bytes(prompt.encode()[:7], "little") for prompt in prompts)
        vectors = [
            torch.randn(model.dim, generator=torch.Generator().manual_seed(s)) for s in seeds
        ]
        return functional.normalize(torch.stack(vectors), dim=1)

    monkeypatch.setattr(model, "text", text)
    assert "the text side is wrong" in check(model).cause


def test_two_sides_that_do_not_belong_together_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = embedded()
    own = model.text
    torch.manual_seed(1)
    turn = torch.linalg.qr(torch.randn(model.dim, model.dim))[0]
    monkeypatch.setattr(model, "text", lambda prompts: own(prompts) @ turn)
    verdict = check(model)
    assert not any(trial.passed for trial in verdict.trials)
    assert "text and image side come from different checkpoints" in verdict.cause


def test_a_model_is_asked_only_words_that_it_understands() -> None:
    verdict = check(make_extractor("color"))
    assert verdict.sensible
    assert [trial.name for trial in verdict.trials] == ["colours"]


class Sift(Examples):
    """SIFT at every sixth pixel: an older way to find places again, without any weights."""

    name, dim, licence = "sift", 128, "Apache-2.0"

    def dense(self, images: Tensor) -> Tensor:
        gray = (images[0].mean(0) * 255).round().numpy().astype(np.uint8)
        rows, columns = (np.arange(3, size, 6) for size in gray.shape)
        places = [cv2.KeyPoint(float(x), float(y), 24.0, 0) for y in rows for x in columns]
        _, found = cv2.SIFT_create().compute(gray, places)
        return torch.from_numpy(found).T.reshape(1, -1, len(rows), len(columns))


class Projection(Examples):
    """Patches through random numbers, as an image transformer without training begins."""

    name, dim, licence = "projection", 64, "Apache-2.0"

    def dense(self, images: Tensor) -> Tensor:
        weights = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        return functional.conv2d(images - 0.45, weights, stride=16)


def test_a_model_of_examples_is_judged_by_the_places_it_finds_again() -> None:
    verdict = check(Sift())
    assert verdict.sensible
    assert [trial.name for trial in verdict.trials] == ["places found again"]
    assert all(float(one.found.rstrip("%")) > 60 for one in verdict.trials[0].outcomes)


def test_a_model_of_examples_without_training_makes_no_sense() -> None:
    verdict = check(Projection())
    assert verdict.trials[0].right == 0
    assert "not trained at all" in verdict.cause


class Cut(Clicks):
    """GrabCut in the box, or in a window around the click; features are the picture itself."""

    name, dim, licence = "cut", 3, "Apache-2.0"
    noise = False

    def dense(self, images: Tensor) -> Tensor:
        return images

    def decode(
        self,
        embedding: Tensor,
        *,
        size: tuple[int, int],
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
    ) -> Masks:
        if boxes is None:
            assert points is not None
            boxes = torch.cat([points[:, 0] - 45, points[:, 0] + 45], 1)
        if self.noise:
            logits = torch.randn(len(boxes), *size, generator=torch.Generator().manual_seed(0))
        else:
            pixels = (embedding.permute(1, 2, 0) * 255).round().numpy().astype(np.uint8)
            logits = torch.stack([self._cut(pixels, box.tolist()) for box in boxes]) - 0.5
        return Masks(logits > 0, torch.full((len(boxes),), 0.9), logits)

    def _cut(self, pixels: np.ndarray[Any, Any], box: list[float]) -> Tensor:
        height, width = pixels.shape[:2]
        x0, y0 = max(0, int(box[0]) - 1), max(0, int(box[1]) - 1)
        x1, y1 = min(width, int(box[2]) + 1), min(height, int(box[3]) + 1)
        mask = np.zeros((height, width), np.uint8)
        cv2.setRNGSeed(0)
        room = (x0, y0, x1 - x0, y1 - y0)
        cv2.grabCut(
            pixels, mask, room, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_RECT
        )
        return torch.from_numpy(np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32))


def test_a_model_that_cuts_out_things_passes() -> None:
    verdict = check(Cut())
    assert verdict.sensible, verdict.trials
    assert [trial.name for trial in verdict.trials] == ["clicks", "boxes"]


def test_masks_of_noise_make_no_sense() -> None:
    model = Cut()
    model.noise = True
    verdict = check(model)
    assert [trial.right for trial in verdict.trials] == [0, 0]
    assert "not trained at all" in verdict.cause


class Mute(FeatureExtractor):
    name, dim, licence = "mute", 3, "Apache-2.0"

    def dense(self, images: Tensor) -> Tensor:
        return images


def test_a_model_that_is_never_asked_anything_cannot_be_checked() -> None:
    with pytest.raises(ValueError, match="'mute' cannot be checked"):
        check(Mute())
