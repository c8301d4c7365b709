# SPDX-License-Identifier: Apache-2.0
"""Blocks at rest: cubes of the map that nobody looks at, packed, found again by their boxes.

Nothing here is done per Gaussian unless its block goes to rest or comes back. Per frame only the
boxes of the blocks are compared with what the cameras see.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from dataclasses import field as dc_field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.data import Frustum
from f4x_ros.core.errors import CorruptError
from f4x_ros.core.field.boxes import BoxIndex
from f4x_ros.core.field.cubes import cube_codes
from f4x_ros.core.field.gaussians import Columns
from f4x_ros.core.field.gist import Gist, gist_of, joined
from f4x_ros.core.field.packed import Packed, pack
from f4x_ros.core.field.paths import NO_BODY
from f4x_ros.core.field.places import SIGMAS, Corners

_log = logging.getLogger(__name__)

Rows = dict[str, Tensor]
"""Some rows of a table: columns [N, ...] by name."""

_TOLD = (
    "means",
    "log_scales",
    "seen_s",
    "object_ids",
    "body_ids",
)  # what is looked at when a block is made


@dataclass(eq=False)
class Block:
    """What one cube of the map holds; its Gaussians are None while they are on disk."""

    code: int  # of its cube
    present: Packed | None
    past: Packed | None
    counts: tuple[int, int]  # Gaussians, present and past
    edition: int  # of the latent code that its latents are in
    seen_s: float  # last time that one of its Gaussians was observed
    objects: dict[int, int]  # track id: how many of its present Gaussians carry it
    bodies: frozenset[int]  # of its Gaussians, present and past
    gist: Gist
    renamed: dict[int, int] = dc_field(default_factory=dict)  # track ids, since it is on disk

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(part.nbytes for part in (self.present, self.past) if part is not None)

    @property
    def on_disk(self) -> bool:
        """Whether its Gaussians are not in memory."""
        return self.present is None


class Pages(Protocol):
    """Where blocks go that do not fit into memory."""

    def write(self, code: int, present: Packed, past: Packed) -> None:
        """Keep a block; OSError if that is not possible."""
        ...

    def read(self, code: int, columns: tuple[Columns, Columns]) -> tuple[Packed, Packed]:
        """A block that was written; OSError or CorruptError if it is not there as it was."""
        ...

    def drop(self, code: int) -> None:
        """Forget a block."""
        ...


class BlockStore:
    """The blocks at rest of one field.

    Args:
        columns: of the present and of the past, as they are kept at rest.
        edge_m: edge of a block.
        recode: brings latents [N, D] of an edition to the code of now.
        edition: the one of now.
        pages: where blocks go for which there is no memory; None = nowhere.
    """

    def __init__(
        self,
        columns: tuple[Columns, Columns],
        edge_m: float,
        recode: Callable[[Tensor, int], Tensor],
        edition: Callable[[], int],
        pages: Pages | None = None,
    ) -> None:
        self._columns, self.edge_m = columns, edge_m
        self._recode, self._edition = recode, edition
        self.pages = pages
        self.paged_out = self.paged_in = 0  # blocks that went to disk, and that came back
        self.lost = 0  # Gaussians of pages that could not be read
        self._blocks: dict[int, Block] = {}
        self._boxes = BoxIndex()
        self.nbytes = 0
        self.counts = [0, 0]  # Gaussians, present and past
        self.objects: Counter[int] = Counter()  # track id: present Gaussians at rest that carry it
        self._gists: tuple[tuple[int, int], tuple[Gist, Tensor]] | None = None
        self.version = 0  # another whenever a block has come, gone or changed

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks.values())

    def __getitem__(self, code: int) -> Block:
        return self._blocks[code]

    def __contains__(self, code: object) -> bool:
        return code in self._blocks

    @property
    def codes(self) -> Set[int]:
        """Of all blocks."""
        return self._blocks.keys()

    # --- which ---------------------------------------------------------------------------------

    def met_by(self, frusta: list[Frustum]) -> list[int]:
        """Codes of the blocks that at least one of the frusta may meet."""
        return self._boxes.met_by(frusta)

    def boxes(self, codes: list[int]) -> Corners:
        """Around all that the Gaussians of some blocks reach."""
        return self._boxes.corners(codes)

    def with_objects(self, ids: Iterable[int]) -> list[int]:
        """Codes of the blocks that hold Gaussians of these tracks."""
        wanted = {one for one in ids if self.objects[one]}
        if not wanted:
            return []
        return [b.code for b in self._blocks.values() if not wanted.isdisjoint(b.objects)]

    def with_bodies(self, bodies: Iterable[int]) -> list[int]:
        """Codes of the blocks that hold Gaussians of these bodies."""
        wanted = set(bodies)
        if not wanted:
            return []
        return [b.code for b in self._blocks.values() if not wanted.isdisjoint(b.bodies)]

    def around(self, points: NDArray[np.floating], reach_m: float) -> list[int]:
        """Codes of the blocks that reach as near as this to at least one of some points [N, 3]."""
        codes = list(self._blocks)
        if not codes:
            return []
        low, high = self.boxes(codes)
        near = np.zeros(len(codes), bool)
        for point in points:
            near |= ((point > low - reach_m) & (point < high + reach_m)).all(1)
        return [code for code, one in zip(codes, near, strict=True) if one]

    def gists(self) -> tuple[Gist, Tensor]:
        """What all blocks say in short, with the latents of now, and [K] codes of their blocks.

        Put together anew only where a block has come, gone or changed, or the latents have.
        """
        if self._gists is None or self._gists[0] != (self.version, self._edition()):
            blocks = list(self._blocks.values())
            parts = [
                one.gist._replace(latents=self._recode(one.gist.latents, one.edition))
                for one in blocks
            ]
            codes = torch.tensor([one.code for one in blocks], dtype=torch.int64)
            counts = torch.tensor([len(one.gist.weights) for one in blocks], dtype=torch.int64)
            known = joined(parts), codes.repeat_interleave(counts).to(parts[0].weights.device)
            self._gists = (self.version, self._edition()), known
        return self._gists[1]

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
            self._add(code, pair[0], pair[1], edition)
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
            pair = self.packed(self._blocks[code])
            block = self._blocks.pop(code)
            self._boxes.drop(code)
            self._count(block, -1)
            self.version += 1
            if block.on_disk:
                self._drop_page(code)
                self.paged_in += 1
            for packed, rows in zip(pair, (present, past), strict=True):
                rows.append(self.current(packed, block.edition))
        return present, past

    def packed(self, block: Block) -> tuple[Packed, Packed]:
        """Present and past of a block, read from its page where it is on disk.

        A page that cannot be read is lost: the block is empty then, which is counted and logged.
        """
        if block.present is not None and block.past is not None:
            return block.present, block.past
        assert self.pages is not None
        try:
            present, past = self.pages.read(block.code, self._columns)
        except (OSError, CorruptError) as error:
            self.lost += sum(block.counts)
            _log.error("a part of the map is lost, %d Gaussians: %s", sum(block.counts), error)
            empty = [Packed(torch.zeros(0, dtype=torch.uint8), one, 0) for one in self._columns]
            return empty[0], empty[1]
        return self._renamed(present, block.renamed)[0] if block.renamed else present, past

    def page_out(self, code: int) -> None:
        """Write a block to disk and free its memory; OSError if it cannot be written."""
        block = self._blocks[code]
        assert self.pages is not None
        assert block.present is not None
        assert block.past is not None
        self.pages.write(code, block.present, block.past)
        self.nbytes -= block.nbytes
        block.present = block.past = None
        self.paged_out += 1

    def close(self) -> None:
        """Forget all pages."""
        for block in self._blocks.values():
            if block.on_disk:
                self._drop_page(block.code)

    def _drop_page(self, code: int) -> None:
        assert self.pages is not None
        self.pages.drop(code)

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
            self._count(block, -1)
            if block.present is None:  # on disk: when it is read
                block.renamed.update(dict.fromkeys(ids, by))
                block.objects = {o: n for o, n in block.objects.items() if o not in ids}
            else:
                block.present, block.objects = self._renamed(block.present, dict.fromkeys(ids, by))
            self._count(block, 1)
            self.version += 1

    def _renamed(self, packed: Packed, names: Mapping[int, int]) -> tuple[Packed, dict[int, int]]:
        """Rows with other track ids, and how many carry each now."""
        rows = packed.unpack()
        ids = rows["object_ids"].clone()
        for old, new in names.items():
            ids[rows["object_ids"] == old] = new
        rows["object_ids"] = ids
        return pack(rows, self._columns[0]), _carried(ids)

    def shrink(self, code: int, *, past: bool) -> int:
        """Forget a block, or its past alone; returns how many Gaussians that are."""
        block = self._blocks[code]
        self._count(block, -1)
        self.version += 1
        if block.on_disk or not past or not block.counts[0]:
            del self._blocks[code]
            self._boxes.drop(code)
            if block.on_disk:
                self._drop_page(code)
            return sum(block.counts)
        forgotten = block.counts[1]
        assert block.past is not None
        block.past = Packed(block.past.data[:0].clone(), block.past.columns, 0)
        block.counts = (block.counts[0], 0)
        self._count(block, 1)
        return forgotten

    def _add(self, code: int, present: Rows, past: Rows, edition: int) -> None:
        """Keep the rows of a cube that has no block yet."""
        together = [torch.cat([one[n] for one in (present, past)]) for n in _TOLD]
        host = on_host(*together)
        means, log_scales, seen_s, ids = (torch.from_numpy(one) for one in host[:4])
        self._boxes.add(code, *_box(means, log_scales))
        self._blocks[code] = Block(
            code=code,
            present=pack(present, self._columns[0]),
            past=pack(past, self._columns[1]),
            counts=(len(present["means"]), len(past["means"])),
            edition=edition,
            seen_s=float(seen_s.max()),
            objects=_carried(ids[: len(present["means"])]),
            bodies=frozenset(np.unique(host[4]).tolist()) - {NO_BODY},
            gist=gist_of([present, past]),
        )
        self._count(self._blocks[code], 1)

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
    ids, number = torch.unique(object_ids.cpu(), return_counts=True)
    pairs = zip(ids.tolist(), number.tolist(), strict=True)
    return {one: many for one, many in pairs if one > 0}


def _by_cube(rows: Mapping[str, Tensor], columns: Columns, edge_m: float) -> dict[int, Rows]:
    """Rows by the code of the cube that they lie in."""
    if not len(rows["means"]):
        return {}
    codes, order = torch.sort(cube_codes(rows["means"], edge_m), stable=True)
    found, counts = on_host(*torch.unique_consecutive(codes, return_counts=True))
    split = {name: torch.split(rows[name][order], counts.tolist()) for name in columns}
    return {
        code: {name: parts[k] for name, parts in split.items()}
        for k, code in enumerate(found.tolist())
    }


def _nothing(columns: Columns, like: Mapping[str, Tensor]) -> Rows:
    return {name: like[name][:0] for name in columns}


def _box(means: Tensor, log_scales: Tensor) -> Corners:
    """Lowest and highest corner [3] of all that the Gaussians reach."""
    reach = SIGMAS * log_scales.amax(1, keepdim=True).exp()
    low, high = (means - reach).amin(0), (means + reach).amax(0)
    return low.double().numpy(), high.double().numpy()
