# SPDX-License-Identifier: Apache-2.0
"""Parts of a percept: masks from rendered scores, what moves, the cloud, times of the stages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.ask.prompts import labels_of
from f4x_ros.core.base import on_host
from f4x_ros.core.data import UNLABELLED, Cloud, Track
from f4x_ros.core.field import MIN_OPACITY, Snapshot

_SOLID_ALPHA = 0.5  # below this a pixel has no label
_BAND = 2**24  # probabilities that are looked at together, 64 MB
_DRAWN = 2**24  # scores that are drawn together, 64 MB
_DRAWN_LEAST = 32  # prompts that are drawn together however large the picture is


class Labelling:
    """The label of each pixel, from rendered scores of the prompts, some prompts at a time.

    Args:
        alpha: [H, W] of the rendered field.
        thresholds: of all prompts.
        keep: make a mask of each prompt, too.
    """

    def __init__(self, alpha: Tensor, thresholds: Sequence[float], *, keep: bool) -> None:
        self._alpha, self._thresholds, self._seen = alpha, tuple(thresholds), 0
        self._shape = (len(self._thresholds), *alpha.shape)
        self._keep = keep
        self._masks = np.empty((0, *alpha.shape), np.float32)
        self._whole: Tensor | None = None  # all masks, where they were looked at together
        self._labels = torch.zeros(alpha.shape, dtype=torch.int64, device=alpha.device)
        self._best = alpha.new_full(alpha.shape, -1)  # of those that pass; -1 none
        self._likeliest = alpha.new_zeros(alpha.shape)

    def add(self, accumulated: Tensor) -> None:
        """The next prompts: their rendered scores [H, W, q]."""
        height, width, count = accumulated.shape
        if not count:
            return
        rows = max(1, _BAND // (width * count))
        # By bands of rows: with many prompts, what is made on the way has several times their size.
        for top in range(0, height, rows):
            self._add_band(accumulated, slice(top, top + rows))
        self._seen += count

    def result(
        self,
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.uint16], NDArray[np.float32]]:
        """Masks [Q, H, W] if they are kept, labels [H, W], `Percept.certainty` [H, W].

        Labels are 0 background, q + 1 prompt q, `UNLABELLED` where the field is hardly there.
        """
        labels = torch.where(self._alpha < _SOLID_ALPHA, UNLABELLED, self._labels)
        certainty = torch.where(self._labels > 0, self._best, self._likeliest)
        if self._whole is not None:
            masks, numbers, sure = on_host(self._whole, labels, certainty)
            return masks, numbers.astype(np.uint16), sure
        numbers, sure = on_host(labels, certainty)
        return self._masks if self._keep else None, numbers.astype(np.uint16), sure

    def _add_band(self, accumulated: Tensor, band: slice) -> None:
        probability = _share(accumulated[band], self._alpha[band][..., None])
        first = self._seen
        limits = self._thresholds[first : first + probability.shape[-1]]
        labels, score = labels_of(probability, limits)
        better = (labels > 0) & (score > self._best[band])
        self._labels[band] = torch.where(better, labels + first, self._labels[band])
        self._best[band] = torch.where(better, score, self._best[band])
        self._likeliest[band] = torch.maximum(self._likeliest[band], probability.amax(-1))
        if self._keep:
            self._keep_masks(probability.permute(2, 0, 1).contiguous(), first, band)

    def _keep_masks(self, masks: Tensor, first: int, band: slice) -> None:
        if masks.shape == self._shape:
            self._whole = masks
            return
        if not self._masks.size:
            self._masks = np.empty(self._shape, np.float32)
        (self._masks[first : first + len(masks), band],) = on_host(masks)


def prompts_at_once(height: int, width: int) -> int:
    """So many prompts are drawn together: more would take memory by their number."""
    return max(_DRAWN_LEAST, _DRAWN // (height * width))


def moving_now(
    snapshot: Snapshot, tracks: Sequence[Track], since_s: float, bodies: Sequence[int] = ()
) -> Tensor:
    """1 for each Gaussian [N] of something that moves now, 0 for the others.

    It belongs to a track or one of the `bodies` that are moving, or stands where a view after
    `since_s` (seconds of the field) still saw empty space; the last two need no prompt.
    """
    movers = [t.id for t in tracks if t.moving]
    ids = snapshot.object_ids
    of_mover = torch.isin(ids, torch.tensor(movers, dtype=ids.dtype, device=ids.device))
    of_mover |= torch.isin(snapshot.body_ids, snapshot.body_ids.new_tensor(list(bodies)))
    return (of_mover | (snapshot.birth_s >= since_s)).to(snapshot.colors.dtype)


def moving_mask(accumulated: Tensor, alpha: Tensor) -> NDArray[np.float32]:
    """Probability [H, W] that a pixel shows something that moves, from rendered `moving_now`."""
    mask: NDArray[np.float32] = _share(accumulated, alpha).cpu().numpy()
    return mask


def _share(accumulated: Tensor, alpha: Tensor) -> Tensor:
    """A rendered quantity 0..1 as that of the surface; fainter where there is hardly any."""
    return (accumulated / alpha.clamp(min=_SOLID_ALPHA)).clamp(0, 1)


def semantic_cloud(
    snapshot: Snapshot,
    labels: Tensor,  # [N] 0 none, p + 1 prompt p
    scores: Tensor,  # [N] of the label
    time_s: float,
    min_weight: float,
) -> Cloud:
    """Points of the solid Gaussians; those whose latent is not trusted yet are UNLABELLED.

    Args:
        snapshot: the field at the time.
        labels: label of each Gaussian.
        scores: relevancy to that label's prompt.
        time_s: now, seconds of the field; ages count from it.
        min_weight: pixels a latent must rest on.
    """
    solid = (snapshot.opacities >= MIN_OPACITY).nonzero()[:, 0]
    label = torch.where(snapshot.latent_weights < min_weight, UNLABELLED, labels)
    age = (time_s - snapshot.seen_s).clamp(min=0)
    xyz, rgb, labels_of_points, score, ages, ids = on_host(
        snapshot.means[solid],
        (snapshot.colors[solid].clamp(0, 1) * 255).round().to(torch.uint8),
        label[solid],
        scores[solid],
        age[solid],
        snapshot.object_ids[solid].clamp(min=0),
    )
    return Cloud(
        xyz=xyz,
        rgb=rgb,
        label=labels_of_points.astype(np.uint16),
        score=score,
        age=ages.astype(np.float32),
        object=ids.astype(np.uint32),
    )
