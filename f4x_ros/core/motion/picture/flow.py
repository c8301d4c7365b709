# SPDX-License-Identifier: Apache-2.0
"""Dense flow between two pictures and how far to trust it (DIS, Kroeger et al., ECCV 2016)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_SLIP_PX = 1.0  # there and back by the flow: off by this much is trusted to 37 %
_TEXTURE = 1.0  # slope of the grey [1/px] that is trusted to a half
_TEXTURE_PX = 7  # window that it is measured in


class DenseFlow:
    """Flow from one grey picture to another, with its trust."""

    def __init__(self) -> None:
        """Nothing is kept from one pair to the next."""
        self._dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def between(
        self, grey: NDArray[np.uint8], other: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where each pixel of ``grey [H, W]`` lies in ``other [H, W]``.

        Returns:
            flow [H, W, 2] in pixels (right, down), and trust [H, W] 0..1: 0 where the way back does
            not end at the start (what is hidden in the other picture, or leaves it).
        """
        grey, other = np.ascontiguousarray(grey), np.ascontiguousarray(other)
        there = self._dis.calc(grey, other, None)
        back = self._dis.calc(other, grey, None)
        slip = there + fetched(back, there)
        trust = np.exp(-(slip[..., 0] ** 2 + slip[..., 1] ** 2) / np.float32(_SLIP_PX**2))
        trust[~_inside(there)] = 0
        return there, trust


def fetched(field: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """The field ``[H, W, ...]`` read where each pixel flows to; 0 outside."""
    there = _ends(flow)
    read = cv2.remap(
        field, there[..., 0], there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(read, np.float32)


def textured(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far ``[H, W]`` 0..1 a picture ``[H, W]`` has something that a flow can hold on to."""
    g = grey.astype(np.float32)
    dx, dy = cv2.Sobel(g, -1, 1, 0, scale=1 / 8), cv2.Sobel(g, -1, 0, 1, scale=1 / 8)
    power = cv2.boxFilter(dx * dx + dy * dy, -1, (_TEXTURE_PX, _TEXTURE_PX))
    share: NDArray[np.float32] = power / (power + _TEXTURE**2)
    return share


@lru_cache(maxsize=4)
def pixels(height: int, width: int) -> NDArray[np.float32]:
    """Where each pixel is: ``[H, W, 2]`` (u, v), not to be written to."""
    v, u = np.mgrid[:height, :width].astype(np.float32)
    where = np.stack([u, v], -1)
    where.flags.writeable = False
    return where


def _ends(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    return pixels(*flow.shape[:2]) + flow


def _inside(flow: NDArray[np.float32]) -> NDArray[np.bool_]:
    last = np.array([flow.shape[1] - 1, flow.shape[0] - 1], np.float32)
    there = _ends(flow)
    return np.asarray(((there >= 0) & (there <= last)).all(-1))
