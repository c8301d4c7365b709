# SPDX-License-Identifier: Apache-2.0
"""Tools about how things stand to one another at a moment, and how many do."""

from __future__ import annotations

from f4x_ros.core.ask.tools.resolve import (
    CAMERA,
    Moment,
    camera_state,
    moment,
    named,
    place_at,
    thing_at,
    things_at,
)
from f4x_ros.core.ask.tools.result import Outcome, ToolResult, not_present, unsure
from f4x_ros.core.ask.tools.scene import Scene, State, Thing
from f4x_ros.core.ask.tools.space import RELATIONS, SEEN_RELATIONS, is_between
from f4x_ros.core.ask.tools.told import left_or_right, listing, others_at, told_at
from f4x_ros.core.ask.tools.viewer import Viewer, viewer_of

_OF_ROOM_M = 0.1  # a thing whose base is so near to the floor stands on it


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
        evidence=tuple(told_at(named(one), state) for one, state in candidates[:5]),
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
    return listing("related", found, then, f"{relation} {what} at {then}: {names}")


def support(scene: Scene, thing: str, at: float | None = None) -> ToolResult:
    """What something stands on, or is in."""
    then = moment(scene, at)
    one, state = thing_at(scene, thing, then)
    under = [
        (other, base)
        for other, base in others_at(scene, {one.id}, then)
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
    word, _ = left_or_right(viewer, state, base)
    return f"{word} of" if word else ""


def _depth_relation(viewer: Viewer, state: State, base: State) -> str:
    return "in front of" if viewer.ahead(state) < viewer.ahead(base) else "behind"
