# SPDX-License-Identifier: Apache-2.0
"""Colours of what moves and of what does not, learned while the video runs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_BINS = 32  # along each of three axes
_FORGET = 0.8  # what remains of the colours of the frame before
_UNSEEN = 2e-5  # share that any colour has at least
_VIVID = 2.5  # hues are stretched by this before they are binned


def lab_of(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lab ``[H, W, 3]`` with its hues stretched: most pictures use little of their range."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab[..., 1:] = np.clip((lab[..., 1:] - 128) * _VIVID + 128, 0, 255)
    return lab.astype(np.uint8)


class ColourMemory:
    """Two histograms over colour, of the foreground and the background, that forget."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._fore, self._back = np.zeros((2, _BINS**3))

    def odds(self, lab: NDArray[np.uint8], largest: float) -> NDArray[np.float32]:
        """Log-odds ``[H, W]`` that a colour of ``lab [H, W, 3]`` is of the foreground.

        Args:
            largest: they are cut off at this, below and above 0.
        """
        if not self._fore.any() or not self._back.any():
            return np.zeros(lab.shape[:2], np.float32)
        ratio = np.log(_likely(self._fore) / _likely(self._back))
        return np.clip(ratio, -largest, largest).astype(np.float32)[_bin_of(lab)]

    def learn(
        self, lab: NDArray[np.uint8], fore: NDArray[np.float32], back: NDArray[np.float32]
    ) -> None:
        """Take in a picture; ``fore`` and ``back [H, W]`` 0..1 say how far each pixel is of which.

        Where a picture has nothing of the one, its colours are kept as they were.
        """
        bins = _bin_of(lab).ravel()
        if fore.any():
            new = np.bincount(bins, fore.ravel(), _BINS**3)
            self._fore = _FORGET * self._fore + (1 - _FORGET) * new
        if back.any():
            new = np.bincount(bins, back.ravel(), _BINS**3)
            self._back = _FORGET * self._back + (1 - _FORGET) * new


def _bin_of(lab: NDArray[np.uint8]) -> NDArray[np.intp]:
    level = (lab // (256 // _BINS)).astype(np.intp)
    number: NDArray[np.intp] = (level[..., 0] * _BINS + level[..., 1]) * _BINS + level[..., 2]
    return number


def _likely(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the bins, smoothed over their neighbours."""
    grid = counts.reshape(_BINS, _BINS, _BINS)
    for axis in range(3):
        edges = np.pad(grid, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
        low, mid, high = (
            np.take(edges, range(start, start + _BINS), axis=axis) for start in range(3)
        )
        grid = 0.25 * low + 0.5 * mid + 0.25 * high
    shares: NDArray[np.float64] = grid.ravel() / grid.sum() + _UNSEEN
    return shares
