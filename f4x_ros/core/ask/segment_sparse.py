# SPDX-License-Identifier: Apache-2.0
"""`segment_spread.Links` in scipy: what compiled ones are to be, and where nothing is compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.csgraph import connected_components

from f4x_ros.core.objects import Graph

_TOLERANCE = 1e-4  # of the right side's length
_STEPS = 500


class SparseLinks:
    """The graph of N Gaussians as a sparse matrix.

    Args:
        graph: E edges.
        weight: [E] how easily a walker takes each.
        count: N.
    """

    def __init__(self, graph: Graph, weight: NDArray[np.float64], count: int) -> None:
        half = coo_matrix((weight, (graph.first, graph.second)), shape=(count, count))
        self._graph, self._conductance = graph, csr_matrix(half + half.T)

    def walk(
        self, inside: NDArray[np.float64], outside: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """See `segment_spread.Links`."""
        degree = np.asarray(self._conductance.sum(1)).ravel()
        diagonal = degree + inside + outside
        system = csr_matrix(diags(diagonal) - self._conductance)
        return _solved(system, np.asarray(inside, np.float64), diagonal).clip(0, 1)

    def pieces(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """See `segment_spread.Links`."""
        rows = np.flatnonzero(chosen)
        piece = np.full(len(chosen), -1, np.int64)
        graph = self._conductance[rows][:, rows]
        piece[rows] = connected_components(graph, directed=False)[1]
        return piece

    def contrasts(
        self,
        walk: NDArray[np.float64],
        like: NDArray[np.float64],
        clicked: int,
        levels: Sequence[float],
    ) -> NDArray[np.float64]:
        """See `segment_spread.Links`."""
        return np.array([self._contrast(walk, like, clicked, level) for level in levels])

    def _contrast(
        self, walk: NDArray[np.float64], like: NDArray[np.float64], clicked: int, level: float
    ) -> float:
        piece = self.pieces(walk >= level)
        chosen = piece == piece[clicked]
        first, second = self._graph.first, self._graph.second
        cut = chosen[first] != chosen[second]
        if not cut.any() or piece[clicked] < 0:
            return 0.0
        step = np.abs(walk[first[cut]] - walk[second[cut]]).mean()
        return float(step * like[chosen].mean() ** 2)


def _solved(
    system: csr_matrix, right: NDArray[np.float64], diagonal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Conjugate gradients, preconditioned by the diagonal.

    As scipy's, but without BLAS, whose threads wait for each other at each of its short products:
    with other processes at work that made a question take seconds.
    """
    found = np.zeros_like(right)
    rest = right.copy()
    scaled = rest / diagonal
    direction = scaled.copy()
    size = _product(rest, scaled)
    goal = _TOLERANCE**2 * _product(right, right)
    for _ in range(_STEPS):
        if _product(rest, rest) <= goal:
            break
        pushed = system @ direction
        step = size / _product(direction, pushed)
        found += step * direction
        rest -= step * pushed
        scaled = rest / diagonal
        size, before = _product(rest, scaled), size
        direction = scaled + (size / before) * direction
    return found


def _product(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float((a * b).sum())
