# SPDX-License-Identifier: Apache-2.0
"""Scores of text queries against numbers computed by hand, and wrong answers that score worse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f4x_ros.eval.metrics.queries import PhraseIou, fall, presence


def mask(columns: slice, rows: slice = slice(0, 4)) -> np.ndarray:
    out = np.zeros((10, 10), bool)
    out[rows, columns] = True
    return out


def empty() -> np.ndarray:
    return np.zeros((10, 10), bool)


def test_iou_accuracy_and_precision_of_half_overlapping_boxes() -> None:
    phrases = PhraseIou()
    phrases.add("mug", mask(slice(2, 6)), mask(slice(0, 4)))  # 16 px each, 8 shared
    assert phrases.iou("mug") == pytest.approx(8 / 24)
    score = phrases.result().per_phrase["mug"]
    assert (score.iou, score.accuracy, score.precision) == pytest.approx((1 / 3, 1 / 2, 1 / 2))
    assert (score.pixels_truth, score.pixels_predicted, score.frames) == (16, 16, 1)


def test_pixels_are_summed_over_frames_before_they_are_divided() -> None:
    phrases = PhraseIou()
    phrases.add("mug", mask(slice(0, 4)), mask(slice(0, 4)))  # 16 of 16
    phrases.add("mug", empty(), mask(slice(0, 1)))  # 0 of 4
    phrases.add("mug", mask(slice(0, 5)), empty())  # 20 that are not there
    assert phrases.iou("mug") == pytest.approx(16 / 40)  # not the mean of 1, 0 and 0
    assert phrases.result().per_phrase["mug"].accuracy == pytest.approx(16 / 20)


def test_each_phrase_counts_the_same() -> None:
    phrases = PhraseIou()
    phrases.add("sofa", mask(slice(0, 10)), mask(slice(0, 10)))  # 40 px, all right
    phrases.add("key", empty(), mask(slice(0, 1), slice(0, 1)))  # 1 px, missed
    result = phrases.result()
    assert result.miou == pytest.approx(0.5)
    assert result.macc == pytest.approx(0.5)


def test_phrases_that_never_show_are_named_and_left_out() -> None:
    phrases = PhraseIou()
    phrases.add("mug", mask(slice(0, 4)), mask(slice(0, 4)))
    phrases.add("piano", mask(slice(0, 4)), empty())
    result = phrases.result()
    assert result.miou == 1.0
    assert result.never_visible == ("piano",)
    assert list(result.per_phrase) == ["mug"]
    assert phrases.iou("piano") is None


def test_pixels_outside_of_valid_do_not_count() -> None:
    phrases = PhraseIou()
    phrases.add("mug", mask(slice(2, 6)), mask(slice(0, 4)), valid=mask(slice(2, 4)))
    assert phrases.iou("mug") == 1.0
    assert phrases.result().per_phrase["mug"].pixels_truth == 8


@given(shift=st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_a_shifted_mask_scores_worse_and_worse(shift: int) -> None:
    def iou(by: int) -> float:
        phrases = PhraseIou()
        phrases.add("mug", mask(slice(by, by + 4)), mask(slice(0, 4)))
        value = phrases.iou("mug")
        assert value is not None
        return value

    assert iou(0) == 1.0
    assert iou(shift) < iou(shift - 1) or iou(shift) == iou(shift - 1) == 0.0


def test_the_masks_of_another_phrase_and_the_inverse_score_worse() -> None:
    right, swapped, inverse, all_true = PhraseIou(), PhraseIou(), PhraseIou(), PhraseIou()
    mug, cup = mask(slice(0, 4)), mask(slice(5, 9))
    for phrase, truth, other in (("mug", mug, cup), ("cup", cup, mug)):
        right.add(phrase, truth, truth)
        swapped.add(phrase, other, truth)
        inverse.add(phrase, ~truth, truth)
        all_true.add(phrase, np.ones_like(truth), truth)
    assert right.result().miou == 1.0
    assert swapped.result().miou == 0.0
    assert inverse.result().miou == 0.0
    assert all_true.result().miou == pytest.approx(0.16)  # a full mask is no way out
    assert all_true.result().macc == 1.0  # though it finds everything


def test_a_fall_compares_the_phrases_that_both_have() -> None:
    left, right, all_of = np.zeros((1, 4), bool), np.zeros((1, 4), bool), np.ones((1, 4), bool)
    left[:, :2], right[:, 2:] = True, True
    before, after = PhraseIou(), PhraseIou()
    before.add("mug", left, left)
    before.add("cat", right, right)  # nobody asked for it afterwards
    after.add("mug", left, all_of)
    after.add("hat", left, right)  # nor for this before
    assert fall(before.result(), after.result()) == pytest.approx(0.5)
    assert fall(after.result(), before.result()) == pytest.approx(-0.5)
    assert fall(before.result(), PhraseIou().result()) is None


def test_nothing_added_is_none() -> None:
    result = PhraseIou().result()
    assert (result.miou, result.macc, result.per_phrase) == (None, None, {})
    with pytest.raises(ValueError, match="'mug'"):
        PhraseIou().iou("mug")


@pytest.mark.parametrize(
    "name, predicted, truth",
    [
        ("predicted", np.full((10, 10), np.nan), empty()),
        ("truth", empty(), np.zeros((10, 10), np.uint8)),
        ("truth", empty(), np.zeros((5, 10), bool)),
        ("predicted", np.zeros(10, bool), np.zeros(10, bool)),
    ],
)
def test_what_is_no_mask_is_refused_by_name(
    name: str, predicted: np.ndarray, truth: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=f"^{name} .*expected"):
        PhraseIou().add("mug", predicted, truth)


def test_presence_by_hand() -> None:
    # Pairs of present and absent: (.9 .5) (.9 .1) (.4 .1) right, (.4 .5) wrong: AUROC 3/4.
    got = presence(
        scores=[0.9, 0.4, 0.5, 0.1],
        present=[True, True, False, False],
        decided=[True, False, True, False],
    )
    assert got.auroc == pytest.approx(0.75)
    assert (got.precision, got.recall, got.f1) == pytest.approx((0.5, 0.5, 0.5))
    assert (got.n_present, got.n_absent) == (2, 2)
    assert got.best_f1 == pytest.approx(0.8)  # from 0.4 up: 2 of 3 right, 2 of 2 found
    assert got.best_threshold == pytest.approx(0.4)
    assert got.curve is not None
    assert got.curve.thresholds == pytest.approx((0.1, 0.4, 0.5, 0.9))
    assert got.curve.precision == pytest.approx((1 / 2, 2 / 3, 1 / 2, 1, 1))
    assert got.curve.recall == pytest.approx((1, 1, 1 / 2, 1 / 2, 0))


def test_who_is_unsure_has_not_said_present() -> None:
    present = [True, True, True, False]
    got = presence(
        [0.9, 0.6, 0.4, 0.5],
        present,
        decided=[True, False, False, False],
        unsure=[False, True, False, True],
    )
    assert got.unsure == pytest.approx(0.5)
    assert (got.precision, got.recall) == pytest.approx((1.0, 1 / 3))
    assert presence([0.9], [True], [True]).unsure == 0.0


def test_ties_count_half() -> None:
    got = presence([0.5, 0.5, 0.5], [True, False, False], [True, True, True])
    assert got.auroc == pytest.approx(0.5)
    assert got.f1 == pytest.approx(0.5)


def test_a_worse_order_and_worse_decisions_score_worse() -> None:
    present = np.array([True, True, True, False, False, False])
    scores = np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1])
    right = presence(scores, present, present)
    assert (right.auroc, right.f1, right.best_f1) == (1.0, 1.0, 1.0)
    turned = presence(1 - scores, present, ~present)
    assert (turned.auroc, turned.f1) == (0.0, 0.0)
    swapped = presence(scores[[0, 1, 3, 2, 4, 5]], present, present)
    assert swapped.auroc == pytest.approx(8 / 9)
    yes_to_all = presence(np.ones(6), present, np.ones(6, bool))
    assert yes_to_all.auroc == pytest.approx(0.5)
    assert yes_to_all.f1 == pytest.approx(2 / 3)


@given(
    st.lists(st.tuples(st.integers(-300, 300), st.booleans()), min_size=2, max_size=30),
    st.sampled_from([1.0, 100.0, 1e-3]),
)
@settings(max_examples=60, deadline=None)
def test_auroc_is_the_share_of_pairs_in_the_right_order_at_any_scale(
    rows: list[tuple[int, bool]], scale: float
) -> None:
    scores = np.array([score for score, _ in rows]) * scale
    present = np.array([is_there for _, is_there in rows])
    got = presence(scores, present, present)
    if present.all() or not present.any():
        assert got.auroc is None
        return
    pairs = np.sign(scores[present][:, None] - scores[~present][None, :])
    assert got.auroc == pytest.approx(((pairs + 1) / 2).mean(), abs=1e-6)


def test_large_scores_do_not_become_ties() -> None:
    # torchmetrics alone would squash these by a sigmoid to 1, 1, 1, 1.
    got = presence([50.0, 49.0, 48.0, 47.0], [True, True, False, False], [True] * 4)
    assert got.auroc == 1.0
    assert got.best_threshold == 49.0


def test_one_class_alone_leaves_undefined_what_is_undefined() -> None:
    there = presence([0.9, 0.2], [True, True], [True, False])
    assert (there.auroc, there.best_f1, there.curve) == (None, None, None)
    assert (there.f1, there.precision, there.recall) == (None, None, None)
    assert there.n_absent == 0
    absent = presence([0.9, 0.2], [False, False], [True, False])
    assert (absent.auroc, absent.f1, absent.recall, absent.precision) == (None, None, None, None)
    nothing = presence([], [], [])
    assert (nothing.auroc, nothing.f1, nothing.precision, nothing.n_present) == (
        None,
        None,
        None,
        0,
    )


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("scores", ([0.1, math.nan], [True, False], [True, False])),
        ("scores", ([0.1, math.inf], [True, False], [True, False])),
        ("present", ([0.1, 0.2], [1.0, 0.0], [True, False])),
        ("decided", ([0.1, 0.2], [True, False], [True])),
        ("unsure", ([0.1, 0.2], [True, False], [True, False], [False])),
        ("unsure", ([0.1, 0.2], [True, False], [True, False], [0.0, 0.0])),
        ("unsure", ([0.1, 0.2], [True, False], [True, False], [True, False])),
    ],
)
def test_presence_refuses_bad_input_by_name(name: str, arguments: tuple[list, ...]) -> None:
    with pytest.raises(ValueError, match=f"^{name} .*expected"):
        presence(*arguments)
