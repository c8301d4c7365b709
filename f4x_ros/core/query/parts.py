# SPDX-License-Identifier: Apache-2.0
"""Parts of an object: from a few clicks over all of it, and from one object to another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.query.registration import Alignments
from f4x_ros.core.snapshot import Snapshot

_VOTES = 5  # Gaussians of the source that decide about one of the target
_NEIGHBOURS = 8  # a surface is walked along from each Gaussian to so many others
_EDGE = 20.0  # effort of a change of colour by 1 (RGB in 0..1), times the way


def spread_parts(
    snapshot: Snapshot, members: Tensor, seeds: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.int64]:
    """The part of every member of an object, from a few clicks on each part.

    A Gaussian belongs to the click from which it is reached along the surface with least effort;
    crossing from one colour to another is an effort (a watershed in 3D).

    Args:
        snapshot: the field at a time.
        members: [M] rows of the object.
        seeds: name to positions [S, 3] (m, map frame) of that part's clicks.

    Returns:
        [M] p + 1 for the p-th part, 0 for what no click reaches.

    Raises:
        ValueError: a part without a click.
    """
    places = snapshot.means[members].cpu().numpy().astype(np.float64)
    colors = snapshot.colors[members].cpu().numpy()
    starts = []
    for name, clicks in seeds.items():
        at = np.asarray(clicks, np.float64).reshape(-1, 3)
        if not len(at):
            raise ValueError(f"part {name!r} has no click, expected at least one")
        starts.append(cKDTree(places).query(at)[1])
    if not starts:
        return np.zeros(len(places), np.int64)
    gaps, near = cKDTree(places).query(places, k=min(_NEIGHBOURS + 1, len(places)))
    rows = np.repeat(np.arange(len(places)), gaps.shape[1] - 1)
    columns = near[:, 1:].ravel()
    edge = np.linalg.norm(colors[rows] - colors[columns], axis=1)
    effort = gaps[:, 1:].ravel() * (1 + _EDGE * edge) + 1e-9
    graph = csr_matrix((effort, (rows, columns)), shape=(len(places),) * 2)
    ways = np.stack([dijkstra(graph, False, s, min_only=True) for s in starts])
    return np.where(np.isfinite(ways.min(0)), ways.argmin(0) + 1, 0)


def carry_parts(
    snapshot: Snapshot,
    ways: Alignments,
    best: int,
    source: Tensor,
    members: Tensor,
    parts: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The part of each member [M], by vote of the moved Gaussians of the source about it.

    Returns the part (0 none) and the share of the votes for it; zeros where there are no parts.
    """
    if parts is None or not parts.any():
        return np.zeros(len(members), np.int64), np.zeros(len(members), np.float32)
    moved = ways.move(snapshot.means[source].cpu())[best].numpy()
    places = snapshot.means[members].cpu().numpy()
    votes = min(_VOTES, len(moved))
    _, near = cKDTree(moved).query(places, k=[*range(1, votes + 1)])
    counts = np.stack([(parts[near] == p).sum(1) for p in range(int(parts.max()) + 1)], 1)
    labels = counts.argmax(1)
    return labels, (counts.max(1) / votes).astype(np.float32)
