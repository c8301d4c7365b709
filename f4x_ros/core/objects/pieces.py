# SPDX-License-Identifier: Apache-2.0
"""Gaussians of one thing put together, so that all of it is asked at once.

What a single Gaussian's latent says is noisy; the mean over a thing is not. The things need no
names: pieces of the nearest-neighbour graph are merged from the most alike pair on, by the mean log
odds of the edges between two pieces and the cosine of their mean features (average linkage; as
Felzenszwalb & Huttenlocher 2004 for pixels, and superpoints of Landrieu & Simonovsky 2018).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from f4x_ros.core.features.distil import Distiller
from f4x_ros.core.field import NO_PIECE, GaussianField, Snapshot, some_of, take_snapshot
from f4x_ros.core.objects.graph import edge_cues, geometry_odds

_FEATURE = -20.0  # log odds for 1 - cosine; twice that of single Gaussians, as means are surer
_LEVELS = (6.0, 5.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0)  # log odds from which pieces merge
_LEAST_WEIGHT = 1e-3


class Grouper:
    """Keeps the pieces of a field up to date; what was not seen since the last time keeps its own.

    Args:
        every: frames from one time to the next; 0 = never.
    """

    def __init__(self, every: int) -> None:
        self._every, self._next, self._last_s = every, NO_PIECE + 1, -np.inf

    def due(self, frame: int) -> bool:
        """Whether pieces are made after this many frames."""
        return self._every > 0 and frame % self._every == 0

    def restore(self, field: GaussianField, time_s: float) -> None:
        """Go on with a field that was grouped up to a time in seconds."""
        ids = [part["piece_ids"] for part in field.parts if len(part)]
        self._next = 1 + max((int(one.max()) for one in ids), default=NO_PIECE)
        self._last_s = time_s

    @torch.no_grad()
    def update(
        self,
        field: GaussianField,
        distiller: Distiller,
        eye: NDArray[np.float64],
        time_s: float,
    ) -> None:
        """Make the pieces anew that have been seen since the last time.

        Args:
            field: its column `piece_ids` is written.
            distiller: of its latents.
            eye: [3] map frame, from where its surfaces are seen.
            time_s: seconds of the field.
        """
        ids = field.present["piece_ids"]
        seen = (field.present["seen_s"] > self._last_s) | (ids == NO_PIECE)
        seen |= torch.isin(ids, ids[seen & (ids != NO_PIECE)])
        rows = torch.nonzero(seen)[:, 0]
        self._last_s = time_s
        if len(rows) < 2:
            return
        found = pieces_of(some_of(take_snapshot(field), rows), distiller, eye)
        ids[rows] = torch.from_numpy(found + self._next).to(ids)
        self._next += int(found.max()) + 1


def pieces_of(
    snapshot: Snapshot, distiller: Distiller, eye: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Piece [N] of each Gaussian, from 0 on without gaps; there are at least two Gaussians."""
    features = _coordinates(snapshot.latents, distiller)
    place = torch.from_numpy(eye.astype(np.float32))
    first, second, cues = edge_cues(snapshot, features, place)
    odds = geometry_odds(cues).double().numpy()
    weights = snapshot.latent_weights.cpu().numpy()
    return merged(first, second, odds, features.cpu().numpy(), weights)


def merged(
    first: NDArray[np.int64],  # [E]
    second: NDArray[np.int64],  # [E]
    odds: NDArray[np.float64],  # [E] log odds that both ends are of one thing, features apart
    features: NDArray[np.float32],  # [N, D]; zero where nothing is known
    weights: NDArray[np.float32],  # [N] pixels behind each
) -> NDArray[np.int64]:
    """Piece [N] of each end of the edges of a graph."""
    trust = np.sqrt(weights).clip(_LEAST_WEIGHT)[:, None]
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    regions = _Regions(first, second, odds, trust * features / lengths.clip(1e-9))
    for level in _LEVELS:
        while regions.merge(level):
            pass
    return regions.piece


class _Regions:
    """Pieces so far: sums of their features, and the edges between them."""

    def __init__(
        self,
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        odds: NDArray[np.float64],
        sums: NDArray[np.float32],
    ) -> None:
        self.piece = np.arange(len(sums))
        self._sums = sums
        self._first, self._second = first, second
        self._odds = odds
        self._count = np.ones(len(odds))

    def merge(self, level: float) -> bool:
        """Join each piece with the neighbour most like it, if that passes; whether any did."""
        if not len(self._first):
            return False
        alike = self._likeness()
        order = np.argsort(alike, kind="stable")
        best = np.full((2, len(self._sums)), -1)
        best[0, self._first[order]] = order  # of those with one index the last, the best, stays
        best[1, self._second[order]] = order
        reached = np.where(best >= 0, alike[best], -np.inf)
        top = reached.argmax(0)[None]
        edge = np.take_along_axis(best, top, 0)[0]
        chosen = np.unique(edge[np.take_along_axis(reached, top, 0)[0] >= level])
        if not len(chosen):
            return False
        self._join(self._first[chosen], self._second[chosen])
        return True

    def _likeness(self) -> NDArray[np.float64]:
        """[E] log odds that the pieces at both ends are of one thing."""
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
        self.piece = new[self.piece].astype(np.int64)
        a, b = new[self._first].astype(np.int64), new[self._second].astype(np.int64)
        apart = a != b
        keys = np.minimum(a, b)[apart] * total + np.maximum(a, b)[apart]
        pairs, place = np.unique(keys, return_inverse=True)
        self._odds = _summed(place, self._odds[apart], len(pairs))
        self._count = _summed(place, self._count[apart], len(pairs))
        self._first, self._second = pairs // total, pairs % total


def _summed(
    place: NDArray[np.int64], values: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    return np.bincount(place, values, count).astype(np.float64, copy=False)


def asked_together(snapshot: Snapshot) -> tuple[Tensor, Tensor, Tensor]:
    """What there is to ask in place of N Gaussians: K pieces, or single ones that have none.

    Returns:
        Mean latents [K, D], the pixels behind them [K], and which of them each Gaussian is of, [N].
    """
    ids = snapshot.piece_ids.long()
    alone = ids == NO_PIECE
    own = torch.arange(len(ids), device=ids.device) - len(ids)  # below all pieces
    _, rows = torch.unique(torch.where(alone, own, ids), return_inverse=True)
    count = int(rows.max()) + 1 if len(rows) else 0
    weights = snapshot.latent_weights.float()
    total = weights.new_zeros(count).index_add_(0, rows, weights)
    sums = snapshot.latents.new_zeros(count, snapshot.latents.shape[1])
    sums.index_add_(0, rows, snapshot.latents * weights[:, None])
    return sums / total.clamp(min=1e-9)[:, None], total, rows


def _coordinates(latents: Tensor, distiller: Distiller) -> Tensor:
    """[N, D] numbers with the products of what the latents [N, D] stand for.

    As feature = latent @ A, their products are those of latent @ sqrt(A A^T).
    """
    code = distiller.decode(torch.eye(distiller.latent_dim, device=latents.device))
    values, vectors = torch.linalg.eigh((code @ code.T).double())
    root = vectors * values.clamp(min=0).sqrt()
    found: Tensor = latents @ root.to(latents)
    return found
