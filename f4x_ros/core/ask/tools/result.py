# SPDX-License-Identifier: Apache-2.0
"""What a tool says: a value with its uncertainty and what it rests on, or that it is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Value = bool | int | float | str | list[Any] | dict[str, Any] | None


class Outcome(str, Enum):
    """What came of a question."""

    VALUE = "value"
    NOT_PRESENT = "not present"
    UNSURE = "unsure"


@dataclass(frozen=True)
class ToolResult:
    """The result of one tool.

    Attributes:
        tool: its name.
        outcome: whether `value` holds; "not present" and "unsure" are results like others.
        value: what was asked; None unless `outcome` is VALUE.
        text: the same as one statement for people.
        unit: of a number: "m", "m/s", "s", "".
        interval: low and high that hold a number with 90 %; None where it is none.
        ids: of the things it is about.
        stamps_ns: moments it is about.
        evidence: the numbers and findings it rests on, one statement each.
        arguments: as the tool was called.
    """

    tool: str
    outcome: Outcome
    value: Value
    text: str
    unit: str = ""
    interval: tuple[float, float] | None = None
    ids: tuple[int, ...] = ()
    stamps_ns: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As in `f4x ask --json`; doc/ask.md has the fields."""
        return {
            "tool": self.tool,
            "arguments": self.arguments,
            "outcome": self.outcome.value,
            "value": self.value,
            "unit": self.unit,
            "interval": None if self.interval is None else list(self.interval),
            "text": self.text,
            "ids": list(self.ids),
            "stamps_ns": list(self.stamps_ns),
            "evidence": list(self.evidence),
        }


class NoValueError(Exception):
    """Ends a tool without a value; `call` makes a result of it. No error of the caller.

    Attributes:
        outcome: NOT_PRESENT or UNSURE.
        text: a statement that says why.
        ids: of the things it is about.
        stamps_ns: moments it is about.
    """

    def __init__(
        self,
        outcome: Outcome,
        text: str,
        ids: tuple[int, ...] = (),
        stamps_ns: tuple[int, ...] = (),
    ) -> None:
        super().__init__(text)
        self.outcome, self.text, self.ids, self.stamps_ns = outcome, text, ids, stamps_ns


def unsure(text: str, ids: tuple[int, ...] = (), stamps_ns: tuple[int, ...] = ()) -> NoValueError:
    """To be raised where what is known does not decide."""
    return NoValueError(Outcome.UNSURE, text, ids, stamps_ns)


def not_present(
    text: str, ids: tuple[int, ...] = (), stamps_ns: tuple[int, ...] = ()
) -> NoValueError:
    """To be raised where something asked about is not there."""
    return NoValueError(Outcome.NOT_PRESENT, text, ids, stamps_ns)
