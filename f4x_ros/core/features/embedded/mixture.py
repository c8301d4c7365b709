# SPDX-License-Identifier: Apache-2.0
"""Numbers of the network beside evidence of the eyes, in one feature that may be averaged."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.features.embedded.weights import Calibration
from f4x_ros.core.features.photo.words import Meant

_SEEN = 1e-6  # length below which a feature was never observed
_EVIDENCE = 1.5  # of evidence against a unit vector, for the code that both share
_PHOTOGRAPH = 0.3  # the same of how far a picture is a photograph
_LEAST = 0.2  # share of photographs below which evidence is not asked
_RARE = 0.6  # probability that the code has to keep
_LEAST_LIKELY = 0.03  # what is less likely in a picture counts as nothing
_HALF = 0.3  # share of views that makes a thing as likely as not


class Mixture:
    """How the numbers of a feature lie, and what follows from them.

    A feature [dim] is [spoken numbers | C evidence | 1 photograph], a text is [spoken numbers |
    C shares of concepts | 1 known | spoken numbers of how it looks].

    Args:
        spoken: numbers in the space of the words.
        concepts: C; 0: there are no eyes, and nothing behind the spoken numbers.
        calibration: from a cosine to a probability.
    """

    def __init__(self, spoken: int, concepts: int, calibration: Calibration) -> None:
        self.spoken, self._concepts = spoken, concepts
        self.dim = spoken + (concepts + 1 if concepts else 0)
        self._calibration = calibration

    def moment(self, spoken: Tensor) -> Tensor:
        """[dim, dim] of features without evidence, from that of the spoken numbers."""
        behind = self.dim - self.spoken
        return functional.pad(spoken, (0, behind, 0, behind))

    def evidence(
        self,
        seen: Tensor,  # [B, C, h, w] probability of each concept
        photograph: Tensor,  # [B] probability that the picture is a photograph
    ) -> Tensor:
        """The numbers [B, C + 1, h, w] behind the spoken ones.

        What may be drawn gives less evidence: the mean over pictures is that per photograph.
        """
        share = photograph[:, None, None, None]
        seen = functional.threshold(seen, _LEAST_LIKELY, 0.0)
        flag = (share * _PHOTOGRAPH).expand(-1, 1, *seen.shape[-2:])
        return torch.cat([seen * (share * _EVIDENCE), flag], 1)

    def nothing(self, like: Tensor) -> Tensor:
        """The same [B, C + 1, 1, 1] of as many pictures as `like` [B, ...] has that are drawn."""
        return like.new_zeros(len(like), self._concepts + 1, 1, 1)

    def rare_places(self, evidence: Tensor) -> Tensor:
        """Places [K, 2] x, y in 0..1 where each concept that is seen in [C + 1, h, w] is surest."""
        columns = evidence.shape[-1]
        best = (evidence[:-1] / _EVIDENCE).flatten(1).max(1)
        where = best.indices[best.values > _RARE]
        x, y = where % columns, where // columns
        return (torch.stack([x, y], 1) + 0.5) / torch.tensor(
            [columns, evidence.shape[-2]], device=evidence.device
        )

    def text(self, whole: Tensor, meant: Meant, look: Tensor) -> Tensor:
        """Vectors [P, T] of texts: unit vectors of all they say, what they mean, how it looks."""
        return torch.cat([whole, meant.shares, meant.known[:, None], look], 1)

    def of_cosine(self, cosine: Tensor, lengths: Tensor) -> Tensor:
        """The network's probability [..., P]; 0 for features that were never observed."""
        return torch.where(lengths > _SEEN, self._calibration.probability(cosine), 0.0)

    def relevancy(self, spoken: Tensor, evidence: Tensor, text: Tensor) -> Tensor:
        """Probability [..., P] that texts [P, T] are true of features [..., dim]."""
        own = self.spoken
        lengths = torch.linalg.vector_norm(spoken, dim=-1, keepdim=True)
        unit = spoken / lengths.clamp(min=_SEEN)
        drawn = self.of_cosine(unit @ text[:, :own].T, lengths)
        if not self._concepts:
            return drawn
        photograph = self._photograph(evidence)
        asked = (photograph[..., 0] > 0).nonzero(as_tuple=True)
        if not len(asked[0]):
            return drawn
        found = self._of_photographs(
            unit[asked], lengths[asked], evidence[asked], drawn[asked], text
        )
        drawn[asked] = torch.lerp(drawn[asked], found, photograph[asked])
        return drawn

    def _of_photographs(
        self, unit: Tensor, lengths: Tensor, evidence: Tensor, drawn: Tensor, text: Tensor
    ) -> Tensor:
        """The same [N, P] of features [N, ...] of photographs."""
        own, concepts = self.spoken, self._concepts
        shares, known = text[:, own : own + concepts], text[:, own + concepts]
        look = text[:, own + concepts + 1 :]
        amounts = self._amounts(evidence)
        eyes = _of_share(amounts @ shares.T)
        colored = self.of_cosine(unit @ look.T, lengths)
        eyes = eyes * torch.where(look.square().sum(1) > 0, colored, 1.0)
        return torch.where(known > 0, eyes, drawn)

    def standing_out(self, evidence: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `EvidenceWords.standing_out`, of evidence [N, C + 1] and texts [P, T]."""
        own, concepts = self.spoken, self._concepts
        if not concepts:
            nothing = evidence.new_zeros(len(evidence), len(text))
            return nothing, nothing[:, :1], nothing.new_zeros(len(text))
        shares, known = text[:, own : own + concepts], text[:, own + concepts]
        amounts = self._amounts(evidence)
        others = torch.stack([(amounts * (1 - one)).amax(1) for one in shares], 1)
        return amounts @ shares.T - others, self._photograph(evidence), known

    def _photograph(self, evidence: Tensor) -> Tensor:
        """[..., 1] share of photographs in what a feature is the mean of; a small one is 0."""
        share = (evidence[..., -1:] / _PHOTOGRAPH).clamp(0, 1)
        return torch.where(share < _LEAST, 0.0, share)

    def _amounts(self, evidence: Tensor) -> Tensor:
        """Evidence [..., C] per photograph."""
        share = (evidence[..., -1:] / _PHOTOGRAPH).clamp(_LEAST, 1)
        return (evidence[..., :-1] / (_EVIDENCE * share)).clamp(min=0)


def _of_share(views: Tensor) -> Tensor:
    """From the share of views that show a thing to the probability that it is there.

    Odds are those of the share against `_HALF`: most views show a thing cut, small or from behind.
    """
    views = views.clamp(0, 1)
    return views * (1 - _HALF) / (views * (1 - _HALF) + (1 - views) * _HALF)
