# SPDX-License-Identifier: Apache-2.0
"""Vectors to ask with: of texts, which are kept, and of groups of Gaussians."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.base import FeatureExtractor, Words
from f4x_ros.core.features.registry import language_of
from f4x_ros.core.field import Snapshot

_CAPACITY = 2048  # texts; at 96 numbers each, under 1 MB


class TextVectors:
    """What an extractor makes of texts, the most recently used ones kept.

    Args:
        extractor: the one that is asked.
        capacity: how many texts are kept.
    """

    def __init__(self, extractor: FeatureExtractor, capacity: int = _CAPACITY) -> None:
        self._extractor, self._capacity = extractor, capacity
        self._kept: OrderedDict[str, Tensor] = OrderedDict()  # the least recently used first

    def __len__(self) -> int:
        return len(self._kept)

    def check_understood(self, text: str) -> None:
        """NotUnderstoodError if the extractor does not understand a text; says which part."""
        if text not in self._kept:
            language_of(self._extractor).check_understood(text)

    def refused(self, groups: Sequence[Sequence[str]]) -> dict[int, str]:
        """Groups of texts with one that the extractor refuses only once it encodes it, and why.

        Costs nothing for extractors that say beforehand what they do not understand.
        """
        if not any(groups):
            return {}
        if type(language_of(self._extractor)).check_understood is not Words.check_understood:
            return {}
        try:
            self.encode([text for group in groups for text in group])
        except BadInputError:
            return {k: why for k, group in enumerate(groups) if (why := self._refusal(group))}
        return {}

    def _refusal(self, texts: Sequence[str]) -> str:
        try:
            self.encode(texts)
        except BadInputError as error:
            return str(error)
        return ""

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors [P, C]; all texts that are new are encoded at once.

        Raises:
            ValueError: the extractor does not understand one, or has no language; then none is
                kept.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if new:
            vectors = language_of(self._extractor).text(new)
            self._kept.update(zip(new, vectors, strict=True))
        for text in texts:
            self._kept.move_to_end(text)
        rows = [self._kept[text] for text in texts]
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return torch.stack(rows) if rows else torch.zeros(0, self._extractor.dim)


def pooled(snapshot: Snapshot, rows: Tensor) -> Tensor:
    """Mean latent [D] of some Gaussians, each counting as much as the pixels it rests on."""
    weights = snapshot.latent_weights[rows].float()
    total: Tensor = weights @ snapshot.latents[rows].float()
    return total / weights.sum().clamp(min=1e-9)
