# SPDX-License-Identifier: Apache-2.0
"""Blocks at rest: cubes of the map that nobody looks at, packed, found again by their boxes.

Nothing here is done per Gaussian unless its block goes to rest or comes back. Per frame only the
boxes of the blocks are compared with what the cameras see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.data import Frustum
from f4x_ros.core.field.boxes import BoxIndex
from f4x_ros.core.field.cubes import cube_codes
from f4x_ros.core.field.gaussians import NO_PIECE, Columns
from f4x_ros.core.field.packed import Packed, pack

Rows = dict[str, Tensor]
"""Some rows of a table: columns [N, ...] by name."""

_SIGMAS = 3.0  # a Gaussian's extent in a box, standard deviations
_SAMPLES = 16  # Gaussians without a piece that stand for all of those of a block


@dataclass(eq=False)
class Block:
    """What one cube of the map holds."""

    code: int  # of its cube
    present: Packed
    past: Packed
    counts: tuple[int, int]  # Gaussians, present and past
    edition: int  # of the latent code that its latents are in
    seen_s: float  # last time that one of its Gaussians was observed
    objects: dict[int, int]  # track id: how many of its present Gaussians carry it
    gist: Gist

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.present.nbytes + self.past.nbytes


@dataclass(eq=False)
class Gist:
    """What the present of a block says in short: its pieces, or samples of what has none.

    Attributes:
        latents: [K, D] means.
        weights: [K] pixels behind each.
        counts: [K] Gaussians of each.
    """

    latents: Tensor
    weights: Tensor
    counts: Tensor


class BlockStore:
    """The blocks at rest of one field.

    Args:
        columns: of the present and of the past, as they are kept at rest.
        edge_m: edge of a block.
        recode: brings latents [N, D] of an edition to the code of now.
    """

    def __init__(
        self,
        columns: tuple[Columns, Columns],
        edge_m: float,
        recode: Callable[[Tensor, int], Tensor],
    ) -> None:
        self._columns, self.edge_m, self._recode = columns, edge_m, recode
        self._blocks: dict[int, Block] = {}
        self._boxes = BoxIndex()
        self.nbytes = 0
        self.counts = [0, 0]  # Gaussians, present and past
        self.objects: Counter[int] = Counter()  # track id: present Gaussians at rest that carry it
        self.version = 0  # another whenever a block has come, gone or changed

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks.values())

    def __getitem__(self, code: int) -> Block:
        return self._blocks[code]

    # --- which ---------------------------------------------------------------------------------

    def met_by(self, frusta: list[Frustum]) -> list[int]:
        """Codes of the blocks that at least one of the frusta may meet."""
        return self._boxes.met_by(frusta)

    def with_objects(self, ids: Iterable[int]) -> list[int]:
        """Codes of the blocks that hold Gaussians of these tracks."""
        wanted = {one for one in ids if self.objects[one]}
        if not wanted:
            return []
        return [b.code for b in self._blocks.values() if not wanted.isdisjoint(b.objects)]

    # --- coming and going ----------------------------------------------------------------------

    def put(self, present: Mapping[str, Tensor], past: Mapping[str, Tensor], edition: int) -> int:
        """Lay Gaussians to rest, each in the block that it lies in; returns how many blocks.

        Args:
            present: rows; columns that are not kept at rest are left out.
            past: rows.
            edition: of the code of their latents.
        """
        parts = [
            _by_cube(rows, columns, self.edge_m)
            for rows, columns in zip((present, past), self._columns, strict=True)
        ]
        codes = sorted(parts[0].keys() | parts[1].keys())
        if not codes:
            return 0
        for code in codes:
            pair = [
                own if (own := of_cube.get(code)) is not None else _nothing(columns, rows)
                for of_cube, columns, rows in zip(
                    parts, self._columns, (present, past), strict=True
                )
            ]
            if code in self._blocks:
                before = self.take([code])
                pair = [
                    {name: torch.cat([old[name], new[name]]) for name in new}
                    for old, new in zip((before[0][0], before[1][0]), pair, strict=True)
                ]
            self._boxes.add(code, *_box([one for one in pair if len(one["means"])]))
            self._blocks[code] = self._made(code, pair[0], pair[1], edition)
            self._count(self._blocks[code], 1)
        self.version += 1
        return len(codes)

    def take(self, codes: Iterable[int]) -> tuple[list[Rows], list[Rows]]:
        """Take blocks out; returns their rows, present and past, with the latents of now.

        Raises:
            KeyError: a block is not here.
        """
        present: list[Rows] = []
        past: list[Rows] = []
        for code in codes:
            block = self._blocks.pop(code)
            self._boxes.drop(code)
            self._count(block, -1)
            self.version += 1
            for packed, rows in ((block.present, present), (block.past, past)):
                rows.append(self.current(packed, block.edition))
        return present, past

    def current(
        self, packed: Packed, edition: int, names: Iterable[str] | None = None
    ) -> dict[str, Tensor]:
        """Columns of packed rows, all or some, with the latents in the code of now."""
        rows = packed.unpack(names)
        if "latents" in rows:
            rows["latents"] = self._recode(rows["latents"], edition)
        return rows

    def replace_ids(self, ids: Collection[int], by: int) -> None:
        """Let present Gaussians that carry one of these track ids carry another, or none."""
        for code in self.with_objects(ids):
            block = self._blocks[code]
            rows = block.present.unpack()
            own = rows["object_ids"]
            wanted = torch.tensor(list(ids), dtype=own.dtype, device=own.device)
            rows["object_ids"] = torch.where(torch.isin(own, wanted), by, own)
            self._count(block, -1)
            block.present = pack(rows, self._columns[0])
            block.objects = _carried(rows["object_ids"])
            self._count(block, 1)
            self.version += 1

    def shrink(self, code: int, *, past: bool) -> int:
        """Forget a block, or its past alone; returns how many Gaussians that are."""
        block = self._blocks[code]
        self._count(block, -1)
        self.version += 1
        if not past or not block.counts[0]:
            del self._blocks[code]
            self._boxes.drop(code)
            return sum(block.counts)
        forgotten = block.counts[1]
        block.past = Packed(block.past.data[:0].clone(), block.past.columns, 0)
        block.counts = (block.counts[0], 0)
        self._count(block, 1)
        return forgotten

    def _made(self, code: int, present: Rows, past: Rows, edition: int) -> Block:
        seen = [float(one["seen_s"].max()) for one in (present, past) if len(one["means"])]
        return Block(
            code=code,
            present=pack(present, self._columns[0]),
            past=pack(past, self._columns[1]),
            counts=(len(present["means"]), len(past["means"])),
            edition=edition,
            seen_s=max(seen),
            objects=_carried(present["object_ids"]),
            gist=gist_of(present),
        )

    def _count(self, block: Block, sign: int) -> None:
        self.nbytes += sign * block.nbytes
        for part, count in enumerate(block.counts):
            self.counts[part] += sign * count
        for one, many in block.objects.items():
            self.objects[one] += sign * many
            if not self.objects[one]:
                del self.objects[one]


def _carried(object_ids: Tensor) -> dict[int, int]:
    """How many Gaussians carry each track id."""
    ids, number = torch.unique(object_ids, return_counts=True)
    pairs = zip(ids.tolist(), number.tolist(), strict=True)
    return {one: many for one, many in pairs if one > 0}


def _by_cube(rows: Mapping[str, Tensor], columns: Columns, edge_m: float) -> dict[int, Rows]:
    """Rows by the code of the cube that they lie in."""
    if not len(rows["means"]):
        return {}
    codes, order = torch.sort(cube_codes(rows["means"], edge_m), stable=True)
    found, counts = torch.unique_consecutive(codes, return_counts=True)
    split = {name: torch.split(rows[name][order], counts.tolist()) for name in columns}
    return {
        code: {name: parts[k] for name, parts in split.items()}
        for k, code in enumerate(found.tolist())
    }


def _nothing(columns: Columns, like: Mapping[str, Tensor]) -> Rows:
    return {name: like[name][:0] for name in columns}


def _box(parts: list[Rows]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest corner [3] of all that the Gaussians reach."""
    means = torch.cat([one["means"] for one in parts])
    reach = _SIGMAS * torch.cat([one["log_scales"] for one in parts]).amax(1, keepdim=True).exp()
    low, high = (means - reach).amin(0), (means + reach).amax(0)
    return low.double().cpu().numpy(), high.double().cpu().numpy()


def gist_of(present: Mapping[str, Tensor]) -> Gist:
    """Pieces of some Gaussians in short."""
    pieces = present["piece_ids"]
    alone = (pieces == NO_PIECE).nonzero()[:, 0]
    if len(alone) > _SAMPLES:  # evenly
        alone = alone[torch.arange(_SAMPLES, device=alone.device) * len(alone) // _SAMPLES]
    known = (pieces != NO_PIECE).nonzero()[:, 0]
    _, of = torch.unique(pieces[known], return_inverse=True)
    count = int(of.max()) + 1 if len(of) else 0
    own = count + torch.arange(len(alone), device=of.device)
    rows, of = torch.cat([known, alone]), torch.cat([of, own])
    total = count + len(alone)
    weights = present["latent_weights"][rows].float()
    latents = present["latents"][rows].float()
    behind = weights.new_zeros(total).index_add_(0, of, weights)
    sums = latents.new_zeros(total, latents.shape[1]).index_add_(0, of, latents * weights[:, None])
    counts = torch.bincount(of, minlength=total)
    return Gist((sums / behind.clamp(min=1e-9)[:, None]).half(), behind, counts)
