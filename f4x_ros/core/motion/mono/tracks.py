# SPDX-License-Identifier: Apache-2.0
"""Corners followed from picture to picture (Lucas-Kanade in pyramids, forwards and backwards)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Pixels = NDArray[np.float32]

_WINDOW, _LEVELS = (17, 17), 3
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.02)
_BACK_PX = 0.7  # a corner that is followed back must end so near to where it was
_BORDER_PX = 4
_FEW = 0.5  # share of corners found again below which the pictures are matched first
_QUALITY = 0.003
_APART = 45  # corners that fit side by side into a picture's width
_SAME_PX = 1.5  # two corners nearer than this have become one


class CornerTracks:
    """Corners of the latest picture, each with an id that it keeps.

    Attributes:
        ids: [N] int64, rising.
        pixels: [N, 2] float32 x, y; the first pixel's centre is (0.5, 0.5).

    Args:
        count: corners that are wanted.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._next = 0
        self._grey: Grey | None = None
        self.ids = np.empty(0, np.int64)
        self.pixels = np.empty((0, 2), np.float32)

    def follow(self, grey: Grey, expected: Pixels | None = None) -> None:
        """Find the corners in the next picture [H, W]; those that are not there are gone.

        Args:
            grey: the picture.
            expected: [N, 2] where they may be.
        """
        before, self._grey = self._grey, grey
        if before is None or not len(self.ids):
            return
        start = self.pixels - 0.5
        guess = start if expected is None else expected.astype(np.float32) - 0.5
        found, there = _followed(before, grey, start, guess)
        if there.mean() < _FEW:
            matched = _carried_over(before, grey, start)
            if matched is not None:
                again, there_again = _followed(before, grey, start, matched)
                if there_again.sum() > there.sum():
                    found, there = again, there_again
        self.pixels = found + np.float32(0.5)
        self.keep(there & ~_doubled(found))

    def take(self, grey: Grey, ids: NDArray[np.int64], pixels: Pixels) -> None:
        """Begin from the corners [N] of another picture."""
        self._grey, self.ids, self.pixels = grey, ids, pixels

    def keep(self, wanted: NDArray[np.bool_]) -> None:
        """Drop the others."""
        self.ids, self.pixels = self.ids[wanted], self.pixels[wanted]

    def refill(self, grey: Grey) -> None:
        """Look for more corners where there are none."""
        self._grey = grey
        missing = self._count - len(self.ids)
        if missing <= 0:
            return
        apart = max(4, grey.shape[1] // _APART)
        free = np.full(grey.shape, 255, np.uint8)
        free[:_BORDER_PX] = free[-_BORDER_PX:] = 0
        free[:, :_BORDER_PX] = free[:, -_BORDER_PX:] = 0
        for x, y in (self.pixels - 0.5).round().astype(int).tolist():
            cv2.circle(free, (x, y), apart, 0, -1)
        found = cv2.goodFeaturesToTrack(grey, missing, _QUALITY, apart, mask=free)
        if found is None or not len(found):
            return
        found = found.reshape(-1, 2).astype(np.float32)
        cv2.cornerSubPix(grey, found, (3, 3), (-1, -1), _STOP)
        self.ids = np.append(self.ids, np.arange(self._next, self._next + len(found)))
        self._next += len(found)
        self.pixels = np.concatenate([self.pixels, found + np.float32(0.5)])


def _followed(
    before: Grey, grey: Grey, start: Pixels, guess: Pixels
) -> tuple[Pixels, NDArray[np.bool_]]:
    options: dict[str, Any] = {
        "winSize": _WINDOW,
        "maxLevel": _LEVELS,
        "criteria": _STOP,
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    }
    found, there, _ = cv2.calcOpticalFlowPyrLK(before, grey, start, guess.copy(), **options)
    back, again, _ = cv2.calcOpticalFlowPyrLK(grey, before, found, start.copy(), **options)
    height, width = grey.shape
    inside = (found >= _BORDER_PX).all(1)
    inside &= (found[:, 0] < width - _BORDER_PX) & (found[:, 1] < height - _BORDER_PX)
    near = np.linalg.norm(back - start, axis=1) < _BACK_PX
    return np.asarray(found, np.float32), (there[:, 0] > 0) & (again[:, 0] > 0) & near & inside


def _doubled(pixels: Pixels) -> NDArray[np.bool_]:
    """Corners [N] where an earlier one is."""
    if len(pixels) < 2:
        return np.zeros(len(pixels), bool)
    cells = np.floor(pixels / _SAME_PX).astype(np.int64)
    keys = cells[:, 1] * (1 << 20) + cells[:, 0]
    _, first = np.unique(keys, return_index=True)
    out = np.ones(len(pixels), bool)
    out[first] = False
    return out


def _carried_over(before: Grey, grey: Grey, pixels: Pixels) -> Pixels | None:
    """Pixels [N, 2] as the motion of most of the picture moves them; None if none is found."""
    orb: Any = cv2.ORB_create(800)  # type: ignore[attr-defined]
    (points_a, signs_a), (points_b, signs_b) = (
        orb.detectAndCompute(one, None) for one in (before, grey)
    )
    if signs_a is None or signs_b is None:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(signs_a, signs_b)
    if len(matches) < 12:
        return None
    a = np.array([points_a[m.queryIdx].pt for m in matches], np.float32)
    b = np.array([points_b[m.trainIdx].pt for m in matches], np.float32)
    cv2.setRNGSeed(0)  # the same pictures, the same answer
    H: Any = cv2.findHomography(a, b, cv2.RANSAC, 0.02 * grey.shape[1])[0]
    if H is None:
        return None
    return cv2.perspectiveTransform(pixels[:, None], H)[:, 0].astype(np.float32)
