# SPDX-License-Identifier: Apache-2.0
"""From a request to results: descriptions are looked up by tools, then its own tool is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from f4x_ros.core.ask.dialogue.request import SUPERLATIVES, Filter, Ref, Request, When
from f4x_ros.core.ask.tools import Outcome, Toolbox, ToolResult
from f4x_ros.core.ask.tools.motion import way_of
from f4x_ros.core.ask.tools.resolve import moment, seconds_of

_QUANTITY = {
    "biggest": ("size", "most"), "smallest": ("size", "least"), "tallest": ("height", "most"),
    "shortest": ("height", "least"), "fastest": ("speed", "most"), "slowest": ("speed", "least"),
}  # fmt: skip
_SPANS = ("travelled", "changed", "when", "order")
_PLURAL_TOOLS = ("count", "find", "relation", "related", "changed", "nearest")
_BEFORE_S = 0.2  # so long before it began to move a thing was where it was before


class StoppedError(Exception):
    """A step had no value, so the others have no sense; it is the last of the steps."""


class Carrier:
    """Carries out one request.

    Args:
        tools: over the scene that is asked.

    Attributes:
        steps: results so far.
    """

    def __init__(self, tools: Toolbox) -> None:
        self._tools = tools
        self.steps: list[ToolResult] = []

    def carry_out(self, request: Request) -> None:
        """Call what the request needs; `steps` has the results, the last one decides."""
        try:
            when = self._when(request)
            arguments: dict[str, Any] = dict(request.words)
            for name, ref in request.refs.items():
                many = request.tool in _PLURAL_TOOLS and name == "thing"
                arguments[name] = self._name(ref, when, many=many)
            for name, refs in request.lists.items():
                arguments[name] = [self._name(ref, when, many=False) for ref in refs]
            if request.events:
                arguments["events"] = [
                    {"thing": self._name(ref, when, many=False), "event": event}
                    for ref, event in request.events
                ]
            self._call(request.tool, arguments | _time(request.tool, arguments, when))
        except StoppedError:
            return

    def _call(self, tool: str, arguments: dict[str, Any]) -> ToolResult:
        result = self._tools.call(tool, arguments)
        self.steps.append(result)
        return result

    def _need(self, tool: str, arguments: dict[str, Any]) -> ToolResult:
        """A step that others build on."""
        result = self._call(tool, arguments)
        if result.outcome is not Outcome.VALUE:
            raise StoppedError
        return result

    # --- time ----------------------------------------------------------------------------------

    def _when(self, request: Request) -> When:
        """The time, with "before" as the moment before the thing last moved."""
        if request.when.word != "before":
            return request.when if not request.when.word else When()
        ref = request.refs.get("thing") or request.refs.get("a")
        if ref is None:
            return When(at=0.0)
        scene = self._tools.scene
        found = self._need("find", {"thing": self._name(ref, When(), many=False)})
        thing = scene.thing(found.ids[0]) if found.ids else None
        if thing is None:
            return When(at=0.0)
        begin, end = moment(scene, 0.0), moment(scene, None)
        pieces = way_of(scene, thing, begin, end).pieces()
        first = seconds_of(scene, max(thing.span_ns()[0], scene.span_ns[0]))
        if not pieces:
            return When(at=first)
        return When(at=max(first, seconds_of(scene, pieces[-1][0]) - _BEFORE_S))

    # --- descriptions --------------------------------------------------------------------------

    def _name(self, ref: Ref, when: When, *, many: bool) -> str:
        """What a tool is given for a description: its words, or the id of the thing it means."""
        if not ref.filters:
            return ref.words
        ids = self._ids(ref, when)
        if len(ids) == 1:
            return f"#{ids[0]}"
        scene = self._tools.scene
        named = [thing for one in ids if (thing := scene.thing(one)) is not None]
        listed = ", ".join(f"{thing.name} #{thing.id}" for thing in named)
        outcome = Outcome.UNSURE if ids else Outcome.NOT_PRESENT
        text = f"{len(ids)} things are meant by '{ref}': {listed}. Say which" if ids else (
            f"there is no {ref}"
        )  # fmt: skip
        del many
        self.steps.append(ToolResult("find", outcome, None, text, ids=tuple(ids)))
        raise StoppedError

    def _ids(self, ref: Ref, when: When) -> list[int]:
        """Things that pass all filters, superlatives last."""
        at = _moment_of(when)
        ids: list[int] | None = None
        ordered = sorted(ref.filters, key=lambda one: one.kind in SUPERLATIVES)
        if all(one.kind in SUPERLATIVES for one in ordered):
            ids = list(self._need("find", {"thing": ref.words, "at": at}).ids)
        for one in ordered:
            passing = self._passing(ref, one, when, ids)
            ids = [number for number in passing if ids is None or number in ids]
        return ids or []

    def _passing(self, ref: Ref, one: Filter, when: When, ids: list[int] | None) -> list[int]:
        at = _moment_of(when)
        if one.kind in SUPERLATIVES:
            if not ids or len(ids) == 1:
                return ids or []
            quantity, which = _QUANTITY[one.kind]
            compared = self._need(
                "compare",
                {"quantity": quantity, "which": which, "at": at,
                 "among": [f"#{number}" for number in ids[:20]]},
            )  # fmt: skip
            return list(compared.ids[:1])
        if one.kind == "event":
            span: dict[str, Any] = {"event": one.word, "thing": ref.words}
            if one.word == "moving":
                span["at"] = at
            return list(self._need("changed", span).ids)
        assert one.to is not None
        to = self._name(one.to, when, many=False)
        if one.kind in ("nearest", "farthest"):
            near = {"to": to, "thing": ref.words, "which": one.kind, "at": at}
            return list(self._need("nearest", near).ids)
        arguments: dict[str, Any] = {
            "relation": one.word, "to": to, "thing": ref.words, "at": at,
        }  # fmt: skip
        if one.to2 is not None:
            arguments["to2"] = self._name(one.to2, when, many=False)
        return list(self._need("related", arguments).ids)


def _moment_of(when: When) -> float | None:
    return when.at if when.at is not None else when.until


def _time(tool: str, arguments: dict[str, Any], when: When) -> dict[str, Any]:
    """Arguments of the tool for a time."""
    if tool in _SPANS and arguments.get("event") != "moving":
        return {"since": when.since, "until": when.until}
    return {"at": when.at}


Ask = Callable[[str], str]
