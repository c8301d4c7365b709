# SPDX-License-Identifier: Apache-2.0
"""Nodes of a graph merged into regions, from the most alike pair on.

By the mean log odds of the edges between two regions and the cosine of their mean features (average
linkage; as Felzenszwalb & Huttenlocher 2004 for pixels, and superpoints of Landrieu & Simonovsky
2018).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

_FEATURE = -20.0  # log odds for 1 - cosine; twice that of single Gaussians, as means are surer
_LEVELS = (6.0, 5.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0)  # log odds from which regions merge
_LEAST_WEIGHT = 1e-3


def trusted(
    features: NDArray[np.float32],  # [N, D]; zero where nothing is known
    weights: NDArray[np.float32],  # [N] pixels behind each
) -> NDArray[np.float32]:
    """Unit features as long as they are trusted; sums of them are those of regions."""
    trust = np.sqrt(weights).clip(_LEAST_WEIGHT)[:, None]
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    found: NDArray[np.float32] = trust * features / lengths.clip(1e-9)
    return found


def merged(
    first: NDArray[np.int64],  # [E]
    second: NDArray[np.int64],  # [E]
    odds: NDArray[np.float64],  # [E] log odds that both ends are of one thing, features apart
    sums: NDArray[np.float32],  # [N, D] of each node, see `trusted`
    fixed: NDArray[np.bool_] | None = None,  # [N] nodes that are regions already
) -> NDArray[np.int64]:
    """Region [N] of each node of a graph, from 0 on without gaps.

    Others may join what is fixed, but no two fixed nodes come into one region.
    """
    known = np.zeros(len(sums), bool) if fixed is None else fixed
    regions = _Regions(first, second, odds, sums, known)
    for level in _LEVELS:
        while regions.merge(level):
            pass
    return regions.region


class _Regions:
    """Regions so far: sums of their features, and the edges between them."""

    def __init__(
        self,
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        odds: NDArray[np.float64],
        sums: NDArray[np.float32],
        fixed: NDArray[np.bool_],
    ) -> None:
        self.region = np.arange(len(sums))
        self._sums, self._fixed = sums, fixed
        self._first, self._second = first, second
        self._odds = odds
        self._count = np.ones(len(odds))
        self._gather(first, second, len(sums))

    def merge(self, level: float) -> bool:
        """Join each region with the neighbour most like it, if that passes; whether any did.

        A fixed region has no choice of its own, so each group of regions that choose each other
        ends in one fixed region at most.
        """
        if not len(self._first):
            return False
        alike = self._likeness()
        most = np.full(len(self._sums), -np.inf)
        np.maximum.at(most, self._first, alike)
        np.maximum.at(most, self._second, alike)
        best = np.full(len(self._sums), -1)
        for ends in (self._second, self._first):
            edges = np.flatnonzero(alike == most[ends])
            best[ends[edges]] = edges  # of those that are equal the last stays
        chosen = np.unique(best[(most >= level) & ~self._fixed])
        if not len(chosen):
            return False
        self._join(self._first[chosen], self._second[chosen])
        return True

    def _likeness(self) -> NDArray[np.float64]:
        """[E] log odds that the regions at both ends are of one thing."""
        unit = self._sums / np.linalg.norm(self._sums, axis=1, keepdims=True).clip(1e-9)
        cosine = np.einsum("ij,ij->i", unit[self._first], unit[self._second])
        return np.asarray(self._odds / self._count + _FEATURE * (1 - cosine))

    def _join(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        count = len(self._sums)
        links = coo_matrix((np.ones(len(one)), (one, other)), shape=(count, count))
        total, new = connected_components(links, directed=False)
        belongs = csr_matrix(
            (np.ones(count, self._sums.dtype), (new, np.arange(count))), shape=(total, count)
        )
        self._sums = belongs @ self._sums
        self._fixed = np.bincount(new, self._fixed, total) > 0
        self.region = new[self.region].astype(np.int64)
        self._gather(new[self._first].astype(np.int64), new[self._second].astype(np.int64), total)

    def _gather(self, a: NDArray[np.int64], b: NDArray[np.int64], total: int) -> None:
        """One edge for all that lead from one region to another; none between fixed ones."""
        apart = (a != b) & ~(self._fixed[a] & self._fixed[b])
        keys = np.minimum(a, b)[apart] * total + np.maximum(a, b)[apart]
        pairs, place = np.unique(keys, return_inverse=True)
        self._odds = _summed(place, self._odds[apart], len(pairs))
        self._count = _summed(place, self._count[apart], len(pairs))
        self._first, self._second = pairs // total, pairs % total


def _summed(
    place: NDArray[np.int64], values: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    return np.bincount(place, values, count).astype(np.float64, copy=False)
