# SPDX-License-Identifier: Apache-2.0
"""From ways in words ("20 cm to the left") to shifts of the map frame."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.ask.dialogue.request import Ref
from f4x_ros.core.ask.tools import State
from f4x_ros.core.data import Pose
from f4x_ros.core.edit.words import DOWN, FAR, LEFT, NEAR, RIGHT, UP, Way
from f4x_ros.core.errors import BadInputError

_GAP_M = 0.03  # between things that are put next to each other
_FARTHEST_M = 1000.0

Vector = NDArray[np.float64]


def shift_of(way: Way, state: State, T_map_camera: Pose, other: Callable[[Ref], State]) -> Vector:
    """[3] m, map frame, by which a thing goes.

    Left, right, towards and away are those of the camera, level; the map's z points up.

    Args:
        way: as it was said.
        state: the thing's box.
        T_map_camera: [4, 4] of who looks.
        other: the box of another thing.

    Raises:
        ValueError: a way of more than a kilometre.
    """
    if way.place is not None:
        shift = np.asarray(way.place, np.float64) - state.center
    elif way.beside is not None:
        shift = _beside(way.relation, state, other(way.beside), T_map_camera)
    else:
        shift = way.meters * direction_of(way.direction, state, T_map_camera)
    if not np.linalg.norm(shift) <= _FARTHEST_M:
        raise BadInputError(f"the way is {shift.tolist()} m, expected at most {_FARTHEST_M:g}")
    return shift


def direction_of(word: str, state: State, T_map_camera: Pose) -> Vector:
    """[3] unit vector of a direction."""
    if word in (UP, DOWN):
        return np.array([0.0, 0.0, 1.0 if word == UP else -1.0])
    if word[0] in "+-":
        axis = np.zeros(3)
        axis["xyz".index(word[1])] = 1.0 if word[0] == "+" else -1.0
        return axis
    T = np.asarray(T_map_camera, np.float64)
    if word in (LEFT, RIGHT):
        side = _level(T[:3, 0], -T[:3, 1])
        return side if word == RIGHT else -side
    assert word in (NEAR, FAR)
    ahead = _level(state.center - T[:3, 3], T[:3, 2])
    return ahead if word == FAR else -ahead


def _level(vector: Vector, instead: Vector) -> Vector:
    """Along the floor; where that is nothing, along the other one."""
    for one in (vector, instead, np.array([1.0, 0.0, 0.0])):
        flat = np.array([one[0], one[1], 0.0])
        if (length := float(np.linalg.norm(flat))) > 1e-6:
            return flat / length
    raise AssertionError("unreachable: the last one is level")


def _beside(relation: str, state: State, to: State, T_map_camera: Pose) -> Vector:
    if relation == "on":
        shift = to.center - state.center
        shift[2] = to.high[2] - state.low[2]
        return shift
    right = direction_of(RIGHT, state, T_map_camera)
    apart = float(np.abs(right) @ (state.size + to.size) / 2) + _GAP_M
    shift = to.center + apart * right - state.center
    shift[2] = to.low[2] - state.low[2]
    return shift


def turn_about_z(degrees: float) -> Vector:
    """[3, 3] about the map's z, counterclockwise as seen from above."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
