# SPDX-License-Identifier: Apache-2.0
"""How things and places are told of in results, for the tools about one moment."""

from __future__ import annotations

import numpy as np

from f4x_ros.core.ask.tools.resolve import Moment, named
from f4x_ros.core.ask.tools.result import Outcome, ToolResult
from f4x_ros.core.ask.tools.scene import ROOM, Scene, State, Thing, Vector
from f4x_ros.core.ask.tools.viewer import Viewer


def left_or_right(viewer: Viewer, state: State, base: State) -> tuple[str, tuple[str, ...]]:
    """Left, right, or "" where the difference is within what is known; and the difference."""
    first, doubt = viewer.angle(state)
    second, other_doubt = viewer.angle(base)
    turn = float((first - second + np.pi) % (2 * np.pi) - np.pi)
    evidence = (f"{np.degrees(turn):+.1f} degrees apart as seen, left positive",)
    if abs(turn) < max(float(np.hypot(doubt, other_doubt)), 1e-3):
        return "", evidence
    return ("left" if turn > 0 else "right"), evidence


def listing(tool: str, found: list[tuple[Thing, State]], then: Moment, text: str) -> ToolResult:
    """A result that lists things with their places and sizes."""
    value = [
        {"id": one.id, "name": one.name, "position": numbers(state.center),
         "size": numbers(state.size), "moving": state.moving}
        for one, state in found
    ]  # fmt: skip
    return ToolResult(
        tool, Outcome.VALUE, value, text, ids=tuple(one.id for one, _ in found),
        stamps_ns=(then.ns,), evidence=tuple(
            told_at(named(one), state) for one, state in found[:10]
        ),
    )  # fmt: skip


def others_at(scene: Scene, ids: set[int], then: Moment) -> list[tuple[Thing, State]]:
    """All that is known at a moment, but for some and for parts of the room."""
    found = [(one, one.state_at(then.ns)) for one in scene.things_at(then.ns)]
    return [(one, state) for one, state in found
            if state is not None and one.id not in ids and one.name not in ROOM]  # fmt: skip


def ids_of(*numbers: int) -> tuple[int, ...]:
    """Ids, each once, without that of the camera, 0."""
    return tuple(dict.fromkeys(number for number in numbers if number))


def told_at(name: str, state: State) -> str:
    """A name with its place."""
    return "{} at ({:.2f}, {:.2f}, {:.2f}) m".format(name, *state.center)


def numbers(vector: Vector) -> list[float]:
    """A vector as JSON has it, to a tenth of a millimetre."""
    return [round(float(x), 4) for x in vector]
