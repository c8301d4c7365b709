# SPDX-License-Identifier: Apache-2.0
"""Which things the words of an edit mean, by the tools that answer questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.ask.dialogue.carry_out import Carrier
from f4x_ros.core.ask.dialogue.request import Ref, Request, When
from f4x_ros.core.ask.tools import Outcome, State, Thing, Toolbox, ToolResult
from f4x_ros.core.edit.edit import NOT_PRESENT, UNSURE, WHICH


class NotMeantError(Exception):
    """No one thing is meant; no error of the caller.

    Attributes:
        outcome: "which", "not present" or "unsure".
        text: a sentence that says why, or asks back.
        ids: of what may be meant.
    """

    def __init__(self, outcome: str, text: str, ids: tuple[int, ...] = ()) -> None:
        super().__init__(text)
        self.outcome, self.text, self.ids = outcome, text, ids


@dataclass(frozen=True, eq=False)
class Meant:
    """A thing at a moment.

    Attributes:
        thing: as the tools have it.
        words: by which its Gaussians are asked for.
        state: its box then.
        stamp_ns: the moment.
    """

    thing: Thing
    words: str
    state: State
    stamp_ns: int

    @property
    def foot(self) -> NDArray[np.float64]:
        """[3] m, the middle of the bottom of its box."""
        return np.array([*self.state.center[:2], self.state.low[2]])


def meant_by(tools: Toolbox, ref: Ref, when: When) -> list[Meant]:
    """What a description means: one thing, or all of them where several are named ("the mugs").

    Raises:
        NotMeantError: nothing is, several fit, or it is unsure.
        NotUnderstoodError: words that nobody can make sense of.
        BadInputError: a moment outside of what was recorded.
    """
    at = when.at if when.at is not None else when.until
    carrier = Carrier(tools)
    tool = "find" if ref.plural and not ref.filters else "size"
    carrier.carry_out(Request(tool, refs={"thing": ref}, when=When(at=at)))
    last = carrier.steps[-1]
    if last.outcome is not Outcome.VALUE:
        raise _not_meant(ref, last)
    ids = last.ids if tool == "find" else last.ids[:1]
    found = [_state(tools, ref, number, last.stamps_ns[-1]) for number in ids]
    return [one for one in found if one is not None]


def _state(tools: Toolbox, ref: Ref, number: int, stamp_ns: int) -> Meant | None:
    thing = tools.scene.thing(number)
    state = None if thing is None else thing.state_at(stamp_ns)
    if thing is None or state is None:
        return None
    words = thing.name if ref.words.startswith("#") else ref.words
    return Meant(thing, words, state, stamp_ns)


def _not_meant(ref: Ref, result: ToolResult) -> NotMeantError:
    if result.outcome is Outcome.NOT_PRESENT:
        return NotMeantError(NOT_PRESENT, result.text, result.ids)
    if len(result.ids) > 1:
        return NotMeantError(WHICH, f"which {ref.words}? {result.text}", result.ids)
    return NotMeantError(UNSURE, result.text, result.ids)
