# SPDX-License-Identifier: Apache-2.0
"""Tools about one moment: what is there, where, how far, on which side, how things stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from f4x_ros.core.ask.tools.resolve import (
    CAMERA,
    Moment,
    called,
    camera_state,
    is_anything,
    moment,
    named,
    place_at,
    thing_at,
    things_at,
)
from f4x_ros.core.ask.tools.result import Outcome, ToolResult, not_present, unsure
from f4x_ros.core.ask.tools.scene import ROOM, Scene, State, Thing, Vector
from f4x_ros.core.ask.tools.space import (
    RELATIONS,
    SEEN_RELATIONS,
    Z90,
    distance_of,
    gap_of,
    is_between,
    word_of_axis,
)
from f4x_ros.core.ask.tools.viewer import Viewer, viewer_of
from f4x_ros.core.data import Presence

_OF_ROOM_M = 0.1  # a thing whose base is so near to the floor stands on it


def find(scene: Scene, thing: str, at: float | None = None) -> ToolResult:
    """Whether something is there."""
    then = moment(scene, at)
    if is_anything(thing):
        found = [(one, one.state_at(then.ns)) for one in scene.things_at(then.ns)]
        listed = [(one, state) for one, state in found if state is not None]
        return _listing("find", listed, then, f"{len(listed)} things are known at {then}")
    if thing.startswith("#"):
        one, state = thing_at(scene, thing, then)
        return _listing("find", [(one, state)], then, f"{named(one)} is there at {then}")
    answer = scene.find(thing, then.ns)
    ids = tuple(one.id for one in answer.things)
    if answer.presence is Presence.UNSURE:
        raise unsure(f"unsure whether there is a {thing}: {answer.message}", ids, (then.ns,))
    if answer.presence is Presence.NOT_PRESENT or not answer.things:
        raise not_present(f"no {thing} at {then}", (), (then.ns,))
    states = [(one, one.state_at(then.ns)) for one in answer.things]
    listed = [(one, state) for one, state in states if state is not None]
    return _listing("find", listed, then, f"{thing}: {_many(len(listed))} at {then}")


def count(
    scene: Scene,
    thing: str,
    at: float | None = None,
    relation: str | None = None,
    to: str | None = None,
    to2: str | None = None,
) -> ToolResult:
    """How many there are, or how many stand in a relation to something."""
    then = moment(scene, at)
    if relation is None:
        found = [one for one, _ in things_at(scene, thing, then)]
        where = ""
    else:
        if to is None:
            raise unsure("a relation needs something that it is to")
        found = [one for one, _ in _in_relation(scene, thing, relation, to, to2, then)]
        where = f" {relation} {to}"
    names = tuple(named(one) for one in found)
    text = f"{len(found)} {thing}{where} at {then}" + (f": {', '.join(names)}" if names else "")
    return ToolResult(
        "count", Outcome.VALUE, len(found), text, ids=tuple(one.id for one in found),
        stamps_ns=(then.ns,), evidence=names,
    )  # fmt: skip


def where(scene: Scene, thing: str, at: float | None = None) -> ToolResult:
    """Where something is: position, what it stands on, what it is next to."""
    then = moment(scene, at)
    one, state = thing_at(scene, thing, then)
    near = _neighbours(scene, one, state, then)
    place = "({:.2f}, {:.2f}, {:.2f}) m".format(*state.center)
    text = f"{named(one)} was at {place} of {scene.map_frame} at {then}"
    text += f", {near[0]}" if near else ""
    sigma = float(np.linalg.norm(state.sigma_m))
    return ToolResult(
        "where", Outcome.VALUE, {"position": _numbers(state.center), "relations": near}, text,
        unit="m", ids=(one.id,), stamps_ns=(then.ns,),
        evidence=(f"position {place}, standard deviation {sigma:.2f} m", *near),
    )  # fmt: skip


def distance(scene: Scene, a: str, b: str = CAMERA, at: float | None = None) -> ToolResult:
    """How far two things, or one and the camera, are apart."""
    then = moment(scene, at)
    (name_a, id_a, first), (name_b, id_b, second) = (
        place_at(scene, a, then),
        place_at(scene, b, then),
    )
    value, sigma = distance_of(first, second)
    low, high = max(0.0, value - Z90 * sigma), value + Z90 * sigma
    return ToolResult(
        "distance", Outcome.VALUE, value,
        f"{value:.2f} m between the middles of {name_a} and {name_b} at {then} "
        f"({low:.2f} to {high:.2f})",
        unit="m", interval=(low, high), ids=_ids(id_a, id_b), stamps_ns=(then.ns,),
        evidence=(_at(name_a, first), _at(name_b, second),
                  f"{gap_of(first, second):.2f} m between their boxes"),
    )  # fmt: skip


def side(
    scene: Scene,
    thing: str,
    of: str = CAMERA,
    view: str = CAMERA,
    towards: str | None = None,
    at: float | None = None,
) -> ToolResult:
    """Left or right of something, as seen by somebody."""
    then = moment(scene, at)
    (name, number, state) = place_at(scene, thing, then)
    viewer = viewer_of(scene, view, towards, then)
    if of == view or viewer.name != CAMERA and of in (viewer.words, CAMERA):
        angle, doubt = viewer.angle(state)
        value = "left" if angle > 0 else "right"
        if abs(np.sin(angle)) < max(np.sin(doubt), 1e-3):
            raise unsure(
                f"{name} is straight {'ahead of' if abs(angle) < 1.6 else 'behind'} {viewer.name} "
                f"at {then}", _ids(number, viewer.number), (then.ns,),
            )  # fmt: skip
        text = f"{name} is on the {value} of {viewer.name} at {then}"
        evidence: tuple[str, ...] = (f"{np.degrees(angle):+.0f} degrees from straight ahead, left positive",)
        ids = _ids(number, viewer.number)
    else:
        other, other_id, base = place_at(scene, of, then)
        value, evidence = _left_or_right(viewer, state, base)
        if value == "":
            raise unsure(
                f"{name} is neither left nor right of {other} for {viewer.name} at {then}",
                _ids(number, other_id), (then.ns,),
            )  # fmt: skip
        text = f"{name} is {value} of {other} as seen by {viewer.name} at {then}"
        ids = _ids(number, other_id)
    return ToolResult(
        "side", Outcome.VALUE, value, text, ids=ids, stamps_ns=(then.ns,),
        evidence=(*evidence, *viewer.evidence),
    )  # fmt: skip


def front(
    scene: Scene, thing: str, of: str, view: str = CAMERA, at: float | None = None
) -> ToolResult:
    """In front of something or behind it, as seen by somebody."""
    then = moment(scene, at)
    name, number, state = place_at(scene, thing, then)
    other, other_id, base = place_at(scene, of, then)
    viewer = viewer_of(scene, view, None, then)
    near, far = viewer.ahead(state), viewer.ahead(base)
    doubt = float(np.linalg.norm(state.sigma_m + base.sigma_m)) / 4
    if abs(near - far) < max(doubt, 1e-3):
        raise unsure(
            f"{name} is as far from {viewer.name} as {other} at {then}",
            _ids(number, other_id), (then.ns,),
        )  # fmt: skip
    value = "in front of" if near < far else "behind"
    return ToolResult(
        "front", Outcome.VALUE, value,
        f"{name} is {value} {other} as seen by {viewer.name} at {then}",
        ids=_ids(number, other_id), stamps_ns=(then.ns,),
        evidence=(f"{near:.2f} m and {far:.2f} m ahead", *viewer.evidence),
    )  # fmt: skip


def direction(scene: Scene, thing: str, of: str, at: float | None = None) -> ToolResult:
    """In which direction of the map's axes one thing lies from another."""
    then = moment(scene, at)
    name, number, state = place_at(scene, thing, then)
    other, other_id, base = place_at(scene, of, then)
    way = state.center - base.center
    value = word_of_axis(way)
    angle = float(np.degrees(np.arctan2(way[1], way[0])))
    return ToolResult(
        "direction", Outcome.VALUE, value,
        f"{name} is in {value} direction of {scene.map_frame} from {other} at {then} "
        f"({angle:.0f} degrees from +x towards +y)",
        ids=_ids(number, other_id), stamps_ns=(then.ns,),
        evidence=(f"way ({way[0]:.2f}, {way[1]:.2f}, {way[2]:.2f}) m",),
    )  # fmt: skip


def height(scene: Scene, thing: str, of: str, at: float | None = None) -> ToolResult:
    """Higher or lower than something."""
    then = moment(scene, at)
    name, number, state = place_at(scene, thing, then)
    other, other_id, base = place_at(scene, of, then)
    rise = float(state.center[2] - base.center[2])
    if abs(rise) < max(float(state.sigma_m[2] + base.sigma_m[2]) / 3, 1e-3):
        raise unsure(f"{name} is as high as {other} at {then}", _ids(number, other_id), (then.ns,))
    value = "above" if rise > 0 else "below"
    return ToolResult(
        "height", Outcome.VALUE, value, f"{name} is {value} {other} at {then}",
        ids=_ids(number, other_id), stamps_ns=(then.ns,),
        evidence=(f"its middle is {abs(rise):.2f} m {'higher' if rise > 0 else 'lower'}",),
    )  # fmt: skip


def relation(
    scene: Scene,
    thing: str,
    relation: str,
    to: str,
    to2: str | None = None,
    at: float | None = None,
) -> ToolResult:
    """Whether one thing stands in a relation to another."""
    then = moment(scene, at)
    candidates = things_at(scene, thing, then)
    if not candidates:
        raise not_present(f"no {thing} at {then}", (), (then.ns,))
    holding = [one for one, _ in _in_relation(scene, thing, relation, to, to2, then)]
    value = bool(holding)
    about = holding or [one for one, _ in candidates]
    what = f"{to} and {to2}" if to2 else to
    text = f"{'yes' if value else 'no'}: {', '.join(named(one) for one in about[:5])} "
    text += f"{'is' if len(about) == 1 else 'are'}{'' if value else ' not'} {relation} {what}"
    return ToolResult(
        "relation", Outcome.VALUE, value, f"{text} at {then}",
        ids=tuple(one.id for one in about), stamps_ns=(then.ns,),
        evidence=tuple(_at(named(one), state) for one, state in candidates[:5]),
    )  # fmt: skip


def related(
    scene: Scene,
    relation: str,
    to: str,
    to2: str | None = None,
    thing: str = "things",
    at: float | None = None,
) -> ToolResult:
    """All that stands in a relation to something: what is on the table."""
    then = moment(scene, at)
    found = _in_relation(scene, thing, relation, to, to2, then)
    what = f"{to} and {to2}" if to2 else to
    names = ", ".join(named(one) for one, _ in found) or "nothing that is known"
    return _listing("related", found, then, f"{relation} {what} at {then}: {names}")


def support(scene: Scene, thing: str, at: float | None = None) -> ToolResult:
    """What something stands on, or is in."""
    then = moment(scene, at)
    one, state = thing_at(scene, thing, then)
    under = [
        (other, base)
        for other, base in _others(scene, {one.id}, then)
        if RELATIONS["on"](state, base) or RELATIONS["in"](state, base)
    ]
    if under:
        best, base = min(under, key=lambda pair: abs(float(state.low[2] - pair[1].high[2])))
        off = float(state.low[2] - base.high[2])
        return ToolResult(
            "support", Outcome.VALUE, best.name, f"{named(one)} is on {named(best)} at {then}",
            ids=(best.id, one.id), stamps_ns=(then.ns,),
            evidence=(f"its base is {off:+.2f} m from the other's top",),
        )  # fmt: skip
    if abs(float(state.low[2])) < _OF_ROOM_M:
        return ToolResult(
            "support", Outcome.VALUE, "floor", f"{named(one)} is on the floor at {then}",
            ids=(one.id,), stamps_ns=(then.ns,),
            evidence=(f"its base is at {state.low[2]:+.2f} m",),
        )  # fmt: skip
    raise unsure(f"nothing known is under {named(one)} at {then}", (one.id,), (then.ns,))


def nearest(
    scene: Scene,
    to: str,
    thing: str = "things",
    which: str = "nearest",
    at: float | None = None,
) -> ToolResult:
    """What is nearest to something, or farthest from it, of all things or of some kind."""
    then = moment(scene, at)
    name, number, base = place_at(scene, to, then)
    others = [(one, state) for one, state in things_at(scene, thing, then) if one.id != number]
    if not others:
        raise not_present(f"no other {thing} is known at {then}", _ids(number), (then.ns,))
    return _extreme(
        "nearest",
        [(one, *distance_of(state, base)) for one, state in others],
        f"{which} to {name}" if which == "nearest" else f"farthest from {name}",
        then,
        largest=which == "farthest",
    )


def closer(
    scene: Scene, to: str, among: list[str], which: str = "nearest", at: float | None = None
) -> ToolResult:
    """Which of some named things is nearest to something, or farthest from it."""
    then = moment(scene, at)
    name, _, base = place_at(scene, to, then)
    measured, said = [], {}
    for words in among:
        one, state = thing_at(scene, words, then)
        measured.append((one, *distance_of(state, base)))
        said[one.id] = called(one, words)
    result = _extreme(
        "closer",
        measured,
        f"{which} to {name}" if which == "nearest" else f"farthest from {name}",
        then,
        largest=which == "farthest",
    )
    return replace(result, value=said[result.ids[0]])


# --- shared --------------------------------------------------------------------------------------


def _extreme(
    tool: str, measured: list[tuple[Thing, float, float]], what: str, then: Moment, *, largest: bool
) -> ToolResult:
    ordered = sorted(measured, key=lambda row: row[1], reverse=largest)
    best = ordered[0]
    rest = "; ".join(f"{named(one)} {value:.2f} m" for one, value, _ in ordered[1:5])
    return ToolResult(
        tool, Outcome.VALUE, best[0].name,
        f"{named(best[0])} is {what} at {then}, {best[1]:.2f} m",
        ids=(best[0].id,), stamps_ns=(then.ns,),
        evidence=(f"{named(best[0])} {best[1]:.2f} m", *((rest,) if rest else ())),
    )  # fmt: skip


def _in_relation(
    scene: Scene, thing: str, relation: str, to: str, to2: str | None, then: Moment
) -> list[tuple[Thing, State]]:
    """All things of a name in a relation to any that `to` means."""
    if to == CAMERA:
        bases = [camera_state(scene, then)]
        ids: set[int] = set()
    else:
        meant = things_at(scene, to, then)
        if not meant:
            raise not_present(f"no {to} at {then}", (), (then.ns,))
        if to2 is not None or relation in SEEN_RELATIONS:
            meant = [thing_at(scene, to, then)]
        bases, ids = [state for _, state in meant], {one.id for one, _ in meant}
    candidates = [(one, state) for one, state in things_at(scene, thing, then)
                  if one.id not in ids]  # fmt: skip
    if relation == "between":
        if to2 is None:
            raise unsure("between needs two things: to and to2", stamps_ns=(then.ns,))
        _, other_id, other = place_at(scene, to2, then)
        return [(one, state) for one, state in candidates
                if one.id != other_id and is_between(state, bases[0], other)]  # fmt: skip
    if relation in SEEN_RELATIONS:
        viewer = viewer_of(scene, CAMERA, None, then)
        return [(one, state) for one, state in candidates
                if _seen_relation(viewer, state, bases[0]) == relation
                or (relation in ("in front of", "behind")
                    and _depth_relation(viewer, state, bases[0]) == relation)]  # fmt: skip
    test = RELATIONS[relation]
    return [(one, state) for one, state in candidates if any(test(state, base) for base in bases)]


def _seen_relation(viewer: Viewer, state: State, base: State) -> str:
    word, _ = _left_or_right(viewer, state, base)
    return f"{word} of" if word else ""


def _depth_relation(viewer: Viewer, state: State, base: State) -> str:
    return "in front of" if viewer.ahead(state) < viewer.ahead(base) else "behind"


def _left_or_right(viewer: Viewer, state: State, base: State) -> tuple[str, tuple[str, ...]]:
    """"left", "right", or "" where the difference is within what is known."""
    first, doubt = viewer.angle(state)
    second, other_doubt = viewer.angle(base)
    turn = float((first - second + np.pi) % (2 * np.pi) - np.pi)
    evidence = (f"{np.degrees(turn):+.1f} degrees apart as seen, left positive",)
    if abs(turn) < max(float(np.hypot(doubt, other_doubt)), 1e-3):
        return "", evidence
    return ("left" if turn > 0 else "right"), evidence


def _neighbours(scene: Scene, one: Thing, state: State, then: Moment) -> list[str]:
    """Relations of a thing to those around it, the telling ones first."""
    said = []
    others = _others(scene, {one.id}, then)
    for word in ("on", "in", "below"):
        said += [f"{word} {named(other)}" for other, base in others if RELATIONS[word](state, base)]
    beside = [(gap_of(state, base), other) for other, base in others
              if RELATIONS["next to"](state, base)]  # fmt: skip
    said += [f"next to {named(other)}" for _, other in sorted(beside, key=lambda row: row[0])[:2]]
    return said


def _others(scene: Scene, ids: set[int], then: Moment) -> list[tuple[Thing, State]]:
    found = [(one, one.state_at(then.ns)) for one in scene.things_at(then.ns)]
    return [(one, state) for one, state in found
            if state is not None and one.id not in ids and one.name not in ROOM]  # fmt: skip


def _listing(
    tool: str, found: list[tuple[Thing, State]], then: Moment, text: str
) -> ToolResult:
    value = [
        {"id": one.id, "name": one.name, "position": _numbers(state.center),
         "size": _numbers(state.size), "moving": state.moving}
        for one, state in found
    ]  # fmt: skip
    return ToolResult(
        tool, Outcome.VALUE, value, text, ids=tuple(one.id for one, _ in found),
        stamps_ns=(then.ns,), evidence=tuple(_at(named(one), state) for one, state in found[:10]),
    )  # fmt: skip


def _numbers(vector: Vector) -> list[float]:
    return [round(float(x), 4) for x in vector]


def _at(name: str, state: State) -> str:
    return "{} at ({:.2f}, {:.2f}, {:.2f}) m".format(name, *state.center)


def _ids(*numbers: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for number in numbers if number))


def _many(number: int) -> str:
    return "1 thing" if number == 1 else f"{number} things"
