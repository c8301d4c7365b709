# SPDX-License-Identifier: Apache-2.0
"""Depth and cloud errors by hand, and surfaces that are deliberately wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from f4x_ros.eval.metrics.geometry import cloud_scores, depth_coverage, depth_l1_m

SOLID = np.ones((1, 4))


def wall(step_m: float = 0.02) -> np.ndarray:
    """Points of a wall of 1 x 1 m at z = 2 m."""
    x, y = np.meshgrid(np.arange(0, 1, step_m), np.arange(0, 1, step_m))
    return np.stack([x, y, np.full_like(x, 2.0)], -1).reshape(-1, 3)


def test_depth_l1_counts_where_both_surfaces_exist() -> None:
    truth = np.array([[2.0, 2.0, 0.0, 2.0]])
    predicted = np.array([[2.1, 1.7, 5.0, 0.0]])
    assert depth_l1_m(predicted, truth, SOLID) == pytest.approx(0.2)
    assert depth_coverage(predicted, truth, SOLID) == pytest.approx(2 / 3)
    assert depth_l1_m(predicted, truth, np.array([[1, 0.5, 1, 1]])) == pytest.approx(0.1)


def test_wrong_depths_score_worse() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 4, (30, 40))
    alpha = np.ones_like(truth)
    noisy = depth_l1_m(truth + rng.normal(0, 0.01, truth.shape), truth, alpha)
    assert depth_l1_m(truth, truth, alpha) == 0.0
    assert noisy is not None
    for wrong in (truth + 0.1, truth * 1.1, truth[:, ::-1], np.roll(truth, 1, 1), truth * 1000):
        error = depth_l1_m(wrong, truth, alpha)
        assert error is not None
        assert error > noisy * 5


def test_claiming_only_what_is_easy_is_seen_in_the_coverage() -> None:
    truth = np.full((10, 10), 2.0)
    predicted, alpha = truth.copy(), np.zeros_like(truth)
    alpha[0, 0] = 1
    assert depth_l1_m(predicted, truth, alpha) == 0.0
    assert depth_coverage(predicted, truth, alpha) == pytest.approx(0.01)


def test_no_pixel_to_compare_is_none() -> None:
    nothing = np.zeros((1, 4))
    assert depth_l1_m(nothing, nothing + 2, SOLID) is None
    assert depth_coverage(nothing, nothing + 2, SOLID) == 0.0
    assert depth_coverage(nothing + 2, nothing, SOLID) is None
    assert depth_l1_m(np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 0))) is None


@pytest.mark.parametrize("name", ["predicted", "truth", "alpha"])
def test_depths_that_are_not_finite_are_refused_by_name(name: str) -> None:
    good = {"predicted": SOLID * 2, "truth": SOLID * 2, "alpha": SOLID}
    with pytest.raises(ValueError, match=f"^{name} has 1 values"):
        depth_l1_m(**{**good, name: np.array([[1.0, 2.0, math.nan, 1.0]])})
    with pytest.raises(ValueError, match="has shape"):
        depth_l1_m(**{**good, name: np.ones((2, 4))})


def test_two_clouds_by_hand() -> None:
    truth = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    predicted = np.array([[0.0, 0, 0.01], [1, 0.1, 0]])
    got = cloud_scores(predicted, truth)
    assert got.accuracy_m == pytest.approx((0.01 + 0.1) / 2)
    two_away, three_away = math.hypot(1, 0.1), math.hypot(2, 0.1)
    assert got.completeness_m == pytest.approx((0.01 + 0.1 + two_away + three_away) / 4)
    assert (got.accuracy_ratio, got.completeness_ratio) == pytest.approx((1 / 2, 1 / 4))
    assert got.f1 == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert cloud_scores(predicted, truth, threshold_m=0.2).f1 == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_a_shifted_a_scaled_and_half_a_cloud_score_worse() -> None:
    truth = wall()
    right = cloud_scores(truth, truth)
    assert (right.accuracy_m, right.completeness_m, right.f1) == (0.0, 0.0, 1.0)
    shifted = cloud_scores(truth + np.array([0, 0, 0.06]), truth)
    assert shifted.accuracy_m == pytest.approx(0.06)
    assert shifted.f1 == 0.0
    scaled = cloud_scores(truth * 1.1, truth)
    assert scaled.accuracy_m is not None
    assert scaled.accuracy_m > 0.1
    half = cloud_scores(truth[: len(truth) // 2], truth)
    assert (half.accuracy_m, half.accuracy_ratio) == (0.0, 1.0)  # what is there is right
    assert half.completeness_ratio == pytest.approx(0.54, abs=0.02)  # but half is missing
    assert half.f1 is not None
    assert half.f1 < 0.75
    floating = cloud_scores(np.concatenate([truth, truth + np.array([0, 0, 1])]), truth)
    assert (floating.completeness_ratio, floating.accuracy_ratio) == (1.0, 0.5)


def test_clouds_without_points() -> None:
    none, truth = np.zeros((0, 3)), wall(0.2)
    missed = cloud_scores(none, truth)
    assert (missed.accuracy_m, missed.completeness_m, missed.accuracy_ratio) == (None, None, None)
    assert (missed.completeness_ratio, missed.f1) == (0.0, 0.0)
    invented = cloud_scores(truth, none)
    assert (invented.accuracy_ratio, invented.completeness_ratio, invented.f1) == (0.0, None, None)
    nothing = cloud_scores(none, none)
    assert (nothing.accuracy_ratio, nothing.f1) == (None, None)
    one = cloud_scores(truth[:1], truth[:1])
    assert one.f1 == 1.0


def test_clouds_that_cannot_be_compared_are_refused_by_name() -> None:
    truth = wall(0.2)
    with pytest.raises(ValueError, match=r"^predicted has values that are not finite"):
        cloud_scores(np.full((3, 3), np.nan), truth)
    with pytest.raises(ValueError, match=r"^truth has shape"):
        cloud_scores(truth, truth[:, :2])
    with pytest.raises(ValueError, match=r"^threshold_m is 0"):
        cloud_scores(truth, truth, threshold_m=0)
