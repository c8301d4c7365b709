# SPDX-License-Identifier: Apache-2.0
"""Tools about events: what moved, came or left, when something happened, and what came first."""

from __future__ import annotations

from typing import NamedTuple

from f4x_ros.core.ask.tools.motion import MOVED_M, goes, way_of
from f4x_ros.core.ask.tools.resolve import (
    Moment,
    called,
    is_anything,
    moment,
    named,
    seconds_of,
    span,
    thing_over,
    things_over,
)
from f4x_ros.core.ask.tools.result import NoValueError, Outcome, ToolResult, unsure
from f4x_ros.core.ask.tools.scene import ROOM, Scene, Thing

CHANGES = ("moved", "moving", "appeared", "left")
EVENTS = ("stopped", "started", "appeared", "left", "first seen", "last seen")

_EDGE_S = 0.12  # what already moved so shortly after a span's begin did not start in it
_DOUBT_S = 0.4  # that the moment of an event may be off, as tracks lag behind


class Event(NamedTuple):
    """Something that happened to a thing, and what the caller calls it."""

    thing: Thing
    name: str
    what: str
    stamp_ns: int


def changed(
    scene: Scene,
    event: str,
    thing: str = "things",
    among: list[str] | None = None,
    at: float | None = None,
    since: float | None = None,
    until: float | None = None,
) -> ToolResult:
    """All things that moved, are moving, appeared or left."""
    if event == "moving":
        then = moment(scene, at)
        begin = end = then
    else:
        begin, end = span(scene, since, until)
    things: list[Thing] = []
    said: dict[int, str] = {}
    left_out: list[str] = []
    for words in among or [thing]:
        one_of = things_over if among is None or is_anything(words) else _the_one
        try:
            found = one_of(scene, words, begin, end)
        except NoValueError as none:
            if among is None or len(among) == 1:
                raise
            left_out.append(none.text)  # the others can be told of
            continue
        found = [one for one in found if one.name not in ROOM]
        said.update({one.id: called(one, words) for one in found if among is not None})
        things += found
    holding = [one for one in things if _holds(scene, one, event, begin, end)]
    if left_out and not holding:
        raise unsure(f"of the others none: {'; '.join(left_out)}", (), (begin.ns, end.ns))
    when = f"at {begin}" if event == "moving" else f"from {begin} to {end}"
    names = ", ".join(named(one) for one in holding)
    what = {"left": "went away"}.get(event, event)
    others = ", ".join(named(one) for one in things if one not in holding)
    return ToolResult(
        "changed", Outcome.VALUE, [said.get(one.id, one.name) for one in holding],
        f"{what} {when}: {names or 'nothing' if not among else names or 'none of them'}",
        ids=tuple(one.id for one in holding), stamps_ns=tuple(dict.fromkeys((begin.ns, end.ns))),
        evidence=(f"looked at {len(things)} things", *left_out,
                  *((f"not: {others}",) if others and len(things) < 12 else ())),
    )  # fmt: skip


def when(
    scene: Scene,
    thing: str,
    event: str,
    since: float | None = None,
    until: float | None = None,
) -> ToolResult:
    """When something happened to a thing; of several times the last."""
    begin, end = span(scene, since, until)
    one = thing_over(scene, thing, begin, end)
    stamps = stamps_of(scene, one, event, begin, end)
    if not stamps:
        raise unsure(
            f"{named(one)} is not known to have {_past(event)} from {begin} to {end}",
            (one.id,), (begin.ns, end.ns),
        )  # fmt: skip
    times = [seconds_of(scene, ns) for ns in stamps]
    chosen = times[0] if event == "first seen" else times[-1]
    ago = seconds_of(scene, scene.span_ns[1]) - chosen
    also = (
        f", and before at {', '.join(f'{t:.2f} s' for t in times[:-1])}" if len(times) > 1 else ""
    )
    return ToolResult(
        "when", Outcome.VALUE, chosen,
        f"{named(one)} {_said(event)} at {chosen:.2f} s, {ago:.2f} s before the last frame{also}",
        unit="s", interval=(chosen - _DOUBT_S, chosen + _DOUBT_S), ids=(one.id,),
        stamps_ns=tuple(stamps), evidence=tuple(f"{_said(event)} at {t:.2f} s" for t in times),
    )  # fmt: skip


def order(
    scene: Scene,
    events: list[dict[str, str]],
    since: float | None = None,
    until: float | None = None,
) -> ToolResult:
    """In which order some events happened, each one's first time in the span."""
    begin, end = span(scene, since, until)
    found: list[Event] = []
    for given in events:
        one = thing_over(scene, given["thing"], begin, end)
        stamps = stamps_of(scene, one, given["event"], begin, end)
        if not stamps:
            raise unsure(
                f"{named(one)} is not known to have {_past(given['event'])} from {begin} to {end}",
                (one.id,), (begin.ns, end.ns),
            )  # fmt: skip
        found.append(Event(one, called(one, given["thing"]), given["event"], stamps[0]))
    found.sort(key=lambda one: one.stamp_ns)
    told = tuple(
        f"{named(one.thing)} {_said(one.what)} at {seconds_of(scene, one.stamp_ns):.2f} s"
        for one in found
    )
    return ToolResult(
        "order", Outcome.VALUE, [f"{one.name} {one.what}" for one in found],
        "; then ".join(told), ids=tuple(one.thing.id for one in found),
        stamps_ns=tuple(one.stamp_ns for one in found), evidence=told,
    )  # fmt: skip


def stamps_of(scene: Scene, thing: Thing, event: str, begin: Moment, end: Moment) -> list[int]:
    """Moments in a span at which an event happened to a thing, in order; [] if at none."""
    if event in ("stopped", "started"):
        edge = int(_EDGE_S * 1e9)
        pieces = way_of(scene, thing, begin, end).pieces()
        if event == "stopped":
            last = min(end.ns, thing.span_ns()[1])
            return [b for _, b in pieces if b < last - edge]
        first = max(begin.ns, thing.span_ns()[0])
        return [a for a, _ in pieces if a > first + edge]
    if event in ("first seen", "last seen"):
        seen = _seen(thing, begin, end)
        return [] if not seen else [seen[0] if event == "first seen" else seen[-1]]
    stamp = thing.came_ns() if event == "appeared" else thing.gone_ns()
    return [stamp] if stamp is not None and begin.ns <= stamp <= end.ns else []


def _seen(thing: Thing, begin: Moment, end: Moment) -> list[int]:
    """Moments of a span, a tenth of a second apart, at which a thing was in sight."""
    step = max(int(1e8), (end.ns - begin.ns) // 600)
    stamps = [*range(begin.ns, end.ns, step), end.ns]
    states = ((ns, thing.state_at(ns)) for ns in stamps)
    return [ns for ns, state in states if state is not None and state.seen]


def _holds(scene: Scene, thing: Thing, event: str, begin: Moment, end: Moment) -> bool:
    if event == "moving":
        state = thing.state_at(begin.ns)
        return state is not None and goes(state)
    if event == "moved":
        way = way_of(scene, thing, begin, end)
        return way.reach_m >= MOVED_M and bool(way.pieces())
    return bool(stamps_of(scene, thing, event, begin, end))


def _the_one(scene: Scene, words: str, begin: Moment, end: Moment) -> list[Thing]:
    return [thing_over(scene, words, begin, end)]


def _said(event: str) -> str:
    return {"left": "went away", "first seen": "was first seen", "last seen": "was last seen",
            "started": "started to move"}.get(event, event)  # fmt: skip


def _past(event: str) -> str:
    return {"left": "gone away", "first seen": "been seen", "last seen": "been seen",
            "started": "started to move"}.get(event, event)  # fmt: skip
