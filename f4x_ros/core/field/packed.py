# SPDX-License-Identifier: Apache-2.0
"""Rows of a table as one run of bytes: what a block at rest holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from f4x_ros.core.field.gaussians import Column, Columns


@dataclass(frozen=True, eq=False)
class Packed:
    """N rows of some columns, column after column, the widest numbers first."""

    data: Tensor  # [bytes] uint8
    columns: Columns
    count: int

    def __len__(self) -> int:
        return self.count

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.data.numel()

    def unpack(self, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Columns [N, ...] by name, all or some; they share the bytes, so do not write to them."""
        wanted = set(self.columns if names is None else names)
        found, place = {}, 0
        for name, column in _in_order(self.columns):
            size = column.nbytes * self.count
            if name in wanted:
                flat = self.data[place : place + size].view(column.dtype)
                found[name] = flat.view(self.count, *column.shape)
            place += size
        return found


def pack(rows: Mapping[str, Tensor], columns: Columns) -> Packed:
    """Rows [N, ...] of each of the columns as bytes."""
    count = len(rows["means"])
    parts = [
        rows[name].to(column.dtype).contiguous().view(-1).view(torch.uint8)
        for name, column in _in_order(columns)
    ]
    return Packed(torch.cat(parts), columns, count)


def _in_order(columns: Columns) -> list[tuple[str, Column]]:
    """The widest numbers first, so that each column begins at a multiple of its width."""
    return sorted(columns.items(), key=lambda item: -item[1].dtype.itemsize)
