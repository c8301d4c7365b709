# SPDX-License-Identifier: Apache-2.0
"""From relevancies to masks: what is selected is judged within the scene, then drawn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_BEST = 25  # Gaussians that stand for the best of a scene
_LEAST = 0.005  # a relevancy below this never selects
_STEEP = 4.0  # how much steeper than its relevancy the selection of a Gaussian is, in log odds
_EPS = 1e-4  # probabilities are kept so far from 0 and 1 where their logarithm is taken


def scene_limits(
    scores: Tensor,  # [N, P] relevancy 0..1
    trusted: Tensor,  # [N] bool: solid, and its latent rests on enough pixels
    thresholds: Sequence[float],  # P
    share: float | None,
) -> Tensor:
    """Relevancy [P] from which on a Gaussian is taken for what was asked.

    An encoder is less sure of rare words and of other words for the same, everywhere in a scene
    alike. So the limit is a share of what the most relevant trusted Gaussians reach. It always
    selects something: whether the thing is there at all is another question, see `presence`.

    Args:
        scores: of all Gaussians of a snapshot, in view or not.
        trusted: what may stand for the best of the scene.
        thresholds: used as they are where `share` is None or nothing is trusted.
        share: 0..1 of the peak; None for encoders whose relevancy means the same for all words.

    Raises:
        ValueError: the share is outside 0..1, or there are not P thresholds.
    """
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"share is {share}, expected above 0 and at most 1")
    if len(thresholds) != scores.shape[1]:
        raise ValueError(f"there are {len(thresholds)} thresholds, expected {scores.shape[1]}")
    best = scores[trusted]
    if share is None or not len(best):
        return scores.new_tensor(list(thresholds))
    peak = best.topk(min(_BEST, len(best)), dim=0).values.mean(0)
    return (share * peak).clamp(min=_LEAST)


def standing_selection(
    scores: Tensor,  # [N, P] relevancy 0..1
    trusted: Tensor,  # [N] bool
    thresholds: Sequence[float],  # P
    share: float,
) -> Tensor:
    """Scores [N, P] of standing prompts with which their thresholds select by the scene's limits.

    A prompt whose best does not reach its threshold is taken for not present and selects nothing
    but what passes the threshold; the others select from their share of the best on.
    """
    limits = scene_limits(scores, trusted, thresholds, share)
    marks = limits.new_tensor(list(thresholds))
    limits = torch.where(limits >= share * marks, limits, marks)
    return as_relevancy(decided(scores, limits), thresholds)


def decided(scores: Tensor, limits: Tensor) -> Tensor:
    """Whether each Gaussian is selected, [N, P] in 0..1, from its relevancy and the limits [P].

    Nearly yes or no: drawn, a pixel is then decided by most of what it shows, and not by how sure
    some of it is. Half is at the limit; what has relevancy 0 (nothing is known of it) keeps it.
    """
    odds = torch.logit(scores, eps=_EPS) - torch.logit(limits, eps=_EPS)
    return torch.where(scores > 0, torch.sigmoid(_STEEP * odds), 0)


def as_relevancy(share: Tensor, thresholds: Sequence[float]) -> Tensor:
    """Drawn shares [..., P] in 0..1 moved so that a half becomes the threshold of its prompt.

    Whoever compares a mask with the threshold that comes with it gets the pixels of which at least
    half is selected. 0 and 1 stay where they are.
    """
    limits = share.new_tensor(list(thresholds))
    return torch.where(share < 0.5, 2 * share * limits, limits + (2 * share - 1) * (1 - limits))
