# SPDX-License-Identifier: Apache-2.0
"""Drawn worlds with an edit made in truth: a thing taken away, moved, in another colour, or twice.

What an edited map is measured against. Ids of all other things stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.dataset import World
from f4x_ros.sim.motion import Pose
from f4x_ros.sim.raycast import Drawing, Raycaster
from f4x_ros.sim.scene import Scene, SceneObject, Thing, build_scene

_NEVER = ((-2.0, -1.0),)  # seconds in which a thing exists that does not

Change = Callable[[Scene], Scene]


class ChangedWorld:
    """A world after a change, seen by the same camera at the same moments.

    Args:
        world: as it was.
        change: one of the functions below, with what it is about.
    """

    def __init__(self, world: World, change: Change) -> None:
        self._world = world
        self.scene = change(world.scene)
        self._raycaster = Raycaster(self.scene)

    def drawing(self, index: int) -> Drawing:
        """What an ideal camera sees at frame `index`, drawn anew at each call."""
        world = self._world
        t = (int(world.stamps_ns[index]) - int(world.stamps_ns[0])) / 1e9
        return self._raycaster.draw(world.camera, world.camera_pose(index), t, world.seed)


def without(number: int) -> Change:
    """The thing with an id is taken away, with its shadow."""
    return lambda scene: _with(scene, number, lambda made: replace(made, life=_NEVER))


def displaced(number: int, transform: Pose) -> Change:
    """The thing with an id is moved, `T_map_map` [4, 4], and with it all its ways."""
    moved: NDArray[np.float64] = np.asarray(transform, np.float64)
    return lambda scene: _with(scene, number, lambda made: replace(made, base=moved @ made.base))


def doubled(number: int, transform: Pose) -> Change:
    """The thing with an id is there once more, displaced; it has the next free id."""

    def change(scene: Scene) -> Scene:
        made = _object(scene, number)
        label = replace(made.label, id=len(scene.objects) + 1, name=f"other {made.label.name}")
        other = replace(made, label=label, base=np.asarray(transform, np.float64) @ made.base)
        return replace(scene, objects=(*scene.objects, other))

    return change


def dyed(number: int, color: str) -> Change:
    """The thing with an id has another colour word."""

    def change(scene: Scene) -> Scene:
        name = _object(scene, number).label.name
        first = len(scene.objects) - len(scene.spec.things)
        position = number - 1 - first
        if position < 0:
            raise BadInputError(f"thing {name!r} is part of the room, expected one that is in it")
        things = list(scene.spec.things)
        thing: Thing = things[position]
        things[position] = replace(thing, color=color, name=name)
        return build_scene(replace(scene.spec, things=tuple(things)))

    return change


def _object(scene: Scene, number: int) -> SceneObject:
    if not 1 <= number <= len(scene.objects):
        raise BadInputError(f"thing is {number}, expected 1..{len(scene.objects)}")
    return scene.objects[number - 1]


def _with(scene: Scene, number: int, change: Callable[[SceneObject], SceneObject]) -> Scene:
    _object(scene, number)
    objects = [change(made) if made.label.id == number else made for made in scene.objects]
    return replace(scene, objects=tuple(objects))
