# SPDX-License-Identifier: Apache-2.0
"""A scene as a graph, for programs that take one: things, relations between them, histories."""

from __future__ import annotations

from typing import Any

from f4x_ros.core.ask.tools.motion import way_of
from f4x_ros.core.ask.tools.resolve import Moment, moment, seconds_of
from f4x_ros.core.ask.tools.scene import Scene, State, Thing
from f4x_ros.core.ask.tools.space import RELATIONS, gap_of

VERSION = 1
"""Of the layout."""

_POINTS = 60  # of one history
_GRAPH_RELATIONS = ("on", "in", "next to")


def scene_graph(scene: Scene, at: float | None = None, *, histories: bool = True) -> dict[str, Any]:
    """Things at a moment as nodes, relations as edges; doc/ask.md has the fields.

    Args:
        scene: of a map or of a drawn world.
        at: the moment, as tools take it.
        histories: whether nodes have the places of their things over time.
    """
    then = moment(scene, at)
    known = [(thing, thing.state_at(then.ns)) for thing in scene.things_at(then.ns)]
    rows = [(thing, state) for thing, state in known if state is not None]
    return {
        "format": "f4x scene graph",
        "version": VERSION,
        "frame": scene.map_frame,
        "stamp_ns": then.ns,
        "seconds": then.seconds,
        "span_ns": list(scene.span_ns),
        "nodes": [_node(scene, thing, state, histories) for thing, state in rows],
        "edges": [
            {"from": one.id, "relation": word, "to": other.id, "gap_m": round(gap_of(a, b), 3)}
            for one, a in rows
            for other, b in rows
            for word in _GRAPH_RELATIONS
            if one.id != other.id and RELATIONS[word](a, b)
        ],
    }


def _node(scene: Scene, thing: Thing, state: State, histories: bool) -> dict[str, Any]:
    came, gone = thing.came_ns(), thing.gone_ns()
    node: dict[str, Any] = {
        "id": thing.id,
        "name": thing.name,
        "position": _round(state.center),
        "size": _round(state.size),
        "sigma_m": _round(state.sigma_m),
        "velocity": _round(state.velocity),
        "moving": state.moving,
        "seen": state.seen,
        "appeared_ns": came,
        "left_ns": gone,
    }
    if histories:
        node["history"] = _history(scene, thing)
    return node


def _history(scene: Scene, thing: Thing) -> list[dict[str, Any]]:
    """Places over time; of what rests only the first and the last."""
    begin, end = (Moment(ns, seconds_of(scene, ns)) for ns in scene.span_ns)
    way = way_of(scene, thing, begin, end)
    if not way.stamps_ns:
        return []
    rows = range(len(way.stamps_ns)) if any(way.moving) else (0, len(way.stamps_ns) - 1)
    step = max(1, len(rows) // _POINTS)
    return [
        {"seconds": round(seconds_of(scene, way.stamps_ns[k]), 3),
         "position": _round(way.centers[k]), "moving": way.moving[k]}
        for k in list(rows)[::step]
    ]  # fmt: skip


def _round(vector: Any) -> list[float]:
    return [round(float(x), 4) for x in vector]
