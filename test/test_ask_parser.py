# SPDX-License-Identifier: Apache-2.0
"""The parser: ten phrasings of each kind, follow-ups, and what it must not take for a question."""

from __future__ import annotations

import re

import pytest
from ask_phrasings import FOLLOW_UPS, NOT_QUESTIONS, PHRASINGS
from ask_scene import MadeUp, at, toolbox

from f4x_ros.core.ask.dialogue import Dialogue, Session, parse
from f4x_ros.core.ask.dialogue.nouns import noun, singular
from f4x_ros.core.ask.dialogue.request import Request
from f4x_ros.core.errors import NotUnderstoodError

ASSUMED = {"which": ("most", "nearest"), "view": ("camera",), "of": ("camera",)}
"""What the parser may add, as the tool takes it anyway."""


def spelled(request: Request) -> dict[str, str]:
    """A request as the phrasings are written."""
    parts = {name: str(ref) for name, ref in request.refs.items()}
    parts |= {name: "|".join(map(str, refs)) for name, refs in request.lists.items()}
    parts |= request.words
    if request.events:
        parts["events"] = "|".join(f"{ref} {event}" for ref, event in request.events)
    if "towards" in parts:
        parts["view"] = f"{parts.get('view', '')}>{parts.pop('towards')}"
    when = request.when
    if when.word:
        parts["t"] = when.word
    elif when.at is not None:
        parts["t"] = f"{when.at:g}"
    elif when.given:
        begin, end = ("" if x is None else f"{x:g}" for x in (when.since, when.until))
        parts["t"] = f"{begin}..{end}"
    return {name: same(text) for name, text in parts.items()}


def same(text: str) -> str:
    """Without what is only spelled differently: several or one, objects or things."""
    text = re.sub(r"\b(objects?|items?)\b", "thing", text)
    return "|".join(singular(part)[0] for part in text.split("|"))


def wanted(text: str) -> tuple[str, dict[str, str]]:
    tool, _, rest = text.partition(" ")
    pairs = (part.split("=", 1) for part in re.split(r" (?=\w+=)", rest))
    return tool, {name: same(value) for name, value in pairs}


def is_understood(request: Request, expected: str) -> bool:
    tool, parts = wanted(expected)
    got = spelled(request)
    added = {name: value for name, value in got.items() if name not in parts}
    missing = {n: v for n, v in parts.items() if got.get(n) != v and v not in ASSUMED.get(n, ())}
    return (
        request.tool == tool
        and not missing
        and all(value in ASSUMED.get(name, ()) for name, value in added.items())
    )


@pytest.mark.parametrize("kind", PHRASINGS)
def test_phrasings_are_understood(kind: str) -> None:
    wrong = [
        (text, expected, spelled(parse(text)))
        for text, expected in PHRASINGS[kind]
        if not is_understood(parse(text), expected)
    ]
    assert not wrong


@pytest.mark.parametrize("said, expected", FOLLOW_UPS, ids=lambda value: str(value)[:40])
def test_follow_ups_refer_to_what_was_said(said: list[str], expected: str) -> None:
    session = Session()
    *before, last = said
    for text in before:
        session.note(session.read(text), None)
    if "thing=it" in expected:  # the answer of the last question, which there is none of here
        with pytest.raises(NotUnderstoodError, match="nothing was said before"):
            session.read(last)
        return
    assert is_understood(session.read(last), expected)


@pytest.mark.parametrize("text", NOT_QUESTIONS)
def test_what_is_no_question_about_the_map_is_said_to_be_none(text: str) -> None:
    answer = Dialogue(toolbox(MadeUp(1, "red mug", at(2, 0, 0.5)))).ask(text)
    assert answer.outcome == "not understood"
    assert answer.value is None
    assert not answer.steps


def test_what_is_not_understood_names_the_part_and_what_can_be_asked() -> None:
    with pytest.raises(NotUnderstoodError, match=r"'how heavy is the sofa'.*left or right") as told:
        parse("How heavy is the sofa?")
    assert "expected a question about" in str(told.value)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("the red mug that is on the table", "red mug on table"),
        ("a person in red", "person in red"),
        ("the apple in the bowl", "apple in bowl"),
        ("the tallest chair next to the table", "tallest chair next to table"),
        ("the mug nearest to the thing that moved", "mug nearest to thing that moved"),
        ("the ball between the sofa and the table", "ball between sofa and table"),
        ("it", "it"),
        ("#12", "#12"),
        ("the trash can", "trash can"),
    ],
)
def test_descriptions(text: str, expected: str) -> None:
    assert str(noun(text)) == expected


@pytest.mark.parametrize(
    "many, one",
    [("chairs", "chair"), ("people", "person"), ("boxes", "box"), ("glass", "glass"),
     ("toy cars", "toy car"), ("potted plants", "potted plant"), ("dishes", "dish"),
     ("batteries", "battery"), ("shelves", "shelf"), ("bus", "bus")],
)  # fmt: skip
def test_plurals(many: str, one: str) -> None:
    assert singular(many)[0] == one
