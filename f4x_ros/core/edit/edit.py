# SPDX-License-Identifier: Apache-2.0
"""What one edit is: a kind, a selection, numbers, a span of time; and what came of asking."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.edit.region import Region
from f4x_ros.core.errors import BadInputError

KINDS = ("remove", "recolor", "move", "copy", "insert")
"""Kinds of edits. Turning and scaling are moves: a similarity is one thing."""

DONE = "done"
WHICH = "which"
NOT_PRESENT = "not present"
UNSURE = "unsure"
NOT_UNDERSTOOD = "not understood"

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Edit:
    """One edit of the layer; values, so that a list of them is all that is to be saved.

    Attributes:
        kind: one of `KINDS`.
        region: the Gaussians it is about; None of what is inserted.
        transform: [4, 4] of a move, a copy or an insertion, map frame: `T @ p`, whose upper left
            3 x 3 is a rotation times `scale`. Of what moves: as it holds at `at_s`.
        scale: > 0, how much larger it becomes.
        color: [3] sRGB 0..1 of a new colour.
        rows: of what is inserted: float columns of a splat by the names of `Snapshot`.
        since_s: seconds of the field from which on it holds; -inf: always.
        until_s: until which it holds; inf: for good.
        text: as it was asked for.
        at_s: seconds of the field at which `transform` was made; what moves is turned and scaled
            about where `pivot` has gone with it.
        pivot: [3] m, the fixed point of a turn or scale at `at_s`.
    """

    kind: str
    region: Region | None = None
    transform: Matrix = field(default_factory=lambda: np.eye(4))
    scale: float = 1.0
    color: tuple[float, float, float] | None = None
    rows: dict[str, NDArray[Any]] | None = None
    since_s: float = -math.inf
    until_s: float = math.inf
    text: str = ""
    at_s: float = 0.0
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInputError(f"kind of edit is {self.kind!r}, expected one of {KINDS}")
        if (self.rows is None) != (self.kind != "insert"):
            raise BadInputError(f"an edit of kind {self.kind} with rows, expected only an insert")
        if (self.region is None) != (self.kind == "insert"):
            raise BadInputError(f"an edit of kind {self.kind} without a region, expected one")
        if (self.color is None) != (self.kind != "recolor"):
            raise BadInputError(f"an edit of kind {self.kind} and a color, expected a recolor")
        T = np.asarray(self.transform, np.float64)
        if T.shape != (4, 4) or not np.isfinite(T).all():
            raise BadInputError(f"transform is {self.transform!r}, expected [4, 4] finite numbers")
        if not (math.isfinite(self.scale) and 0.01 <= self.scale <= 100):
            raise BadInputError(f"scale is {self.scale}, expected 0.01 to 100")
        turn = T[:3, :3] / self.scale
        if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-3 or np.linalg.det(turn) < 0:
            raise BadInputError(
                f"transform is no turn and shift of scale {self.scale}: {T.tolist()}"
            )
        if not np.isfinite([self.at_s, *self.pivot]).all():
            raise BadInputError(
                f"at_s and pivot are {self.at_s}, {self.pivot}, expected finite numbers"
            )
        if not self.since_s < self.until_s:
            raise BadInputError(
                f"the span is {self.since_s} to {self.until_s} s, expected an end after its begin"
            )

    def holds(self, time_s: float) -> bool:
        """Whether it holds at a time, seconds of the field."""
        return self.since_s <= time_s <= self.until_s

    def transform_after(self, way: Matrix) -> Matrix:
        """[4, 4]: the transform where the thing has gone a way [3] m since `at_s`."""
        there, back = np.eye(4), np.eye(4)
        there[:3, 3], back[:3, 3] = way, -way
        return np.asarray(there @ self.transform @ back)

    def during(self, since_s: float, until_s: float) -> Edit:
        """The same within a span."""
        return replace(self, since_s=since_s, until_s=until_s)

    @property
    def about(self) -> str:
        """One line for people."""
        span = ""
        if math.isfinite(self.since_s) or math.isfinite(self.until_s):
            span = f" ({self.since_s:.2f} s to {self.until_s:.2f} s)"
        what = "" if self.region is None else f" {self.region.name}".rstrip()
        return (self.text or f"{self.kind}{what}") + span


@dataclass(frozen=True, eq=False)
class EditResult:
    """What came of asking for an edit.

    Attributes:
        text: as it was asked for.
        outcome: "done", "which" (several things fit: `message` lists them), "not present",
            "unsure", or "not understood".
        message: one sentence for people.
        edits: those that were added to the layer.
        ids: of the things it is about, or may be about; as tools give them.
        checks: what the look at its own selection found, one statement each.
    """

    text: str
    outcome: str
    message: str
    edits: tuple[Edit, ...] = ()
    ids: tuple[int, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether the layer has changed."""
        return self.outcome == DONE

    def as_json(self) -> dict[str, Any]:
        """As `f4x edit --json` writes it."""
        return {
            "text": self.text,
            "outcome": self.outcome,
            "message": self.message,
            "edits": [one.about for one in self.edits],
            "ids": list(self.ids),
            "checks": list(self.checks),
        }
