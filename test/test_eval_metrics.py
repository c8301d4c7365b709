# SPDX-License-Identifier: Apache-2.0
"""Numbers computed by hand, and wrong answers that must score worse than right ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from f4x_ros.core.data.percept import RenderedView
from f4x_ros.eval.metrics.common import (
    depth_errors_m,
    mean_or_none,
    median_or_none,
    percentile_or_none,
    psnr_db,
)


def grey(value: int) -> np.ndarray:
    return np.full((4, 6, 3), value, np.uint8)


def view(depth: np.ndarray, alpha: float = 1.0) -> RenderedView:
    return RenderedView(
        np.zeros((*depth.shape, 3), np.uint8),
        depth.astype(np.float32),
        np.full(depth.shape, alpha, np.float32),
    )


def test_psnr_of_a_constant_error_is_the_one_of_the_formula() -> None:
    assert psnr_db(grey(110), grey(100)) == pytest.approx(20 * math.log10(255 / 10))
    assert psnr_db(grey(0), grey(255)) == pytest.approx(0)
    assert psnr_db(grey(7), grey(7)) == math.inf


def test_psnr_does_not_wrap_around_at_the_ends_of_uint8() -> None:
    assert psnr_db(grey(1), grey(255)) < 0.1


def test_psnr_punishes_wrong_pictures() -> None:
    truth = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    noisy = np.clip(truth.astype(int) + 3, 0, 255).astype(np.uint8)
    right = psnr_db(noisy, truth)
    assert right > psnr_db(truth[:, ::-1], truth) + 20
    assert right > psnr_db(np.roll(truth, 1, 1), truth) + 20
    assert right > psnr_db(truth[..., ::-1], truth) + 20  # BGR taken for RGB


@pytest.mark.parametrize(
    "picture", [grey(1)[:3], grey(1).astype(np.float32), np.zeros((0, 6, 3), np.uint8)]
)
def test_psnr_refuses_what_it_cannot_compare(picture: np.ndarray) -> None:
    truth = picture if not picture.size else grey(1)
    with pytest.raises(ValueError, match="expected"):
        psnr_db(picture, truth)


def test_depth_errors_count_only_where_both_depths_exist_and_the_map_is_solid() -> None:
    truth = np.array([[2.0, 2.0, 0.0, 2.0]], np.float32)
    shown = view(np.array([[2.1, 1.7, 5.0, 0.0]]))
    assert depth_errors_m(shown, truth) == pytest.approx([0.1, 0.3], abs=1e-6)
    assert len(depth_errors_m(view(np.full((1, 4), 2.0), alpha=0.5), truth)) == 0
    with pytest.raises(ValueError, match="shapes"):
        depth_errors_m(shown, truth.T)


def test_a_median_survives_outliers_but_not_a_bias() -> None:
    truth = np.full((40, 50), 2.0, np.float32)
    outliers = truth.copy()
    outliers[:10] = 9.0
    assert median_or_none([depth_errors_m(view(outliers), truth)]) == pytest.approx(0)
    assert median_or_none([depth_errors_m(view(truth + 0.04), truth)]) == pytest.approx(
        0.04, abs=1e-6
    )
    millimetres = median_or_none([depth_errors_m(view(truth * 1000), truth)])
    assert millimetres is not None
    assert millimetres > 1000


def test_large_pictures_are_sampled_without_changing_the_median() -> None:
    truth = np.full((600, 600), 2.0, np.float32)
    ramp = truth + np.linspace(0, 0.2, truth.size, dtype=np.float32).reshape(truth.shape)
    errors = depth_errors_m(view(ramp), truth)
    assert 50_000 <= len(errors) <= 100_000
    assert median_or_none([errors]) == pytest.approx(0.1, abs=1e-3)


def test_nothing_to_measure_is_none_and_not_a_number() -> None:
    assert median_or_none([]) is None
    assert median_or_none([np.zeros(0, np.float32)]) is None
    assert mean_or_none([]) is None
    assert percentile_or_none([], 50) is None
    assert percentile_or_none([1, 2, 3, 4, 100], 50) == 3
    assert percentile_or_none([0.0, 10.0], 95) == pytest.approx(9.5)
