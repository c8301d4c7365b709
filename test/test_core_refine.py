# SPDX-License-Identifier: Apache-2.0
"""Limits that follow the scene, and masks that are decided per Gaussian."""

from __future__ import annotations

import pytest
import torch

from f4x_ros.core.ask.refine import (
    as_relevancy,
    decided,
    line_for,
    scene_limits,
    standing_selection,
)
from f4x_ros.core.features.calibrated import PeakLine, PeakLines

SURE = torch.cat([torch.full((40,), 0.9), torch.full((400,), 0.05)])
UNSURE = SURE / 3
LINE = PeakLine(-2.0, 0.8)
ALL = torch.ones(440, dtype=torch.bool)


def test_a_word_the_encoder_is_unsure_of_selects_the_same_gaussians():
    scores = torch.stack([SURE, UNSURE], 1)
    chosen = scores >= scene_limits(scores, ALL, [0.5, 0.5], [LINE, LINE])
    assert chosen[:, 0].tolist() == [True] * 40 + [False] * 400
    assert torch.equal(chosen[:, 0], chosen[:, 1])


def test_without_a_line_the_thresholds_hold():
    scores = torch.stack([SURE, UNSURE], 1)
    assert scene_limits(scores, ALL, [0.5, 0.25], None).tolist() == [0.5, 0.25]


def test_what_is_not_trusted_does_not_raise_the_limit():
    scores = UNSURE[:, None].clone()
    scores[100:140] = 1.0
    trusted = ALL.clone()
    trusted[100:140] = False
    expected = scene_limits(UNSURE[:, None], ALL, [0.5], [LINE])
    assert torch.allclose(scene_limits(scores, trusted, [0.5], [LINE]), expected)


def test_a_single_stray_gaussian_hardly_raises_the_limit():
    scores = UNSURE[:, None].clone()
    scores[200] = 1.0
    limit = scene_limits(scores, ALL, [0.5], [LINE])
    best = torch.tensor((24 * 0.3 + 1.0) / 25)
    assert limit.logit().item() == pytest.approx(LINE.offset + LINE.slope * best.logit().item())


def test_in_an_empty_scene_the_thresholds_hold():
    nothing = torch.zeros(0, 1)
    assert scene_limits(nothing, nothing[:, 0].bool(), [0.5], [LINE]).tolist() == [0.5]


def test_what_has_no_relevancy_is_never_selected():
    scores = torch.zeros(50, 1)
    limits = scene_limits(scores, torch.ones(50, dtype=torch.bool), [0.5], [LINE])
    assert limits.item() > 0
    assert decided(scores, limits).max() == 0


def test_half_is_at_the_limit_and_the_rest_is_pushed_apart():
    limits = torch.tensor([0.3])
    made = decided(torch.tensor([[0.3], [0.5], [0.15], [1.0], [0.0]]), limits)[:, 0]
    assert made[0].item() == pytest.approx(0.5)
    assert made[1] > 0.9
    assert made[2] < 0.1
    assert made[3] > 0.999
    assert made[4] == 0


def test_a_mask_passes_its_threshold_where_half_is_selected():
    shares = torch.linspace(0, 1, 101)[:, None].expand(-1, 2)
    masks = as_relevancy(shares, [0.2, 0.7])
    assert torch.equal(masks >= torch.tensor([0.2, 0.7]), shares >= 0.5)
    assert masks[0].tolist() == [0, 0]
    assert masks[-1].tolist() == pytest.approx([1, 1])
    assert (masks.diff(dim=0) > 0).all()


def test_thresholds_and_lines_must_fit_the_scores():
    with pytest.raises(ValueError, match="2 thresholds, expected 1"):
        scene_limits(UNSURE[:, None], ALL, [0.5, 0.5], [LINE])
    with pytest.raises(ValueError, match="2 lines, expected 1"):
        scene_limits(UNSURE[:, None], ALL, [0.5], [LINE, LINE])


def test_a_phrase_that_says_less_has_a_lower_limit():
    """With lines for that: the best of them says less about the other red things."""
    lines = PeakLines(PeakLine(-2.0, 0.4), PeakLine(-2.0, 0.6), PeakLine(-2.0, 0.8))
    chosen = [line_for(phrase, lines) for phrase in ("red thing", "mug", "red mug")]
    limits = scene_limits(SURE[:, None].expand(-1, 3), ALL, [0.5] * 3, chosen)
    assert (limits.diff() > 0).all()


def test_what_is_hardly_relevant_still_has_a_best_that_is_selected():
    """However far down the best is, and whatever the line: the limit is not above it."""
    faint = SURE[:, None] / 40
    for slope in (0.2, 0.6, 1.0):
        limit = scene_limits(faint, ALL, [0.5], [PeakLine(-0.5, slope)])
        assert limit.item() <= faint.max().item() * (1 + 1e-5)


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("red thing", "attribute"), ("shiny object", "attribute"), ("thing", "attribute"),
        ("something red", "attribute"), ("a red thing", "attribute"), ("the mug", "kind"),
        ("mug", "kind"), ("robot vacuum", "kind"), ("something to sit on", "kind"),
        ("red mug", "both"), ("wooden table", "both"), ("person in blue", "both"),
        ("grey wooden chair", "both"),
    ],
)  # fmt: skip
def test_the_line_of_a_phrase_is_that_of_what_it_says(phrase, name):
    lines = PeakLines(PeakLine(0.0, 0.1), PeakLine(0.0, 0.2), PeakLine(0.0, 0.3))
    assert line_for(phrase, lines) == getattr(lines, name)


def test_a_standing_prompt_that_is_there_selects_from_a_limit_that_follows_its_best_on():
    scores = SURE[:, None].clone()
    scores[40:60] = 0.45  # below the threshold, above the limit of the best
    chosen = standing_selection(scores, ALL, [0.5], [LINE]) >= 0.5
    assert chosen[:, 0].tolist() == [True] * 60 + [False] * 380


def test_a_standing_prompt_whose_best_is_too_low_selects_nothing():
    chosen = standing_selection(UNSURE[:, None], ALL, [0.5], [LINE]) >= 0.5
    assert not chosen.any()
