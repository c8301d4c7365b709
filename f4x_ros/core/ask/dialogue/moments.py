# SPDX-License-Identifier: Apache-2.0
"""What a question says about time, and the question without it."""

from __future__ import annotations

import re
from collections.abc import Callable

from f4x_ros.core.ask.dialogue.request import When

_NUMBERS = {
    "a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "half a": 0.5,
}  # fmt: skip
_N = rf"(-?\d+(?:\.\d+)?|{'|'.join(_NUMBERS)})"
_S = r"(?: ?(?:s|sec|secs|seconds?))"
_END = r"(?=$| )"


def _number(text: str) -> float:
    return float(_NUMBERS.get(text, 0)) if text in _NUMBERS else float(text)


Make = Callable[[re.Match[str]], When]


def _span(found: re.Match[str]) -> When:
    return When(since=_number(found[1]), until=_number(found[2]))


_RULES: tuple[tuple[str, Make], ...] = (
    (rf"\bbetween (?:second )?{_N}{_S}? and (?:second )?{_N}{_S}{_END}", _span),
    (rf"\bbetween second {_N} and (?:second )?{_N}{_END}", _span),
    (rf"\bfrom (?:second )?{_N}{_S}? (?:to|until|till) (?:second )?{_N}{_S}{_END}", _span),
    (rf"\b(?:in|during|within|over|for) the (?:last|past) {_N}{_S}{_END}",
     lambda found: When(since=-_number(found[1]))),
    (rf"\b(?:since|after) (?:second )?{_N}{_S}{_END}",
     lambda found: When(since=_number(found[1]))),
    (rf"\b(?:before|until|till) (?:second )?{_N}{_S}{_END}",
     lambda found: When(until=_number(found[1]))),
    (rf"(?:\buse to be |\bto be )?\b{_N}{_S} (?:ago|before the end|earlier){_END}",
     lambda found: When(at=-_number(found[1]))),
    (rf"\b(?:at|@|when t is)(?: time| second| t ?=)? ?{_N}{_S}{_END}",
     lambda found: When(at=_number(found[1]))),
    (rf"\bat (?:second|time|t ?=) ?{_N}{_END}", lambda found: When(at=_number(found[1]))),
    (rf"\b(?:at|in) the (?:very )?(?:beginning|start){_END}|\b(?:at first|initially|originally)"
     rf"{_END}", lambda found: When(at=0.0)),
    (rf"\b(?:right now|now|currently|at the moment|at present|at the end|in the end){_END}",
     lambda found: When()),
    (r"\b(?:then|at that time|at that moment|at the same time)$", lambda found: When(word="then")),
    (r"\b(?:before|earlier|before that|previously|in the past)$",
     lambda found: When(word="before")),
)  # fmt: skip


def without_time(text: str) -> tuple[str, When]:
    """A plain question without what it says of time, and that; the first thing said counts."""
    when = When()
    for pattern, make in _RULES:
        found = re.search(pattern, text)
        if found is None or not when_free(text, found):
            continue
        if not when.given:
            when = make(found)
        text = f"{text[: found.start()]} {text[found.end() :]}"
        text = re.sub(r"\s*,\s*(?=,|$)|^\s*,", " ", text)
        text = re.sub(r"\s+", " ", text).strip(" ,")
    return text, when


def when_free(text: str, found: re.Match[str]) -> bool:
    """Whether a word of time is not the first half of something else ("what came before")."""
    return not (found.group() == "now" and found.start() == 0 and found.end() == len(text))
