# SPDX-License-Identifier: Apache-2.0
"""Descriptions of things: "the red mug that is on the table nearest to the sofa"."""

from __future__ import annotations

import re

from f4x_ros.core.ask.dialogue.request import Filter, Ref
from f4x_ros.core.ask.tools.resolve import CAMERA
from f4x_ros.core.ask.tools.scene import ANYTHING
from f4x_ros.core.features.phrases import COLORS, MATERIALS

_DETERMINERS = re.compile(
    r"^(?:the|a|an|any|some|this|that|these|those|my|your|our|its|all|all the|another|every|"
    r"the two|both|exactly)\s+(?=\S)"
)
_TAILS = re.compile(
    r"\s+(?:in the room|in this room|in the scene|in here|here|there|anywhere|around|"
    r"in the world|in the map|in total|please|at all)$"
)
_PRONOUNS = frozenset("it that this he she they him her them one itself".split())
_CAMERA = frozenset(
    ["camera", "cam", "viewer", "you", "me", "i", "us", "yourself", "the camera", "robot's camera",
     "observer", "sensor"]
)  # fmt: skip
_NO_NOUN = frozenset(
    "is are was were be been do does did has have had what which who whom whose that where when "
    "why how "
    "the a an and or than if not no of to from at by as could would will should may might must "
    "you i me he she it they we us there here left right front behind LR FB HL TA GS "
    "looking standing facing seen moved moving side direction far away closest nearest "
    "first last then before after more most less least how".split()
)
_MAX_WORDS = 5

RELATION_OF = {
    "on": "on", "on top of": "on", "upon": "on", "atop": "on", "onto": "on",
    "in": "in", "inside": "in", "inside of": "in", "within": "in",
    "above": "above", "over": "above",
    "below": "below", "under": "below", "underneath": "below", "beneath": "below",
    "next to": "next to", "beside": "next to", "near": "next to", "close to": "next to",
    "by": "next to", "adjacent to": "next to", "alongside": "next to",
    "left of": "left of", "to the left of": "left of", "on the left of": "left of",
    "on the left side of": "left of",
    "right of": "right of", "to the right of": "right of", "on the right of": "right of",
    "on the right side of": "right of",
    "in front of": "in front of", "ahead of": "in front of",
    "behind": "behind", "in back of": "behind",
    "between": "between",
}  # fmt: skip
"""Words for relations, and the tools' word."""

REL = "|".join(sorted(map(re.escape, RELATION_OF), key=len, reverse=True))
"""Any of them, for patterns."""

_SUPER = {
    "biggest": "biggest", "largest": "biggest", "smallest": "smallest", "littlest": "smallest",
    "tallest": "tallest", "highest": "tallest", "shortest": "shortest", "lowest": "shortest",
    "fastest": "fastest", "quickest": "fastest", "slowest": "slowest",
}  # fmt: skip
_EVENTS = {
    "moved": "moved", "was moved": "moved", "has moved": "moved", "has been moved": "moved",
    "had moved": "moved", "is moving": "moving", "moves": "moving", "was moving": "moving",
    "are moving": "moving", "appeared": "appeared", "has appeared": "appeared",
    "is new": "appeared", "was added": "appeared", "came": "appeared", "was put there": "appeared",
    "left": "left", "has left": "left", "disappeared": "left", "went away": "left",
    "has disappeared": "left", "is gone": "left", "was taken away": "left", "was removed": "left",
}  # fmt: skip
_EV = "|".join(sorted(map(re.escape, _EVENTS), key=len, reverse=True))
_BE = r"(?:(?:is|are|was|were|stands?|stood|lies|lay|sits|sat|lying|standing|sitting|placed) )?"
_NEAR = r"(?P<near>nearest|closest|nearer|closer|farthest|furthest)(?: away)? (?:to|from)"
_IRREGULAR = {"people": "person", "persons": "person", "mice": "mouse", "shelves": "shelf",
              "knives": "knife", "children": "child", "men": "man", "women": "woman",
              "buses": "bus", "loaves": "loaf"}  # fmt: skip
_NOT_PLURAL = ("ss", "us", "is")


class NotANounError(Exception):
    """Words that describe no thing; the text is the part."""


def noun(text: str) -> Ref:
    """A description of things.

    Raises:
        NotANounError: it is none.
    """
    text = _stripped(text)
    if text in _PRONOUNS:
        return Ref("", pronoun=True)
    if text in _CAMERA:
        return Ref(CAMERA)
    return _clause(text) or _superlative(text) or _plain(text)


def nouns(text: str) -> tuple[Ref, ...]:
    """Several descriptions: "the mug, the bottle or the book"."""
    parts = [part for part in re.split(r"\s*,\s*|\s+(?:or|and)\s+", text) if part]
    parts = [re.sub(r"^(?:or|and|to|from)\s+", "", part) for part in parts]
    return tuple(noun(part) for part in parts)


def singular(words: str) -> tuple[str, bool]:
    """A name for one thing, and whether it was one for several."""
    *first, last = words.split()
    if last in _IRREGULAR:
        return " ".join([*first, _IRREGULAR[last]]), True
    plural = last.endswith("s") and not last.endswith(_NOT_PLURAL) and len(last) > 3
    if not plural:
        return words, False
    if last.endswith("ies") and len(last) > 4:
        last = last[:-3] + "y"
    elif last.endswith(("ches", "shes", "xes", "sses")):
        last = last[:-2]
    else:
        last = last[:-1]
    return " ".join([*first, last]), True


def _stripped(text: str) -> str:
    text = text.strip(" ,")
    while (shorter := _TAILS.sub("", _DETERMINERS.sub("", text))) != text:
        text = shorter
    return text


def _clause(text: str) -> Ref | None:
    """A thing and what is said of it after its name."""
    patterns = (
        rf"(?P<a>.+?) (?:that|which|who) (?P<event>{_EV})",
        rf"(?P<a>.+?) (?:that|which|who) {_BE}{_NEAR} (?P<b>.+)",
        rf"(?P<a>.+?) (?:that|which|who) {_BE}(?P<rel>{REL}) (?P<b>.+)",
        rf"(?P<a>.+?) {_NEAR} (?P<b>.+)",
        rf"{_NEAR.split('(?: away)')[0]} (?P<a>.+?) (?:to|from) (?P<b>.+)",
        rf"(?P<a>.+?) {_BE}(?P<rel>{REL}) (?P<b>.+)",
        r"moving (?P<a>.+)(?P<event2>)",
    )
    for pattern in patterns:
        found = re.fullmatch(pattern, text)
        made = None if found is None else _filtered(found.groupdict())
        if made is not None:
            return made
    return None


def _filtered(parts: dict[str, str]) -> Ref | None:
    if parts.get("rel") == "in" and _is_look(parts["b"]):
        return None  # a person in red
    try:
        base = noun(parts["a"])
        if "event" in parts:
            made = Filter("event", _EVENTS[parts["event"]])
        elif "event2" in parts:
            made = Filter("event", "moving")
        elif "near" in parts:
            kind = "farthest" if parts["near"] in ("farthest", "furthest") else "nearest"
            made = Filter(kind, to=noun(parts["b"]))
        else:
            made = _relation(RELATION_OF[parts["rel"]], parts["b"])
    except NotANounError:
        return None
    return Ref(base.words, (*base.filters, made), base.plural)


def _relation(word: str, to: str) -> Filter:
    if word != "between":
        return Filter("relation", word, noun(to))
    both = re.fullmatch(r"(.+?) and (.+)", to)
    if both is None:
        raise NotANounError(to)
    return Filter("relation", word, noun(both[1]), noun(both[2]))


def _superlative(text: str) -> Ref | None:
    first, _, rest = text.partition(" ")
    if first not in _SUPER or not rest:
        return None
    base = noun(rest)
    return Ref(base.words, (*base.filters, Filter(_SUPER[first])), base.plural)


def _is_look(text: str) -> bool:
    """Whether words after "in" tell what somebody wears."""
    words = [word for word in _stripped(text).split() if word not in ("and", "the", "a")]
    clothes = {"shirt", "jacket", "coat", "dress", "clothes", "sweater", "trousers", "pullover"}
    known = {*COLORS, *MATERIALS, *clothes, "grey", "dark", "light"}
    return bool(words) and all(word in known for word in words)


def _plain(text: str) -> Ref:
    """A name alone."""
    words = text.split()
    if not words or len(words) > _MAX_WORDS:
        raise NotANounError(text)
    for word in words:
        if word in _NO_NOUN or not re.fullmatch(r"#?-?[^\W_]+(?:[-'][^\W_]+)*", word):
            raise NotANounError(text)
    if text.startswith("#"):
        return Ref(text)
    if len(words) >= 3 and words[-2] == "in" and _is_look(words[-1]):
        name, plural = singular(" ".join(words[:-2]))
        return Ref(f"{name} in {words[-1]}", plural=plural)
    name, plural = singular(text)
    name = "thing" if name in ANYTHING else name
    return Ref(name, plural=plural)
