# SPDX-License-Identifier: Apache-2.0
"""The field: Gaussians that are worked on, and blocks at rest, under one byte budget.

`present` and `past` are the working set: all Gaussians of the blocks that the cameras of the last
frames may see. What a frame or an optimiser step does to Gaussians, it does to these. Blocks that
nobody looks at are at rest (`rest`) and cost nothing until a camera comes back, or somebody asks.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from f4x_ros.core.data import Frustum
from f4x_ros.core.field.blocks import BlockStore, Pages
from f4x_ros.core.field.cubes import cube_codes
from f4x_ros.core.field.gaussians import GaussianSet, past_columns, present_columns
from f4x_ros.core.field.paths import BodyPaths
from f4x_ros.core.field.places import Places, worth_keeping

_log = logging.getLogger(__name__)

_LOOKS = 8  # blocks that one of so many last frames may have seen stay in the working set ...
_SLACK = 2.0  # ... and others, until there are so many times as many Gaussians ...
_SPARE = 32768  # ... and so many more: small maps never go to rest
_LOW_WATER = 0.95  # share of the budget down to which memory is cleared when it is full


class GaussianField:
    """Present and past Gaussians under one byte budget.

    A Gaussian is valid at time t when `birth_s < t < death_s`. `present` is what is believed to be
    there now and is optimised; `past` is what has been seen to be gone, kept without optimiser
    state so that questions about earlier times can be answered.

    Args:
        latent_dim: numbers per latent.
        max_bytes: bytes of all tensors together.
        device: where the tensors live.
        block_m: edge of a block.
        pages: where blocks go that do not fit; None = they are forgotten.
    """

    def __init__(
        self,
        latent_dim: int,
        max_bytes: int,
        device: torch.device | str = "cpu",
        *,
        block_m: float = 1.0,
        pages: Pages | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.max_bytes = max_bytes
        self.device = torch.device(device)
        past, present = past_columns(latent_dim), present_columns(latent_dim)
        self.present = GaussianSet(present, device)
        self.paths = BodyPaths()
        self.past = GaussianSet(past, device)
        # At rest the first moment is left out: it is that of gradients of long ago.
        at_rest = {name: column for name, column in present.items() if name != "adam_m"}
        self.rest = BlockStore((at_rest, past), block_m, self._recoded, lambda: self.edition, pages)
        self.forgotten = 0  # Gaussians dropped for the budget
        self.waiting = 0  # blocks that were to come last and found no room
        self._held: frozenset[int] = frozenset()  # cubes that must not go to rest
        self._tracks: list[int] = []  # that are wanted as a whole
        self._codes: list[Tensor] = []  # matrices [D, D], each from one edition to the next
        self._looks: deque[list[Frustum]] = deque(maxlen=_LOOKS)
        self._frames = 0

    # --- size ----------------------------------------------------------------------------------

    @property
    def parts(self) -> tuple[GaussianSet, GaussianSet]:
        """Present and past of the working set."""
        return self.present, self.past

    @property
    def counts(self) -> tuple[int, int]:
        """Gaussians of the whole field, present and past."""
        return len(self.present) + self.rest.counts[0], len(self.past) + self.rest.counts[1]

    @property
    def nbytes(self) -> int:
        """Bytes of all per-Gaussian tensors in memory."""
        return self.present.nbytes + self.past.nbytes + self.rest.nbytes

    # --- the working set -----------------------------------------------------------------------

    def focus(
        self, frusta: Sequence[Frustum], ids: Iterable[int] = (), held: Tensor | None = None
    ) -> None:
        """Take in what cameras may see; lay to rest what none of the last frames may have seen.

        Args:
            frusta: of the views that are worked on next.
            ids: tracks whose Gaussians are wanted as a whole.
            held: [N] mask of present Gaussians whose blocks must not go to rest.
        """
        self._looks.append(list(frusta))
        self._frames += 1
        self._held = self._cubes_of(held)
        if self._frames % _LOOKS == 0:
            self.settle()
        wanted = self.rest.met_by(list(frusta))
        self._tracks = list(ids)
        tracked = self.rest.with_objects(self._tracks)
        wanted += [code for code in tracked if code not in wanted]
        coming = self._fitting(wanted)
        self.waiting = len(wanted) - len(coming)
        self.bring(coming)

    def _cubes_of(self, held: Tensor | None) -> frozenset[int]:
        """Cubes of some present Gaussians, a mask; none where nothing can go to rest anyway."""
        small = len(self.present) + len(self.past) <= _SPARE and self.rest.pages is None
        if held is None or small:
            return frozenset()
        return frozenset(cube_codes(self.present["means"][held], self.rest.edge_m).tolist())

    def _fitting(self, wanted: list[int], reserve: int = 0) -> list[int]:
        """Those of some blocks at rest that fit beside the working set; with pages, room is made.

        Then what of the working set matters less than they do goes to rest: that which the cameras
        do not see, and what is farthest from the newest one.

        Args:
            wanted: blocks at rest.
            reserve: bytes to leave beside them.
        """
        room = int(_LOW_WATER * self.max_bytes) - reserve
        awake = [
            sum(n * part.bytes_per_gaussian for n, part in zip(counts, self.parts, strict=True))
            for counts in (self.rest[code].counts for code in wanted)
        ]
        used = sum(part.nbytes for part in self.parts)
        if self.rest.pages is None or used + sum(awake) <= room or not self._looks:
            return wanted
        places = Places(self.parts, self.rest.edge_m)
        boxes = zip(places.boxes, self.rest.boxes(wanted), strict=True)
        low, high = (np.concatenate(pair) for pair in boxes)
        ids = self.present["object_ids"]
        tracked = torch.isin(ids, torch.tensor(self._tracks, dtype=ids.dtype, device=ids.device))
        needed = places.among(self._held) | places.with_any(tracked)
        first = [not self.rest[code].objects.keys().isdisjoint(self._tracks) for code in wanted]
        stays = worth_keeping(
            (low, high),
            np.concatenate([places.nbytes, np.array(awake, np.int64)]),
            np.concatenate([needed, np.array(first, bool)]),
            self._looks[-1],
            room,
        )
        self._put(*places.split(~stays[: len(places)]))
        return [code for code, fits in zip(wanted, stays[len(places) :], strict=True) if fits]

    def bring(self, codes: Iterable[int]) -> None:
        """Take blocks at rest back into the working set."""
        present, past = self.rest.take(codes)
        if present:
            self.present.append(*present)
            self.past.append(*past)

    def settle(self, *, full: bool = False) -> None:
        """Lay blocks to rest that the last frames have not seen, once they are many.

        With `full` at once, and all that the last frame has not seen: memory is short.
        """
        count = sum(len(part) for part in self.parts)
        if count <= _SPARE and not full:
            return
        places = Places(self.parts, self.rest.edge_m)
        looks = list(self._looks)[-1:] if full else self._looks
        busy = places.seen([one for look in looks for one in look])
        busy |= places.among(self._held)
        idle = places.split(~busy)
        worked_on = count - sum(int(part.sum()) for part in idle)
        if count > _SLACK * worked_on + _SPARE or full:
            self._put(*idle)

    def _put(self, present: Tensor, past: Tensor) -> None:
        """Lay Gaussians to rest (masks [N] of both parts)."""
        taken = [part.take(rows) for part, rows in zip(self.parts, (present, past), strict=True)]
        self.rest.put(taken[0], taken[1], self.edition)
        self.present.keep(~present)
        self.past.keep(~past)

    def whole(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """All columns of all Gaussians, present and past, for writing them down."""
        pair = []
        for number, table in enumerate(self.parts):
            parts = [dict(table.items())]
            for block in self.rest:
                packed = self.rest.packed(block)[number]
                parts.append(self.rest.current(packed, block.edition))
            names = [name for name in table.columns if name != "adam_m"]
            pair.append({name: torch.cat([part[name] for part in parts]) for name in names})
        return pair[0], pair[1]

    def replace_ids(self, ids: Collection[int], by: int) -> None:
        """Let present Gaussians that carry one of these track ids carry another, or none."""
        if ids:
            own = self.present["object_ids"]
            wanted = torch.tensor(list(ids), dtype=own.dtype, device=own.device)
            own.masked_fill_(torch.isin(own, wanted), by)
            self.rest.replace_ids(ids, by)

    # --- latents -------------------------------------------------------------------------------

    @property
    def edition(self) -> int:
        """How often the code of latents has changed."""
        return len(self._codes)

    def recode(self, change: Tensor) -> None:
        """Bring latents to a new code, latent @ change [D, D]; those at rest when they wake."""
        change = change.to(self.device, torch.float32)
        self._codes.append(change)
        for part in self.parts:
            part["latents"] = (part["latents"].float() @ change).half()

    def _recoded(self, latents: Tensor, edition: int) -> Tensor:
        if edition == self.edition:
            return latents
        change = self._codes[edition]
        for one in self._codes[edition + 1 :]:
            change = change @ one
        return (latents.float() @ change).half()

    # --- leaving -------------------------------------------------------------------------------

    def retire(self, mask: Tensor, time_s: float | Tensor) -> int:
        """Move present Gaussians (mask [N]) to the past; returns how many.

        `time_s`, one for all or [N], is when each was there no longer.
        """
        leaving = mask.nonzero()[:, 0]
        count = len(leaving)
        if count:
            rows = self.present.take(leaving)
            times = torch.as_tensor(time_s, dtype=torch.float64, device=mask.device)
            rows["death_s"] = times.expand(len(mask))[leaving]
            self.past.append({name: rows[name] for name in self.past.columns})
            self.present.keep(~mask)
        return count

    def prune(self, mask: Tensor) -> int:
        """Delete present Gaussians (mask [N]); returns how many."""
        staying = (~mask).nonzero()[:, 0]
        count = len(mask) - len(staying)
        if count:
            self.present.keep(staying)
        return count

    def enforce_budget(self, reserve: int = 0) -> int:
        """Make room until `reserve` more Gaussians fit; returns how many were forgotten for it.

        The rule: blocks at rest go first, those seen longest ago first. With pages they go to disk,
        and after them, as blocks, what of the working set no camera sees and what is farthest from
        the newest one: nothing is forgotten. Without pages they are forgotten, of all of them the
        past and then the rest. Then goes the past of the working set, oldest death first; then its
        present Gaussians, those whose contribution was seen longest ago first, the most transparent
        first among equals. Memory is cleared down to a low-water mark, so that a full map is not
        searched anew with each frame.
        """
        reserved = reserve * self.present.bytes_per_gaussian
        excess = self.nbytes + reserved - self.max_bytes
        if excess <= 0:
            return 0
        before = sum(self.counts)
        if self.rest.nbytes < excess and self.rest.pages is not None:
            self._fitting([], reserve=reserved)
        elif self.rest.nbytes < excess and self._looks:
            self.settle(full=True)
        excess = self.nbytes + reserved - self.max_bytes
        excess -= self._clear_rest(excess + int((1 - _LOW_WATER) * self.max_bytes))
        drop = min(len(self.past), max(0, -(-excess // self.past.bytes_per_gaussian)))
        if drop:
            newest = torch.argsort(self.past["death_s"], stable=True)[drop:]
            self.past.keep(newest.sort().values)
            excess -= drop * self.past.bytes_per_gaussian
        if excess > 0:
            drop = min(len(self.present), -(-excess // self.present.bytes_per_gaussian))
            by_opacity = torch.argsort(self.present["logit_opacities"], stable=True)
            order = by_opacity[torch.argsort(self.present["seen_s"][by_opacity], stable=True)]
            self.present.keep(order[drop:].sort().values)
        forgotten = before - sum(self.counts)
        self.forgotten += forgotten
        return forgotten

    def _clear_rest(self, wanted: int) -> int:
        """Make so many bytes free of blocks at rest, if they hold them; returns how many are."""
        had = self.rest.nbytes
        oldest = sorted(
            (one for one in self.rest if not one.on_disk), key=lambda one: (one.seen_s, one.code)
        )
        if self.rest.pages is not None:
            for block in oldest:
                if had - self.rest.nbytes >= wanted:
                    break
                try:
                    self.rest.page_out(block.code)
                except OSError as error:
                    _log.error("a block cannot be paged out, it is forgotten: %s", error)
                    self.rest.shrink(block.code, past=False)
            return had - self.rest.nbytes
        for past in (True, False):
            for block in [one for one in oldest if past or one.code in self.rest]:
                if had - self.rest.nbytes >= wanted:
                    return had - self.rest.nbytes
                if not past or block.counts[1]:
                    self.rest.shrink(block.code, past=past)
        return had - self.rest.nbytes
