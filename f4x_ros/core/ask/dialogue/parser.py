# SPDX-License-Identifier: Apache-2.0
"""From a question in words to one call of a tool: a grammar of our own, no model.

Plain form (`normal`), then what is said of time (`moments`) and of a viewer (`views`) is taken out,
then the first shape (`shapes`) that fits, with slots that describe things (`nouns`). What is left
over is never passed over: then the question is not understood, and which part of it is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from f4x_ros.core.ask.dialogue.grammar import SHAPES
from f4x_ros.core.ask.dialogue.moments import without_time
from f4x_ros.core.ask.dialogue.normal import normal, with_choices
from f4x_ros.core.ask.dialogue.nouns import RELATION_OF, NotANounError, noun, nouns
from f4x_ros.core.ask.dialogue.request import Ref, Request, When
from f4x_ros.core.ask.dialogue.shapes import MACROS, Shape, compiled
from f4x_ros.core.ask.dialogue.views import View, without_view
from f4x_ros.core.ask.tools.resolve import CAMERA
from f4x_ros.core.base.limits import check_length, check_letters
from f4x_ros.core.errors import NotUnderstoodError
from f4x_ros.core.features.phrases import COLORS, MATERIALS

MAX_QUESTION_LETTERS = 500
"""Characters of one question."""

CAN_ANSWER = (
    "where something is, whether it is there, how many, how far, what is nearest, left or right "
    "(of something, for the camera or a moving thing or one who stands somewhere), in front or "
    "behind, above or below, on / in / next to / between, size, colour, speed, heading, towards or "
    "away, what moved, appeared or left, when and in which order, the way taken, visible or hidden"
)
"""What the parser understands, for people."""

_SPANS = ("travelled", "changed", "when", "order")
_EVENT_WORDS = ("stopped", "started", "appeared", "left")
_VIEW_TOOLS = ("side", "front", "visible", "hidden_by")
_MAP_WORDS = re.compile(
    r",? ?\b(?:in|along|by) (?:the )?(?:map's axes|axes of the map|map axes|map coordinates|"
    r"map frame|map|coordinates of the map|frame of the map)\b,?| of the map\b(?= <?is| are| was)"
)


def parse(text: str) -> Request:
    """The call of a tool that a question is.

    Raises:
        NotUnderstoodError: it is none that the grammar has; says which part and what would be.
        BadInputError: it is blank or too long.
    """
    check_length("question", text, MAX_QUESTION_LETTERS)
    check_letters(text)
    plain, when = without_time(normal(text))
    if not plain:
        raise NotUnderstoodError(text, text, f"expected a question about {CAN_ANSWER}")
    request, part = _matched(plain, when)
    if request is None:
        raise NotUnderstoodError(text, part, f"expected a question about {CAN_ANSWER}")
    return request


def _matched(plain: str, when: When) -> tuple[Request | None, str]:
    """The request of the first shape that fits; else the part that no shape could take."""
    seen, view = without_view(plain)
    full = with_choices(plain)
    # Said of the map's axes: it says which of two tools is meant
    mapped = _MAP_WORDS.sub(" ", plain)
    of_map = mapped != plain
    forms = {
        True: with_choices(seen),
        False: with_choices(re.sub(r"\s+", " ", mapped).strip(" ,")) if of_map else full,
    }
    blamed = plain
    for shape in SHAPES:
        for tried in dict.fromkeys((forms[shape.view], *((full,) if shape.view else ()))):
            for parts in _splits(shape, tried):
                try:
                    return _request(shape, parts, when, view, tried == forms[True]), ""
                except NotANounError as error:
                    if blamed == plain and str(error):
                        blamed = str(error)
    return None, blamed


def _splits(shape: Shape, text: str) -> Iterator[dict[str, str | None]]:
    """The slots of a shape that fits, ending as early as they can, and as late."""
    found = compiled(shape.pattern).fullmatch(text)
    if found is None:
        return
    yield found.groupdict()
    later = compiled(shape.pattern, greedy=True).fullmatch(text)
    if later is not None and later.groupdict() != found.groupdict():
        yield later.groupdict()


def _request(
    shape: Shape, parts: dict[str, str | None], when: When, view: View, seen: bool
) -> Request:
    """A shape with its slots; NotANounError where one describes no thing."""
    if shape.tool == "order":
        return Request("order", events=_events(shape, parts), when=when)
    between = RELATION_OF.get(parts.get("rel") or "") == "between"
    refs = {
        name: noun(text)
        for name, slot in shape.slots.items()
        if (text := parts.get(slot)) and not (between and name == "to")
    }
    words = {name: word for name, word in shape.words.items() if name != "thing"}
    if "thing" in shape.words:
        refs["thing"] = Ref(shape.words["thing"])
    lists: dict[str, tuple[Ref, ...]] = {}
    listed = _list(parts)
    if listed:
        lists["among"] = listed
    if rel := parts.get("rel"):
        words["relation"] = RELATION_OF[rel]
        to = str(parts[shape.slots["to"]])
        if words["relation"] == "in" and _wears(to):
            raise NotANounError("")  # the person in red ...
        if between:
            refs["to"], refs["to2"] = _two(to)
    if shape.tool in _VIEW_TOOLS and (seen or view == View()):
        refs |= _viewer(shape.tool, refs, view)
    if shape.tool == "distance":
        refs.setdefault("b", Ref(CAMERA))
    return Request(shape.tool, refs, lists, words, when=_timed(shape, words, when),
                   expects=shape.expects)  # fmt: skip


def _timed(shape: Shape, words: dict[str, str], when: When) -> When:
    """A span where the tool takes one, a moment where it takes that."""
    takes_span = shape.tool in _SPANS and words.get("event") != "moving"
    if takes_span and when.at is not None:  # "what moved at 2 s": about then
        return replace(when, at=None, since=when.at, until=None)
    if not takes_span and when.at is None and when.until is not None:
        return When(at=when.until)
    if not takes_span and when.since is not None:
        return When()
    return when


def _viewer(tool: str, refs: dict[str, Ref], view: View) -> dict[str, Ref]:
    """Arguments of the tool that say who looks."""
    made: dict[str, Ref] = {}
    if view.own and "of" in refs:
        made["view"] = refs["of"]
    elif view.who is not None:
        made["view"] = view.who
        if view.towards is not None:
            made["towards"] = view.towards
    if tool == "side" and "of" not in refs:
        made["of"] = made.get("view", refs.get("view", Ref(CAMERA)))
    elif tool == "side" and refs["of"].pronoun and "view" in made:
        made["of"] = made["view"]
    return made


def _wears(text: str) -> bool:
    """Whether words after "in" begin with what somebody wears."""
    first = text.partition(" ")[0]
    return first in COLORS or first in MATERIALS


def _list(parts: dict[str, str | None]) -> tuple[Ref, ...]:
    if text := parts.get("list") or parts.get("list1"):
        return nouns(text)
    if parts.get("c") and parts.get("d"):
        return (noun(str(parts["c"])), noun(str(parts["d"])))
    return ()


def _two(text: str) -> tuple[Ref, Ref]:
    both = re.fullmatch(r"(.+?) and (.+)", text)
    if both is None:
        raise NotANounError(text)
    return noun(both[1]), noun(both[2])


# --- events --------------------------------------------------------------------------------------

_CLAUSES = tuple(
    (re.compile(rf"(?:(?:did|does|do|was|were|has|is) )?(?P<a>.+?) (?:{MACROS[name]})"), event)
    for name, event in (
        ("stop", "stopped"), ("start", "started"), ("appear", "appeared"), ("leave", "left"),
    )
)  # fmt: skip


def _clause(text: str) -> tuple[Ref, str]:
    """One event: "the robot stopped"."""
    for pattern, event in _CLAUSES:
        found = pattern.fullmatch(text.strip(" ,"))
        if found is not None:
            return noun(found["a"]), event
    raise NotANounError(text)


def _events(shape: Shape, parts: dict[str, str | None]) -> tuple[tuple[Ref, str], ...]:
    if clauses := parts.get("clauses"):
        return tuple(_clause(part) for part in re.split(r"\s*,\s*(?:or )?|\s+or\s+", clauses))
    if parts.get("clause1"):
        return _clause(str(parts["clause1"])), _clause(str(parts["clause2"]))
    event = shape.words.get("event") or _event_of(str(parts.get("ev")))
    if parts.get("a"):
        return (noun(str(parts["a"])), event), (noun(str(parts["b"])), event)
    return tuple((one, event) for one in nouns(str(parts["list"])))


def _event_of(verb: str) -> str:
    for name, event in zip(("stop", "start", "appear", "leave"), _EVENT_WORDS, strict=True):
        if re.fullmatch(MACROS[name], verb):
            return event
    raise NotANounError(verb)
