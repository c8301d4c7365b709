# SPDX-License-Identifier: Apache-2.0
"""Gaussians of one thing put together, so that all of it is asked at once.

What a single Gaussian's latent says is noisy; the mean over a thing is not. The things need no
names, see `regions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.field import NO_PIECE, GaussianField, Snapshot, some_of, take_snapshot
from f4x_ros.core.objects.graph import build_graph
from f4x_ros.core.objects.regions import merged, trusted

_MORE = 2.5  # times the pixels that a piece was made from: then it is made anew
_MOST = 3000  # Gaussians of pieces that are made anew at one time, about; the others wait
_LESS = 0.8  # share of its Gaussians that are left: so, too
_NEIGHBOURS = 10  # Gaussians around each one that is put together anew


class Grouper:
    """Keeps the pieces of the working set up to date, a part of them at a time.

    What has no piece yet, and the pieces of which much more has been seen since they were made, are
    taken apart and put together anew; they may join pieces beside them, which stay as they are.

    Args:
        every: frames from one time to the next; 0 = never.
    """

    def __init__(self, every: int) -> None:
        self._every, self._next = every, NO_PIECE + 1
        self._made: dict[int, tuple[float, int]] = {}  # pixels and Gaussians it was made from

    def due(self, frame: int) -> bool:
        """Whether pieces are made after this many frames."""
        return self._every > 0 and frame % self._every == 0

    def restore(self, field: GaussianField) -> None:
        """Go on with a field that was grouped before."""
        tables = [part["piece_ids"] for part in field.parts if len(part)]
        self._next = 1 + max((int(one.max()) for one in tables), default=NO_PIECE)
        self._note(_Pieces.of_field(field))

    @torch.no_grad()
    def update(
        self,
        field: GaussianField,
        distiller: Distiller,
        eye: NDArray[np.float64],
        between: Callable[[], None],
    ) -> int:
        """Make those pieces of the working set that are due; returns of how many Gaussians.

        Args:
            field: its column `piece_ids` is written.
            distiller: of its latents.
            eye: [3] map frame, from where its surfaces are seen.
            between: called between two parts of the work.
        """
        if len(field.present) < 2:
            return 0
        pieces = _Pieces.of_field(field)
        due = self._due(pieces)
        again = np.flatnonzero(due[pieces.of])
        if not len(again):
            return 0
        snapshot = take_snapshot(field, blocks=())
        features = coordinates(snapshot.latents, distiller)
        means, known, weights = on_host(snapshot.means, features, snapshot.latent_weights)
        rows = _with_neighbours(means, again)
        between()
        around = torch.from_numpy(rows).to(features.device)
        place = torch.from_numpy(eye.astype(np.float32))
        graph = build_graph(some_of(snapshot, around), None, place)
        between()
        sums = trusted(known, weights)
        nodes = _Nodes.among(rows, due, pieces, sums)
        ends = nodes.of[graph.first], nodes.of[graph.second]
        region = merged(*ends, graph.log_odds, nodes.sums, nodes.fixed)
        names = self._named(region, nodes)
        own = ~nodes.fixed[nodes.of]
        ids = field.present["piece_ids"]
        ids[torch.from_numpy(rows[own]).to(ids.device)] = torch.from_numpy(names[nodes.of[own]]).to(
            ids
        )
        self._note(_Pieces.of_field(field))
        return len(again)

    def _due(self, pieces: _Pieces) -> NDArray[np.bool_]:
        """Which of the pieces are to be made anew: those of which most more is known come first."""
        made = [self._made.get(one, (0.0, 0)) for one in pieces.ids.tolist()]
        pixels, count = np.array(made).reshape(-1, 2).T
        new = pieces.ids == NO_PIECE
        growth = pieces.pixels / np.maximum(pixels, 1e-9)
        changed = ~new & ((growth > _MORE) | (pieces.counts < _LESS * count))
        order = np.flatnonzero(changed)[np.argsort(-growth[changed], kind="stable")]
        fits = np.cumsum(pieces.counts[order]) - pieces.counts[order] < _MOST
        due: NDArray[np.bool_] = np.array(new)
        due[order[fits]] = True
        return due

    def _note(self, pieces: _Pieces) -> None:
        """Remember what new pieces were made from; forget those that are gone from view."""
        self._made = {
            one: self._made.get(one, (pixels, count))
            for one, pixels, count in zip(
                pieces.ids.tolist(), pieces.pixels.tolist(), pieces.counts.tolist(), strict=True
            )
        }

    def _named(self, region: NDArray[np.int64], nodes: _Nodes) -> NDArray[np.int64]:
        """Piece of each node: that of the piece it has joined, or a new number."""
        count = int(region.max()) + 1
        names = np.full(count, NO_PIECE)
        names[region[nodes.fixed]] = nodes.names
        new = np.flatnonzero(names == NO_PIECE)
        names[new] = self._next + np.arange(len(new))
        self._next += len(new)
        return names[region]


class _Pieces(NamedTuple):
    """The pieces of the present Gaussians of a working set."""

    ids: NDArray[np.int64]  # [P]
    of: NDArray[np.int64]  # [N] which of them each Gaussian is of
    pixels: NDArray[np.float64]  # [P] behind their latents
    counts: NDArray[np.int64]  # [P] Gaussians

    @classmethod
    def of_field(cls, field: GaussianField) -> _Pieces:
        """Those of a field."""
        columns = on_host(field.present["piece_ids"], field.present["latent_weights"])
        weights = columns[1]
        ids, of = np.unique(columns[0], return_inverse=True)
        pixels = np.bincount(of, weights, len(ids)).astype(np.float64)
        return cls(ids.astype(np.int64), of, pixels, np.bincount(of, minlength=len(ids)))


class _Nodes(NamedTuple):
    """What is put together: Gaussians, and whole pieces that stay as they are."""

    of: NDArray[np.int64]  # [R] node of each row
    sums: NDArray[np.float32]  # [K, D] trusted features
    fixed: NDArray[np.bool_]  # [K] whether it is a piece
    names: NDArray[np.int64]  # of the fixed ones

    @classmethod
    def among(
        cls,
        rows: NDArray[np.int64],  # [R] Gaussians
        due: NDArray[np.bool_],  # [P] pieces that are taken apart
        pieces: _Pieces,
        sums: NDArray[np.float32],  # [N, D] trusted features of all Gaussians
    ) -> _Nodes:
        """One node for each row of a piece that is taken apart, and one for each other piece."""
        apart = due[pieces.of[rows]]
        kept, place = np.unique(pieces.of[rows[~apart]], return_inverse=True)
        count = int(apart.sum())
        node = np.empty(len(rows), np.int64)
        node[apart] = np.arange(count)
        node[~apart] = count + place
        number = np.full(len(pieces.ids), -1)
        number[kept] = np.arange(len(kept))
        inside = np.flatnonzero(number[pieces.of] >= 0)
        whole = csr_matrix(
            (np.ones(len(inside), sums.dtype), (number[pieces.of[inside]], inside)),
            shape=(len(kept), len(sums)),
        )
        total = np.concatenate([sums[rows[apart]], whole @ sums])
        fixed = np.arange(len(total)) >= count
        return cls(node, total, fixed, pieces.ids[kept])


def _with_neighbours(points: NDArray[np.float32], again: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows, in ascending order, of some points and of the nearest ones around each of them."""
    count = min(_NEIGHBOURS + 1, len(points))
    _, near = cKDTree(points).query(points[again], k=count, workers=torch.get_num_threads())
    return np.unique(np.concatenate([again, np.ravel(near)]))


def asked_together(snapshot: Snapshot) -> tuple[Tensor, Tensor, Tensor]:
    """What there is to ask in place of N Gaussians: K pieces, or single ones that have none.

    Returns:
        Mean latents [K, D], the pixels behind them [K], and which of them each Gaussian is of, [N].
    """
    ids = snapshot.piece_ids.long()
    alone = ids == NO_PIECE
    own = torch.arange(len(ids), device=ids.device) - len(ids)  # below all pieces
    found, rows = torch.unique(torch.where(alone, own, ids), return_inverse=True)
    count = len(found)
    weights = snapshot.latent_weights.float()
    total = weights.new_zeros(count).index_add_(0, rows, weights)
    sums = snapshot.latents.new_zeros(count, snapshot.latents.shape[1])
    sums.index_add_(0, rows, snapshot.latents * weights[:, None])
    return sums / total.clamp(min=1e-9)[:, None], total, rows


def coordinates(latents: Tensor, distiller: Distiller) -> Tensor:
    """[N, D] numbers with the products of what the latents [N, D] stand for.

    As feature = latent @ A, their products are those of latent @ sqrt(A A^T).
    """
    code = distiller.decode(torch.eye(distiller.latent_dim, device=latents.device))
    values, vectors = torch.linalg.eigh((code @ code.T).double())
    root = vectors * values.clamp(min=0).sqrt()
    found: Tensor = latents @ root.to(latents)
    return found
