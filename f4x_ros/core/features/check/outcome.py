# SPDX-License-Identifier: Apache-2.0
"""Questions to a model whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

See = Callable[[Tensor], Tensor]
"""What is done to a picture [1, 3, H, W] before the model sees it; usually nothing."""


class Outcome(NamedTuple):
    """One question.

    Attributes:
        asked: what.
        expected: the right answer, in words.
        found: the model's, in words.
        right: whether the two agree.
    """

    asked: str
    expected: str
    found: str
    right: bool


class Trial(NamedTuple):
    """Questions of one kind, judged together: a good model may miss some of them.

    Attributes:
        name: what is tried.
        outcomes: of each question.
        needed: how many of them are to be right.
    """

    name: str
    outcomes: tuple[Outcome, ...]
    needed: int

    @property
    def right(self) -> int:
        """How many are."""
        return sum(outcome.right for outcome in self.outcomes)

    @property
    def passed(self) -> bool:
        """Whether enough are."""
        return self.right >= self.needed
