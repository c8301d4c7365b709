# SPDX-License-Identifier: Apache-2.0
"""`~/ask`: questions in words about space and time, with conversations."""

from __future__ import annotations

import json

from f4x_ros.core.ask.dialogue import Answer, Sessions
from f4x_ros.core.ask.dialogue.parser import MAX_QUESTION_LETTERS
from f4x_ros.core.base.limits import check_length
from f4x_ros.core.errors import F4xError
from f4x_ros.core.perception import Perception
from f4x_ros.ros.conversions import stamp_msg
from f4x_ros.ros.diagnostics import Health
from f4x_ros.srv import Ask

MAX_SESSION_LETTERS = 64
"""Characters in the name of a conversation."""

_OUTCOMES = {
    "value": Ask.Response.VALUE,
    "not present": Ask.Response.NOT_PRESENT,
    "unsure": Ask.Response.UNSURE,
    "not understood": Ask.Response.NOT_UNDERSTOOD,
}


class Asks:
    """Answers questions in words. Used by the worker's thread only.

    Args:
        perception: the map.
        health: counts the questions.
    """

    def __init__(self, perception: Perception, health: Health) -> None:
        self._perception, self._health = perception, health
        self._sessions = Sessions()

    def ask(self, request: Ask.Request) -> Ask.Response:
        """Answer a question; one that cannot be asked with success=false and the reason."""
        try:
            check_length("question", request.question, MAX_QUESTION_LETTERS)
            check_length("session", request.session, MAX_SESSION_LETTERS)
            answer = self._perception.ask(request.question, self._sessions.of(request.session))
        except F4xError as error:
            self._health.count("asks_refused")
            return Ask.Response(success=False, message=str(error))
        self._health.count("asks")
        return ask_response(answer, self._perception.map_frame)


def ask_response(answer: Answer, map_frame: str) -> Ask.Response:
    """An answer as a message."""
    result, value = answer.result, answer.value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    has_value = answer.outcome == "value" and result is not None
    low, high = (result.interval if has_value and result else None) or (0.0, 0.0)
    return Ask.Response(
        success=True,
        message=answer.text,
        outcome=_OUTCOMES[answer.outcome],
        value=json.dumps(value) if has_value else "",
        number=float(value) if is_number else 0.0,  # type: ignore[arg-type]
        unit=result.unit if has_value and result else "",
        low=float(low),
        high=float(high),
        ids=list(result.ids) if result else [],
        stamps=[stamp_msg(ns) for ns in (result.stamps_ns if result else ())],
        map_frame=map_frame,
        evidence=[one for step in answer.steps for one in (step.text, *step.evidence)],
        json=json.dumps(answer.as_json(), allow_nan=False),
    )
