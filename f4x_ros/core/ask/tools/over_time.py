# SPDX-License-Identifier: Apache-2.0
"""Where things were over a span, and what moved, appeared or left in it, as values for programs.

What counts as a move, and when something came or went, is what the tools for questions in words say
(`motion`, `changes`): one truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from f4x_ros.core.ask.tools.changes import stamps_of
from f4x_ros.core.ask.tools.mapped import Followed, Spotted
from f4x_ros.core.ask.tools.motion import MOVED_M, Way, way_of
from f4x_ros.core.ask.tools.resolve import Moment, things_over
from f4x_ros.core.ask.tools.result import NoValueError
from f4x_ros.core.ask.tools.scene import ROOM, Scene, even_stamps
from f4x_ros.core.base.limits import (
    MAX_ALL_STATES,
    MAX_EVENTS,
    MAX_HISTORIES,
    MAX_PROMPT_LETTERS,
    MAX_STATES,
    MAX_STEP_S,
    MIN_STEP_S,
    USUAL_STATES,
    check_length,
)
from f4x_ros.core.data import Event, Happening, HistoryResult, ThingStates, Track
from f4x_ros.core.errors import BadInputError

Recorded = Followed | Spotted

_EDGE_NS = 120_000_000  # so shortly before a span's end something still moves
_PUT_DOWN_NS = 1_000_000_000  # what rests for less is held, or halts on its way
_LEAD_NS = 300_000_000  # a track says later than this that its thing has begun to move
_LOOK_NS = 100_000_000  # steps in which a state at rest is looked for


def history(
    scene: Scene,
    *,
    thing: str = "",
    since_ns: int = 0,
    until_ns: int = 0,
    step_s: float = 0.0,
    max_states: int = 0,
    want_states: bool = True,
    want_events: bool = True,
) -> HistoryResult:
    """Where things were over a span, and what happened to them.

    Args:
        scene: of a map.
        thing: `#id`, words, or "" for all that is followed.
        since_ns: begin of the span; 0 = the first frame.
        until_ns: its end; 0 = the last frame. The same as the begin: that moment alone.
        step_s: seconds between states; 0 = as the map keeps them, on straight lines between.
        max_states: of each thing, thinned evenly; 0 = `USUAL_STATES`.
        want_states: whether to return states.
        want_events: whether to look for events.

    Raises:
        NotUnderstoodError: the words are no name of anything.
        ValueError: a span, a step or a number that is not as expected, or no such id.
    """
    check_length("prompt", thing, MAX_PROMPT_LETTERS)
    _check_numbers(step_s, max_states)
    begin, end = _span(scene, since_ns, until_ns)
    said: list[str] = []
    try:
        named = things_over(scene, thing.strip() or "things", begin, end)
    except NoValueError as none:
        named = []
        said.append(none.text)
    found = [cast(Recorded, one) for one in named if one.name not in ROOM]
    if thing.strip() and not found and not said:
        said.append(f"no {thing.strip()} between {begin} and {end}")
    ways = {one.id: way_of(scene, one, begin, end) for one in found} if end.ns > begin.ns else {}
    chosen = _first_movers(found, ways)
    if len(chosen) < len(found):
        said.append(f"{len(found) - len(chosen)} more things, which moved less, are left out")
    things: list[ThingStates] = []
    if want_states and chosen:
        most = min(max_states or USUAL_STATES, MAX_ALL_STATES // len(chosen))
        things = [_states(one, begin.ns, end.ns, step_s, most) for one in chosen]
        things = [one for one in things if one.stamps_ns]
    events: list[Event] = []
    if want_events and end.ns > begin.ns:
        for one in chosen:
            events += _moves(one, ways[one.id], begin.ns, end.ns)
            events += _comings(scene, one, begin, end)
        events.sort(key=lambda event: (event.begin_ns, event.id))
        if len(events) > MAX_EVENTS:
            said.append(f"{len(events) - MAX_EVENTS} earlier events are left out")
            events = events[-MAX_EVENTS:]
    said.insert(0, _summary(things, events, want_states=want_states, want_events=want_events))
    return HistoryResult(
        begin.ns, end.ns, scene.map_frame, "; ".join(said), tuple(things), tuple(events)
    )


def _check_numbers(step_s: float, max_states: int) -> None:
    if step_s != 0 and not MIN_STEP_S <= step_s <= MAX_STEP_S:  # (NaN is refused, too)
        raise BadInputError(
            f"step is {step_s:g}, expected 0 or {MIN_STEP_S:g} to {MAX_STEP_S:g} seconds"
        )
    if not 0 <= max_states <= MAX_STATES:
        raise BadInputError(
            f"max_states is {max_states}, expected 0 to {MAX_STATES} (0 = {USUAL_STATES})"
        )


def _span(scene: Scene, since_ns: int, until_ns: int) -> tuple[Moment, Moment]:
    first, last = scene.span_ns
    begin, end = since_ns or first, until_ns or last
    for name, ns in (("since", begin), ("until", end)):
        if not first <= ns <= last:
            raise BadInputError(
                f"{name} is {ns / 1e9:.3f} s, expected {first / 1e9:.3f} to {last / 1e9:.3f} s, as "
                "was recorded"
            )
    if end < begin:
        raise BadInputError(
            f"until is {end / 1e9:.3f} s, expected no moment before since, {begin / 1e9:.3f} s"
        )
    return Moment(begin, (begin - first) / 1e9), Moment(end, (end - first) / 1e9)


def _first_movers(found: Sequence[Recorded], ways: dict[int, Way]) -> list[Recorded]:
    """As many as an answer has, ascending id; of more those that got farthest."""
    if len(found) > MAX_HISTORIES:
        reach = {number: way.reach_m for number, way in ways.items()}
        found = sorted(found, key=lambda one: -reach.get(one.id, 0.0))[:MAX_HISTORIES]
    return sorted(found, key=lambda one: one.id)


def _states(thing: Recorded, since: int, until: int, step_s: float, most: int) -> ThingStates:
    stamps = thing.stamps_in(since, until)
    if step_s and stamps:
        first, last = stamps[0], stamps[-1]
        count = int((last - first) / 1e9 / step_s) + 1
        step_ns = round(step_s * 1e9)
        stamps = (
            [first + k * step_ns for k in range(count)]
            if count <= most
            else even_stamps(first, last, most)
        )
    if len(stamps) > most:
        rows = np.linspace(0, len(stamps) - 1, most).round().astype(int)
        stamps = [stamps[row] for row in dict.fromkeys(rows.tolist())]
    known = [(ns, track) for ns in stamps if (track := _at(thing, ns)) is not None]
    return ThingStates(
        thing.id, thing.name, tuple(ns for ns, _ in known), tuple(track for _, track in known)
    )


def _at(thing: Recorded, stamp_ns: int) -> Track | None:
    """What it was like; where nothing was seen since, `last_seen_ns` stays behind."""
    track = thing.track_at(stamp_ns)
    if track is None or track.last_seen_ns <= stamp_ns:
        return track
    return replace(track, last_seen_ns=stamp_ns)


def _moves(thing: Recorded, way: Way, since: int, until: int) -> list[Event]:
    """Each piece of time in which it moved, with where it rested before and after."""
    pieces = _errands(way.pieces())
    events = []
    for number, (begin, end) in enumerate(pieces):
        earliest = pieces[number - 1][1] if number else since
        latest = pieces[number + 1][0] if number + 1 < len(pieces) else until
        goes_on = end >= min(until, way.stamps_ns[-1]) - _EDGE_NS
        before = _at_rest(thing, begin - _LEAD_NS, earliest, begin)
        after = _at(thing, end) if goes_on else _at_rest(thing, latest - _LEAD_NS, end, latest)
        if before is None or after is None:
            continue
        part = _part(way, begin, end)
        shift = float(np.linalg.norm(after.position - before.position))
        if max(shift, part.reach_m) < MOVED_M:
            continue
        events.append(
            Event(Happening.MOVED, thing.id, thing.name, begin, end, before, after,
                  part.length_m, goes_on)
        )  # fmt: skip
    return events


def _errands(pieces: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Pieces of motion with no rest between them in which something is put down."""
    merged: list[tuple[int, int]] = []
    for begin, end in pieces:
        if merged and begin - merged[-1][1] < _PUT_DOWN_NS:
            begin = merged.pop()[0]
        merged.append((begin, end))
    return merged


def _at_rest(thing: Recorded, wished: int, earliest: int, latest: int) -> Track | None:
    """The state at rest latest in a span but not after `wished`; else the one at its edge.

    The latest, as a place gets more exact the longer it is looked at.
    """
    for ns in range(max(wished, earliest), earliest - 1, -_LOOK_NS):
        track = _at(thing, ns)
        if track is not None and not track.moving:
            return track
    for ns in (earliest, latest):
        if (track := _at(thing, ns)) is not None:
            return track
    return None


def _part(way: Way, begin: int, end: int) -> Way:
    rows = [k for k, ns in enumerate(way.stamps_ns) if begin <= ns <= end]
    cut = slice(rows[0], rows[-1] + 1)
    return Way(
        way.stamps_ns[cut], way.centers[cut], way.speeds[cut], way.moving[cut], way.sigmas[cut]
    )


def _comings(scene: Scene, thing: Recorded, begin: Moment, end: Moment) -> list[Event]:
    """When it appeared or left in the span."""
    events = []
    first, last = (ns for ns in thing.span_ns())
    for event, what in ((Happening.APPEARED, "appeared"), (Happening.LEFT, "left")):
        for ns in stamps_of(scene, thing, what, begin, end):
            at = max(ns, first) if event is Happening.APPEARED else min(ns, last)
            track = _at(thing, at) or _at(thing, at - _LOOK_NS)
            if track is not None:
                events.append(Event(event, thing.id, thing.name, ns, ns, track, track))
    return events


def _summary(
    things: Sequence[ThingStates], events: Sequence[Event], *, want_states: bool, want_events: bool
) -> str:
    said = []
    if want_states:
        said.append(f"{len(things)} thing{'' if len(things) == 1 else 's'}")
    if want_events:
        said.append(f"{len(events)} event{'' if len(events) == 1 else 's'}")
    return ", ".join(said) or "nothing was asked for"
