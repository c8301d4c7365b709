# SPDX-License-Identifier: Apache-2.0
"""Tools about one moment: what is there, where, how far, on which side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from f4x_ros.core.ask.tools.resolve import (
    CAMERA,
    Moment,
    called,
    is_anything,
    moment,
    named,
    place_at,
    thing_at,
    things_at,
)
from f4x_ros.core.ask.tools.result import Outcome, ToolResult, not_present, unsure
from f4x_ros.core.ask.tools.scene import Scene, State, Thing
from f4x_ros.core.ask.tools.space import RELATIONS, Z90, distance_of, gap_of, word_of_axis
from f4x_ros.core.ask.tools.told import (
    ids_of,
    left_or_right,
    listing,
    numbers,
    others_at,
    told_at,
)
from f4x_ros.core.ask.tools.viewer import viewer_of
from f4x_ros.core.data import Presence


def find(scene: Scene, thing: str, at: float | None = None) -> ToolResult:
    """Whether something is there."""
    then = moment(scene, at)
    if is_anything(thing):
        found = [(one, one.state_at(then.ns)) for one in scene.things_at(then.ns)]
        listed = [(one, state) for one, state in found if state is not None]
        return listing("find", listed, then, f"{len(listed)} things are known at {then}")
    if thing.startswith("#"):
        one, state = thing_at(scene, thing, then)
        return listing("find", [(one, state)], then, f"{named(one)} is there at {then}")
    answer = scene.find(thing, then.ns)
    ids = tuple(one.id for one in answer.things)
    if answer.presence is Presence.UNSURE:
        raise unsure(f"unsure whether there is a {thing}: {answer.message}", ids, (then.ns,))
    if answer.presence is Presence.NOT_PRESENT or not answer.things:
        raise not_present(f"no {thing} at {then}", (), (then.ns,))
    states = [(one, one.state_at(then.ns)) for one in answer.things]
    listed = [(one, state) for one, state in states if state is not None]
    return listing("find", listed, then, f"{thing}: {_many(len(listed))} at {then}")


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
        "where", Outcome.VALUE, {"position": numbers(state.center), "relations": near}, text,
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
        unit="m", interval=(low, high), ids=ids_of(id_a, id_b), stamps_ns=(then.ns,),
        evidence=(told_at(name_a, first), told_at(name_b, second),
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
    if of == view or (viewer.name != CAMERA and of in (viewer.words, CAMERA)):
        angle, doubt = viewer.angle(state)
        value = "left" if angle > 0 else "right"
        if abs(np.sin(angle)) < max(np.sin(doubt), 1e-3):
            raise unsure(
                f"{name} is straight {'ahead of' if abs(angle) < 1.6 else 'behind'} {viewer.name} "
                f"at {then}", ids_of(number, viewer.number), (then.ns,),
            )  # fmt: skip
        text = f"{name} is on the {value} of {viewer.name} at {then}"
        evidence: tuple[str, ...] = (
            f"{np.degrees(angle):+.0f} degrees from straight ahead, left positive",
        )
        ids = ids_of(number, viewer.number)
    else:
        other, other_id, base = place_at(scene, of, then)
        value, evidence = left_or_right(viewer, state, base)
        if value == "":
            raise unsure(
                f"{name} is neither left nor right of {other} for {viewer.name} at {then}",
                ids_of(number, other_id), (then.ns,),
            )  # fmt: skip
        text = f"{name} is {value} of {other} as seen by {viewer.name} at {then}"
        ids = ids_of(number, other_id)
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
            ids_of(number, other_id), (then.ns,),
        )  # fmt: skip
    value = "in front of" if near < far else "behind"
    return ToolResult(
        "front", Outcome.VALUE, value,
        f"{name} is {value} {other} as seen by {viewer.name} at {then}",
        ids=ids_of(number, other_id), stamps_ns=(then.ns,),
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
        ids=ids_of(number, other_id), stamps_ns=(then.ns,),
        evidence=(f"way ({way[0]:.2f}, {way[1]:.2f}, {way[2]:.2f}) m",),
    )  # fmt: skip


def height(scene: Scene, thing: str, of: str, at: float | None = None) -> ToolResult:
    """Higher or lower than something."""
    then = moment(scene, at)
    name, number, state = place_at(scene, thing, then)
    other, other_id, base = place_at(scene, of, then)
    rise = float(state.center[2] - base.center[2])
    if abs(rise) < max(float(state.sigma_m[2] + base.sigma_m[2]) / 3, 1e-3):
        raise unsure(
            f"{name} is as high as {other} at {then}", ids_of(number, other_id), (then.ns,)
        )
    value = "above" if rise > 0 else "below"
    return ToolResult(
        "height", Outcome.VALUE, value, f"{name} is {value} {other} at {then}",
        ids=ids_of(number, other_id), stamps_ns=(then.ns,),
        evidence=(f"its middle is {abs(rise):.2f} m {'higher' if rise > 0 else 'lower'}",),
    )  # fmt: skip


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
        raise not_present(f"no other {thing} is known at {then}", ids_of(number), (then.ns,))
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


def _neighbours(scene: Scene, one: Thing, state: State, then: Moment) -> list[str]:
    """Relations of a thing to those around it, the telling ones first."""
    said = []
    others = others_at(scene, {one.id}, then)
    for word in ("on", "in", "below"):
        said += [f"{word} {named(other)}" for other, base in others if RELATIONS[word](state, base)]
    beside = [(gap_of(state, base), other) for other, base in others
              if RELATIONS["next to"](state, base)]  # fmt: skip
    said += [f"next to {named(other)}" for _, other in sorted(beside, key=lambda row: row[0])[:2]]
    return said


def _many(number: int) -> str:
    return "1 thing" if number == 1 else f"{number} things"
