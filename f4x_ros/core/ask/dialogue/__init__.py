# SPDX-License-Identifier: Apache-2.0
"""Questions in words over the tools: a parser of our own, or a language model with tool calls."""

from __future__ import annotations

from f4x_ros.core.ask.dialogue.answer import Answer
from f4x_ros.core.ask.dialogue.dialogue import Dialogue
from f4x_ros.core.ask.dialogue.endpoint import Endpoint, EndpointError
from f4x_ros.core.ask.dialogue.model_dialogue import EndpointDialogue
from f4x_ros.core.ask.dialogue.parser import CAN_ANSWER, parse
from f4x_ros.core.ask.dialogue.session import MAX_SESSIONS, Session, Sessions

__all__ = [
    "CAN_ANSWER",
    "MAX_SESSIONS",
    "Answer",
    "Dialogue",
    "Endpoint",
    "EndpointDialogue",
    "EndpointError",
    "Session",
    "Sessions",
    "parse",
]
