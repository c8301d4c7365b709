# SPDX-License-Identifier: Apache-2.0
"""Which neighbouring Gaussians are of one object: a graph with a likeness on each edge."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn.functional import normalize

from f4x_ros.core.base import on_host
from f4x_ros.core.field import Snapshot
from f4x_ros.core.render import native, resolve_backend

_NEIGHBOURS = 10
_BIAS = 4.40
_FEATURE = "feature"
# A logistic regression over the edges of random worlds, by bench/fit_clicks.py (doc/clicks.md); in
# the order of csrc/edges.cpp.
_WEIGHTS = {
    _FEATURE: -10.4,  # 1 - cosine
    "light": -4.15,  # difference of mean colour, 0..1
    "gap": -0.59,  # log of distance over both extents along it
    "length": -0.61,  # log metres
    "concave": -0.68,  # the Gaussians' own normals lean towards each other
    "valley": -1.41,  # so do those of their neighbourhoods
    "faint": -0.59,  # lower of the opacities
    "step": -1.0,  # each lies off the other's tangent plane, sine, mean of both
}


@dataclass(frozen=True, eq=False)
class Graph:
    """Undirected edges between N Gaussians, each pair once."""

    first: NDArray[np.int64]  # [E]
    second: NDArray[np.int64]  # [E]
    log_odds: NDArray[np.float64]  # [E] that both are of one object


def build_graph(
    snapshot: Snapshot,
    features: Tensor | None,  # [N, C]
    eye: Tensor,  # [3] map frame, from where surfaces are seen
) -> Graph:
    """The graph of a snapshot's nearest neighbours.

    Without features, its odds are by all that is seen but them. Compiled where there is a compiled
    library, else by `edge_cues`.
    """
    known = snapshot.means[:, :0] if features is None else features
    slopes = {
        name: 0.0 if features is None and name == _FEATURE else w for name, w in _WEIGHTS.items()
    }
    if len(snapshot) > 1 and resolve_backend("auto", "cpu") == "cpu":
        return _compiled(_columns(snapshot, known), eye.cpu(), slopes)
    first, second, cues = edge_cues(snapshot, known, eye)
    odds = torch.stack([slopes[name] * cue for name, cue in cues.items()]).sum(0) + _BIAS
    return Graph(first, second, np.asarray(odds.double().numpy()))


def _compiled(columns: Sequence[Tensor], eye: Tensor, slopes: Mapping[str, float]) -> Graph:
    """The graph in one pass of csrc/edges.cpp."""
    points = columns[0]
    if not torch.isfinite(points).all():
        raise ValueError("means are not finite, expected numbers")
    count, k = len(points), min(_NEIGHBOURS, len(points) - 1)
    first, second = np.empty((2, count * k), np.int64)
    odds = np.empty(count * k)
    made = ctypes.c_int64()
    given = native.Edges(
        count,
        columns[-1].shape[1],
        k,
        *(one.data_ptr() for one in columns),
        (ctypes.c_float * 3)(*eye.tolist()),
        (ctypes.c_float * 8)(*slopes.values()),
        _BIAS,
        torch.get_num_threads(),
    )
    where = [ctypes.c_void_p(one.ctypes.data) for one in (first, second, odds)]
    native.library().call("f4x_edges_f32", ctypes.byref(given), *where, ctypes.byref(made))
    found = slice(0, made.value)
    return Graph(first[found], second[found], odds[found])


def _columns(snapshot: Snapshot, features: Tensor) -> list[Tensor]:
    """What a graph needs to know of Gaussians, on the host, float32."""
    needed = (snapshot.means, snapshot.quats, snapshot.scales, snapshot.colors, snapshot.opacities)
    return [torch.from_numpy(one).float().contiguous() for one in on_host(*needed, features)]


def edge_cues(
    snapshot: Snapshot, features: Tensor, eye: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[str, Tensor]]:
    """Edges between nearest neighbours, and what tells whether both ends are of one object, [E].

    Surfaces that bend towards the eye are within an object, those that make a valley are where one
    stands on another (as in Stein et al., Object Partitioning using Local Convexity, 2014).
    """
    eye = eye.cpu()
    points, quats, scales, colors, opacities, known = _columns(snapshot, features)
    count = len(points)
    tree, k = cKDTree(points), min(_NEIGHBOURS + 1, count)
    _, near = tree.query(points, k=k, workers=torch.get_num_threads())
    near = near.reshape(count, -1)
    first, second = _pairs(near)
    a, b = torch.from_numpy(first), torch.from_numpy(second)
    delta = points[b] - points[a]
    length = delta.norm(dim=1).clamp(min=1e-6)
    along = delta / length[:, None]
    axes = _axes(quats)
    own = _facing(axes[torch.arange(count), :, scales.argmin(1)], points, eye)
    wide = _facing(_normals(points.numpy(), near), points, eye)
    extent = _extent(axes, scales, a, along) + _extent(axes, scales, b, along)
    unit = normalize(known, dim=1)
    light = colors.mean(1)
    off = (own[a] * along).sum(1).abs() + (own[b] * along).sum(1).abs()
    cues = {
        "feature": 1 - (unit[a] * unit[b]).sum(1),
        "light": (light[a] - light[b]).abs(),
        "gap": (length / extent.clamp(min=1e-4)).log(),
        "length": length.log(),
        "concave": (-((own[b] - own[a]) * along).sum(1)).clamp(min=0),
        "valley": (-((wide[b] - wide[a]) * along).sum(1)).clamp(min=0),
        "faint": torch.minimum(opacities[a], opacities[b]),
        "step": off / 2,
    }
    return first, second, cues


def _pairs(near: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each pair of neighbours [N, k + 1] (the first is the point itself) once."""
    one, other = np.repeat(np.arange(len(near)), near.shape[1] - 1), near[:, 1:].ravel()
    mutual = (near[other] == one[:, None]).any(1)
    once = (one < other) | ~mutual
    return np.minimum(one, other)[once], np.maximum(one, other)[once]


def _axes(quats: Tensor) -> Tensor:
    """Rotations [N, 3, 3] of quaternions wxyz of any length; columns are a Gaussian's axes."""
    w, x, y, z = normalize(quats, dim=1).unbind(1)
    rows = (
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    )  # fmt: skip
    return torch.stack(rows, 1).reshape(-1, 3, 3)


def _extent(axes: Tensor, scales: Tensor, rows: Tensor, along: Tensor) -> Tensor:
    """Standard deviation [E] of each Gaussian in a direction [E, 3]."""
    local = torch.einsum("nij,ni->nj", axes[rows], along)
    extent: Tensor = torch.linalg.vector_norm(local * scales[rows], dim=1)
    return extent


def _normals(points: NDArray[np.float32], near: NDArray[np.int64]) -> Tensor:
    """Direction [N, 3] in which each neighbourhood is thinnest."""
    patch = points[near] - points[near].mean(1, keepdims=True)
    _, vectors = np.linalg.eigh(np.einsum("nki,nkj->nij", patch, patch))
    return torch.from_numpy(vectors[:, :, 0].astype(np.float32))


def _facing(normals: Tensor, points: Tensor, eye: Tensor) -> Tensor:
    """Normals turned to where they are seen from."""
    away = ((eye - points) * normals).sum(1, keepdim=True) < 0
    return torch.where(away, -normals, normals)
