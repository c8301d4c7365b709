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


def label_masks(
    accumulated: Tensor, alpha: Tensor, thresholds: Sequence[float]
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """Probabilities [Q, H, W] and labels [H, W] from rendered scores [H, W, Q].

    Labels are 0 background, q + 1 prompt q, `UNLABELLED` where the field is hardly there.
    """
    height, width, count = accumulated.shape
    rows = max(1, _BAND // max(1, width * count))
    if rows >= height:
        return _labelled(accumulated, alpha, thresholds)
    # By bands of rows: with many prompts, what is made on the way has several times their size.
    masks = np.empty((count, height, width), np.float32)
    numbers = np.empty((height, width), np.uint16)
    for top in range(0, height, rows):
        band = slice(top, top + rows)
        masks[:, band], numbers[band] = _labelled(accumulated[band], alpha[band], thresholds)
    return masks, numbers


def _labelled(
    accumulated: Tensor, alpha: Tensor, thresholds: Sequence[float]
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    probability = _share(accumulated, alpha[..., None])
    labels, _ = labels_of(probability, thresholds)
    labels = torch.where(alpha < _SOLID_ALPHA, UNLABELLED, labels)
    masks, numbers = on_host(probability.permute(2, 0, 1).contiguous(), labels)
    return masks, numbers.astype(np.uint16)


def moving_now(snapshot: Snapshot, tracks: Sequence[Track], since_s: float) -> Tensor:
    """1 for each Gaussian [N] of something that moves now, 0 for the others.

    It belongs to a track that is moving, or stands where a view after `since_s` (seconds of the
    field) still saw empty space; the second needs no prompt.
    """
    movers = [t.id for t in tracks if t.moving]
    ids = snapshot.object_ids
    of_mover = torch.isin(ids, torch.tensor(movers, dtype=ids.dtype, device=ids.device))
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
