# SPDX-License-Identifier: Apache-2.0
"""The exact truth of a drawn world as a `Scene`: what tools say of it is reasoning alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.ask.rivals import KINDS
from f4x_ros.core.ask.tools import Found, State, Thing
from f4x_ros.core.ask.tools.scene import even_stamps
from f4x_ros.core.data import PinholeCamera, Pose, Presence
from f4x_ros.core.errors import NotUnderstoodError
from f4x_ros.core.features.phrases import described
from f4x_ros.sim import World
from f4x_ros.sim.motion import velocity_of
from f4x_ros.sim.scene import SceneObject
from f4x_ros.sim.shapes import CLASSES

_ROOM = ("floor", "wall", "ceiling")
_STILL_MPS = 0.01
_LIFE_STEP_S = 1 / 30


class TrueThing:
    """One object of a drawn world."""

    def __init__(self, world: World, made: SceneObject) -> None:
        self._world, self._made = world, made
        self.id, self.name = made.label.id, made.label.name
        self._state = lru_cache(4096)(self._state_of)
        self._rests = made.motion is None and not made.links

    def state_at(self, stamp_ns: int) -> State | None:
        """Its exact state; None while it does not exist."""
        t = (stamp_ns - int(self._world.stamps_ns[0])) / 1e9
        if not self._made.exists(t):
            return None
        return self._state(0.0 if self._rests else t)

    def _state_of(self, t: float) -> State:
        made, nothing = self._made, np.zeros(3)
        pose = made.pose(t)
        points = made.mesh_at(t).vertices @ pose[:3, :3].T + pose[:3, 3]
        low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
        to_center = np.eye(4)
        to_center[:3, 3] = made.label.center
        velocity, _ = velocity_of(lambda s: made.pose(s) @ to_center, t)
        moving = bool(np.linalg.norm(velocity) > _STILL_MPS)
        return State((low + high) / 2, high - low, nothing, velocity, nothing, moving, seen=True)

    def span_ns(self) -> tuple[int, int]:
        """From when it first exists to when it last does."""
        stamps = self._existing()
        return (stamps[0], stamps[-1]) if stamps else (int(self._world.stamps_ns[0]),) * 2

    def came_ns(self) -> int | None:
        """When it began to exist, if that was during the recording."""
        stamps = self._existing()
        return stamps[0] if stamps and stamps[0] > int(self._world.stamps_ns[0]) else None

    def gone_ns(self) -> int | None:
        """When it ceased to exist, if that was during the recording."""
        stamps = self._existing()
        return stamps[-1] if stamps and stamps[-1] < int(self._world.stamps_ns[-1]) else None

    def _existing(self) -> list[int]:
        """Stamps of the frames at which it exists."""
        first = int(self._world.stamps_ns[0])
        return [
            int(ns) for ns in self._world.stamps_ns if self._made.exists((int(ns) - first) / 1e9)
        ]


class TrueScene:
    """A drawn world, known exactly.

    Args:
        world: of which the frames are drawn where depth is asked for.
    """

    map_frame = "map"

    def __init__(self, world: World) -> None:
        self._world = world
        self._things = [
            TrueThing(world, made) for made in world.scene.objects
            if made.label.cls not in ("wall", "ceiling")
        ]  # fmt: skip
        self._labels = world.labels

    @property
    def span_ns(self) -> tuple[int, int]:
        """Stamps of the first and the last frame."""
        return int(self._world.stamps_ns[0]), int(self._world.stamps_ns[-1])

    def find(self, words: str, stamp_ns: int) -> Found:
        """Objects whose names, synonyms, colours and materials are the words."""
        named = self._named(words)
        there = [thing for thing in named if thing.state_at(stamp_ns) is not None]
        presence = Presence.PRESENT if there else Presence.NOT_PRESENT
        return Found(presence, tuple(there), (1.0,) * len(there))

    def _named(self, words: str) -> list[TrueThing]:
        """All that answer to words; those with this very name alone, if there are any."""
        same = [thing for thing in self._things if self._labels[thing.id].name == words]
        return same or [thing for thing in self._things if self._answers(thing, words)]

    def find_over(self, words: str, since_ns: int, until_ns: int) -> Found:
        """The same, at any moment."""
        named = self._named(words)
        presence = Presence.PRESENT if named else Presence.NOT_PRESENT
        return Found(presence, tuple(named), (1.0,) * len(named))

    def things_at(self, stamp_ns: int) -> Sequence[Thing]:
        """All objects but the room's parts."""
        return [
            thing for thing in self._things
            if thing.state_at(stamp_ns) is not None and self._labels[thing.id].cls not in _ROOM
        ]  # fmt: skip

    def things_over(self, since_ns: int, until_ns: int) -> Sequence[Thing]:
        """All objects but the room's parts that exist at some moment of a span."""
        stamps = even_stamps(since_ns, until_ns, 60)
        return [
            thing for thing in self._things
            if self._labels[thing.id].cls not in _ROOM
            and any(thing.state_at(ns) is not None for ns in stamps)
        ]  # fmt: skip

    def thing(self, number: int) -> Thing | None:
        """An object by its instance id."""
        return next((thing for thing in self._things if thing.id == number), None)

    def view_at(self, stamp_ns: int) -> tuple[PinholeCamera, Pose]:
        """The exact pose at the nearest frame."""
        return self._world.camera, self._world.camera_pose(self._index(stamp_ns))

    def depth(
        self, stamp_ns: int, camera: PinholeCamera, T_map_camera: Pose
    ) -> NDArray[np.float32]:
        """Exact depth, drawn at the nearest frame."""
        del camera  # (the world has one)
        index = self._index(stamp_ns)
        if np.allclose(T_map_camera, self._world.camera_pose(index)):
            return self._world.drawing(index).depth
        return self._world.view(index, T_map_camera)[1].depth

    def color_of(self, thing: Thing, stamp_ns: int) -> tuple[tuple[str, float], ...]:
        """The colour it was made in."""
        return ((self._labels[thing.id].color, 1.0),)

    def _index(self, stamp_ns: int) -> int:
        return int(np.abs(self._world.stamps_ns.astype(np.int64) - stamp_ns).argmin())

    def _answers(self, thing: Thing, words: str) -> bool:
        label = self._labels[thing.id]
        about = described(words)
        if words in _all_names():  # "rubber duck" is no duck of rubber
            about = about._replace(kind=words, attributes=())
        names = {label.cls, *CLASSES[label.cls].also}
        for name in tuple(names):
            names.update(CLASSES[name].synonyms)
        if about.kind and about.kind not in _all_names():
            raise NotUnderstoodError(words, about.kind, "expected the name of a thing")
        if about.kind and about.kind not in names:
            return False
        return all(word in (label.color, label.material) for word in about.attributes)


@lru_cache(1)
def _all_names() -> frozenset[str]:
    """All names of things that a world knows."""
    return frozenset(
        {*KINDS, *CLASSES, *(word for known in CLASSES.values() for word in known.synonyms)}
    )
