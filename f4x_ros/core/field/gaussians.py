# SPDX-License-Identifier: Apache-2.0
"""A table of Gaussians: insert, select and drop every per-Gaussian number together."""

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


Columns = Mapping[str, Column]


def past_columns(latent_dim: int) -> dict[str, Column]:
    """What is known of a Gaussian that is no longer there, and of every other."""
    f32, f64 = torch.float32, torch.float64
    return {
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
        "body_ids": Column((), torch.int32, 0),  # of what it moves with, 0 = nothing, see `paths`
        "placed_s": Column((), f64, 0.0),  # when its body was where the means are
        "birth_s": Column((), f64, -FOREVER),  # half way between seeing its place empty and it
        "death_s": Column((), f64, FOREVER),  # half way between seeing it and its place empty again
        "seen_s": Column((), f64, 0.0),  # last time it was observed
    }


def present_columns(latent_dim: int) -> dict[str, Column]:
    """What is known of a Gaussian that is there and is refined."""
    width = sum(PARAMETER_WIDTHS)
    return {
        **past_columns(latent_dim),
        "contradictions": Column((), torch.int16, 0),  # frames in a row that saw through
        "moved_s": Column((), torch.float64, -FOREVER),  # last time its thing was seen to move
        "steps": Column((), torch.float32, 0.0),  # of Adam
        "adam_v": Column((width,), torch.float32, 0.0),
        "adam_m": Column((width,), torch.float32, 0.0),
    }


class GaussianSet:
    """A table of Gaussians; all tensors have N rows and change their rows only here."""

    def __init__(self, columns: Columns, device: torch.device | str) -> None:
        self.columns = columns
        self._tensors = {
            name: torch.empty((0, *c.shape), dtype=c.dtype, device=device)
            for name, c in columns.items()
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

    def append(self, *parts: Mapping[str, Tensor]) -> None:
        """Add rows; columns that a part does not give take their fill value."""
        for name, column in self.columns.items():
            old = self._tensors[name]
            new = [old]
            for rows in parts:
                given = rows.get(name)
                if given is None:
                    given = old.new_full((len(rows["means"]), *column.shape), column.fill)
                new.append(given.to(old))
            self._tensors[name] = torch.cat(new)

    def take(self, rows: Tensor) -> dict[str, Tensor]:
        """A copy of some rows (mask [N] bool or indices)."""
        if rows.dtype == torch.bool:  # once, not for each column
            rows = rows.nonzero()[:, 0]
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
        return len(self) * self.bytes_per_gaussian

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
