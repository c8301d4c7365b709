# SPDX-License-Identifier: Apache-2.0
"""Standing prompts and the relevancy of every Gaussian to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from f4x_ros.core.distil import Distiller
from f4x_ros.core.snapshot import Snapshot

MAX_PROMPTS = 1000  # labels are uint16 and 65535 is taken


@dataclass(frozen=True, eq=False)
class PromptSet:
    """Prompts with their text vectors and thresholds."""

    texts: tuple[str, ...]
    thresholds: tuple[float, ...]
    vectors: Tensor  # [P, C]

    def __len__(self) -> int:
        return len(self.texts)


def make_prompts(
    distiller: Distiller, texts: Sequence[str], thresholds: Sequence[float], default: float
) -> PromptSet:
    """Encode prompts; a threshold of 0, or none at all, means `default`.

    Raises:
        ValueError: a prompt is blank, given twice, or not understood by the extractor; there are
            too many, or as many thresholds as prompts are not there, or one is outside 0..1.
    """
    texts = tuple(t.strip() for t in texts)
    for position, text in enumerate(texts):
        if not text:
            raise ValueError(f"prompt {position} is blank, expected words")
        if text in texts[:position]:
            raise ValueError(f"prompt '{text}' is given twice")
    if len(texts) > MAX_PROMPTS:
        raise ValueError(f"there are {len(texts)} prompts, expected at most {MAX_PROMPTS}")
    if thresholds and len(thresholds) != len(texts):
        raise ValueError(
            f"there are {len(thresholds)} thresholds for {len(texts)} prompts, "
            "expected one for each, or none"
        )
    for value in thresholds:
        check_threshold(value)
    used = tuple(float(t) or default for t in thresholds) or (default,) * len(texts)
    words = distiller.words
    vectors = words.text(texts) if texts else torch.zeros(0, words.dim)
    return PromptSet(texts, used, vectors)


def check_threshold(value: float) -> None:
    """Raise ValueError unless the threshold is in 0..1 (0 = calibrated)."""
    if not 0 <= value <= 1:
        raise ValueError(f"threshold is {value}, expected 0..1 (0 = calibrated)")


@torch.no_grad()
def relevancy(
    snapshot: Snapshot, distiller: Distiller, vectors: Tensor, min_weight: float
) -> Tensor:
    """Relevancy [N, P] in 0..1 of each Gaussian to text vectors [P, C].

    0 for Gaussians whose latent rests on less than `min_weight` pixels.
    """
    if not len(vectors) or not len(snapshot):
        return snapshot.latents.new_zeros(len(snapshot), len(vectors))
    known = snapshot.latent_weights >= min_weight
    features = distiller.decode(snapshot.latents)
    scores = distiller.words.relevancy(features, vectors.to(features.device))
    return torch.where(known[:, None], scores, 0)


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
