# SPDX-License-Identifier: Apache-2.0
"""A mask of what moves in each picture of a video.

Motion says what moves, colour says how far it reaches. Each pixel's log-odds are the sum of three:
its motion against the background, the mask of the picture before, carried on by the flow, and its
colour, as learned from the masks so far. Neighbours of like colour then agree. After Papazoglou and
Ferrari, "Fast object segmentation in unconstrained video", ICCV 2013, but online: nothing but the
past is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.motion.picture.colours import ColourMemory
from f4x_ros.core.motion.picture.evidence import Evidence, EvidenceSource
from f4x_ros.core.motion.picture.flow import fetched

_QUIET_PX = 0.35  # a residual below this is noise of the flow
_NOISE = 2.5  # as is one below so many times the picture's median
_STEEP = 2.0  # of the logarithm of the residual, in log-odds
_SOFT_PX = 0.05  # added to residuals before their logarithm is taken
_LARGEST = 3.0  # log-odds that motion or colour alone can say
_SURE = 0.98  # what was so in the picture before is so now, at most
_OUTSIDE = 0.1  # what comes in from the edge moves
_DRIFT_PX = 2.0  # blur of the mask that is carried on
_SLOWLY = 0.9  # how much of the usual residual is kept from picture to picture
_TRUSTED = 0.4  # trust at which motion counts a half
_SEEN_MOVING = 0.6  # probability by motion alone
_AT_REST = 0.95  # what is kept per picture of having been seen to move
_AROUND = 0.1  # share of the width that is around a pixel
_COARSE = 4  # pixels in one, where only what is around counts
_SMALLEST = 0.15  # share of the largest part below which others are dropped


@dataclass(frozen=True)
class MoverOptions:
    """What may be fitted to a kind of video.

    Attributes:
        share: a pixel moves if its residual is above this share of what movers usually have, in
            the whole picture and around it (their geometric mean), 0..1.
        colour: weight of the colours, 0 and up.
        memory: weight of the mask of the picture before, 0 and up.
        support: share of a part's pixels that must have been seen to move lately, 0..1.
    """

    share: float = 0.5
    colour: float = 1.0
    memory: float = 0.5
    support: float = 0.3

    def __post_init__(self) -> None:
        for name, least, most in (
            ("share", 0, 1), ("colour", 0, 100), ("memory", 0, 1), ("support", 0, 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most:
                raise BadInputError(f"{name} is {value}, expected a number from {least} to {most}")


class PictureMovers:
    """Feed it the pictures of a video in order; each gives the mask of what moves."""

    def __init__(self, options: MoverOptions | None = None, width_px: int = 427) -> None:
        """Start a video.

        Args:
            options: default `MoverOptions`.
            width_px: wider pictures are reduced to this width; the masks are not.
        """
        self._source = EvidenceSource(width_px)
        self._segmenter = MoverSegmenter(options)

    def update(
        self, rgb: NDArray[np.uint8], other: NDArray[np.uint8] | None = None
    ) -> NDArray[np.bool_]:
        """Mask ``[H, W]`` of what moves in the next picture.

        Args:
            rgb: [H, W, 3] of the same size as those before.
            other: a picture to compare the first one with; without it the first mask is empty.

        Raises:
            BadInputError: an array is no picture, or of another size than the first.
        """
        return self._segmenter.segment(self._source.look(rgb, other))


class MoverSegmenter:
    """Masks from the `Evidence` of pictures in order."""

    def __init__(self, options: MoverOptions | None = None) -> None:
        """Start a video."""
        self._options = options or MoverOptions()
        self._colours = ColourMemory()
        self._usual_px: float | None = None
        self._belief: NDArray[np.float32] | None = None  # [h, w] probability of the last mask
        self._moved: NDArray[np.float32] | None = None  # [h, w] of having been seen to move

    def segment(self, evidence: Evidence) -> NDArray[np.bool_]:
        """Mask ``[H, W]`` of the picture that the evidence is of."""
        motion = self._motion_odds(evidence)
        odds = motion + self._options.colour * self._colours.odds(evidence.lab, _LARGEST)
        odds += self._options.memory * self._memory_odds(evidence.flow)
        odds = evidence.pairs.settle(odds.astype(np.float32))
        self._moved = self._moved_lately(motion, evidence.flow)
        odds = self._supported(odds, self._moved)
        self._belief = _probability(odds)
        fore = self._belief * ((odds > 0) & (self._moved > 0.5))
        self._colours.learn(evidence.lab, fore, (1 - self._belief) * (odds <= 0))
        odds = np.where(_small_parts(odds > 0), np.float32(-1), odds)
        return np.asarray(cv2.resize(odds, evidence.size, interpolation=cv2.INTER_LINEAR) > 0)

    def _motion_odds(self, evidence: Evidence) -> NDArray[np.float32]:
        px = evidence.residual_px
        cut = np.minimum(px, np.percentile(px, 99.5))
        now = float((cut**3).sum() / max(float((cut**2).sum()), 1e-9))
        before = now if self._usual_px is None else self._usual_px
        self._usual_px = _SLOWLY * before + (1 - _SLOWLY) * now
        around = np.minimum(_usual_around(cut), self._usual_px)
        noise = max(_QUIET_PX, _NOISE * float(np.median(px)))
        least = np.maximum(noise, self._options.share * np.sqrt(around * self._usual_px))
        odds = _STEEP * np.log((px + _SOFT_PX) / (least + _SOFT_PX))
        trust = evidence.trust / (evidence.trust + _TRUSTED)
        return np.asarray(np.clip(odds, -_LARGEST, _LARGEST) * trust, np.float32)

    def _memory_odds(self, flow: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._belief is None:
            return np.zeros(flow.shape[:2], np.float32)
        carried = fetched(self._belief - np.float32(_OUTSIDE), flow) + np.float32(_OUTSIDE)
        carried = cv2.GaussianBlur(carried, (0, 0), _DRIFT_PX).clip(1 - _SURE, _SURE)
        return np.asarray(np.log(carried / (1 - carried)))

    def _moved_lately(
        self, motion: NDArray[np.float32], flow: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        moves = _probability(motion)
        if self._moved is None:
            return moves
        return np.asarray(np.maximum(moves, np.float32(_AT_REST) * fetched(self._moved, flow)))

    def _supported(
        self, odds: NDArray[np.float32], moved: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Without the parts of the mask that have not been seen to move lately."""
        count, part = cv2.connectedComponents((odds > 0).astype(np.uint8), connectivity=4)
        area = np.bincount(part.ravel(), minlength=count)
        seen = np.bincount(part.ravel(), (moved > _SEEN_MOVING).ravel(), count)
        unseen = seen < self._options.support * area
        return np.where(unseen[part] & (part > 0), np.float32(-1), odds)


def _usual_around(px: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the residuals ``[H, W]`` around each pixel are, the large ones above all."""
    height, width = px.shape
    size = (max(1, width // _COARSE), max(1, height // _COARSE))
    coarse = cv2.resize(px, size, interpolation=cv2.INTER_AREA)
    wide = _AROUND * width / _COARSE
    cubes, squares = (cv2.GaussianBlur(coarse**power, (0, 0), wide) for power in (3, 2))
    return np.asarray(cv2.resize(cubes / (squares + 1e-9), (width, height)), np.float32)


def _probability(odds: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(0.5 + 0.5 * np.tanh(odds / 2), np.float32)


def _small_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Parts of a mask ``[H, W]`` that are small beside its largest."""
    count, part, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return np.zeros_like(mask)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.isin(part, np.flatnonzero(areas < _SMALLEST * areas.max())) & mask
