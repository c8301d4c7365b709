# SPDX-License-Identifier: Apache-2.0
"""Parts of an object: from a few clicks over all of it, and from one object to another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.ask.registration import Alignments
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import Snapshot
from f4x_ros.core.render.projection import rotation_matrices

_VOTES = 5  # Gaussians of the source that decide about one of the target
_NEIGHBOURS = 8  # a surface is walked along from each Gaussian to so many others
# What makes a step longer than it is, each a factor for a difference of 1.
_EDGE = 20.0  # colour, RGB in 0..1
_BEND = 30.0  # 1 - |cosine| of the two normals
_FOLD = 100.0  # (sine of the angle by which the step leaves the tangent planes) squared
_LEAST = 0.05  # of the usual effort: of two Gaussians at one place


def spread_parts(
    snapshot: Snapshot, members: Tensor, seeds: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.int64]:
    """The part of every member of an object, from a few clicks on each part.

    A Gaussian belongs to the part at whose clicks a random walk from it along the surface most
    likely ends first (Grady 2006, "Random walks for image segmentation"). Crossing from one colour
    to another is hard, and so is a crease, where parts meet (Stein et al. 2014, "Object
    partitioning using local convexity").

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
    starts = []
    for name, clicks in seeds.items():
        at = np.asarray(clicks, np.float64).reshape(-1, 3)
        if not len(at):
            raise BadInputError(f"part {name!r} has no click, expected at least one")
        starts.append(cKDTree(places).query(at)[1])
    if not starts:
        return np.zeros(len(places), np.int64)
    steps = _steps(snapshot, members)
    seeded = np.zeros((len(places), len(starts)))
    for p, rows in enumerate(starts):
        seeded[rows, p] = 1.0
    seeded /= np.maximum(seeded.sum(1, keepdims=True), 1.0)  # clicks of two parts on one Gaussian
    shares = _walks(steps, seeded)
    return np.where(shares.max(1) > 0, shares.argmax(1) + 1, 0)


def _walks(steps: csr_matrix, seeded: NDArray[np.float64]) -> NDArray[np.float64]:
    """[M, P] chance that a walk ends at each part first; zeros where no walk comes to a click."""
    marked = seeded.any(1)
    _, piece = connected_components(steps, directed=False)
    free = np.flatnonzero(~marked & np.isin(piece, piece[marked]))
    ends = np.flatnonzero(marked)
    laplacian = (diags(np.asarray(steps.sum(1)).ravel()) - steps).tocsr()
    shares = seeded.copy()
    if len(free):
        inner = splu(
            laplacian[free][:, free].tocsc(), "MMD_AT_PLUS_A", options={"SymmetricMode": True}
        )
        shares[free] = inner.solve(-(laplacian[free][:, ends] @ seeded[ends]))
    return shares


def _steps(snapshot: Snapshot, members: Tensor) -> csr_matrix:
    """[M, M] how readily a walk steps from each Gaussian to each of its neighbours; symmetric."""
    places = snapshot.means[members].cpu().numpy().astype(np.float64)
    colors = snapshot.colors[members].cpu().numpy()
    axes = rotation_matrices(snapshot.quats[members].cpu())
    shortest = snapshot.scales[members].cpu().argmin(1)
    normals = axes[np.arange(len(places)), :, shortest].numpy().astype(np.float64)
    if len(places) < 2:
        return csr_matrix((len(places),) * 2)
    gaps, near = cKDTree(places).query(places, k=min(_NEIGHBOURS + 1, len(places)))
    rows = np.repeat(np.arange(len(places)), gaps.shape[1] - 1)
    columns, length = near[:, 1:].ravel(), gaps[:, 1:].ravel()
    edge = np.linalg.norm(colors[rows] - colors[columns], axis=1)
    bend = 1 - np.abs((normals[rows] * normals[columns]).sum(1))
    ahead = (places[columns] - places[rows]) / np.maximum(length, 1e-9)[:, None]
    off = [np.abs((ahead * normals[ends]).sum(1)) for ends in (rows, columns)]
    fold = np.maximum(*off) ** 2
    effort = length * (1 + _EDGE * edge + _BEND * bend + _FOLD * fold)
    usual = float(np.median(effort[effort > 0])) if effort.any() else 1.0
    ease = (effort / usual + _LEAST) ** -2
    steps = csr_matrix((ease, (rows, columns)), shape=(len(places),) * 2)
    return steps.maximum(steps.T)


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
