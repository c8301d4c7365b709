# SPDX-License-Identifier: Apache-2.0
"""`Dialogue`: questions in words to answers, with what was said before."""

from __future__ import annotations

from f4x_ros.core.ask.dialogue.answer import NOT_UNDERSTOOD, VALUE, Answer
from f4x_ros.core.ask.dialogue.carry_out import Carrier
from f4x_ros.core.ask.dialogue.request import Request
from f4x_ros.core.ask.dialogue.session import Session
from f4x_ros.core.ask.tools import Outcome, Toolbox, ToolResult
from f4x_ros.core.errors import BadInputError, NotUnderstoodError

_COMPARISONS = {
    "towards": {"towards": True, "away": False},
    "away": {"towards": False, "away": True},
    "above": {"above": True, "below": False},
    "below": {"above": False, "below": True},
}


class Dialogue:
    """One conversation about one scene.

    Args:
        tools: over the scene.
        session: what was said before; None begins anew.
    """

    def __init__(self, tools: Toolbox, session: Session | None = None) -> None:
        self._tools = tools
        self.session = session if session is not None else Session()

    def ask(self, text: str) -> Answer:
        """Answer one question; what cannot be answered is an answer that says why."""
        try:
            request = self.session.read(text)
            carrier = Carrier(self._tools)
            carrier.carry_out(request)
        except NotUnderstoodError as error:
            return Answer(text, NOT_UNDERSTOOD, str(error))
        except BadInputError as error:  # a moment that was not recorded, a text that is too long
            return Answer(text, NOT_UNDERSTOOD, str(error))
        last = carrier.steps[-1]
        self.session.note(request, last if last.outcome is Outcome.VALUE else None)
        return Answer(text, last.outcome.value, _statement(request, last), tuple(carrier.steps))


def _statement(request: Request, result: ToolResult) -> str:
    """What the tool says, with yes or no before it where the question offers its answer."""
    if result.outcome is not Outcome.VALUE or not request.expects:
        return result.text
    if request.tool == "visible":
        said = bool(result.value) == (request.expects == "yes")
    else:
        said = _COMPARISONS[request.expects].get(str(result.value), False)
    return f"{'yes' if said else 'no'}: {result.text}"


__all__ = ["VALUE", "Answer", "Dialogue"]
