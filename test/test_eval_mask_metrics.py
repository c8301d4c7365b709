# SPDX-License-Identifier: Apache-2.0
"""J and F of DAVIS by hand, against TrackEval, and on masks that are deliberately wrong."""

from __future__ import annotations

import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f4x_ros.eval.metrics.libraries import library
from f4x_ros.eval.metrics.masks import MaskSequence, boundary_f, jaccard


def box(y: int, x: int, side: int, height: int = 60, width: int = 80) -> np.ndarray:
    out = np.zeros((height, width), bool)
    out[y : y + side, x : x + side] = True
    return out


def blob(rng: np.random.Generator, height: int = 60, width: int = 80) -> np.ndarray:
    """A few discs, cut by the picture's borders now and then."""
    y, x = np.mgrid[:height, :width]
    out = np.zeros((height, width), bool)
    for _ in range(rng.integers(1, 4)):
        centre, radius = rng.uniform(0, (height, width)), rng.uniform(3, 20)
        out |= (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
    return out


def test_jaccard_of_shifted_boxes_is_their_overlap() -> None:
    truth = box(10, 10, 10)
    assert jaccard(truth, truth) == 1.0
    assert jaccard(box(10, 15, 10), truth) == pytest.approx(50 / 150)
    assert jaccard(box(15, 15, 10), truth) == pytest.approx(25 / 175)
    assert jaccard(box(30, 30, 10), truth) == 0.0


def test_boundary_f_of_a_shift_by_hand() -> None:
    # The outline of a side of 10 has 11 x 11 - 9 x 9 = 40 pixels. With a tolerance of 1 px a shift
    # of 2 to the right leaves: of the upper and the lower line (11 px each) the 10 that are within
    # 1 px of the other's end; of the other two lines (9 more px each) those next to such a line's
    # row, which is one at either end.
    truth = box(20, 20, 10)
    pred = box(20, 22, 10)
    assert boundary_f(truth, truth, bound=1) == 1.0
    matched = 10 + 10 + 2
    assert boundary_f(pred, truth, bound=1) == pytest.approx(matched / 40)
    assert boundary_f(pred, truth, bound=2) == 1.0


def test_the_tolerance_is_a_share_of_the_diagonal_rounded_up() -> None:
    truth = box(20, 20, 10)  # the picture's diagonal is 100 px
    assert boundary_f(box(20, 21, 10), truth) == 1.0  # 0.8 px becomes 1
    assert boundary_f(box(20, 22, 10), truth) < 0.6
    assert boundary_f(box(20, 22, 10), truth, bound=0.02) == 1.0


@pytest.mark.parametrize("measure", [jaccard, boundary_f])
def test_empty_masks_follow_davis(measure: object) -> None:
    assert callable(measure)
    nothing, something = np.zeros((60, 80), bool), box(20, 20, 10)
    assert measure(nothing, nothing) == 1.0
    assert measure(nothing, something) == 0.0
    assert measure(something, nothing) == 0.0
    assert measure(~nothing, ~nothing) == 1.0


@given(shift=st.integers(1, 7))  # from half the side on, lines meet the opposite ones
@settings(max_examples=7, deadline=None)
def test_a_shifted_mask_scores_worse_and_worse(shift: int) -> None:
    truth = box(20, 20, 15)
    near, far = box(20, 20 + shift - 1, 15), box(20, 20 + shift, 15)
    assert jaccard(far, truth) < jaccard(near, truth)
    assert boundary_f(far, truth) <= boundary_f(near, truth)
    assert boundary_f(box(20, 22, 15), truth) < boundary_f(box(20, 21, 15), truth)


def test_f_sees_a_ragged_outline_that_j_forgives() -> None:
    truth = box(10, 10, 40)
    ragged = truth.copy()
    ragged[10:50:4, 46:50] = False  # teeth of 4 px
    assert jaccard(ragged, truth) > 0.95
    assert boundary_f(ragged, truth) < 0.9


def test_pixels_outside_of_valid_do_not_count() -> None:
    valid = np.zeros((60, 80), bool)
    valid[:, :40] = True
    truth, pred = box(10, 10, 10), box(10, 10, 10) | box(10, 60, 10)
    assert jaccard(pred, truth) == 0.5
    assert jaccard(pred, truth, valid) == 1.0
    assert boundary_f(pred, truth) < 1.0
    assert boundary_f(pred, truth, valid=valid) == 1.0


def _disk(radius: float) -> np.ndarray:
    """As skimage.morphology.disk, the only thing that TrackEval's F takes from scikit-image."""
    y, x = np.mgrid[-int(radius) : int(radius) + 1, -int(radius) : int(radius) + 1]
    return (x**2 + y**2 <= radius**2).astype(np.uint8)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.parametrize("shape", [(60, 80), (240, 320), (200, 33)])
def test_j_and_f_are_those_of_trackeval(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    monkeypatch.setitem(sys.modules, "skimage", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "skimage.morphology", SimpleNamespace(disk=_disk))
    rng = np.random.default_rng(5)
    truths = [blob(rng, *shape) for _ in range(10)]
    preds = [np.roll(truth, rng.integers(-3, 4, 2), (0, 1)) for truth in truths]
    preds[1], truths[2], preds[3] = (np.zeros(shape, bool) for _ in range(3))
    preds[4] = truths[4].copy()
    truths[5], preds[5] = (np.zeros(shape, bool) for _ in range(2))
    truths[6] = np.ones(shape, bool)

    def encoded(masks: list[np.ndarray]) -> list[list]:
        return [[coco.encode(np.asfortranarray(m.astype(np.uint8)))] for m in masks]

    data = {
        "num_timesteps": 10,
        "num_gt_ids": 1,
        "num_tracker_ids": 1,
        "gt_dets": encoded(truths),
        "tracker_dets": encoded(preds),
        "gt_ids": [np.array([0])] * 10,
        "tracker_ids": [np.array([0])] * 10,
    }
    theirs = library("trackeval.metrics").JAndF()
    expected = theirs.eval_sequence(data)
    per_frame = theirs._compute_f(data["gt_dets"], data["tracker_dets"], 0, 0, 0.008)

    sequence = MaskSequence()
    for pred, truth in zip(preds, truths, strict=True):
        sequence.add(pred, truth)
    ours = sequence.result()
    assert [boundary_f(p, t) for p, t in zip(preds, truths, strict=True)] == pytest.approx(
        list(per_frame), abs=1e-12
    )
    assert ours.j == pytest.approx(expected["J-Mean"], abs=1e-12)
    assert ours.f == pytest.approx(expected["F-Mean"], abs=1e-12)
    assert ours.j_and_f == pytest.approx(expected["J&F"], abs=1e-12)
    assert ours.j_recall == pytest.approx(expected["J-Recall"], abs=1e-12)
    assert ours.f_recall == pytest.approx(expected["F-Recall"], abs=1e-12)
    assert 0.2 < expected["F-Mean"] < 0.99  # neither trivially right nor wrong


def test_a_sequence_is_the_mean_of_its_frames() -> None:
    truth = box(10, 10, 10)
    sequence = MaskSequence()
    assert sequence.add(truth, truth) == 1.0
    assert sequence.add(box(10, 15, 10), truth) == pytest.approx(1 / 3)
    sequence.add(~truth & False, truth)
    sequence.add(~truth & False, ~truth & False)  # nothing there, nothing said
    result = sequence.result()
    assert result.j == pytest.approx((1 + 1 / 3 + 0 + 1) / 4)
    assert result.j_recall == pytest.approx(2 / 4)
    assert result.j_where_true == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert result.j is not None
    assert result.f is not None
    assert result.j_and_f == pytest.approx((result.j + result.f) / 2)
    assert (result.frames, result.frames_true) == (4, 3)


def test_saying_nothing_where_hardly_anything_moves_is_seen() -> None:
    nothing, something = np.zeros((60, 80), bool), box(20, 20, 10)
    silent, right = MaskSequence(), MaskSequence()
    for frame in range(20):
        truth = something if frame == 0 else nothing
        silent.add(nothing, truth)
        right.add(truth, truth)
    assert silent.result().j == pytest.approx(0.95)
    assert silent.result().j_where_true == 0.0
    assert right.result().j_where_true == 1.0


def test_no_frames_and_one_frame() -> None:
    nothing = MaskSequence().result()
    assert (nothing.j, nothing.f, nothing.j_and_f, nothing.frames) == (None, None, None, 0)
    one = MaskSequence()
    one.add(np.zeros((5, 5), bool), np.zeros((5, 5), bool))
    assert (one.result().j, one.result().j_where_true) == (1.0, None)


@pytest.mark.parametrize("measure", [jaccard, boundary_f, MaskSequence().add])
def test_what_is_no_mask_is_refused_by_name(measure: object) -> None:
    assert callable(measure)
    truth = box(10, 10, 10)
    with pytest.raises(ValueError, match=r"^pred is .*float64, expected"):
        measure(np.full(truth.shape, np.nan), truth)
    with pytest.raises(ValueError, match=r"^truth has shape"):
        measure(truth, truth[:-1])
    with pytest.raises(ValueError, match=r"^bound is nan"):
        boundary_f(truth, truth, bound=math.nan)
