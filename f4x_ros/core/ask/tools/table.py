# SPDX-License-Identifier: Apache-2.0
"""The table of tools: their names, arguments as JSON schema, and how one is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from f4x_ros.core.ask.tools.result import NoValueError, ToolResult
from f4x_ros.core.ask.tools.scene import Scene
from f4x_ros.core.base.limits import MAX_PROMPT_LETTERS
from f4x_ros.core.errors import BadInputError, shown

MAX_NAMES = 20
"""Things that may be compared in one call."""

Run = Callable[..., ToolResult]


@dataclass(frozen=True)
class Argument:
    """One argument of a tool.

    Attributes:
        name: of the argument.
        kind: "thing" (words, #id or camera), "things" (a list of them), "seconds", "word" (one of
            `choices`), "events" (a list of objects with `thing` and `event`).
        about: one line for people and language models.
        required: whether it must be given.
        choices: of a word.
    """

    name: str
    kind: str
    about: str
    required: bool = False
    choices: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        """JSON schema of the value."""
        text: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_PROMPT_LETTERS}
        if self.kind == "thing":
            made = text
        elif self.kind == "things":
            made = {"type": "array", "items": text, "minItems": 1, "maxItems": MAX_NAMES}
        elif self.kind == "seconds":
            made = {"type": "number"}
        elif self.kind == "word":
            made = {"type": "string", "enum": list(self.choices)}
        else:
            event = {
                "type": "object",
                "properties": {
                    "thing": text,
                    "event": {"type": "string", "enum": list(self.choices)},
                },
                "required": ["thing", "event"],
                "additionalProperties": False,
            }
            made = {"type": "array", "items": event, "minItems": 2, "maxItems": MAX_NAMES}
        return {**made, "description": self.about}

    def check(self, value: Any) -> Any:
        """The value as tools take it; BadInputError names what is wrong."""
        if self.kind == "seconds":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise self._bad(value, "a number of seconds")
            return float(value)
        if self.kind == "word":
            if value not in self.choices:
                raise self._bad(value, f"one of {', '.join(self.choices)}")
            return value
        if self.kind == "thing":
            return self._checked_text(value)
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise self._bad(value, "a list")
        if len(value) > MAX_NAMES:
            raise self._bad(f"{len(value)} long", f"at most {MAX_NAMES}")
        if self.kind == "things":
            return [self._checked_text(one) for one in value]
        return [self._checked_event(one) for one in value]

    def _checked_text(self, value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_PROMPT_LETTERS:
            raise self._bad(value, f"words, #id or camera, at most {MAX_PROMPT_LETTERS} letters")
        return value.strip()

    def _checked_event(self, value: Any) -> dict[str, str]:
        if not isinstance(value, Mapping) or set(value) != {"thing", "event"}:
            raise self._bad(value, "objects with thing and event")
        if value["event"] not in self.choices:
            raise self._bad(value["event"], f"an event of {', '.join(self.choices)}")
        return {"thing": self._checked_text(value["thing"]), "event": str(value["event"])}

    def _bad(self, value: Any, expected: str) -> BadInputError:
        return BadInputError(f"{self.name} is {shown(str(value))}, expected {expected}")


@dataclass(frozen=True)
class Tool:
    """One tool."""

    name: str
    about: str
    arguments: tuple[Argument, ...]
    run: Run

    def schema(self) -> dict[str, Any]:
        """JSON schema of its arguments, an object."""
        return {
            "type": "object",
            "properties": {one.name: one.schema() for one in self.arguments},
            "required": [one.name for one in self.arguments if one.required],
            "additionalProperties": False,
        }

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments as `run` takes them; None counts as not given.

        Raises:
            BadInputError: one is unknown, missing or of the wrong kind; names it.
        """
        known = {one.name: one for one in self.arguments}
        given = {name: value for name, value in given.items() if value is not None}
        for name in given:
            if name not in known:
                raise BadInputError(
                    f"{self.name} has no argument {shown(name)}, expected {', '.join(known)}"
                )
        for name, one in known.items():
            if one.required and name not in given:
                raise BadInputError(f"{self.name} needs {name}: {one.about}")
        return {name: known[name].check(value) for name, value in given.items()}


class Toolbox:
    """Tools over one scene.

    Args:
        scene: what they are about.
        tools: in the order in which they are listed.
    """

    def __init__(self, scene: Scene, tools: Sequence[Tool]) -> None:
        self.scene = scene
        self._tools = {tool.name: tool for tool in tools}

    @property
    def tools(self) -> tuple[Tool, ...]:
        """All of them."""
        return tuple(self._tools.values())

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call one by its name.

        Raises:
            BadInputError: no such tool, or arguments that do not fit; says what would.
            NotUnderstoodError: words that nobody can make sense of.
        """
        tool = self._tools.get(name)
        if tool is None:
            raise BadInputError(
                f"there is no tool {shown(name)}, expected one of {', '.join(self._tools)}"
            )
        checked = tool.check(arguments)
        try:
            result = tool.run(self.scene, **checked)
        except NoValueError as none:
            result = ToolResult(
                name, none.outcome, None, none.text, ids=none.ids, stamps_ns=none.stamps_ns
            )
        return replace(result, tool=name, arguments=dict(checked))
