# SPDX-License-Identifier: Apache-2.0
"""The field's tensors: insert, select and retire every per-Gaussian number together.

A `GaussianSet` is a table with one row per Gaussian. `GaussianField` holds two of them: `present`,
what is believed to be there now and is optimised, and `past`, what has been seen to be gone, kept
(without optimiser state) so that questions about earlier times can be answered. A Gaussian is
valid at time t when `birth_s < t < death_s`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from f4x_ros.core.errors import BadInputError

PARAMETERS = ("means", "quats", "log_scales", "logit_opacities", "colors")
"""What gradients refine."""

PARAMETER_WIDTHS = (3, 4, 3, 1, 3)
"""Numbers per Gaussian of each parameter; Adam's moments hold them side by side."""

FEATURES = ("latents", "latent_weights", "latent_vars")
"""What the features of all 2D models take of a Gaussian."""

FOREVER = float("inf")

NO_PIECE = 0
"""Piece of a Gaussian that has not been put together with others yet, see `objects.pieces`."""


class Column(NamedTuple):
    """Layout of one per-Gaussian tensor."""

    shape: tuple[int, ...]  # of one row
    dtype: torch.dtype
    fill: float  # of rows that are inserted without a value

    @property
    def nbytes(self) -> int:
        """Size of one row."""
        return math.prod(self.shape) * self.dtype.itemsize


def _columns(latent_dim: int, *, trained: bool) -> dict[str, Column]:
    f32, f64 = torch.float32, torch.float64
    columns = {
        "means": Column((3,), f32, 0.0),  # metres, map frame
        "quats": Column((4,), f32, 0.0),  # wxyz, not normalised
        "log_scales": Column((3,), f32, 0.0),  # log metres
        "logit_opacities": Column((), f32, 0.0),
        "colors": Column((3,), f32, 0.0),  # 0..1
        "latents": Column((latent_dim,), torch.float16, 0.0),  # mean over the pixels it drew
        "latent_weights": Column((), f32, 0.0),  # rendered weight behind the latent, pixels
        "latent_vars": Column((), f32, 0.0),  # mean squared distance of those pixels from it
        "object_ids": Column((), torch.int32, 0),  # track id, 0 = none
        "piece_ids": Column((), torch.int32, 0),  # of a thing without a name, 0 = none yet
        "birth_s": Column((), f64, -FOREVER),  # half way between seeing its place empty and it
        "death_s": Column((), f64, FOREVER),  # half way between seeing it and its place empty again
        "seen_s": Column((), f64, 0.0),  # last time it was observed
    }
    if trained:
        columns["contradictions"] = Column((), torch.int16, 0)  # frames in a row that saw through
        columns["moved_s"] = Column((), f64, -FOREVER)  # last time its thing was seen to move
        columns["steps"] = Column((), f32, 0.0)  # of Adam
        width = sum(PARAMETER_WIDTHS)
        columns["adam_m"] = Column((width,), f32, 0.0)
        columns["adam_v"] = Column((width,), f32, 0.0)
    return columns


class GaussianSet:
    """A table of Gaussians; all tensors have N rows and change their rows only here."""

    def __init__(self, latent_dim: int, device: torch.device | str, *, trained: bool) -> None:
        self.columns = _columns(latent_dim, trained=trained)
        self._tensors = {
            name: torch.empty((0, *c.shape), dtype=c.dtype, device=device)
            for name, c in self.columns.items()
        }

    def __len__(self) -> int:
        return len(self._tensors["means"])

    def __getitem__(self, name: str) -> Tensor:
        """The tensor [N, ...] of a column; writing into it is allowed, resizing is not."""
        return self._tensors[name]

    def __setitem__(self, name: str, value: Tensor) -> None:
        old = self._tensors[name]
        if value.shape != old.shape or value.dtype != old.dtype:
            raise BadInputError(
                f"{name} is {tuple(value.shape)} {value.dtype}, "
                f"expected {tuple(old.shape)} {old.dtype}"
            )
        self._tensors[name] = value

    def items(self) -> Iterator[tuple[str, Tensor]]:
        """Column names and tensors."""
        return iter(self._tensors.items())

    def append(self, rows: Mapping[str, Tensor]) -> None:
        """Add rows; columns that are not given take their fill value."""
        count = len(rows["means"])
        for name, column in self.columns.items():
            old = self._tensors[name]
            new = rows.get(name)
            if new is None:
                new = old.new_full((count, *column.shape), column.fill)
            self._tensors[name] = torch.cat([old, new.to(old.dtype)])

    def take(self, rows: Tensor) -> dict[str, Tensor]:
        """A copy of some rows (mask [N] bool or indices)."""
        return {name: tensor[rows] for name, tensor in self._tensors.items()}

    def keep(self, rows: Tensor) -> None:
        """Keep these rows (mask [N] bool, or indices in the new order) and drop the others."""
        self._tensors = self.take(rows)

    @property
    def bytes_per_gaussian(self) -> int:
        """Size of one row."""
        return sum(c.nbytes for c in self.columns.values())

    @property
    def nbytes(self) -> int:
        """Size of the whole table."""
        return sum(t.numel() * t.element_size() for t in self._tensors.values())

    @property
    def scales(self) -> Tensor:
        """[N, 3] metres."""
        return self._tensors["log_scales"].exp()

    @property
    def opacities(self) -> Tensor:
        """[N] 0..1."""
        return torch.sigmoid(self._tensors["logit_opacities"])

    def valid_at(self, time_s: float) -> Tensor:
        """Mask [N] of what is there at a time (seconds of the field)."""
        return (self["birth_s"] < time_s) & (time_s < self["death_s"])


class GaussianField:
    """Present and past Gaussians under one byte budget.

    Args:
        latent_dim: numbers per latent.
        max_bytes: bytes of all tensors together.
        device: where the tensors live.
    """

    def __init__(self, latent_dim: int, max_bytes: int, device: torch.device | str = "cpu") -> None:
        self.latent_dim = latent_dim
        self.max_bytes = max_bytes
        self.device = torch.device(device)
        self.present = GaussianSet(latent_dim, device, trained=True)
        self.past = GaussianSet(latent_dim, device, trained=False)
        self.forgotten = 0  # Gaussians dropped for the budget

    @property
    def parts(self) -> tuple[GaussianSet, GaussianSet]:
        """Present and past."""
        return self.present, self.past

    @property
    def nbytes(self) -> int:
        """Bytes of all per-Gaussian tensors."""
        return self.present.nbytes + self.past.nbytes

    def retire(self, mask: Tensor, time_s: float | Tensor) -> int:
        """Move present Gaussians (mask [N]) to the past; returns how many.

        `time_s`, one for all or [N], is when each was there no longer.
        """
        count = int(mask.sum())
        if count:
            rows = self.present.take(mask)
            rows["death_s"] = self._times(time_s, mask)
            self.past.append({name: rows[name] for name in self.past.columns})
            self.present.keep(~mask)
        return count

    def _times(self, time_s: float | Tensor, rows: Tensor) -> Tensor:
        """One time for all or [N] of each, of some rows (mask [N])."""
        times = torch.as_tensor(time_s, dtype=torch.float64, device=rows.device)
        return times.expand(len(rows))[rows]

    def prune(self, mask: Tensor) -> int:
        """Delete present Gaussians (mask [N]); returns how many."""
        count = int(mask.sum())
        if count:
            self.present.keep(~mask)
        return count

    def enforce_budget(self, reserve: int = 0) -> int:
        """Forget until `reserve` more Gaussians fit; returns how many were forgotten.

        The rule: the past goes first, oldest death first; then present Gaussians, those whose
        contribution was seen longest ago first, the most transparent first among equals.
        """
        excess = self.nbytes + reserve * self.present.bytes_per_gaussian - self.max_bytes
        if excess <= 0:
            return 0
        before = len(self.present) + len(self.past)
        drop = min(len(self.past), -(-excess // self.past.bytes_per_gaussian))
        if drop:
            newest = torch.argsort(self.past["death_s"], stable=True)[drop:]
            self.past.keep(newest.sort().values)
            excess -= drop * self.past.bytes_per_gaussian
        if excess > 0:
            drop = min(len(self.present), -(-excess // self.present.bytes_per_gaussian))
            by_opacity = torch.argsort(self.present["logit_opacities"], stable=True)
            order = by_opacity[torch.argsort(self.present["seen_s"][by_opacity], stable=True)]
            self.present.keep(order[drop:].sort().values)
        forgotten = before - len(self.present) - len(self.past)
        self.forgotten += forgotten
        return forgotten
