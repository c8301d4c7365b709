# SPDX-License-Identifier: Apache-2.0
"""The space in which words and pixels are compared: the main directions of a text encoder's."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class TextSpace(NamedTuple):
    """A fixed projection of text vectors to fewer numbers (PCA), scaled to unit length.

    Attributes:
        mean: [T] of the vectors it was fitted to.
        basis: [T, D] orthonormal columns, the most important first.
    """

    mean: Tensor
    basis: Tensor

    @classmethod
    def fit(cls, vectors: Tensor, dim: int) -> TextSpace:
        """The `dim` main directions of `vectors` [P, T].

        Raises:
            ValueError: there are fewer vectors or numbers than directions.
        """
        if vectors.ndim != 2 or min(vectors.shape) < dim:
            raise ValueError(f"vectors are {tuple(vectors.shape)}, expected at least {dim} x {dim}")
        mean = vectors.mean(0)
        _, _, directions = torch.linalg.svd(vectors - mean, full_matrices=False)
        return cls(mean, directions[:dim].T.contiguous())

    def project(self, vectors: Tensor) -> Tensor:
        """Text vectors [P, T] to unit vectors [P, D]."""
        return functional.normalize((vectors - self.mean) @ self.basis, dim=1)
