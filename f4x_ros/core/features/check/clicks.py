# SPDX-License-Identifier: Apache-2.0
"""Clicks on drawn things and boxes around them, whose outlines are known."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.features.base import Clicks, Masks
from f4x_ros.core.features.check.outcome import Outcome, See, Trial
from f4x_ros.core.features.check.pictures import outlines, table
from f4x_ros.core.features.sam2 import Sam2Extractor

_ASKED = ("teapot", "rubber duck", "globe", "laptop", "banana", "toy car", "mug", "pear")
_IOU = 0.7  # with the outline
_MISSED_CLICKS, _MISSED_BOXES = 3, 2  # what one click means is not always clear


def clicks(model: Clicks, see: See) -> Trial:
    """One click into the middle of each thing gives its outline."""
    where = outlines()
    points = torch.stack([_middle(where[name]) for name in _ASKED])[:, None]
    found = _masks(model, see(table()), points=points)
    return Trial("clicks", _judged(found), len(_ASKED) - _MISSED_CLICKS)


def boxes(model: Clicks, see: See) -> Trial:
    """A box around each thing gives its outline."""
    where = outlines()
    found = _masks(model, see(table()), boxes=torch.stack([_box(where[name]) for name in _ASKED]))
    return Trial("boxes", _judged(found), len(_ASKED) - _MISSED_BOXES)


def _masks(
    model: Clicks, picture: Tensor, points: Tensor | None = None, boxes: Tensor | None = None
) -> Masks:
    """With all that the model has; the field has no fine features, so `decode` alone is coarser."""
    size = (picture.shape[-2], picture.shape[-1])
    labels = None if points is None else torch.ones(points.shape[:2])
    if isinstance(model, Sam2Extractor):
        seen = model.features(picture)
        fine = [one[0] for one in seen.high_res] or None
        return model.decode(
            seen.embedding[0], fine, size=size, points=points, labels=labels, boxes=boxes
        )
    embedding = model.dense(picture)[0]
    return model.decode(embedding, size=size, points=points, labels=labels, boxes=boxes)


def _judged(found: Masks) -> tuple[Outcome, ...]:
    where = outlines()
    outcomes = []
    for name, mask, guess in zip(_ASKED, found.masks.cpu(), found.iou.tolist(), strict=True):
        both = float((mask & where[name]).sum() / (mask | where[name]).sum().clamp(min=1))
        said = f"IoU {both:.2f}, it says {guess:.2f}"
        outcomes.append(Outcome(name, f"IoU at least {_IOU}", said, both >= _IOU))
    return tuple(outcomes)


def _middle(outline: Tensor) -> Tensor:
    """The pixel [2] (x, y) farthest within."""
    depth = cv2.distanceTransform(np.asarray(outline, np.uint8), cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return torch.tensor([float(column) + 0.5, float(row) + 0.5])


def _box(outline: Tensor) -> Tensor:
    """[4] x0, y0, x1, y1 around it."""
    rows, columns = outline.any(1).nonzero(), outline.any(0).nonzero()
    return torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float()
