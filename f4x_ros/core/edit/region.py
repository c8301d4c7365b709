# SPDX-License-Identifier: Apache-2.0
"""Which Gaussians an edit is about, by what stays true of them: a map has no ids of Gaussians.

A row of the field keeps its number only until the next frame: mapping moves, adds and prunes, and
a file is read in another order. So a selection keeps what it was made from, places and colours and
births, of what was selected and of what lay around it and was not. A Gaussian is part of it if it
is nearest to one that was. In a map that has not been mapped on each Gaussian is nearest to itself,
so the selection is the same rows to the bit; where mapping went on it is what took their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import NO_BODY, Snapshot

REACH_M = 0.03
"""So far from what was selected a new Gaussian may be and yet belong to it."""

UNLIKE = 0.25
"""Distance of colours (0..1 each) from which on a Gaussian is none of those it is nearest to."""

AROUND_M = 0.12
"""Within so much of the selection is kept what was not selected."""

_UNIT = (100.0, 6.0, 0.5)  # a centimetre, a sixth of the colours' range, two seconds count alike
_LEAST_OF_BODY = 6  # Gaussians
_BEFORE_S = -5.0  # birth that stands for "always"

Rows = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Region:
    """What was selected, and what lay around it and was not.

    Attributes:
        inside: [M, 7] of those selected: place [m, map frame], colour 0..1, birth [s of the field].
        outside: [K, 7] of those around them.
        tracks: ids of things that move; what carries one belongs to it wherever it is.
        bodies: ids of moving bodies (`field.paths`) that it is, wherever they are.
        things: ids of the tracks that it is, those of resting things among them.
        name: what it is called.
    """

    inside: Rows
    outside: Rows
    tracks: tuple[int, ...] = ()
    things: tuple[int, ...] = ()
    name: str = ""
    bodies: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, rows in (("inside", self.inside), ("outside", self.outside)):
            if rows.ndim != 2 or rows.shape[1] != 7 or not np.isfinite(rows).all():
                raise BadInputError(
                    f"{name} of a region is {rows.shape}, expected [N, 7] finite numbers"
                )
        if not len(self.inside):
            raise BadInputError("a region has no Gaussians, expected at least one")

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(_coordinates(np.concatenate([self.inside, self.outside])))

    @cached_property
    def _places(self) -> cKDTree:
        return cKDTree(self.inside[:, :3].astype(np.float64))

    @property
    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and high corner [3] of the places selected, m."""
        places = self.inside[:, :3].astype(np.float64)
        return places.min(0), places.max(0)

    def rows_of(self, snapshot: Snapshot) -> Tensor:
        """Mask [N] of the Gaussians of a snapshot that belong to it."""
        device = snapshot.means.device
        low, high = (torch.from_numpy(x).to(snapshot.means) for x in self.box)
        near = ((snapshot.means >= low - REACH_M) & (snapshot.means <= high + REACH_M)).all(1)
        rows = near.nonzero()[:, 0]
        found = np.zeros(len(snapshot), bool)
        if len(rows):
            own = described(snapshot, rows)
            apart, _ = self._places.query(own[:, :3].astype(np.float64))
            close = apart <= REACH_M
            _, nearest = self._tree.query(_coordinates(own[close]))
            mine = nearest < len(self.inside)
            like = self.inside[np.where(mine, nearest, 0), 3:6]
            mine &= np.linalg.norm(own[close, 3:6] - like, axis=1) <= UNLIKE
            found[rows.cpu().numpy()[close]] = mine
        mask = torch.from_numpy(found).to(device)
        for track in self.tracks:
            mask |= snapshot.object_ids == track
        return mask | of_bodies(snapshot, self.bodies)


def of_bodies(snapshot: Snapshot, bodies: Sequence[int]) -> Tensor:
    """Mask [N] of the Gaussians of some bodies."""
    return torch.isin(snapshot.body_ids, snapshot.body_ids.new_tensor(list(bodies)))


def bodies_in(snapshot: Snapshot, selected: Tensor, share: float) -> tuple[int, ...]:
    """The bodies of which such a share is selected (mask [N]), those with most Gaussians first."""
    own, count = torch.unique(snapshot.body_ids[selected], return_counts=True)
    every, of_all = torch.unique(snapshot.body_ids, return_counts=True)
    total = dict(zip(every.tolist(), of_all.tolist(), strict=True))
    found = {
        body: number
        for body, number in zip(own.tolist(), count.tolist(), strict=True)
        if body != NO_BODY and number >= max(share * total[body], _LEAST_OF_BODY)
    }
    return tuple(sorted(found, key=lambda body: -found[body]))


def described(snapshot: Snapshot, rows: Tensor) -> Rows:
    """[M, 7] of some rows (indices): place, colour, birth."""
    return as_rows(snapshot.means[rows], snapshot.colors[rows], snapshot.birth_s[rows])


def as_rows(means: Tensor, colors: Tensor, birth_s: Tensor) -> Rows:
    """[M, 7] of Gaussians: places [M, 3], colours [M, 3], births [M]."""
    birth = torch.where(birth_s.isfinite(), birth_s, _BEFORE_S)
    columns = (means, colors, birth[:, None].float())
    return np.concatenate(on_host(*columns), axis=1).astype(np.float32)


def region_of(
    snapshot: Snapshot,
    selected: Tensor,
    *,
    tracks: tuple[int, ...] = (),
    things: tuple[int, ...] = (),
    name: str = "",
    bodies: tuple[int, ...] = (),
) -> Region:
    """The region of some Gaussians of a snapshot (mask [N]), and of bodies.

    Where bodies are selected and something else as well, only that is written down: bodies are told
    by their ids.

    Raises:
        ValueError: nothing is selected.
    """
    others = selected & ~of_bodies(snapshot, bodies)
    rows = (others if bool(others.any()) else selected).nonzero()[:, 0]
    if not len(rows):
        raise BadInputError(f"nothing is selected{f' as {name!r}' if name else ''}")
    inside = described(snapshot, rows)
    low = torch.from_numpy(inside[:, :3].min(0) - AROUND_M).to(snapshot.means)
    high = torch.from_numpy(inside[:, :3].max(0) + AROUND_M).to(snapshot.means)
    near = ((snapshot.means >= low) & (snapshot.means <= high)).all(1) & ~selected
    outside = described(snapshot, near.nonzero()[:, 0])
    apart, _ = cKDTree(inside[:, :3]).query(outside[:, :3])
    return Region(inside, outside[apart <= AROUND_M], tracks, things, name, bodies)


def with_past(region: Region, past: Rows, own: NDArray[np.bool_]) -> Region:
    """A region that also knows Gaussians of other times.

    Args:
        region: of Gaussians that are there at one time.
        past: [K, 7] that were there at others.
        own: [K] which of them are the thing's.
    """
    if not len(past):
        return region
    tree = cKDTree(region.inside[:, :3])
    near = tree.query(past[:, :3])[0] <= AROUND_M
    inside = np.concatenate([region.inside, past[near & own]])
    outside = np.concatenate([region.outside, past[near & ~own]])
    return replace(region, inside=inside, outside=outside)


def united(regions: Sequence[Region]) -> Region:
    """One region of several: of things, or of one thing at several moments."""
    if len(regions) == 1:
        return regions[0]
    inside = np.unique(np.concatenate([one.inside for one in regions]), axis=0)
    outside = np.unique(np.concatenate([one.outside for one in regions]), axis=0)
    # What one of them selected is selected, whatever another says of it
    mine = {row.tobytes() for row in inside}
    outside = outside[np.array([row.tobytes() not in mine for row in outside], bool)]
    tracks = tuple(sorted({track for one in regions for track in one.tracks}))
    things = tuple(sorted({thing for one in regions for thing in one.things}))
    bodies = tuple(dict.fromkeys(body for one in regions for body in one.bodies))
    return Region(inside, outside, tracks, things, regions[0].name, bodies)


def _coordinates(rows: Rows) -> NDArray[np.float64]:
    place, color, birth = _UNIT
    scale = np.array([place] * 3 + [color] * 3 + [birth])
    scaled: NDArray[np.float64] = rows.astype(np.float64) * scale
    return scaled
