# SPDX-License-Identifier: Apache-2.0
"""A closer look at what the detector has found: does the classifier, shown that alone, agree?

Detector and classifier err on different things, so what both say is hardly ever wrong (as a second
stage judges the boxes of a first: Girshick et al., "Rich feature hierarchies", 2014).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from f4x_ros.core.base.host import on_host
from f4x_ros.core.features.photo.classifier import PlaceClassifier
from f4x_ros.core.features.photo.nanodet import Detections

SIDE = 224
"""Pixels of a side of what the classifier is shown, as in its training."""

_FOUND = 0.3  # score of the detector from which on a box is worth a look
_ALONE = 0.6  # score from which on it needs no second opinion
_AGREED = 0.15  # probability of the classifier that agrees
_INSTEAD = 0.75  # probability that is right where the detector finds something else
_AROUND = 0.15  # of a box is shown on each of its sides
_LOOKS = 2  # boxes of a picture that are looked at


class Box(NamedTuple):
    """Where a concept is shown.

    Attributes:
        concept: its row.
        score: of the detector.
        sides: x0, y0, x1, y1 as shares of the picture's width and height.
    """

    concept: int
    score: float
    sides: tuple[float, float, float, float]


class CloserLook:
    """Judges boxes; those of what was least looked at so far come first.

    Args:
        classifier: of ImageNet.
        of_scores: [C, K] 1 where a score of the classifier is of a concept.
        concepts: [80] row of each of the detector's classes among the concepts.
        near: pictures [B, 3, H, W] to what the classifier is given.
    """

    def __init__(
        self,
        classifier: PlaceClassifier,
        of_scores: Tensor,
        concepts: dict[int, int],
        near: Callable[[Tensor], Tensor],
    ) -> None:
        self._classifier, self._near = classifier, near
        self._of_scores, self._concepts = of_scores, concepts
        self._looked = [0] * len(of_scores)

    @torch.no_grad()
    def shown(
        self,
        picture: Tensor,  # [3, H, W] RGB, 0..1
        detections: Detections,  # of it, B = 1
    ) -> list[Box]:
        """What the picture shows beyond doubt.

        Thresholds are between what was right and what was wrong in the pictures of `bench/photos`.
        """
        found = self._found(detections)
        sure = [one for one in found if one.score >= _ALONE]
        doubted = [one for one in found if one.score < _ALONE]
        doubted.sort(key=lambda one: (self._looked[one.concept], -one.score))
        chosen = doubted[:_LOOKS]
        if not chosen:
            return sure
        cut = torch.cat([_cut(picture, one) for one in chosen])
        scores = self._classifier(self._near(cut)).mean((2, 3)).softmax(1)
        (probable,) = on_host(scores @ self._of_scores.T)
        for one, own in zip(chosen, probable, strict=True):
            self._looked[one.concept] += 1
            if own[one.concept] >= _AGREED:
                sure.append(one)
            elif own.max() >= _INSTEAD:
                sure.append(one._replace(concept=int(own.argmax())))
        return sure

    def _found(self, detections: Detections) -> list[Box]:
        """The best box of each class that is the likeliest of its own box."""
        best, classes = detections.scores[0].max(1)
        scores, kinds, sides = on_host(best, classes, detections.boxes[0])
        found: dict[int, Box] = {}
        for row in (-scores).argsort(kind="stable"):
            if scores[row] < _FOUND:
                break
            x0, y0, x1, y1 = sides[row].clip(0, 1).tolist()
            concept = self._concepts[int(kinds[row])]
            found.setdefault(concept, Box(concept, float(scores[row]), (x0, y0, x1, y1)))
        return list(found.values())


def _cut(picture: Tensor, box: Box) -> Tensor:
    """[1, 3, 224, 224] what a box shows, and a little around it."""
    height, width = picture.shape[1:]
    x0, y0, x1, y1 = box.sides
    across, down = _AROUND * (x1 - x0), _AROUND * (y1 - y0)
    columns, rows = _within(x0 - across, x1 + across, width), _within(y0 - down, y1 + down, height)
    part = picture[None, :, rows, columns]
    return interpolate(part, (SIDE, SIDE), mode="bilinear", antialias=True)


def _within(low: float, high: float, count: int) -> slice:
    """Pixels between two shares of a side with `count` of them, at least one."""
    first = min(int(max(0.0, low) * count), count - 1)
    return slice(first, max(first + 1, int(min(1.0, high) * count)))
