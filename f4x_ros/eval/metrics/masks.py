# SPDX-License-Identifier: Apache-2.0
"""J and F of masks as the DAVIS benchmark defines them (Perazzi et al., CVPR 2016)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError

_RECALL_AT = 0.5  # a frame counts as found above this


def check_masks(**masks: NDArray[np.bool_] | None) -> None:
    """Check that all masks that are not None are bool arrays of one shape [H, W].

    Raises:
        ValueError: names the first mask that is not.
    """
    first: tuple[str, NDArray[np.bool_]] | None = None
    for name, mask in masks.items():
        if mask is None:
            continue
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise BadInputError(f"{name} is {mask.shape} {mask.dtype}, expected [H, W] bool")
        first = first or (name, mask)
        if mask.shape != first[1].shape:
            raise BadInputError(
                f"{name} has shape {mask.shape}, expected {first[1].shape} as {first[0]} has"
            )


def jaccard(
    pred: NDArray[np.bool_], truth: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None
) -> float:
    """J: intersection over union of two masks [H, W], 0..1; 1 if both are empty.

    Args:
        pred: [H, W] the answer.
        truth: [H, W] what is so.
        valid: [H, W] pixels to count; all if None.

    Raises:
        ValueError: a mask is not a bool array [H, W] or the shapes differ.
    """
    pred, truth = _prepared(pred, truth, valid)
    union = np.count_nonzero(pred | truth)
    return float(np.count_nonzero(pred & truth) / union) if union else 1.0


def boundary_f(
    pred: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    bound: float = 0.008,
    valid: NDArray[np.bool_] | None = None,
) -> float:
    """F: harmonic mean of precision and recall of the outlines, 0..1.

    An outline pixel is right if the other outline passes within a distance. Two masks without an
    outline score 1, one without scores 0. As in DAVIS, pixels outside of the picture are no
    background: a mask that fills the picture has no outline.

    Args:
        pred: [H, W] the answer.
        truth: [H, W] what is so.
        bound: the distance, as a share of the picture's diagonal and rounded up to pixels if below
            1, otherwise in pixels.
        valid: [H, W] pixels to count; all if None.

    Raises:
        ValueError: a mask is not a bool array [H, W], the shapes differ, or bound is not above 0.
    """
    if not (math.isfinite(bound) and bound > 0):
        raise BadInputError(f"bound is {bound}, expected a number above 0")
    pred, truth = _prepared(pred, truth, valid)
    radius_px = int(bound if bound >= 1 else math.ceil(bound * math.hypot(*truth.shape)))
    edge, true_edge = _outline(pred), _outline(truth)
    n_edge, n_true = np.count_nonzero(edge), np.count_nonzero(true_edge)
    if n_edge == 0 or n_true == 0:
        return float(n_edge == n_true)
    precision = np.count_nonzero(edge & _grown(true_edge, radius_px)) / n_edge
    recall = np.count_nonzero(true_edge & _grown(edge, radius_px)) / n_true
    both = float(precision + recall)
    return float(2 * precision * recall) / both if both else 0.0


def _prepared(
    pred: NDArray[np.bool_], truth: NDArray[np.bool_], valid: NDArray[np.bool_] | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    check_masks(pred=pred, truth=truth, valid=valid)
    if valid is None:
        return pred, truth
    return pred & valid, truth & valid


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that differ from the one to the right, below, or both (DAVIS' `seg2bmap`)."""
    edge = np.zeros_like(mask)
    edge[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    edge[:-1, :] |= mask[:-1, :] ^ mask[1:, :]
    edge[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edge


def _grown(edge: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    disk = (x * x + y * y <= radius_px * radius_px).astype(np.uint8)
    grown: NDArray[np.bool_] = cv2.dilate(edge.astype(np.uint8), disk).astype(bool)
    return grown


@dataclass(frozen=True)
class MaskScores:
    """Masks of one thing over a sequence; everything 0..1, None without frames.

    Attributes:
        j: mean J.
        f: mean F.
        j_and_f: mean of both.
        j_recall: share of frames with J above 0.5.
        f_recall: share of frames with F above 0.5.
        j_where_true: mean J over the frames whose truth has a pixel. In a sequence in which hardly
            anything moves, `j` is mostly the 1 of empty masks; this is not.
        frames: frames added.
        frames_true: those whose truth has a pixel.
    """

    j: float | None
    f: float | None
    j_and_f: float | None
    j_recall: float | None
    f_recall: float | None
    j_where_true: float | None
    frames: int
    frames_true: int


class MaskSequence:
    """Collects J and F of the frames of one sequence."""

    def __init__(self, bound: float = 0.008) -> None:
        """Nothing added yet.

        Args:
            bound: as in `boundary_f`.
        """
        self._bound = bound
        self._j: list[float] = []
        self._f: list[float] = []
        self._true: list[bool] = []

    def add(
        self,
        pred: NDArray[np.bool_],
        truth: NDArray[np.bool_],
        valid: NDArray[np.bool_] | None = None,
    ) -> float:
        """Count one frame (masks [H, W]); returns its J.

        Raises:
            ValueError: a mask is not a bool array [H, W] or the shapes differ.
        """
        pred, truth = _prepared(pred, truth, valid)
        self._j.append(jaccard(pred, truth))
        self._f.append(boundary_f(pred, truth, self._bound))
        self._true.append(bool(truth.any()))
        return self._j[-1]

    def result(self) -> MaskScores:
        """The scores of all that was added."""
        n_true = sum(self._true)
        if not self._j:
            return MaskScores(None, None, None, None, None, None, 0, 0)
        j, f = np.asarray(self._j), np.asarray(self._f)
        return MaskScores(
            j=float(j.mean()),
            f=float(f.mean()),
            j_and_f=float((j.mean() + f.mean()) / 2),
            j_recall=float((j > _RECALL_AT).mean()),
            f_recall=float((f > _RECALL_AT).mean()),
            j_where_true=float(j[self._true].mean()) if n_true else None,
            frames=len(j),
            frames_true=n_true,
        )
