# SPDX-License-Identifier: Apache-2.0
"""PSNR and SSIM by hand, and pictures that are deliberately wrong."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from f4x_ros.eval.metrics import common as metrics
from f4x_ros.eval.metrics.rendering import psnr_db, ssim


def grey(value: int, height: int = 12, width: int = 16) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def textured(seed: int = 0, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture with coarse and fine structure."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (height, width, 3))
    picture = sum(gaussian_filter(noise, (s, s, 0)) * s for s in (1, 3, 8))
    return np.clip(128 + 60 * picture, 0, 255).astype(np.uint8)


def ssim_by_numpy(picture: np.ndarray, truth: np.ndarray) -> float:
    """Wang et al. 2004, equation 13, with SciPy's Gaussian filter."""

    def blur(values: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(values, (1.5, 1.5, 0), mode="mirror", truncate=5 / 1.5))

    x, y = picture.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    both = blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_x * mean_y + c1) * (2 * both + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def test_psnr_of_a_constant_error_is_the_one_of_the_formula() -> None:
    assert psnr_db(grey(110), grey(100)) == pytest.approx(20 * math.log10(255 / 10))
    assert psnr_db(grey(0), grey(255)) == pytest.approx(0, abs=1e-6)
    assert psnr_db(grey(7), grey(7)) == math.inf
    assert psnr_db(grey(1), grey(255)) < 0.1  # no uint8 that wraps around


def test_psnr_is_the_one_without_torchmetrics() -> None:
    assert psnr_db(textured(1), textured(2)) == pytest.approx(
        metrics.psnr_db(textured(1), textured(2)), abs=1e-4
    )


def test_ssim_of_flat_pictures_is_their_luminance_term() -> None:
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ssim(grey(100), grey(120)) == pytest.approx(expected, abs=1e-3)
    assert ssim(grey(7), grey(7)) == pytest.approx(1.0)
    assert ssim(grey(0), grey(255)) == pytest.approx(c1 / (255**2 + c1), abs=1e-3)


@pytest.mark.parametrize("side", [6, 11, 40])
def test_ssim_is_that_of_the_paper(side: int) -> None:
    truth = textured(3)[:side, :side]
    picture = cv2.GaussianBlur(truth, (3, 3), 0)
    assert ssim(picture, truth) == pytest.approx(ssim_by_numpy(picture, truth), abs=1e-4)


def test_a_negative_has_the_opposite_structure() -> None:
    truth = textured()
    assert ssim(truth, truth) == pytest.approx(1.0)
    assert ssim(255 - truth, truth) < 0


def test_wrong_pictures_score_worse_and_worse() -> None:
    truth = textured()
    blurred = [cv2.GaussianBlur(truth, (0, 0), sigma) for sigma in (0.6, 1.2, 2.4, 5.0)]
    for measure in (psnr_db, ssim):
        scores = [measure(picture, truth) for picture in [truth, *blurred]]
        assert scores == sorted(scores, reverse=True)
        assert len(set(scores)) == len(scores)
        slightly_noisy = np.clip(
            truth + np.random.default_rng(0).normal(0, 2, truth.shape), 0, 255
        ).astype(np.uint8)
        right = measure(slightly_noisy, truth)
        for wrong in (truth[:, ::-1], np.roll(truth, 2, 1), textured(9), blurred[-1]):
            assert measure(wrong, truth) < 0.9 * right
        assert measure(truth[..., ::-1], truth) < right  # BGR taken for RGB


@pytest.mark.parametrize("measure", [psnr_db, ssim])
def test_pictures_that_cannot_be_compared_are_refused_by_name(measure: object) -> None:
    assert callable(measure)
    with pytest.raises(ValueError, match=r"^picture is .*float64, expected"):
        measure(np.full((12, 16, 3), np.nan), grey(1))
    with pytest.raises(ValueError, match=r"^truth is"):
        measure(grey(1), grey(1)[..., 0])
    with pytest.raises(ValueError, match=r"^picture has shape"):
        measure(grey(1, 12, 20), grey(1))
    with pytest.raises(ValueError, match="at least"):
        measure(grey(1)[:0], grey(1)[:0])
    with pytest.raises(ValueError, match="at least 6 px"):
        ssim(grey(1, 5, 20), grey(1, 5, 20))
