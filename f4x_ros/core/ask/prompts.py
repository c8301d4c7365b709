# SPDX-License-Identifier: Apache-2.0
"""Prompts as vectors and the relevancy of every Gaussian to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from f4x_ros.core.ask.cosines import cosines
from f4x_ros.core.ask.language import Question, parse_question
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.base.limits import (
    MAX_LETTERS,
    MAX_PHRASES,
    MAX_PROMPT_LETTERS,
    MAX_PROMPTS,
    check_length,
)
from f4x_ros.core.errors import BadInputError, NotUnderstoodError, shown
from f4x_ros.core.features.base import CosineWords, EvidenceWords
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.features.registry import language_of
from f4x_ros.core.field import Snapshot
from f4x_ros.core.objects import asked_together


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
        terms: rows of `vectors` for each prompt: first what is wanted, then what is excluded. None
            for a prompt that is not understood: nothing is relevant to it.
        given: whether the threshold was given with the prompt, and is not the default.
        not_understood: why, by prompt.
    """

    texts: tuple[str, ...]
    thresholds: tuple[float, ...]
    vectors: Tensor
    terms: tuple[tuple[int, ...], ...]
    given: tuple[bool, ...]
    not_understood: Mapping[str, NotUnderstoodError] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    def relevancy(self, distiller: Distiller, latents: Tensor) -> Tensor:
        """Relevancy [N, P] in 0..1 of what latents [N, D] stand for."""
        if not len(self.vectors):
            return latents.new_zeros(*latents.shape[:-1], len(self))
        words = language_of(distiller.words)
        if isinstance(words, CosineWords) and not isinstance(words, EvidenceWords):
            of_terms = words.of_cosine(*cosines(distiller, latents, self.vectors))
        else:
            features = distiller.decode(latents)
            of_terms = words.relevancy(features, self.vectors.to(features.device))
        return combined(of_terms, self.terms)


def make_prompts(
    encoder: TextVectors,
    texts: Sequence[str],
    thresholds: Sequence[float],
    default: float,
    prepare: Callable[[list[str]], None] | None = None,
) -> PromptSet:
    """Encode prompts (see `language`); a threshold of 0, or none at all, means `default`.

    Those that the extractor does not understand are in the set, too, see `PromptSet`. `prepare` is
    called with what the others want before they are encoded, to encode more along with it.

    Raises:
        ValueError: a prompt is blank or too long, excludes without wanting anything, or is given
            twice; there are too many, or as many thresholds as prompts are not there, or one is
            outside 0..1.
    """
    questions, why_not = questions_of(encoder, texts)
    texts = tuple(text.strip() for text in texts)
    if thresholds and len(thresholds) != len(texts):
        raise BadInputError(
            f"there are {len(thresholds)} thresholds for {len(texts)} prompts, "
            "expected one for each, or none"
        )
    for value in thresholds:
        check_threshold(value)
    used = tuple(float(t) or default for t in thresholds) or (default,) * len(texts)
    row = {term: k for k, term in enumerate(_phrases(questions))}
    terms = tuple(tuple(row[term] for term in one.terms) if one else () for one in questions)
    given = tuple(bool(t) for t in thresholds) or (False,) * len(texts)
    if prepare is not None:
        prepare([one.wanted for one in questions if one])
    return PromptSet(texts, used, encoder.encode(list(row)), terms, given, why_not)


def check_prompts(texts: Sequence[str]) -> None:
    """ValueError for prompts that nobody could mean, or too many; looks at nothing but sizes first.

    Raises:
        ValueError: there are too many, one is too long, blank or given twice.
    """
    if len(texts) > MAX_PROMPTS:
        raise BadInputError(f"there are {len(texts)} prompts, expected at most {MAX_PROMPTS}")
    for position, text in enumerate(texts):
        check_length(f"prompt {position}", text, MAX_PROMPT_LETTERS)
    if (letters := sum(map(len, texts))) > MAX_LETTERS:
        raise BadInputError(
            f"the prompts have {letters} characters together, expected at most {MAX_LETTERS}"
        )
    seen = set()
    for position, text in enumerate(texts):
        text = text.strip()
        if not text:
            raise BadInputError(f"prompt {position} is blank, expected words")
        if text in seen:
            raise BadInputError(f"prompt {shown(text)} is given twice")
        seen.add(text)


def questions_of(
    encoder: TextVectors, texts: Sequence[str]
) -> tuple[list[Question | None], dict[str, NotUnderstoodError]]:
    """The prompts taken apart, None for those that are not understood, and why they are not.

    Raises:
        ValueError: as `make_prompts`.
    """
    check_prompts(texts)
    questions: list[Question | None] = []
    why_not: dict[str, NotUnderstoodError] = {}
    for text in texts:
        try:
            question = parse_question(text)
            for term in question.terms:
                encoder.check_understood(term)
        except NotUnderstoodError as error:
            whole = text.strip()
            why_not[whole] = NotUnderstoodError(whole, error.part, error.expected)
            questions.append(None)
        else:
            questions.append(question)
    if (count := len(_phrases(questions))) > MAX_PHRASES:
        raise BadInputError(
            f"the prompts have {count} different words or phrases, what they exclude included, "
            f"expected at most {MAX_PHRASES}"
        )
    for position, why in encoder.refused([one.terms if one else () for one in questions]).items():
        whole = texts[position].strip()
        questions[position] = None
        why_not[whole] = NotUnderstoodError(whole, whole, why)
    return questions, why_not


def _phrases(questions: Sequence[Question | None]) -> dict[str, None]:
    """All that has to be encoded, each once, in its order."""
    return dict.fromkeys(term for one in questions if one for term in one.terms)


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
    scores = of_terms[..., [rows[0] if rows else 0 for rows in terms]]
    for prompt, rows in enumerate(terms):
        if not rows:  # not understood
            scores[..., prompt] = 0
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
