# SPDX-License-Identifier: Apache-2.0
"""How good masks from clicks are: a simulated user clicks, looks at the mask and clicks again.

The protocol of interactive segmentation (Xu et al., Deep Interactive Object Selection, 2016;
Sofiiuk et al., RITM, 2021): the first click lies as deep inside of the object as it can, each
further one as deep inside of what is wrong, be it missing or too much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.eval.metrics.masks import check_masks, jaccard

CLICKS = 3
"""Clicks of the simulated user on each object."""


CLICK_LEVEL = 0.5
"""Probability from which a pixel counts as selected."""


class Click(NamedTuple):
    """A place in a picture, and whether it is part of the object."""

    x: float  # pixels, to the right, centres at +0.5
    y: float  # pixels, down
    inside: bool


Segmenter = Callable[[Sequence[Click]], NDArray[np.bool_]]
"""From all clicks on one object so far to its mask [H, W]."""


def as_arguments(clicks: Sequence[Click]) -> dict[str, Any]:
    """`points` and `labels` of `Perception.segment`."""
    return {
        "points": [(click.x, click.y) for click in clicks],
        "labels": [int(click.inside) for click in clicks],
    }


def next_click(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Click | None:
    """Where a user would click who wants `truth` [H, W] and sees `predicted` [H, W].

    In the middle of the deepest error; None if there is none.

    Raises:
        ValueError: a mask is not a bool array [H, W], or the shapes differ.
    """
    check_masks(truth=truth, predicted=predicted)
    missing, extra = _depth(truth & ~predicted), _depth(predicted & ~truth)
    inside = bool(missing.max() >= extra.max())
    depth = missing if inside else extra
    if depth.max() <= 0:
        return None
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return Click(float(x) + 0.5, float(y) + 0.5, inside)


def _depth(region: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance [H, W] in pixels of each pixel of a region from its outline or the border."""
    padded = np.pad(region, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance[1:-1, 1:-1], np.float32)


def click_through(
    truth: NDArray[np.bool_], segment: Segmenter, clicks: int = CLICKS
) -> list[float]:
    """IoU after each of `clicks` clicks on one object.

    A user who sees no error any more clicks no more: the last IoU then stands for the rest.
    """
    made: list[Click] = []
    predicted = np.zeros_like(truth)
    ious: list[float] = []
    while len(ious) < clicks:
        click = next_click(truth, predicted)
        if click is not None:
            made.append(click)
            predicted = segment(made)
        ious.append(jaccard(predicted, truth))
    return ious
