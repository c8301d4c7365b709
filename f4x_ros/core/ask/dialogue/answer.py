# SPDX-License-Identifier: Apache-2.0
"""The answer to a question in words: one statement, and the calls of tools it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from f4x_ros.core.ask.tools import ToolResult, Value

VALUE, NOT_PRESENT, UNSURE = "value", "not present", "unsure"
NOT_UNDERSTOOD = "not understood"


@dataclass(frozen=True)
class Answer:
    """What is said to a question.

    Attributes:
        question: as it was asked.
        outcome: "value", "not present", "unsure" or "not understood".
        text: one statement for people.
        steps: results of the tools that were called, in order; the last one has the value.
    """

    question: str
    outcome: str
    text: str
    steps: tuple[ToolResult, ...] = ()

    @property
    def result(self) -> ToolResult | None:
        """The result that decides."""
        return self.steps[-1] if self.steps else None

    @property
    def value(self) -> Value:
        """What was asked for; None unless `outcome` is "value"."""
        return self.result.value if self.result and self.outcome == VALUE else None

    def as_json(self) -> dict[str, Any]:
        """As in `f4x ask --json`; doc/ask.md has the fields."""
        last = self.result if self.outcome == VALUE else None
        return {
            "question": self.question,
            "outcome": self.outcome,
            "text": self.text,
            "value": self.value,
            "unit": last.unit if last else "",
            "interval": list(last.interval) if last and last.interval else None,
            "ids": list(last.ids) if last else [],
            "stamps_ns": list(last.stamps_ns) if last else [],
            "steps": [step.as_json() for step in self.steps],
        }
