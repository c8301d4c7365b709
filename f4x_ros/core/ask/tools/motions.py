# SPDX-License-Identifier: Apache-2.0
"""Tools about motion: speed, heading, towards or away, and the way that was taken."""

from __future__ import annotations

import numpy as np

from f4x_ros.core.ask.tools.motion import Way, goes, speed_of, way_of
from f4x_ros.core.ask.tools.resolve import (
    moment,
    named,
    place_at,
    seconds_of,
    span,
    thing_at,
    thing_over,
)
from f4x_ros.core.ask.tools.result import Outcome, ToolResult, unsure
from f4x_ros.core.ask.tools.scene import Scene
from f4x_ros.core.ask.tools.space import Z90, word_of_axis

_LEAST_RATE_MPS = 0.02  # a distance that changes more slowly does not change
_TOLD = 12  # positions of a way in its evidence
_LEAST_WAY_M = 0.03  # that the length of a way may be off in any case


def speed(scene: Scene, thing: str, at: float | None = None) -> ToolResult:
    """How fast something moves."""
    then = moment(scene, at)
    one, state = thing_at(scene, thing, then)
    value, sigma = speed_of(state)
    low, high = max(0.0, value - Z90 * sigma), value + Z90 * sigma
    said = f"moves at {value:.2f} m/s" if value else "rests"
    return ToolResult(
        "speed", Outcome.VALUE, value,
        f"{named(one)} {said} at {then} ({low:.2f} to {high:.2f} m/s)",
        unit="m/s", interval=(low, high), ids=(one.id,), stamps_ns=(then.ns,),
        evidence=("velocity ({:.2f}, {:.2f}, {:.2f}) m/s".format(*state.velocity),
                  *(() if state.seen else ("it was out of sight then",))),
    )  # fmt: skip


def heading(scene: Scene, thing: str, at: float | None = None) -> ToolResult:
    """Which way something moves: as the camera sees it, and along the map's axes."""
    then = moment(scene, at)
    one, state = thing_at(scene, thing, then)
    if not goes(state):
        raise unsure(f"{named(one)} does not move at {then}", (one.id,), (then.ns,))
    T = np.asarray(scene.view_at(then.ns)[1], np.float64)
    right, ahead = (float(state.velocity @ T[:3, axis]) for axis in (0, 2))
    aside, depth = "right" if right > 0 else "left", "away" if ahead > 0 else "towards"
    axis = word_of_axis(state.velocity)
    degrees = float(np.degrees(np.arctan2(state.velocity[1], state.velocity[0])))
    value = {
        "main": aside if abs(right) >= abs(ahead) else depth,
        "side": aside,
        "depth": depth,
        "map": axis,
        "degrees": round(degrees, 1),
    }
    toward = "towards" if depth == "towards" else "away from"
    text = f"{named(one)} moves to the {aside} and {toward} the camera at {then}"
    if abs(right) >= 3 * abs(ahead):
        text = f"{named(one)} moves to the {aside} as seen by the camera at {then}"
    elif abs(ahead) >= 3 * abs(right):
        text = f"{named(one)} moves {toward} the camera at {then}"
    return ToolResult(
        "heading", Outcome.VALUE, value,
        f"{text}, {axis} in {scene.map_frame} ({degrees:.0f} degrees from +x towards +y)",
        ids=(one.id,), stamps_ns=(then.ns,),
        evidence=("velocity ({:.2f}, {:.2f}, {:.2f}) m/s".format(*state.velocity),),
    )  # fmt: skip


def towards(scene: Scene, thing: str, to: str, at: float | None = None) -> ToolResult:
    """Whether something comes nearer to something else or goes away from it."""
    then = moment(scene, at)
    name, number, state = place_at(scene, thing, then)
    other, other_id, base = place_at(scene, to, then)
    ids = tuple(one for one in (number, other_id) if one)
    if not goes(state) and not goes(base):
        raise unsure(f"neither {name} nor {other} moves at {then}", ids, (then.ns,))
    way = base.center - state.center
    length = float(np.linalg.norm(way))
    if length < 1e-6:
        raise unsure(f"{name} is in the place of {other} at {then}", ids, (then.ns,))
    own = state.velocity if goes(state) else np.zeros(3)
    others = base.velocity if goes(base) else np.zeros(3)
    rate = float((others - own) @ way) / length  # m/s that the distance grows
    if abs(rate) < _LEAST_RATE_MPS:
        raise unsure(f"{name} passes {other} at {then}", ids, (then.ns,))
    value = "away" if rate > 0 else "towards"
    said = "goes away from" if rate > 0 else "comes nearer to"
    return ToolResult(
        "towards", Outcome.VALUE, value, f"{name} {said} {other} at {then}",
        ids=ids, stamps_ns=(then.ns,),
        evidence=(f"{length:.2f} m apart, {rate:+.2f} m/s",),
    )  # fmt: skip


def travelled(
    scene: Scene, thing: str, since: float | None = None, until: float | None = None
) -> ToolResult:
    """The way something took in a span, and how long it is."""
    begin, end = span(scene, since, until)
    one = thing_over(scene, thing, begin, end)
    way = way_of(scene, one, begin, end)
    if not way.stamps_ns:
        raise unsure(f"nothing is known of {named(one)} from {begin} to {end}", (one.id,))
    length = way.length_m
    off = Z90 * way.doubt * length + _LEAST_WAY_M
    low, high = max(0.0, length - off), length + off
    apart = float(np.linalg.norm(way.centers[-1] - way.centers[0]))
    return ToolResult(
        "travelled", Outcome.VALUE, length,
        f"{named(one)} went {length:.2f} m from {begin} to {end} "
        f"({low:.2f} to {high:.2f}), and is {apart:.2f} m from where it began",
        unit="m", interval=(low, high), ids=(one.id,),
        stamps_ns=(way.stamps_ns[0], way.stamps_ns[-1]), evidence=_places(scene, way),
    )  # fmt: skip


def _places(scene: Scene, way: Way) -> tuple[str, ...]:
    """Some positions on a way."""
    rows = np.unique(np.linspace(0, len(way.stamps_ns) - 1, _TOLD).astype(int)).tolist()
    return tuple(
        "{:.2f} s ({:.2f}, {:.2f}, {:.2f}) m".format(
            seconds_of(scene, way.stamps_ns[row]), *way.centers[row]
        )
        for row in rows
    )
