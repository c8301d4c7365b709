# SPDX-License-Identifier: Apache-2.0
"""From arguments of tools to moments, things and states: words, `#id`, or the camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from f4x_ros.core.ask.tools.result import not_present, unsure
from f4x_ros.core.ask.tools.scene import ANYTHING, Scene, State, Thing
from f4x_ros.core.data import Presence
from f4x_ros.core.errors import BadInputError, shown

CAMERA = "camera"
"""What stands for the camera where a thing is expected."""

_ALIKE = 0.85  # things that fit so much as well as the best may be meant as well


@dataclass(frozen=True)
class Moment:
    """A moment of a scene."""

    ns: int
    seconds: float  # since the first frame

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s"


def moment(scene: Scene, at: float | None) -> Moment:
    """The moment of an argument `at`: seconds since the first frame, negative before the last.

    Raises:
        BadInputError: a moment outside of what was recorded; names the span.
    """
    first, last = scene.span_ns
    if at is None:
        return Moment(last, (last - first) / 1e9)
    if not math.isfinite(at):
        raise BadInputError(f"at is {at}, expected seconds")
    span_s = (last - first) / 1e9
    seconds = span_s + at if at < 0 else at
    if not -1e-6 <= seconds <= span_s + 1e-6:
        raise BadInputError(
            f"at is {at:g} s, expected 0 to {span_s:.2f} s since the first frame (or negative: "
            "before the last one)"
        )
    return Moment(min(max(first + round(seconds * 1e9), first), last), seconds)


def span(scene: Scene, since: float | None, until: float | None) -> tuple[Moment, Moment]:
    """A span of moments; without a bound from the first or to the last frame.

    Raises:
        BadInputError: it is outside of what was recorded, or ends before it begins.
    """
    begin, end = moment(scene, 0.0 if since is None else since), moment(scene, until)
    if end.ns <= begin.ns:
        raise BadInputError(f"the span is {begin} to {end}, expected an end after its begin")
    return begin, end


def seconds_of(scene: Scene, stamp_ns: int) -> float:
    """Seconds since the first frame."""
    return (stamp_ns - scene.span_ns[0]) / 1e9


def is_anything(words: str) -> bool:
    """Whether words mean things of any kind."""
    return words.strip().lower() in ANYTHING


def named(thing: Thing) -> str:
    """A thing for people: "red mug #3"."""
    return f"{thing.name} #{thing.id}"


def called(thing: Thing, words: str) -> str:
    """What a caller called a thing; its own name where that was an id."""
    return thing.name if words.strip().startswith("#") else words.strip()


def thing_at(scene: Scene, words: str, at: Moment) -> tuple[Thing, State]:
    """The one thing that is meant, as it was at a moment.

    Raises:
        NoValueError: it is not there, unsure, or several are.
        NotUnderstoodError: the words are no name of anything.
        BadInputError: no such id.
    """
    thing = _of_id(scene, words)
    if thing is None:
        thing = _best(scene, words, at)
    state = thing.state_at(at.ns)
    if state is None:
        raise not_present(f"{named(thing)} was not there at {at}", (thing.id,), (at.ns,))
    return thing, state


def things_at(scene: Scene, words: str, at: Moment) -> list[tuple[Thing, State]]:
    """All things that are meant, as they were at a moment; [] where there is none.

    Raises:
        NoValueError: unsure whether there is any.
    """
    if (one := _of_id(scene, words)) is not None:
        found: Sequence[Thing] = [one]
    elif is_anything(words):
        found = scene.things_at(at.ns)
    else:
        answer = scene.find(words, at.ns)
        if answer.presence is Presence.UNSURE:
            raise unsure(_why_unsure(words, answer.message), stamps_ns=(at.ns,))
        found = answer.things if answer.presence is Presence.PRESENT else ()
    states = [(thing, thing.state_at(at.ns)) for thing in found]
    return [(thing, state) for thing, state in states if state is not None]


def thing_over(scene: Scene, words: str, since: Moment, until: Moment) -> Thing:
    """The one thing that is meant, there at any moment of a span; errors as `thing_at`."""
    thing = _of_id(scene, words)
    if thing is not None:
        return thing
    answer = scene.find_over(words, since.ns, until.ns)
    if answer.presence is Presence.NOT_PRESENT or not answer.things:
        raise not_present(f"no {words} between {since} and {until}", stamps_ns=(since.ns, until.ns))
    if answer.presence is Presence.UNSURE:
        raise unsure(_why_unsure(words, answer.message), stamps_ns=(since.ns, until.ns))
    return _the_one(words, answer.things, answer.scores, until)


def things_over(scene: Scene, words: str, since: Moment, until: Moment) -> list[Thing]:
    """All things that are meant, there at any moment of a span."""
    if (one := _of_id(scene, words)) is not None:
        return [one]
    if is_anything(words):
        return list(scene.things_over(since.ns, until.ns))
    answer = scene.find_over(words, since.ns, until.ns)
    if answer.presence is Presence.UNSURE:
        raise unsure(_why_unsure(words, answer.message), stamps_ns=(since.ns, until.ns))
    return list(answer.things) if answer.presence is Presence.PRESENT else []


def place_at(scene: Scene, words: str, at: Moment) -> tuple[str, int, State]:
    """Name, id and state of a thing, or of the camera (id 0, a box without extent)."""
    if words.strip().lower() == CAMERA:
        return CAMERA, 0, camera_state(scene, at)
    thing, state = thing_at(scene, words, at)
    return named(thing), thing.id, state


def camera_state(scene: Scene, at: Moment) -> State:
    """The camera as a thing without extent."""
    T = np.asarray(scene.view_at(at.ns)[1], np.float64)
    nothing = np.zeros(3)
    return State(T[:3, 3].copy(), nothing, nothing, nothing, nothing, moving=False, seen=True)


def _of_id(scene: Scene, words: str) -> Thing | None:
    """The thing that `#12` means; None where words are none."""
    text = words.strip()
    if not text:
        raise BadInputError("a thing is '', expected words, #id or camera")
    if not text.startswith("#"):
        return None
    try:
        thing = scene.thing(int(text[1:]))
    except ValueError:
        thing = None
    if thing is None:
        raise BadInputError(f"no thing has the id {shown(text)}, expected one that a tool gave")
    return thing


def _best(scene: Scene, words: str, at: Moment) -> Thing:
    if is_anything(words):
        raise unsure(f"{words!r} may be anything: say which", stamps_ns=(at.ns,))
    answer = scene.find(words, at.ns)
    if answer.presence is Presence.NOT_PRESENT or not answer.things:
        raise not_present(f"no {words} at {at}", stamps_ns=(at.ns,))
    if answer.presence is Presence.UNSURE:
        raise unsure(_why_unsure(words, answer.message), stamps_ns=(at.ns,))
    return _the_one(words, answer.things, answer.scores, at)


def _the_one(words: str, things: Sequence[Thing], scores: Sequence[float], at: Moment) -> Thing:
    """The best, unless others fit as well."""
    alike = [
        thing for thing, score in zip(things, scores, strict=True) if score >= _ALIKE * scores[0]
    ]
    if len(alike) == 1:
        return alike[0]
    listed = "; ".join(f"{named(thing)}{_place(thing, at)}" for thing in alike[:5])
    raise unsure(
        f"{len(alike)} things may be meant by {words!r}: {listed}. Say which, by #id or in words",
        tuple(thing.id for thing in alike),
        (at.ns,),
    )


def _place(thing: Thing, at: Moment) -> str:
    state = thing.state_at(at.ns)
    return "" if state is None else " at ({:.2f}, {:.2f}, {:.2f})".format(*state.center)


def _why_unsure(words: str, message: str) -> str:
    return f"unsure whether there is a {words}{': ' + message if message else ''}"
