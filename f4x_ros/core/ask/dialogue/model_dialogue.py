# SPDX-License-Identifier: Apache-2.0
"""`EndpointDialogue`: a language model reads the questions and calls the tools, within bounds.

What it says counts only as far as results of tools bear it: an answer without any result, or with
a number or an id that no result has, is not passed on as one.
"""

from __future__ import annotations

import json
import re
from typing import Any

from f4x_ros.core.ask.dialogue.answer import UNSURE, VALUE, Answer
from f4x_ros.core.ask.dialogue.endpoint import Endpoint, Reply, ToolCall
from f4x_ros.core.ask.dialogue.parser import MAX_QUESTION_LETTERS
from f4x_ros.core.ask.tools import Outcome, Toolbox, ToolResult
from f4x_ros.core.base.limits import check_length
from f4x_ros.core.errors import BadInputError, F4xError

MAX_ROUNDS = 8
"""Replies of the model to one question."""

MAX_CALLS = 24
"""Calls of tools for one question."""

_KEPT = 12  # questions and answers of a conversation that the model is told again
_RESULT_LETTERS = 4000  # of one result that the model is sent
_TOLD = (
    "You answer questions about a room from a robot's map. You know nothing of the room but what "
    "the tools say, so call them. Name things in plain words ('red mug') or by '#id' from an "
    "earlier result. Times are seconds since the first frame. Say only what a result says, with "
    "its numbers as they are. If a tool says 'not present' or 'unsure', say so. Answer in one or "
    "two sentences."
)
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?![\w.]*\d)")


class EndpointDialogue:
    """One conversation about one scene through a language model.

    Args:
        tools: over the scene.
        endpoint: the server.
    """

    def __init__(self, tools: Toolbox, endpoint: Endpoint) -> None:
        self._tools, self._endpoint = tools, endpoint
        self._said: list[dict[str, Any]] = []

    def ask(self, text: str) -> Answer:
        """Answer one question.

        Raises:
            EndpointError: the server cannot be asked.
            BadInputError: the question is blank or too long.
        """
        check_length("question", text, MAX_QUESTION_LETTERS)
        if not text.strip():
            raise BadInputError("question is blank, expected words")
        first, last = self._tools.scene.span_ns
        about = f"{_TOLD} The recording is {(last - first) / 1e9:.2f} s long."
        question = {"role": "user", "content": text}
        messages = [{"role": "system", "content": about}, *self._said, question]
        steps: list[ToolResult] = []
        answer = self._rounds(text, messages, steps)
        self._said += [question, {"role": "assistant", "content": answer.text}]
        self._said = self._said[-_KEPT:]
        return answer

    def _rounds(self, text: str, messages: list[dict[str, Any]], steps: list[ToolResult]) -> Answer:
        calls = 0
        for _ in range(MAX_ROUNDS):
            reply = self._endpoint.complete(messages, self._schemas())
            if not reply.calls:
                return self._answer(text, reply, steps)
            messages.append(reply.message)
            for call in reply.calls:
                calls += 1
                said = (
                    self._called(call, steps)
                    if calls <= MAX_CALLS
                    else f"error: more than {MAX_CALLS} calls for one question; answer now"
                )
                messages.append({"role": "tool", "tool_call_id": call.id, "content": said})
            if calls > MAX_CALLS:
                break
        return Answer(
            text, UNSURE,
            f"the model called tools without end: stopped after {calls} calls "
            f"in at most {MAX_ROUNDS} replies", tuple(steps),
        )  # fmt: skip

    def _schemas(self) -> list[dict[str, Any]]:
        return [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.about,
                    "parameters": tool.schema(),
                },
            }
            for tool in self._tools.tools
        ]

    def _called(self, call: ToolCall, steps: list[ToolResult]) -> str:
        """What the model is told of a call: the result, or what is wrong with the call."""
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            return f"error: the arguments of {call.name} are no JSON"
        if not isinstance(arguments, dict):
            return f"error: the arguments of {call.name} are no JSON object"
        try:
            result = self._tools.call(call.name, arguments)
        except F4xError as error:
            return f"error: {error}"
        steps.append(result)
        return json.dumps(result.as_json())[:_RESULT_LETTERS]

    def _answer(self, text: str, reply: Reply, steps: list[ToolResult]) -> Answer:
        """The model's words, if results bear them."""
        if not steps:
            return Answer(
                text, UNSURE, f"the model asked no tool, so nothing bears out: {reply.text}"
            )
        if not reply.text:
            return Answer(text, UNSURE, "the model said nothing", tuple(steps))
        unborne = unborne_numbers(reply.text, text, steps)
        if unborne:
            return Answer(
                text, UNSURE,
                f"no result of a tool has {', '.join(unborne)}, so this is not borne out: "
                f"{reply.text}", tuple(steps),
            )  # fmt: skip
        outcome = steps[-1].outcome
        return Answer(
            text, VALUE if outcome is Outcome.VALUE else outcome.value, reply.text, tuple(steps)
        )


def unborne_numbers(said: str, question: str, steps: list[ToolResult]) -> list[str]:
    """Numbers in what was said that neither the question nor a result has, as they were written.

    A number bears out one that is written with fewer digits.
    """
    known = [float(one) for one in _NUMBER.findall(question)]
    for step in steps:
        known += [float(one) for one in _NUMBER.findall(json.dumps(step.as_json()))]
    known += [float(len(step.ids)) for step in steps]

    def borne(written: str) -> bool:
        digits = len(written.partition(".")[2])
        value = abs(float(written))
        return any(abs(round(abs(one), digits) - value) < 0.5 * 10.0**-digits for one in known)

    return [written for written in _NUMBER.findall(said) if not borne(written)]
