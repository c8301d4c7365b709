# SPDX-License-Identifier: Apache-2.0
"""Is it there? The evidence of one object, and what a calibration makes of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.ask.cosines import cosines, language_dim
from f4x_ros.core.ask.language import parse_question
from f4x_ros.core.ask.prompts import PromptSet
from f4x_ros.core.ask.rivals import Rivals
from f4x_ros.core.ask.vectors import TextVectors, pooled
from f4x_ros.core.data import Presence
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import EvidenceWords
from f4x_ros.core.features.calibrated import PresenceCalibration
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.features.phrases import COLORS, described
from f4x_ros.core.field import Snapshot

_LEAST = 1e-4  # probabilities are kept so far from 0 and 1 where their logarithm is taken
_SAME = 0.9  # cosine of texts from which on they mean the same thing
_NEAREST = 0.1  # least distance of texts by which a margin is divided


class Evidence(NamedTuple):
    """What speaks for an object being what was asked for; 0 where nothing can be said.

    Attributes:
        pooled: log odds of the relevancy of the object's mean feature.
        weight: logarithm of the pixels that its Gaussians rest on, over all views.
        rival: how much more its mean feature resembles the phrase than the nearest of `KINDS`, as
            a share of how different the two are; -1 is what the rival itself would have.
        kind: cosine with what it is asked to be ("mug" of "red mug") less that with the best rival.
        color: cosine with its colour ("red thing") less that with the best other colour.
        ahead: of photographs, how much more evidence there is for the phrase than for anything else
            (`EvidenceWords.standing_out`).
        photograph: how far what is seen comes from photographs, 0..1.
        known: 1 if the phrase is known of photographs, 0 if not: then the others are guesses.
    """

    pooled: float
    weight: float
    rival: float
    kind: float
    color: float
    ahead: float = 0.0
    photograph: float = 0.0
    known: float = 0.0


class Judge:
    """Gathers evidence.

    Args:
        encoder: vectors of texts.
    """

    def __init__(self, encoder: TextVectors) -> None:
        self._encoder = encoder
        self._rivals = Rivals.of(encoder)

    def prepare(self, phrases: Sequence[str]) -> None:
        """Encode at once all texts that questions about these phrases need."""
        if self._rivals is not None:
            kinds = [kind for phrase in phrases if (kind := described(phrase).kind)]
            self._encoder.encode([*phrases, *kinds])

    def gather(
        self,
        snapshot: Snapshot,
        distiller: Distiller,
        prompts: PromptSet,
        index: int,
        objects: Sequence[NDArray[np.int64]],  # rows of the snapshot
    ) -> list[Evidence]:
        """The evidence for each object to be what prompt `index` asks for."""
        if not objects:
            return []
        rows = [torch.from_numpy(one).to(snapshot.means.device) for one in objects]
        latents = torch.stack([pooled(snapshot, own) for own in rows])
        relevancies = prompts.relevancy(distiller, latents)[:, index].tolist()
        weights = torch.stack([snapshot.latent_weights[own].sum() for own in rows]).tolist()
        margins = self._margins(distiller, latents, parse_question(prompts.texts[index]).wanted)
        photographs = _of_photographs(distiller, latents, prompts, index)
        parts = zip(relevancies, weights, margins, photographs, strict=True)
        return [
            Evidence(log_odds(relevancy), math.log(max(1e-9, weight)), *margin, *photograph)
            for relevancy, weight, margin, photograph in parts
        ]

    def _margins(
        self, distiller: Distiller, latents: Tensor, phrase: str
    ) -> list[tuple[float, float, float]]:
        """`rival`, `kind` and `color` of each mean latent [K, D]."""
        if self._rivals is None:
            return [(0.0, 0.0, 0.0)] * len(latents)
        about = described(phrase)
        texts = self._encoder.encode([phrase, about.kind or phrase])
        vectors = torch.cat([texts, self._rivals.kinds, self._rivals.colors])
        vectors = vectors[:, : language_dim(distiller)]
        found, _ = cosines(distiller, latents, vectors)
        named = slice(2, 2 + len(self._rivals.kinds))
        kinds, colors = found[:, named], found[:, -len(COLORS) :]
        alike = vectors[:2] @ vectors[named].T  # [2, K]
        rival = (found[:, :1] - kinds) / (1 - alike[0]).clamp(min=_NEAREST)
        kind = found[:, 1:2] - kinds
        out = torch.zeros(len(latents), 3)
        out[:, 0] = rival[:, alike[0] < _SAME].amin(1)
        if about.kind:
            out[:, 1] = kind[:, alike[1] < _SAME].amin(1)
        if about.color:
            own = COLORS.index(about.color)
            others = torch.cat([colors[:, :own], colors[:, own + 1 :]], 1)
            out[:, 2] = colors[:, own] - others.amax(1)
        return [(a, b, c) for a, b, c in out.tolist()]


def _of_photographs(
    distiller: Distiller, latents: Tensor, prompts: PromptSet, index: int
) -> list[tuple[float, float, float]]:
    """`ahead`, `photograph` and `known` of each mean latent [K, D]."""
    words = distiller.words
    if not isinstance(words, EvidenceWords) or not prompts.terms[index]:
        return [(0.0, 0.0, 0.0)] * len(latents)
    evidence = distiller.decode(latents)[:, words.language_dim :]
    text = prompts.vectors[prompts.terms[index][0], None].to(evidence)
    ahead, photograph, known = words.standing_out(evidence, text)
    parts = (ahead[:, 0], photograph[:, 0], known.expand(len(latents)))
    return list(zip(*(part.tolist() for part in parts), strict=True))


def log_odds(probability: float) -> float:
    """The logit, of probabilities not too near to 0 and 1."""
    p = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(p / (1 - p))


def check_evidence(calibration: PresenceCalibration) -> None:
    """ValueError if a calibration weighs evidence that is not gathered."""
    unknown = set(calibration.weights) - set(Evidence._fields)
    if unknown:
        raise BadInputError(
            f"presence calibration weighs {', '.join(sorted(unknown))}, expected some of "
            f"{', '.join(Evidence._fields)}: learn it again with f4x calibrate"
        )


def probability_of(evidence: Evidence, calibration: PresenceCalibration) -> float:
    """Calibrated probability that it is what was asked for."""
    drawn = _logistic(evidence, calibration)
    if calibration.photographs is None or not evidence.photograph:
        return drawn
    unsure = (calibration.no + calibration.yes) / 2
    known = _logistic(evidence, calibration.photographs)
    photographed = known if evidence.known else min(drawn, unsure)
    return (1 - evidence.photograph) * drawn + evidence.photograph * photographed


def _logistic(evidence: Evidence, calibration: PresenceCalibration) -> float:
    total = calibration.bias
    for name, weight in calibration.weights.items():
        total += weight * float(getattr(evidence, name))
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


def decide(probability: float, calibration: PresenceCalibration) -> Presence:
    """Present, not present, or unsure where the probability is between the two limits."""
    if probability >= calibration.yes:
        return Presence.PRESENT
    return Presence.NOT_PRESENT if probability < calibration.no else Presence.UNSURE
