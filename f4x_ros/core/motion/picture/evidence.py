# SPDX-License-Identifier: Apache-2.0
"""Evidence of motion: how far each pixel moves otherwise than a still scene would."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.motion.picture.background import plane_residual, unexplained_px
from f4x_ros.core.motion.picture.colours import lab_of
from f4x_ros.core.motion.picture.edges import ColourPairs, spread_along_edges
from f4x_ros.core.motion.picture.flow import DenseFlow, textured

_SLOW_GAP = 4  # frames back, for what is slow
_SLOW_PX = 2.0  # residual per frame at which the slow gap counts 37 %
_LEAST_PX = 32  # side of a picture that flow can be found in
_TOP = 99.0  # percentile that is the residual of what moves


@dataclass(frozen=True)
class Evidence:
    """What one picture shows of motion, at the reduced size.

    Attributes:
        rgb: [h, w, 3] the reduced picture.
        size: width and height of the picture itself.
        residual_px: [h, w] how far each pixel moves besides the background, per frame, 0 and up.
        trust: [h, w] how far that is to be believed, 0..1.
        flow: [h, w, 2] to the picture before, in pixels (right, down); zero for the first.
    """

    rgb: NDArray[np.uint8]
    size: tuple[int, int]
    residual_px: NDArray[np.float32]
    trust: NDArray[np.float32]
    flow: NDArray[np.float32]

    @cached_property
    def lab(self) -> NDArray[np.uint8]:
        """``[h, w, 3]`` its colours as `lab_of` gives them."""
        return lab_of(self.rgb)

    @cached_property
    def pairs(self) -> ColourPairs:
        """Its neighbours of like colour."""
        return ColourPairs(self.lab.astype(np.float32))


class EvidenceSource:
    """Feed it pictures in order; each gives its `Evidence`. Only pictures of the past are used."""

    def __init__(self, width_px: int = 427) -> None:
        """Start a sequence.

        Args:
            width_px: wider pictures are reduced to this width.
        """
        self._width = width_px
        self._shape: tuple[int, ...] | None = None
        self._flow = DenseFlow()
        self._past: deque[NDArray[np.uint8]] = deque(maxlen=_SLOW_GAP)

    def look(self, rgb: NDArray[np.uint8], other: NDArray[np.uint8] | None = None) -> Evidence:
        """Evidence of the next picture ``rgb [H, W, 3]``.

        Args:
            other: a picture to compare the first one with, such as the second; without it there is
                no evidence in the first.

        Raises:
            BadInputError: a picture is none, or not of the size of the first.
        """
        self._check("rgb", rgb)
        small = self._reduced(rgb)
        grey = _grey(small)
        pasts = {gap: self._past[-gap] for gap in (1, _SLOW_GAP) if gap <= len(self._past)}
        first = not pasts
        if first and other is not None:
            self._check("other", other)
            pasts = {1: _grey(self._reduced(other))}
        self._past.append(grey)
        texture = textured(grey)
        total, weight = np.zeros((2, *grey.shape), np.float32)
        flow_before = np.zeros((*grey.shape, 2), np.float32)
        slow = 1.0
        for gap, past in pasts.items():
            flow, trust = self._flow.between(grey, past)
            trust = trust * texture
            residual = plane_residual(flow, trust)
            if residual is None:
                continue
            left = unexplained_px(residual, trust) / np.float32(gap**0.5)
            if gap == 1:
                slow = float(np.exp(-((np.percentile(left, _TOP) / _SLOW_PX) ** 2)))
                flow_before = flow_before if first else flow
            else:
                trust = trust * np.float32(slow)
            total, weight = total + trust * left, weight + trust
        residual_px, trust = spread_along_edges(total, weight, grey)
        return Evidence(small, (rgb.shape[1], rgb.shape[0]), residual_px, trust, flow_before)

    def _check(self, name: str, rgb: NDArray[np.uint8]) -> None:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise BadInputError(f"{name} is {rgb.shape} {rgb.dtype}, expected [H, W, 3] uint8")
        self._shape = self._shape or rgb.shape
        if min(rgb.shape[:2]) < _LEAST_PX or rgb.shape != self._shape:
            raise BadInputError(
                f"{name} has shape {rgb.shape}, expected {self._shape} as the first picture, with "
                f"sides of {_LEAST_PX} or more"
            )

    def _reduced(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = rgb.shape[:2]
        if width <= self._width:
            return rgb
        size = (self._width, max(1, round(self._width * height / width)))
        return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
