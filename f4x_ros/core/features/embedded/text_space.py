# SPDX-License-Identifier: Apache-2.0
"""The space in which words and pixels are compared: the main directions of a text encoder's."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from f4x_ros.core.errors import BadInputError

_NEAREST = 5  # anchors that a text is drawn to
_SPREAD = 0.05  # of cosines, by which nearer anchors count more
_NEAR = (0.7, 0.05)  # cosine of the nearest anchor from which on it is heard, and how softly


class TextSpace(NamedTuple):
    """A fixed projection of text vectors to fewer numbers (PCA), scaled to unit length.

    Pixels were taught to be like the anchors, the texts of the training. A text that was not among
    them is understood better if it is drawn a little to those that are nearest to it.

    Attributes:
        mean: [T] of the vectors it was fitted to.
        basis: [T, D] orthonormal columns, the most important first.
        anchors: [A, D] unit vectors of texts that are known; A may be 0.
    """

    mean: Tensor
    basis: Tensor
    anchors: Tensor

    @classmethod
    def fit(cls, vectors: Tensor, dim: int) -> TextSpace:
        """The `dim` main directions of `vectors` [P, T], which become the anchors.

        Raises:
            ValueError: there are fewer vectors or numbers than directions.
        """
        if vectors.ndim != 2 or min(vectors.shape) < dim:
            raise BadInputError(
                f"vectors are {tuple(vectors.shape)}, expected at least {dim} x {dim}"
            )
        mean = vectors.mean(0)
        _, _, directions = torch.linalg.svd(vectors - mean, full_matrices=False)
        plain = cls(mean, directions[:dim].T.contiguous(), vectors.new_zeros(0, dim))
        return plain._replace(anchors=plain.project(vectors))

    def project(self, vectors: Tensor) -> Tensor:
        """Text vectors [P, T] to unit vectors [P, D], as they were trained on."""
        return functional.normalize((vectors - self.mean) @ self.basis, dim=1)

    def query(self, vectors: Tensor) -> Tensor:
        """Text vectors [P, T] to unit vectors [P, D] for asking: drawn to the nearest anchors."""
        plain = self.project(vectors)
        if not len(self.anchors):
            return plain
        alike, which = (plain @ self.anchors.T).topk(min(_NEAREST, len(self.anchors)), dim=1)
        shares = (alike / _SPREAD).softmax(1)
        pull = torch.einsum("pk,pkd->pd", shares, self.anchors[which])
        level, softness = _NEAR
        heard = torch.sigmoid((alike[:, :1] - level) / softness)
        return functional.normalize(plain + heard * pull, dim=1)
