# SPDX-License-Identifier: Apache-2.0
"""One question about space and time with its exact answer, and whether an answer is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from f4x_ros.core.ask.dialogue import Answer
from f4x_ros.core.ask.tools import Value


def plain(value: Value) -> str:
    """A value as a choice: its word; of a list the only entry."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return str(value[0]) if len(value) == 1 else ", ".join(map(str, value))
    return str(value)


@dataclass(frozen=True)
class Asked:
    """One question.

    Attributes:
        kind: one of `asked_kinds.KINDS`.
        text: the question.
        truth: the right choice, or the right number.
        choices: what may be answered; () for numbers.
        tolerance: of a number.
        read: how the value of an answer is a choice.
    """

    kind: str
    text: str
    truth: str | float
    choices: tuple[str, ...] = ()
    tolerance: float = 0.0
    read: Callable[[Value], str] = plain

    @property
    def is_number(self) -> bool:
        """Whether a number is asked for."""
        return not self.choices

    def is_right(self, answer: Answer) -> bool:
        """Whether an answer is; "unsure" and "not present" are not."""
        if answer.outcome != "value":
            return False
        value = answer.value
        if self.is_number:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return False
            return abs(float(value) - float(self.truth)) <= self.tolerance
        return self.read(value) == self.truth

    def in_interval(self, answer: Answer) -> bool | None:
        """Whether the interval that an answer states holds the truth; None where it has none."""
        result = answer.result
        if answer.outcome != "value" or result is None or result.interval is None:
            return None
        low, high = result.interval
        return low - 1e-9 <= float(self.truth) <= high + 1e-9 if self.is_number else None


def chance_of(questions: list[Asked]) -> float:
    """Share of questions of one kind that a guess gets right.

    Of choices one in so many, of numbers: the answer of another question of the kind.
    """
    if not questions:
        return 0.0
    shares = []
    for one in questions:
        if not one.is_number:
            shares.append(1 / len(one.choices))
            continue
        others = [other for other in questions if other is not one]
        near = [abs(float(o.truth) - float(one.truth)) <= one.tolerance for o in others]
        shares.append(sum(near) / len(near) if near else 0.0)
    return sum(shares) / len(shares)
