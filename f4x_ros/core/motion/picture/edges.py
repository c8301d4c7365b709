# SPDX-License-Identifier: Apache-2.0
"""What belongs together in a picture: values spread along its edges, not across them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_GUIDE_PX = 9  # window of the guided filter
_GUIDE_SOFT = 0.003  # variance of grey (0..1) below which it smooths
_NO_TRUST = 1e-3
# Pairs of pixels that pull at each other: right and down by so much, near and far.
_NEAR = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 3), (3, 0), (2, 2), (2, -2))
_PAIRS = (*_NEAR, (0, 7), (7, 0), (5, 5), (5, -5))
_ALIKE = 12.0  # colours that differ by so much pull with 61 %
_PULL = 0.8  # log-odds that a pixel of the same colour next to it can add
_STEPS = 5


def spread_along_edges(
    total: NDArray[np.float32], weight: NDArray[np.float32], grey: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weighted means of values, along the edges of a picture: where there are none, of those near.

    The guided filter (He, Sun, Tang, ECCV 2010) with weights.

    Args:
        total: [H, W] values times their weights.
        weight: [H, W] 0 and up.
        grey: [H, W] the picture.

    Returns:
        the means [H, W], not below 0 and near 0 where there is no weight around, and the mean
        weight around each pixel.
    """
    guide = grey.astype(np.float32) / np.float32(255)

    def mean(field: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.boxFilter(field, cv2.CV_32F, (_GUIDE_PX, _GUIDE_PX)), np.float32)

    w = np.asarray(weight + np.float32(_NO_TRUST), np.float32)
    around = mean(w)
    m_guide, m_value = mean(guide * w) / around, mean(total) / around
    variance = mean(np.square(guide) * w) / around - np.square(m_guide)
    slope = (mean(guide * total) / around - m_guide * m_value) / (variance + _GUIDE_SOFT)
    offset = m_value - slope * m_guide
    return np.maximum(mean(slope) * guide + mean(offset), 0), around


class ColourPairs:
    """How strongly near and far neighbours of like colour pull at each other."""

    def __init__(self, lab: NDArray[np.float32]) -> None:
        """Measure the pairs of a picture ``[H, W, 3]`` in a colour space like Lab, 0..255."""
        self._pulls: list[NDArray[np.float32]] = []
        for down, right in _PAIRS:
            a, b = _two_views(lab, down, right)
            apart = np.einsum("ijk,ijk->ij", d := a - b, d)
            far = (down * down + right * right) ** 0.25
            self._pulls.append(np.exp(-apart / np.float32(2 * _ALIKE**2)) / np.float32(far))

    def settle(self, odds: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-odds ``[H, W]`` after neighbours of like colour have agreed.

        Mean field of a conditional random field with Potts pairs: Kraehenbuehl and Koltun,
        "Efficient inference in fully connected CRFs with Gaussian edge potentials", NeurIPS 2011,
        with a few pairs per pixel instead of all.
        """
        settled = odds
        for _ in range(_STEPS):
            belief = np.tanh(settled / 2)
            pull = np.zeros_like(odds)
            for (down, right), strength in zip(_PAIRS, self._pulls, strict=True):
                a, b = _two_views(belief, down, right)
                to_a, to_b = _two_views(pull, down, right)
                to_a += strength * b
                to_b += strength * a
            settled = odds + np.float32(_PULL) * pull
        return settled


def _two_views(
    field: NDArray[np.float32], down: int, right: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All pairs of pixels that lie so far apart: the first and the second of each."""
    height, width = field.shape[:2]
    left, r = max(-right, 0), max(right, 0)
    return (
        field[: height - down, left : width - r],
        field[down:, r : width - left],
    )
