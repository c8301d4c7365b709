# SPDX-License-Identifier: Apache-2.0
"""From relevancies to masks: what is selected is judged within the scene, then drawn."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.calibrated import PeakLine, PeakLines
from f4x_ros.core.features.phrases import described

_BEST = 25  # Gaussians that stand for the best of a scene
_LEAST = 0.005  # a relevancy below this never selects
_STEEP = 4.0  # how much steeper than its relevancy the selection of a Gaussian is, in log odds
_EPS = 1e-4  # probabilities are kept so far from 0 and 1 where their logarithm is taken


def scene_limits(
    scores: Tensor,  # [N, P] relevancy 0..1
    trusted: Tensor,  # [N] bool: solid, and its latent rests on enough pixels
    thresholds: Sequence[float],  # P
    lines: Sequence[PeakLine] | None,  # P
) -> Tensor:
    """Relevancy [P] from which on a Gaussian is taken for what was asked for.

    An encoder is less sure of rare words and of other words for the same, everywhere in a scene
    alike. So the limit follows what the most relevant trusted Gaussians reach. It always selects
    something: whether the thing is there at all is another question, see `presence`.

    Args:
        scores: of all Gaussians of a snapshot, in view or not.
        trusted: what may stand for the best of the scene.
        thresholds: used as they are where `lines` is None or nothing is trusted.
        lines: from the best to the limit, see `line_for`; None for encoders whose relevancy means
            the same for all words.

    Raises:
        ValueError: there are not P thresholds, or not P lines.
    """
    for name, given in (("thresholds", thresholds), ("lines", lines)):
        if given is not None and len(given) != scores.shape[1]:
            raise BadInputError(f"there are {len(given)} {name}, expected {scores.shape[1]}")
    best = scores[trusted]
    if lines is None or not len(best):
        return scores.new_tensor(list(thresholds))
    return _limits(_peaks(best), lines)


def line_for(phrase: str, lines: PeakLines) -> PeakLine:
    """The line for what a phrase wants, by how much it says."""
    about = described(phrase)
    if not about.kind:
        return lines.attribute
    return lines.both if about.attributes else lines.kind


def standing_selection(
    scores: Tensor,  # [N, P] relevancy 0..1
    best: Tensor,  # [M, P] those of all that may stand for the best of the map
    thresholds: Sequence[float],  # P
    lines: Sequence[PeakLine],  # P
) -> Tensor:
    """Scores [N, P] of standing prompts with which their thresholds select by the scene's limits.

    A prompt whose best does not reach its threshold is taken for not present and selects nothing
    but what passes the threshold; the others select from the limit on that follows their best.
    """
    limits = marks = scores.new_tensor(list(thresholds))
    if len(best):
        peaks = _peaks(best)
        limits = torch.where(peaks >= marks, _limits(peaks, lines), marks)
    return as_relevancy(decided(scores, limits), thresholds)


def _peaks(best: Tensor) -> Tensor:
    """What the most relevant of [M, P] reach, [P]."""
    return best.topk(min(_BEST, len(best)), dim=0).values.mean(0)


def _limits(peaks: Tensor, lines: Sequence[PeakLine]) -> Tensor:
    offset, slope = peaks.new_tensor(list(lines)).view(-1, 2).unbind(1)
    best = torch.logit(peaks, eps=_EPS)
    return torch.sigmoid(torch.minimum(offset + slope * best, best)).clamp(min=_LEAST)


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
