# SPDX-License-Identifier: Apache-2.0
"""Edits in words: "move the red mug 20 cm to the left" to a wish, by a grammar of our own.

Things are described as questions describe them (`core.ask.dialogue`). What is left over is never
passed over: then the wish is not understood, and which part of it is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from f4x_ros.core.ask.dialogue.moments import without_time
from f4x_ros.core.ask.dialogue.normal import normal
from f4x_ros.core.ask.dialogue.nouns import NotANounError, noun
from f4x_ros.core.ask.dialogue.request import Ref, When
from f4x_ros.core.base.limits import check_length, check_letters
from f4x_ros.core.edit.change import RGB
from f4x_ros.core.errors import NotUnderstoodError

MAX_LETTERS = 500
"""Characters of one wish."""

CAN_DO = (
    "remove a thing, make it a colour, move it (a distance to the left, right, up, down, towards "
    "or away from the camera or along +x ... -z, to (x, y, z), or on / next to another thing), "
    "turn it by degrees, scale it by a factor, copy it (like move), extract it to FILE.ply or "
    "FILE.f4x, insert FILE at (x, y, z), undo"
)
"""What the grammar understands, for people."""

LEFT, RIGHT, UP, DOWN, NEAR, FAR = "left", "right", "up", "down", "towards", "away"


@dataclass(frozen=True)
class Way:
    """Where a thing goes.

    Attributes:
        direction: left, right, up, down, towards, away (as the camera sees it), or +x ... -z.
        meters: how far.
        place: x, y, z of the map instead.
        beside: a thing instead, with `relation` "on" or "next to".
        relation: see `beside`.
    """

    direction: str = ""
    meters: float = 0.0
    place: tuple[float, float, float] | None = None
    beside: Ref | None = None
    relation: str = ""


@dataclass(frozen=True)
class Wish:
    """An edit in words, read.

    Attributes:
        kind: "remove", "recolor", "move", "turn", "scale", "copy", "extract", "insert", "undo".
        thing: what it is about; None of an insertion and an undo.
        color: word of `RGB`.
        way: of a move, a copy, an insertion.
        degrees: of a turn, about the vertical, counterclockwise from above.
        factor: of a scale.
        file: of an extraction or an insertion.
        when: at which moment the thing is looked for, or the span the edit is for.
        anyway: whatever the look at the selection finds ("... anyway").
    """

    kind: str
    thing: Ref | None = None
    color: str = ""
    way: Way | None = None
    degrees: float = 0.0
    factor: float = 1.0
    file: str = ""
    when: When = field(default_factory=When)
    anyway: bool = False


_N = r"-?\d+(?:\.\d+)?"
_NUMBER = rf"(?P<n>{_N}|an?|one|two|three|half an?|half)"
_UNIT = r"(?P<unit>m|metres?|cm|centimetres?|centimeters?|mm|millimetres?|millimeters?)"
_DISTANCE = rf"(?:by )?{_NUMBER} ?(?:a )?{_UNIT}"
_DIRECTION = (
    r"(?:to (?:the |my |your )?|towards the |on the |along )?(?P<dir>left|right|up|upwards?|down|"
    r"downwards?|higher|lower|forwards?|backwards?|back|away(?: from (?:me|you|the camera))?|"
    r"towards (?:me|you|the camera)|closer|nearer|farther|further|[+-] ?[xyz])(?: axis)?"
)
_XYZ = rf"(?P<x>{_N})\s*[, ]\s*(?P<y>{_N})\s*[, ]\s*(?P<z>{_N})"
_PLACE = rf"(?:to|at) (?:the (?:place|position|point) )?(?:, )?{_XYZ}(?: ,)?"
_ON = r"(?P<rel>on top of|onto|on|next to|beside|near) (?P<b>.+)"
_MOVE = r"(?:move|shift|push|slide|drag|bring|carry|put|place|set|lift|raise|lower|drop)"
_COPY = r"(?:copy|duplicate|clone|repeat)"
_WAYS = (rf"{_DISTANCE} {_DIRECTION}", rf"{_DIRECTION} {_DISTANCE}", _PLACE, _ON)

_NUMBERS = {"a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0}
_UNITS = {"m": 1.0, "c": 0.01}
_DIRECTIONS = {
    "left": LEFT, "right": RIGHT, "up": UP, "higher": UP, "down": DOWN, "lower": DOWN,
    "forward": FAR, "away": FAR, "farther": FAR, "further": FAR, "back": NEAR, "backward": NEAR,
    "towards": NEAR, "closer": NEAR, "nearer": NEAR,
}  # fmt: skip
_COLORS = "|".join([*RGB, "violet", "tan"])
_SAME = {"violet": "purple", "tan": "beige"}


def read_wish(text: str) -> Wish:
    """The edit that a text asks for.

    Raises:
        NotUnderstoodError: it is none that the grammar has; says which part and what would be.
        BadInputError: it is blank or too long.
    """
    check_length("edit", text, MAX_LETTERS)
    check_letters(text)
    plain = re.sub(r"[\s,]+(?:anyway|all the same|regardless)[\s.!]*$", "", text, flags=re.I)
    if plain != text:
        return replace(read_wish(plain), anyway=True)
    if (filed := _with_file(text)) is not None:
        return filed
    plain, when = without_time(normal(text))
    plain = re.sub(r"^(?:can|could|would|will) you (?:please )?", "", plain)
    plain = re.sub(r"\b(-?\d+) , (\d+)\b(?= ?(?:m|cm|mm)\b)", r"\1.\2", plain)
    if re.fullmatch(r"undo(?: (?:it|that|the last (?:one|edit)))?|take (?:it|that) back", plain):
        return Wish("undo")
    blamed = plain
    for kind, pattern in _SHAPES:
        found = re.fullmatch(pattern, plain)
        if found is None:
            continue
        try:
            return _wish(kind, found.groupdict(), when, plain)
        except NotANounError as error:
            blamed = str(error) or plain
    raise NotUnderstoodError(text, blamed if plain else text, f"expected to {CAN_DO}")


_A = "(?P<a>.+?)"
_SHAPES: tuple[tuple[str, str], ...] = (
    ("recolor", rf"(?:make|paint|color|recolor|dye|turn|spray) {_A} (?:in )?(?P<color>{_COLORS})"),
    ("recolor", rf"(?:change|set) the color of {_A} to (?P<color>{_COLORS})"),
    ("scale", rf"(?:scale|resize) {_A} (?:by|to)(?: a factor of)? (?P<n>{_N})(?: times)?"),
    ("scale", rf"make {_A} (?P<n>{_N}|two|three) times (?:as )?(?P<larger>large|larger|big|bigger|"
     r"small|smaller)(?: as it is)?"),
    ("scale", rf"make {_A} (?P<half>half|twice) (?:as (?:large|big)|the size)(?: as it is)?"),
    ("scale", rf"(?P<half>double|halve) (?:the size of )?{_A}"),
    ("turn", rf"(?:turn|rotate|spin) {_A} (?:by )?(?P<n>{_N}) ?(?:degrees?|deg|°)"
     r"(?: (?:to the )?(?P<sense>clockwise|counterclockwise|counter-clockwise|anticlockwise|left|"
     r"right))?"),
    ("turn", rf"(?:turn|rotate) {_A} (?P<sense>around|upside down)"),
    *(("move", rf"{_MOVE} {_A} {way}") for way in _WAYS),
    ("move", rf"(?P<verb>lift|raise|lower|drop) {_A} {_DISTANCE}"),
    *(("copy", rf"{_COPY} {_A} {way}") for way in _WAYS),
    ("remove", rf"(?:remove|delete|erase|hide|clear away|get rid of|take (?:away|out|off)) {_A}"),
    ("remove", rf"take {_A} (?:away|out|off)"),
)  # fmt: skip


def _with_file(text: str) -> Wish | None:
    """An edit that names a file, whose letters stay as they are."""
    plain = re.sub(r"\s+", " ", text.strip().rstrip("."))
    found = re.fullmatch(rf"(?i:insert|add|import) (?P<f>\S+) (?i:at|to) \(?{_XYZ}\)?", plain)
    if found is not None:
        way = Way(place=(float(found["x"]), float(found["y"]), float(found["z"])))
        return Wish("insert", way=way, file=found["f"])
    found = re.fullmatch(
        r"(?i:extract|export|save) (?P<a>.+?) (?i:to|into|as) (?P<f>\S+\.(?:ply|f4x))", plain
    )
    if found is None:
        return None
    rest, when = without_time(normal(found["a"]))
    try:
        return Wish("extract", noun(rest), file=found["f"], when=when)
    except NotANounError as error:
        raise NotUnderstoodError(text, str(error), f"expected to {CAN_DO}") from None


def _wish(kind: str, parts: dict[str, str | None], when: When, plain: str) -> Wish:
    """A shape with its slots; NotANounError where one describes no thing."""
    thing = noun(str(parts["a"]))
    if kind == "recolor":
        color = str(parts["color"])
        return Wish(kind, thing, color=_SAME.get(color, color), when=when)
    if kind == "scale":
        return Wish(kind, thing, factor=_factor(parts, plain), when=when)
    if kind == "turn":
        return Wish(kind, thing, degrees=_degrees(parts), when=when)
    if kind in ("move", "copy"):
        return Wish(kind, thing, way=_way(parts), when=when)
    return Wish(kind, thing, when=when)


def _number(word: str) -> float:
    return 0.5 if word.startswith("half") else _NUMBERS.get(word) or float(word)


def _factor(parts: dict[str, str | None], plain: str) -> float:
    if half := parts.get("half"):
        return 0.5 if half in ("half", "halve") else 2.0
    factor = _number(str(parts["n"]))
    if not 0.01 <= factor <= 100:
        raise NotANounError(plain)
    return 1 / factor if str(parts.get("larger") or "").startswith("small") else factor


def _degrees(parts: dict[str, str | None]) -> float:
    sense = parts.get("sense") or ""
    if sense == "upside down":
        raise NotANounError(sense)  # about the vertical only
    if sense == "around":
        return 180.0
    degrees = float(str(parts["n"]))
    return -degrees if sense in ("clockwise", "right") else degrees


def _way(parts: dict[str, str | None]) -> Way:
    if parts.get("x") is not None:
        return Way(place=(float(str(parts["x"])), float(str(parts["y"])), float(str(parts["z"]))))
    if parts.get("b") is not None:
        relation = "on" if str(parts["rel"]).startswith("on") else "next to"
        return Way(beside=noun(str(parts["b"])), relation=relation)
    unit = str(parts["unit"])
    size = 0.001 if unit.startswith(("mm", "mil")) else _UNITS[unit[0]]
    meters = _number(str(parts["n"])) * size
    if verb := parts.get("verb"):
        return Way(UP if verb in ("lift", "raise") else DOWN, meters)
    word = str(parts["dir"])
    if word[0] in "+-":
        return Way(word.replace(" ", "")[:2], meters)
    first = word.split()[0]
    return Way(_DIRECTIONS.get(first) or _DIRECTIONS[first.removesuffix("s")], meters)
