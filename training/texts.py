# SPDX-License-Identifier: Apache-2.0
"""The vocabulary as vectors: what pixels are taught to be like."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.features.embedded.text_space import TextSpace
from f4x_ros.core.features.minilm import MiniLm
from training.vocabulary import Vocabulary

TEMPLATES = ("{}", "a {}", "the {}")
"""Ways to ask for the same; the first is how the worlds do."""


def encoded(vocabulary: Vocabulary, cache: Path | None = None) -> Tensor:
    """Vectors [templates, texts, 384] of all texts; kept in a folder if one is given."""
    texts = [form.format(text.text) for form in TEMPLATES for text in vocabulary.texts]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    path = cache / f"texts_{digest}.npy" if cache is not None else None
    if path is not None and path.is_file():
        vectors = torch.from_numpy(np.load(path))
    else:
        vectors = MiniLm().encode(texts)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, vectors.numpy())
    return vectors.view(len(TEMPLATES), len(vocabulary.texts), -1)


def fitted_space(vocabulary: Vocabulary, vectors: Tensor, dim: int) -> TextSpace:
    """The main directions of all texts that may be trained on."""
    chosen = torch.from_numpy(vocabulary.trainable())
    return TextSpace.fit(vectors[0, chosen], dim)
