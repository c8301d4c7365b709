# SPDX-License-Identifier: Apache-2.0
"""Objects as connected components in 3D of what a prompt selects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Box = tuple[NDArray[np.float64], NDArray[np.float64]]

BOX_PERCENTILES = (2.0, 98.0)
"""Of the member positions: stray Gaussians do not stretch the box."""

_KEY_BITS = 21  # voxel index per axis: 2 million voxels, 120 km at 6 cm


@dataclass(frozen=True, eq=False)
class Component:
    """One connected piece."""

    members: NDArray[np.int64]  # [M] rows of the snapshot
    center: NDArray[np.float64]  # [3] of the box, metres, map frame
    size: NDArray[np.float64]  # [3] metres
    score: float  # mean relevancy of the members


def find_components(
    positions: NDArray[np.float32],  # [N, 3] metres
    scores: NDArray[np.float32],  # [N]
    selected: NDArray[np.bool_],  # [N]
    *,
    link_distance_m: float,
    min_members: int,
    max_components: int,
) -> list[Component]:
    """Pieces of the selected points whose voxels of `link_distance_m` touch, largest first."""
    rows = np.flatnonzero(selected)
    if len(rows) < min_members:
        return []
    piece = _connect(positions[rows], link_distance_m)
    counts = np.bincount(piece)
    order = np.argsort(-counts, kind="stable")[:max_components]
    return [
        _component(rows[piece == p], positions, scores) for p in order if counts[p] >= min_members
    ]


def _component(
    members: NDArray[np.int64], positions: NDArray[np.float32], scores: NDArray[np.float32]
) -> Component:
    center, size = box_of(positions[members])
    return Component(members, center, size, float(scores[members].mean()))


def box_of(
    points: NDArray[np.floating],
    axes: NDArray[np.float64] | None = None,
    percentiles: tuple[float, float] = BOX_PERCENTILES,
) -> Box:
    """Centre [3] and size [3] of the box around points [N, 3], map frame.

    Its axes are the columns of `axes` [3, 3], those of the map if None.
    """
    own = points if axes is None else points @ axes
    low, high = np.percentile(own, percentiles, axis=0)
    center = (low + high) / 2
    return (center if axes is None else axes @ center), high - low


def _connect(positions: NDArray[np.float32], voxel_m: float) -> NDArray[np.int64]:
    """Piece index of each point: 26-connected components of the occupied voxels."""
    cells = np.floor(positions.astype(np.float64) / voxel_m).astype(np.int64)
    cells -= cells.min(0) - 1
    steps = np.array([1, 1 << _KEY_BITS, 1 << (2 * _KEY_BITS)], np.int64)
    keys, voxel_of_point = np.unique(cells @ steps, return_inverse=True)
    offsets = [
        np.array([dx, dy, dz]) @ steps
        for dx in (-1, 0, 1)
        for dy in (-1, 0, 1)
        for dz in (-1, 0, 1)
        if (dx, dy, dz) > (0, 0, 0)
    ]
    edges = [_edges(keys, int(offset)) for offset in offsets]
    first = np.concatenate([e[0] for e in edges])
    second = np.concatenate([e[1] for e in edges])
    graph = coo_matrix((np.ones(len(first), bool), (first, second)), shape=(len(keys),) * 2)
    _, piece = connected_components(graph, directed=False)
    pieces: NDArray[np.int64] = piece.astype(np.int64)[voxel_of_point.ravel()]
    return pieces


def _edges(keys: NDArray[np.int64], offset: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of occupied voxels that lie `offset` apart."""
    wanted = keys + offset
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found = keys[at] == wanted
    return np.flatnonzero(found), at[found]
