# SPDX-License-Identifier: Apache-2.0
"""From a thing that words, a click, a box or an id mean to its Gaussians, all of them.

What an answer selects is sure of most of a thing, not of its rim: Gaussians that were hardly seen
have no feature, and those at silhouettes have that of both sides. So a selection is completed by
pieces (`objects.pieces`) and by neighbours, and then looked at: is it one thing, and is what was
asked for no longer found where it was once it is taken away? If not, other limits are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.ask import QueryScene
from f4x_ros.core.ask.tools import State
from f4x_ros.core.base import on_host
from f4x_ros.core.field import MIN_OPACITY, NO_PIECE, Snapshot, some_of
from f4x_ros.core.objects.components import find_components

LIMITS = (1.0, 0.8, 0.6, 1.2)
"""Shares of the usual limit of relevancy that are tried, in this order."""

_GROWN_M = 0.04  # of a thing's box in which its Gaussians are
_GROWN_SHARE = 0.08  # of its size
_OF_PIECE = 0.5  # share of a piece that is selected from which on it is the thing's
_VOTES = 5  # of neighbours, for what has no piece or hardly any feature
_OTHERS = 0.8  # share of votes from which on what is known to be of another piece is the thing's
_FAR_M = 0.05  # neighbours farther away have no vote
_SPREAD = 6.0  # times the usual width, that one of another colour may not have
_LARGEST = 3.0  # times the usual width of its Gaussians, that another may have to be of the thing
_TOUCH_M = 0.03  # from the thing, at most, what is stained by it
_STAIN = 0.2  # off its piece's colour (0..1 each), at least, what is stained
_LINK_M = 0.05
_COMPACT = 0.85  # share of the selection in its largest connected part, from which it is one thing
_SCRAP = 0.1  # of the thing's Gaussians, at most, ...
_SCRAP_IN = 0.9  # ... and so much of it in the box: a scrap
_LEAST = 6  # Gaussians of a thing

Select = Callable[[float], Tensor]
"""Mask [N] of what an answer selects with a share of the usual limit."""
Left = Callable[[Snapshot], bool]
"""Whether what was meant is still found in its place in a snapshot."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """A selection that was looked at.

    Attributes:
        rows: mask [N].
        limit: share of the usual limit it was made with.
        compact: share in the largest connected part, 0..1.
        left: whether the thing is still found where it was with these taken away.
    """

    rows: Tensor
    limit: float
    compact: float
    left: bool

    @property
    def good(self) -> bool:
        """Whether it is one thing, and all of it."""
        return self.compact >= _COMPACT and not self.left

    @property
    def about(self) -> str:
        """What the look found, for people."""
        still = "is still found" if self.left else "is found no longer"
        return (
            f"{int(self.rows.sum())} Gaussians at {self.limit:g} of the usual limit, "
            f"{100 * self.compact:.0f} % hang together; without them it {still}"
        )


def choose(scene: QueryScene, state: State, select: Select, left: Left) -> list[Chosen]:
    """Selections of one thing at several limits, ending with the first that is good.

    Args:
        scene: the map at a moment.
        state: the thing's box then.
        select: what the answer selects.
        left: whether the thing is still found.
    """
    tried: list[Chosen] = []
    for limit in LIMITS:
        seeds = select(limit) & within(scene.snapshot, state)
        if int(seeds.sum()) < _LEAST:
            continue
        rows = completed(scene.snapshot, seeds, state)
        compact = compactness(scene.snapshot, rows)
        chosen = Chosen(rows, limit, compact, left(some_of(scene.snapshot, ~rows)))
        tried.append(chosen)
        if chosen.good:
            break
    return tried


def best_of(tried: Sequence[Chosen]) -> Chosen | None:
    """The good one, else the one that hangs together best and leaves nothing; None of none."""
    return max(tried, key=lambda one: (one.good, not one.left, one.compact), default=None)


def within(snapshot: Snapshot, state: State) -> Tensor:
    """Mask [N] of the Gaussians in a box, grown a little."""
    grown = _GROWN_M + _GROWN_SHARE * state.size
    low, high = (
        torch.from_numpy(np.asarray(x)).to(snapshot.means)
        for x in (state.low - grown, state.high + grown)
    )
    return ((snapshot.means >= low) & (snapshot.means <= high)).all(1)


def completed(snapshot: Snapshot, seeds: Tensor, state: State) -> Tensor:
    """All Gaussians [N] of a thing of which most are known.

    Those of its pieces, without stray ones, then what lies nearest to them and has no piece.
    """
    inside = within(snapshot, state)
    pieces = snapshot.piece_ids.long()
    solid = snapshot.opacities >= MIN_OPACITY
    count = int(pieces.max()) + 1 if len(pieces) else 1
    ones = torch.ones_like(snapshot.opacities)
    seen = ones.new_zeros(count).index_add_(0, pieces[solid], ones[solid])
    own = ones.new_zeros(count).index_add_(0, pieces[solid & seeds], ones[solid & seeds])
    share = own / seen.clamp(min=1)
    whole = share >= _OF_PIECE
    whole[NO_PIECE] = False
    grouped = pieces != NO_PIECE
    sure = torch.where(grouped, whole[pieces] & inside, seeds)
    if not bool(sure.any()):
        sure = seeds
    # Scraps at its rim are pieces of their own, and no evidence of anything else
    held = ones.new_zeros(count).index_add_(0, pieces[solid & inside], ones[solid & inside])
    scrap = (held >= _SCRAP_IN * seen) & (seen <= _SCRAP * int(sure.sum()))
    known = grouped & solid & (snapshot.latent_weights > 0) & ~scrap[pieces]
    usual = snapshot.scales[sure].amax(1).median()
    sure = sure & ~_spread(snapshot, sure, usual)
    like = inside & (snapshot.scales.amax(1) <= _LARGEST * usual)  # a larger one is of more than it
    sure = sure | _stained(snapshot, sure & solid, known & ~sure & like)
    sure = sure | _voted(snapshot, sure & solid, known & ~sure, like & ~(sure & solid))
    return sure | _voted(snapshot, sure & solid, known & ~sure, like & ~(sure & solid))


def _spread(snapshot: Snapshot, sure: Tensor, usual: Tensor) -> Tensor:
    """Which of a thing [N] are far wider than the others and of another colour: of its ground."""
    color = snapshot.colors[sure].median(0).values
    off = torch.linalg.vector_norm(snapshot.colors - color, dim=1)
    spread: Tensor = sure & (snapshot.scales.amax(1) > _SPREAD * usual) & (off >= _STAIN)
    return spread


def _stained(snapshot: Snapshot, sure: Tensor, others: Tensor) -> Tensor:
    """Which Gaussians of other pieces [N] have the thing's colour and not that of their piece.

    What a thing stands on has such where they touch.
    """
    found = torch.zeros_like(sure)
    rows = others.nonzero()[:, 0]
    if not len(rows) or not bool(sure.any()):
        return found
    pieces = snapshot.piece_ids.long()
    count = int(pieces.max()) + 1
    total = snapshot.colors.new_zeros(count, 3).index_add_(0, pieces, snapshot.colors)
    mean = total / torch.bincount(pieces, minlength=count).clamp(min=1)[:, None]
    means, colors, usual = on_host(snapshot.means, snapshot.colors, mean[pieces[rows]])
    own, at = sure.cpu().numpy(), rows.cpu().numpy()
    apart, nearest = cKDTree(means[own]).query(means[at])
    of_thing = np.linalg.norm(colors[at] - colors[own][nearest], axis=1)
    of_piece = np.linalg.norm(colors[at] - usual, axis=1)
    stained = (apart <= _TOUCH_M) & (of_piece >= _STAIN) & (of_thing <= 0.5 * of_piece)
    found[rows[torch.from_numpy(stained).to(rows.device)]] = True
    return found


def _voted(snapshot: Snapshot, yes: Tensor, no: Tensor, asked: Tensor) -> Tensor:
    """Which of those asked about [N] have most neighbours, in place and colour, in a thing.

    What is known to be of something else (`no`) needs all but a few of its neighbours for it.
    """
    found = torch.zeros_like(yes)
    rows = asked.nonzero()[:, 0]
    if not len(rows) or not bool(yes.any()):
        return found
    means, colors, ours, others, open_ = on_host(snapshot.means, snapshot.colors, yes, no, asked)
    places = np.concatenate([means * 100, colors * 6], 1).astype(np.float64)
    decided = np.flatnonzero(ours | others)
    own = np.flatnonzero(open_)
    far, nearest = cKDTree(places[decided]).query(places[own], k=min(_VOTES + 1, len(decided)))
    far, nearest = far.reshape(len(own), -1), decided[nearest.reshape(len(own), -1)]
    weight = np.where(far <= _FAR_M * 100, 1 / np.maximum(far, 0.1), 0)
    weight[nearest == own[:, None]] = 0
    share = (weight * ours[nearest]).sum(1) / np.maximum(weight.sum(1), 1e-9)
    chosen = share > np.where(others[own], _OTHERS, 0.5)
    found[rows[torch.from_numpy(chosen).to(rows.device)]] = True
    return found


def compactness(snapshot: Snapshot, rows: Tensor) -> float:
    """Share 0..1 of the solid Gaussians of a selection in its largest connected part."""
    solid = rows & (snapshot.opacities >= MIN_OPACITY)
    means, opacities, selected = on_host(snapshot.means, snapshot.opacities, solid)
    parts = find_components(
        means, opacities, selected, link_distance_m=_LINK_M, min_members=1, max_components=1
    )
    return len(parts[0].members) / int(selected.sum()) if parts else 0.0
