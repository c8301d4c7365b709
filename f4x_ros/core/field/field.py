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
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.data import Frustum, met_by_any
from f4x_ros.core.field.blocks import BlockStore, Pages
from f4x_ros.core.field.cubes import cube_codes
from f4x_ros.core.field.gaussians import GaussianSet, past_columns, present_columns

_log = logging.getLogger(__name__)

_LOOKS = 8  # blocks that one of so many last frames may have seen stay in the working set ...
_SLACK = 2.0  # ... and others, until there are so many times as many Gaussians ...
_SPARE = 32768  # ... and so many more: small maps never go to rest
_LOW_WATER = 0.95  # share of the budget down to which blocks at rest are cleared when it is full


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
        self.past = GaussianSet(past, device)
        # At rest the first moment is left out: it is that of gradients of long ago.
        at_rest = {name: column for name, column in present.items() if name != "adam_m"}
        self.rest = BlockStore((at_rest, past), block_m, self._recoded, lambda: self.edition, pages)
        self.forgotten = 0  # Gaussians dropped for the budget
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
        if self._frames % _LOOKS == 0:
            self.settle(held)
        codes = self.rest.met_by(list(frusta))
        codes += [code for code in self.rest.with_objects(ids) if code not in codes]
        self.bring(codes)

    def bring(self, codes: Iterable[int]) -> None:
        """Take blocks at rest back into the working set."""
        present, past = self.rest.take(codes)
        if present:
            self.present.append(*present)
            self.past.append(*past)

    def settle(self, held: Tensor | None, *, full: bool = False) -> None:
        """Lay blocks to rest that the last frames have not seen, once they are many.

        With `full` at once, and all that the last frame has not seen: memory is short.
        """
        if len(self.present) + len(self.past) <= _SPARE and not full:
            return
        codes = [cube_codes(part["means"], self.rest.edge_m) for part in self.parts]
        found, cube = torch.unique(torch.cat(codes), return_inverse=True)
        looks = list(self._looks)[-1:] if full else self._looks
        frusta = [one for look in looks for one in look]
        seen = torch.from_numpy(self._seen(cube, len(found), frusta)).to(cube.device)
        if held is not None:
            seen[cube[: len(held)][held]] = True
        idle = ~seen[cube]
        worked_on = len(cube) - int(idle.sum())
        if len(cube) <= _SLACK * worked_on + _SPARE and not full:
            return
        self._put(idle[: len(self.present)], idle[len(self.present) :])

    def _put(self, present: Tensor, past: Tensor) -> None:
        """Lay Gaussians to rest (masks [N] of both parts)."""
        taken = [part.take(rows) for part, rows in zip(self.parts, (present, past), strict=True)]
        self.rest.put(taken[0], taken[1], self.edition)
        self.present.keep(~present)
        self.past.keep(~past)

    def _seen(self, cube: Tensor, count: int, frusta: list[Frustum]) -> NDArray[np.bool_]:
        """Which of the cubes [count] the frusta may meet; `cube` [N] of each Gaussian."""
        means = torch.cat([part["means"] for part in self.parts])
        reach = 3 * torch.cat([part.scales for part in self.parts]).amax(1, keepdim=True)
        where = cube[:, None].expand(-1, 3)
        low = means.new_full((count, 3), np.inf).scatter_reduce_(0, where, means - reach, "amin")
        high = means.new_full((count, 3), -np.inf).scatter_reduce_(0, where, means + reach, "amax")
        return met_by_any(frusta, low.double().cpu().numpy(), high.double().cpu().numpy())

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

        The rule: blocks at rest go first, those seen longest ago first. With pages they go to disk
        and nothing is forgotten; without, they are forgotten, of all of them the past and then the
        rest. Then goes the past of the working set, oldest death first; then its present
        Gaussians, those whose contribution was seen longest ago first, the most transparent first
        among equals. Blocks are cleared down to a low-water mark, so that a full map is not
        searched anew with each frame.
        """
        excess = self.nbytes + reserve * self.present.bytes_per_gaussian - self.max_bytes
        if excess <= 0:
            return 0
        before = sum(self.counts)
        if self.rest.nbytes < excess and self._looks:
            self.settle(None, full=True)
            excess = self.nbytes + reserve * self.present.bytes_per_gaussian - self.max_bytes
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
