# SPDX-License-Identifier: Apache-2.0
"""From clicked Gaussians to all of their object: a random walk that ends at clicks or elsewhere.

The random walker of Grady (Random Walks for Image Segmentation, 2006) on the graph of Gaussians.
As one click has no counterpart, a walker may also end anywhere, and does so the sooner the less a
place looks like what was clicked.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.ask.segment_sparse import SparseLinks
from f4x_ros.core.objects import Graph
from f4x_ros.core.render import native, resolve_backend

_SHARPNESS = 1.0  # exponent of the odds of an edge
_LIMITS = (-6.0, 6.0)  # of an edge's log odds
_TOLERANCE = 2e-3  # of probabilities, each weighed by the root of its diagonal
_STEPS = 500


class Links(Protocol):
    """The graph of N Gaussians, to walk on and to cut."""

    def walk(
        self,
        inside: NDArray[np.float64],  # [N] how firmly a Gaussian is held to be part of the object
        outside: NDArray[np.float64],  # [N] how firmly it is held not to be
    ) -> NDArray[np.float64]:
        """Probability [N] that a walker from each Gaussian ends at one that is inside.

        Solves (L + inside + outside) x = inside, with L the graph's Laplacian.
        """
        ...

    def pieces(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Connected piece [N] of what is chosen, -1 elsewhere."""
        ...

    def contrasts(
        self,
        walk: NDArray[np.float64],  # [N]
        like: NDArray[np.float64],  # [N] how much each Gaussian is like the click
        clicked: int,  # row
        levels: Sequence[float],  # of the walk, descending
    ) -> NDArray[np.float64]:
        """For each level, how steeply a walk falls at the outline of the piece that was clicked.

        The mean step over the edges that lead out of it, times the squared mean of `like` in it; 0
        where nothing leads out, or the clicked Gaussian is below the level.
        """
        ...


def links_of(graph: Graph, count: int) -> Links:
    """Those of `count` Gaussians, compiled where there is a compiled library."""
    weight = np.exp(_SHARPNESS * graph.log_odds.clip(*_LIMITS))
    if resolve_backend("auto", "cpu") == "cpu":
        return CompiledLinks(graph, weight, count)
    return SparseLinks(graph, weight, count)


class CompiledLinks:
    """`Links` by csrc/walk.cpp.

    On one thread: a question shares its processors with a frame, and threads that meet at each of
    many short steps would wait for each other.

    Args:
        graph: E edges.
        weight: [E] how easily a walker takes each.
        count: Gaussians.
    """

    def __init__(self, graph: Graph, weight: NDArray[np.float64], count: int) -> None:
        edges = len(weight)
        self._starts = np.empty(count + 1, np.int64)
        self._ends = np.empty(2 * edges, np.int32)
        self._weights = np.empty(2 * edges, np.float32)
        ends = [np.ascontiguousarray(one, np.int64) for one in (graph.first, graph.second)]
        easy = np.ascontiguousarray(weight, np.float64)
        arrays: list[NDArray[Any]] = [*ends, easy, self._starts, self._ends, self._weights]
        sizes = (ctypes.c_int64(count), ctypes.c_int64(edges))
        _call("f4x_links", *sizes, *(_at(one) for one in arrays))
        rows = (self._starts, self._ends, self._weights)
        self._given = native.Links(count, *(one.ctypes.data for one in rows))

    def walk(
        self, inside: NDArray[np.float64], outside: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """See `Links`."""
        found, taken = np.empty(len(inside)), ctypes.c_int32()
        held = [np.ascontiguousarray(one, np.float64) for one in (inside, outside)]
        _call(
            "f4x_walk",
            ctypes.byref(self._given),
            *(_at(one) for one in held),
            ctypes.c_double(_TOLERANCE),
            ctypes.c_int32(_STEPS),
            _at(found),
            ctypes.byref(taken),
        )
        return found.clip(0, 1)

    def pieces(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """See `Links`."""
        piece = np.empty(len(chosen), np.int64)
        there = np.ascontiguousarray(chosen, np.uint8)
        _call("f4x_pieces", ctypes.byref(self._given), _at(there), _at(piece))
        return piece

    def contrasts(
        self,
        walk: NDArray[np.float64],
        like: NDArray[np.float64],
        clicked: int,
        levels: Sequence[float],
    ) -> NDArray[np.float64]:
        """See `Links`."""
        given = [np.ascontiguousarray(one, np.float64) for one in (walk, like)]
        ordered, found = np.array(levels, np.float64), np.empty(len(levels))
        _call(
            "f4x_contrast",
            ctypes.byref(self._given),
            *(_at(one) for one in given),
            ctypes.c_int64(clicked),
            _at(ordered),
            ctypes.c_int32(len(levels)),
            _at(found),
        )
        return found


def _call(name: str, *arguments: object) -> None:
    native.library().call(name, *arguments)


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
