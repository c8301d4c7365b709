# SPDX-License-Identifier: Apache-2.0
"""The layer: edits in order over a snapshot of the field, which itself is never touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.edit.change import joined, moved, painted
from f4x_ros.core.edit.edit import Edit
from f4x_ros.core.edit.inserted import inserted
from f4x_ros.core.field import Snapshot, some_of

Fill = Callable[[Snapshot, Tensor], Snapshot]
"""What is guessed to be behind some rows (mask [N]) of a snapshot that are taken away."""
Way = Callable[[Edit, float], NDArray[np.float64]]
"""How far [3] m the thing of an edit has gone from where it was when asked, at a time (s)."""


@dataclass(frozen=True, eq=False)
class Edited:
    """A snapshot with edits; N rows.

    Attributes:
        snapshot: what is drawn and asked. Rows that no edit is about come first and are the
            measured ones, to the bit and in their order.
        guessed: [N] bool: nobody saw it, it was guessed.
        touched: [N] bool: an edit made or changed it.
    """

    snapshot: Snapshot
    guessed: Tensor
    touched: Tensor

    @classmethod
    def of(cls, snapshot: Snapshot) -> Edited:
        """A snapshot without edits."""
        nothing = torch.zeros(len(snapshot), dtype=torch.bool, device=snapshot.means.device)
        return cls(snapshot, nothing, nothing)


def apply(edits: Sequence[Edit], made: Edited, time_s: float, fill: Fill, way: Way) -> Edited:
    """Edits in order over what there is at a time (seconds of the field)."""
    for edit in edits:
        if edit.holds(time_s):
            made = _applied(edit, made, fill, lambda one: way(one, time_s))
    return made


def _applied(
    edit: Edit, before: Edited, fill: Fill, way: Callable[[Edit], NDArray[np.float64]]
) -> Edited:
    snapshot = before.snapshot
    if edit.kind == "insert":
        new = inserted(edit, snapshot)
        return _added(before, new, torch.zeros_like(new.object_ids, dtype=torch.bool))
    assert edit.region is not None
    rows = edit.region.rows_of(snapshot)
    if not bool(rows.any()):
        return before
    part = some_of(snapshot, rows)
    if edit.kind == "copy":
        new = moved(part, edit.transform_after(way(edit)), edit.scale)
        new = replace(
            new,
            object_ids=torch.zeros_like(new.object_ids),
            body_ids=torch.zeros_like(new.body_ids),
        )
        return _added(before, new, before.guessed[rows])
    stays = ~rows
    kept = Edited(some_of(snapshot, stays), before.guessed[stays], before.touched[stays])
    if edit.kind == "recolor":
        assert edit.color is not None
        return _added(kept, painted(part, edit.color), before.guessed[rows])
    behind = fill(snapshot, rows)
    after = _added(kept, behind, torch.ones_like(behind.object_ids, dtype=torch.bool))
    if edit.kind == "move":
        new = moved(part, edit.transform_after(way(edit)), edit.scale)
        after = _added(after, new, before.guessed[rows])
    return after


def _added(before: Edited, new: Snapshot, guessed: Tensor) -> Edited:
    return Edited(
        joined([before.snapshot, new]),
        torch.cat([before.guessed, guessed]),
        torch.cat([before.touched, torch.ones_like(guessed)]),
    )
