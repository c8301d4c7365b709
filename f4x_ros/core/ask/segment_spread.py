# SPDX-License-Identifier: Apache-2.0
"""From clicked Gaussians to all of their object: a random walk that ends at clicks or elsewhere.

The random walker of Grady (Random Walks for Image Segmentation, 2006) on the graph of Gaussians.
As one click has no counterpart, a walker may also end anywhere, and does so the sooner the less a
place looks like what was clicked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags

from f4x_ros.core.objects import Graph

_SHARPNESS = 1.0  # exponent of the odds of an edge
_LIMITS = (-6.0, 6.0)  # of an edge's log odds
_TOLERANCE = 1e-4  # of the right side's length
_STEPS = 500


def conductances(graph: Graph, count: int) -> csr_matrix:
    """Symmetric matrix [N, N] of how easily a walker takes each edge."""
    weight = np.exp(_SHARPNESS * graph.log_odds.clip(*_LIMITS))
    half = coo_matrix((weight, (graph.first, graph.second)), shape=(count, count))
    return csr_matrix(half + half.T)


def spread(
    conductance: csr_matrix,  # [N, N]
    inside: NDArray[np.float64],  # [N] how firmly a Gaussian is held to be part of the object
    outside: NDArray[np.float64],  # [N] how firmly it is held not to be
) -> NDArray[np.float64]:
    """Probability [N] that a walker from each Gaussian ends at one that is inside.

    Solves (L + inside + outside) x = inside by conjugate gradients, with L the graph's Laplacian.
    """
    degree = np.asarray(conductance.sum(1)).ravel()
    diagonal = degree + inside + outside
    return _solved(csr_matrix(diags(diagonal) - conductance), inside, diagonal).clip(0, 1)


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
