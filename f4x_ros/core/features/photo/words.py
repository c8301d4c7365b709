# SPDX-License-Identifier: Apache-2.0
"""Which concepts of photographs a phrase means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.photo.concepts import Concept

_NEAR, _SOFT = 0.85, 0.04  # cosine of texts from which on they mean the same, and how softly
_KIND = 0.97  # a kind of thing counts a little less than its name
_MEANT = 0.5  # of what is less alike nothing is meant


class Meant(NamedTuple):
    """What P phrases mean among C concepts.

    Attributes:
        shares: [P, C] how much of each concept is meant, 0..1.
        known: [P] 1 where some concept is meant, else 0.
    """

    shares: Tensor
    known: Tensor


class ConceptWords:
    """Phrases to concepts, by their vectors in the space of the text model.

    Args:
        concepts: the table.
        names: [N, T] unit vectors of all their names, in its order.

    Raises:
        ValueError: there are as many vectors as names are not there.
    """

    def __init__(self, concepts: Sequence[Concept], names: Tensor) -> None:
        flat = [name for one in concepts for name in one.names]
        if len(flat) != len(names):
            raise BadInputError(f"there are {len(names)} vectors of {len(flat)} names of concepts")
        device = names.device
        self._names = names
        self._owner = torch.tensor(
            [row for row, one in enumerate(concepts) for _ in one.names], device=device
        )
        self._less = torch.tensor([_KIND if name.kind else 1.0 for name in flat], device=device)
        self._count = len(concepts)

    @property
    def dim(self) -> int:
        """T, numbers of a vector of the text model."""
        return self._names.shape[1]

    def meant(self, vectors: Tensor) -> Meant:
        """From unit vectors [P, T] of phrases."""
        alike = (vectors @ self._names.T) * self._less
        near = torch.sigmoid((alike - _NEAR) / _SOFT)
        near = torch.where(near > _MEANT, near, 0)
        owner = self._owner.expand(len(vectors), -1)
        shares = near.new_zeros(len(vectors), self._count).scatter_reduce(1, owner, near, "amax")
        return Meant(shares, (near > 0).any(1).to(near))
