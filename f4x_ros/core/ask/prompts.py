# SPDX-License-Identifier: Apache-2.0
"""Prompts as vectors and the relevancy of every Gaussian to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from f4x_ros.core.ask.cosines import cosines
from f4x_ros.core.ask.language import parse_question
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import CosineWords
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.features.registry import language_of
from f4x_ros.core.field import Snapshot
from f4x_ros.core.objects import asked_together

MAX_PROMPTS = 1000  # each is a channel of every rendered picture; srv/SetPrompts says it


class Wanted(Protocol):
    """P things to look for, in words or otherwise.

    Properties:
        texts: what answers are called.
        thresholds: relevancy that selects, of each.
    """

    @property
    def texts(self) -> tuple[str, ...]: ...
    @property
    def thresholds(self) -> tuple[float, ...]: ...

    def __len__(self) -> int: ...

    def relevancy(self, distiller: Distiller, latents: Tensor) -> Tensor:
        """Relevancy [..., P] in 0..1 of what latents [..., D] stand for."""
        ...


@dataclass(frozen=True, eq=False)
class PromptSet:
    """P prompts with their thresholds and the vectors of their T different terms.

    Attributes:
        texts: as they were asked.
        thresholds: relevancy that selects, of each.
        vectors: [T, C].
        terms: rows of `vectors` for each prompt: first what is wanted, then what is excluded.
        given: whether the threshold was given with the prompt, and is not the default.
    """

    texts: tuple[str, ...]
    thresholds: tuple[float, ...]
    vectors: Tensor
    terms: tuple[tuple[int, ...], ...]
    given: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def relevancy(self, distiller: Distiller, latents: Tensor) -> Tensor:
        """Relevancy [N, P] in 0..1 of what latents [N, D] stand for."""
        words = language_of(distiller.words)
        if isinstance(words, CosineWords):
            of_terms = words.of_cosine(*cosines(distiller, latents, self.vectors))
        else:
            features = distiller.decode(latents)
            of_terms = words.relevancy(features, self.vectors.to(features.device))
        return combined(of_terms, self.terms)


def make_prompts(
    encoder: TextVectors, texts: Sequence[str], thresholds: Sequence[float], default: float
) -> PromptSet:
    """Encode prompts (see `language`); a threshold of 0, or none at all, means `default`.

    Raises:
        ValueError: a prompt is blank, excludes without wanting anything, is given twice, or is not
            understood by the extractor; there are too many, or as many thresholds as prompts are
            not there, or one is outside 0..1.
    """
    if len(texts) > MAX_PROMPTS:
        raise BadInputError(f"there are {len(texts)} prompts, expected at most {MAX_PROMPTS}")
    for position, text in enumerate(texts):
        if not text.strip():
            raise BadInputError(f"prompt {position} is blank, expected words")
    questions = [parse_question(text) for text in texts]
    texts = tuple(question.text for question in questions)
    for position, text in enumerate(texts):
        if text in texts[:position]:
            raise BadInputError(f"prompt '{text}' is given twice")
    if thresholds and len(thresholds) != len(texts):
        raise BadInputError(
            f"there are {len(thresholds)} thresholds for {len(texts)} prompts, "
            "expected one for each, or none"
        )
    for value in thresholds:
        check_threshold(value)
    used = tuple(float(t) or default for t in thresholds) or (default,) * len(texts)
    row = {term: k for k, term in enumerate(dict.fromkeys(t for q in questions for t in q.terms))}
    terms = tuple(tuple(row[term] for term in question.terms) for question in questions)
    given = tuple(bool(t) for t in thresholds) or (False,) * len(texts)
    return PromptSet(texts, used, encoder.encode(list(row)), terms, given)


def check_threshold(value: float) -> None:
    """Raise ValueError unless the threshold is in 0..1 (0 = calibrated)."""
    if not 0 <= value <= 1:
        raise BadInputError(f"threshold is {value}, expected 0..1 (0 = calibrated)")


@torch.no_grad()
def relevancy(
    snapshot: Snapshot, distiller: Distiller, wanted: Wanted, min_weight: float
) -> Tensor:
    """Relevancy [N, P] in 0..1 of each Gaussian to each thing that is wanted.

    All Gaussians of a piece have that of its mean latent. 0 for those whose latent rests on less
    than `min_weight` pixels.
    """
    if not len(wanted) or not len(snapshot):
        return snapshot.means.new_zeros(len(snapshot), len(wanted))
    known = snapshot.latent_weights >= min_weight
    latents, _, rows = asked_together(snapshot)
    return torch.where(known[:, None], wanted.relevancy(distiller, latents)[rows], 0)


def combined(of_terms: Tensor, terms: Sequence[Sequence[int]]) -> Tensor:
    """Relevancy to prompts [..., P] from that to their terms [..., T].

    That of what is wanted times one minus that of each thing that is excluded: the probability of
    "this, and none of those", were they independent.
    """
    scores = of_terms[..., [rows[0] for rows in terms]]
    for prompt, rows in enumerate(terms):
        for excluded in rows[1:]:
            scores[..., prompt] *= 1 - of_terms[..., excluded]
    return scores


def labels_of(scores: Tensor, thresholds: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Label [..., ] int64 (0 none, p + 1 prompt p) and its score, from scores [..., P].

    Where several prompts pass their thresholds the highest score wins.
    """
    if scores.shape[-1] == 0:
        shape = scores.shape[:-1]
        return torch.zeros(shape, dtype=torch.int64, device=scores.device), scores.new_zeros(shape)
    limits = torch.as_tensor(thresholds, dtype=scores.dtype, device=scores.device)
    passed = torch.where(scores >= limits, scores, -1)
    best = passed.max(-1)
    chosen = best.values >= 0
    return torch.where(chosen, best.indices + 1, 0), torch.where(chosen, best.values, 0)


def score_of(scores: Tensor, labels: Tensor) -> Tensor:
    """The score [...] that belongs to each label [...] of `labels_of`, 0 where it is 0."""
    if scores.shape[-1] == 0:
        return scores.new_zeros(labels.shape)
    own = scores.gather(-1, (labels - 1).clamp(min=0)[..., None])[..., 0]
    return torch.where(labels > 0, own, 0)
