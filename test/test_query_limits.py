# SPDX-License-Identifier: Apache-2.0
"""What comes from outside is measured before anything is done with it, and words are no guess."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eval_scene import CAMERA, QUICK, make_frame
from fabricated import OnlyWords

from f4x_ros.core.ask import describe
from f4x_ros.core.ask.language import parse_question
from f4x_ros.core.ask.likeness import reduced
from f4x_ros.core.ask.prompts import PromptSet, make_prompts
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.base.limits import (
    EXAMPLE_SIDE_PX,
    MAX_EXAMPLE_PX,
    MAX_LETTERS,
    MAX_PHRASES,
    MAX_PROMPT_LETTERS,
    MAX_PROMPTS,
)
from f4x_ros.core.data import UNLABELLED, Outputs, Presence
from f4x_ros.core.errors import BadInputError, NotUnderstoodError
from f4x_ros.core.field import Snapshot
from f4x_ros.core.perception import Perception

PLANT = "\U0001fab4"


class Watched(OnlyWords):
    """Knows all words but those with a q; remembers whatever it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_at: list[str] = []

    def check_understood(self, prompt: str) -> None:
        self.looked_at.append(prompt)
        if "q" in prompt:
            raise NotUnderstoodError(prompt, "q", "expected another letter")

    def text(self, prompts: Sequence[str]) -> torch.Tensor:
        self.looked_at += prompts
        return torch.ones(len(prompts), self.dim)


def prompts(words: Watched, texts: Sequence[str]) -> PromptSet:
    return make_prompts(TextVectors(words), texts, (), 0.5)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["mug"] * 65_535, f"65535 prompts, expected at most {MAX_PROMPTS}"),
        (["mug", "a" * (MAX_PROMPT_LETTERS + 1)], "prompt 1 'aaa"),
        (["a" * 1_000_000], f"1000000 characters, expected at most {MAX_PROMPT_LETTERS}"),
        (["mug \udc80"], "is not valid UTF-8"),
        (
            [f"{k:04}" + "a" * 100 for k in range(MAX_LETTERS // 104 + 1)],
            f"characters together, expected at most {MAX_LETTERS}",
        ),
    ],
)
def test_too_much_is_refused_before_a_word_is_looked_at(texts: list[str], said: str) -> None:
    words = Watched()
    with pytest.raises(ValueError, match="expected") as error:
        prompts(words, texts)
    assert said in str(error.value)
    assert len(str(error.value)) < 300
    assert words.looked_at == []


def test_what_is_excluded_counts_as_well() -> None:
    def excluding(first: int) -> str:
        return "mug" + "".join(f" -x{k}" for k in range(first, first + 20))

    many = [excluding(start) for start in range(0, MAX_PHRASES + 20, 20)]
    with pytest.raises(ValueError, match=f"different words .* expected at most {MAX_PHRASES}"):
        prompts(Watched(), many)
    assert len(prompts(Watched(), many[:2])) == 2


def test_the_most_prompts_of_usual_words_are_taken() -> None:
    assert len(prompts(Watched(), [f"red thing {k}" for k in range(MAX_PROMPTS)])) == MAX_PROMPTS


@pytest.mark.parametrize("text", ["red\x07", "red \x00thing", "\x1b[31mred", "red \ufffd", "\x9f"])
def test_control_characters_are_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstoodError, match=r"U\+00|U\+FFFD") as error:
        parse_question(text)
    assert str(error.value).isprintable()


def test_blanks_of_any_kind_between_words_are_blanks() -> None:
    assert parse_question("red\tthing \n-\u2003blue".replace("-\u2003", "-")).terms == (
        "red thing",
        "blue",
    )


# --- prompts that are not understood --------------------------------------------------------------


def test_one_that_is_not_understood_leaves_the_others_as_they_are() -> None:
    words = Watched()
    made = prompts(words, ["mug", "q", "sofa -qq", "mug -sofa"])
    assert made.texts == ("mug", "q", "sofa -qq", "mug -sofa")
    assert list(made.not_understood) == ["q", "sofa -qq"]
    assert "prompt 'sofa -qq': 'q' is not understood" in str(made.not_understood["sofa -qq"])
    assert made.terms == ((0,), (), (), (0, 1))


class Late(OnlyWords):
    """Finds out only when it encodes."""

    def text(self, prompts: Sequence[str]) -> torch.Tensor:
        if any("q" in prompt for prompt in prompts):
            raise BadInputError("no q, please")
        return torch.ones(len(prompts), self.dim)


def test_an_extractor_that_refuses_late_does_not_stop_the_others_either() -> None:
    made = make_prompts(TextVectors(Late()), ["mug", "mug -q", "sofa"], (), 0.5)
    assert made.terms == ((0,), (), (1,))
    assert str(made.not_understood["mug -q"]).endswith("not understood: no q, please")


def test_nothing_is_relevant_to_what_is_not_understood() -> None:
    standing = ["red thing", PLANT, "blue thing"]
    perception = Perception(QUICK)
    with pytest.raises(NotUnderstoodError, match=PLANT):
        perception.set_prompts(standing)
    assert perception.prompts == ()
    perception.set_prompts(standing, keep_unknown=True)
    assert list(perception.not_understood) == [PLANT]
    percept = perception.process(make_frame(0))
    alone = Perception(QUICK, ["red thing", "blue thing"]).process(make_frame(0))
    assert percept.masks is not None
    assert alone.masks is not None
    assert not percept.masks[1].any()
    assert alone.masks[0].any()
    np.testing.assert_array_equal(percept.masks[[0, 2]], alone.masks)
    assert set(np.unique(percept.labels).tolist()) == {0, 1}


def test_only_prompts_that_are_not_understood_select_nothing(tmp_path: Path) -> None:
    perception = Perception(QUICK)
    perception.set_prompts([PLANT, "mug"], keep_unknown=True)
    percept = perception.process(make_frame(0))
    assert percept.labels is not None
    assert not percept.labels.any()
    perception.save(tmp_path / "map.f4x")
    again = Perception.load(tmp_path / "map.f4x")  # a map is no worse for what was asked of it
    assert list(again.not_understood) == [PLANT, "mug"]
    assert again.query("red thing").present


def test_a_question_that_is_not_understood_has_no_answer() -> None:
    perception = Perception(QUICK)
    perception.process(make_frame(0))
    for ask in (
        lambda: perception.query(PLANT),
        lambda: perception.query(f"red -{PLANT}"),
        lambda: perception.query_all(["red thing", PLANT]),
    ):
        with pytest.raises(NotUnderstoodError, match=f"{PLANT}.* not understood"):
            ask()
    told = perception.misunderstood(["red thing", f" {PLANT} ", "red -mug"])
    assert list(told) == [PLANT, "red -mug"]
    assert "'mug' is not understood" in told["red -mug"]
    assert Presence.NOT_UNDERSTOOD not in {perception.query("red thing").presence}


def labelled(drawn: torch.Tensor, alpha: torch.Tensor, *, at_once: int, keep: bool) -> Any:
    """By `Labelling`, so many prompts at a time."""
    thresholds = [0.5 + k / 100 for k in range(drawn.shape[-1])]
    labelling = describe.Labelling(alpha, thresholds, keep=keep)
    for part in drawn.split(at_once, -1):
        labelling.add(part)
    return labelling.result()


@pytest.mark.parametrize("at_once", [1, 7, 40])
def test_masks_of_many_prompts_are_made_in_parts_and_are_the_same(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    torch.manual_seed(0)
    drawn, alpha = torch.rand(23, 11, 40), torch.rand(23, 11)
    drawn[5:8, :, 9] = drawn[5:8, :, 3] = 1.0  # of equal ones the first wins
    drawn[9:12] /= 4  # nothing passes
    masks, labels, certainty = labelled(drawn, alpha, at_once=40, keep=True)
    assert set(np.unique(labels)) >= {0, 4, UNLABELLED}
    assert 10 not in labels[5:8]
    own = np.take_along_axis(masks, np.clip(labels.astype(int) - 1, 0, 39)[None], 0)[0]
    named = (labels > 0) & (labels < UNLABELLED)
    np.testing.assert_array_equal(certainty[named], own[named])
    np.testing.assert_array_equal(certainty[labels == 0], masks.max(0)[labels == 0])

    looked_at = []
    add_band = describe.Labelling._add_band

    def watched(self: Any, accumulated: torch.Tensor, band: slice) -> None:
        looked_at.append(accumulated[band].numel())
        add_band(self, accumulated, band)

    monkeypatch.setattr(describe.Labelling, "_add_band", watched)
    monkeypatch.setattr(describe, "_BAND", 5 * 11 * 7)
    again = labelled(drawn, alpha, at_once=at_once, keep=True)
    for mine, first in zip(again, (masks, labels, certainty), strict=True):
        np.testing.assert_array_equal(mine, first)
    assert max(looked_at) <= max(5 * 11 * 7, 11 * at_once)
    without = labelled(drawn, alpha, at_once=at_once, keep=False)
    assert without[0] is None
    np.testing.assert_array_equal(without[1], labels)


def test_many_prompts_are_drawn_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    perception = Perception(QUICK, ["red thing", "blue thing", "grey thing", "green thing"])
    whole = perception.process(make_frame(0), Outputs(labels=True))
    monkeypatch.setattr(describe, "_DRAWN_LEAST", 1)
    monkeypatch.setattr(describe, "_DRAWN", 3 * CAMERA.width * CAMERA.height)
    channels = []
    render = Snapshot.render

    def watched(self: Snapshot, drawn: torch.Tensor, *rest: Any) -> Any:
        channels.append(drawn.shape[1])
        return render(self, drawn, *rest)

    monkeypatch.setattr(Snapshot, "render", watched)
    again = Perception(QUICK, perception.prompts)
    parts = again.process(make_frame(0), Outputs(masks=False, labels=True, moving=False))
    assert channels[-2:] == [3 + 3, 1]
    assert parts.masks is None
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_array_equal(parts.certainty, whole.certainty)


# --- examples -------------------------------------------------------------------------------------


def test_a_large_example_is_reduced_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    perception = Perception(QUICK)
    perception.process(make_frame(0))
    shapes = []
    dense = perception._heads.words.dense

    def watched(images: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(images.shape[2:]))
        return dense(images)

    monkeypatch.setattr(perception._heads.words, "dense", watched)
    red = np.full((MAX_EXAMPLE_PX // 2, MAX_EXAMPLE_PX, 3), (210, 20, 20), np.uint8)
    assert perception.query(example=red).present
    assert shapes == [(EXAMPLE_SIDE_PX // 2, EXAMPLE_SIDE_PX)]
    shapes.clear()
    for wrong in ((8, MAX_EXAMPLE_PX + 1, 3), (MAX_EXAMPLE_PX + 1, 8, 3)):
        with pytest.raises(ValueError, match=f"expected at most {MAX_EXAMPLE_PX}x{MAX_EXAMPLE_PX}"):
            perception.query(example=np.zeros(wrong, np.uint8))
    assert shapes == []


def test_a_small_example_stays_and_a_narrow_one_keeps_its_least_side() -> None:
    small = np.zeros((EXAMPLE_SIDE_PX, 20, 3), np.uint8)
    assert reduced(small) is small
    assert reduced(np.zeros((MAX_EXAMPLE_PX, 8, 3), np.uint8)).shape == (EXAMPLE_SIDE_PX, 8, 3)
