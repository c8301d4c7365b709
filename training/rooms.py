# SPDX-License-Identifier: Apache-2.0
"""Rooms full of things to learn from: every class as often as any other, in all sizes and colours.

Fuller than the worlds and less orderly, but nothing stands in anything else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from f4x_ros.sim.motion import Pose, pose_from
from f4x_ros.sim.scene import SceneSpec
from f4x_ros.sim.scenes.kit import Kit
from f4x_ros.sim.scenes.layout import Plan, extent, footprint
from f4x_ros.sim.shapes import CLASSES, drawer_of, walking_links
from training.surfaces import random_ambient, random_lights, random_room

_TRIES = 16
_LARGE_M2 = 0.3
_SUPPORTS = ("table", "table", "table", "cabinet", "bookshelf", "pallet", "box")
_STEP_M = 0.03  # between things


def training_room(seed: int) -> SceneSpec:
    """The room of a seed; one seed in four has half as many things."""
    kit = TrainingKit("training", seed)
    rng = kit.rng
    x, y = (float(side) for side in rng.uniform(3.2, 7.5, 2))
    size = (x, y, float(rng.uniform(2.3, 3.2)))
    few = 0.5 if rng.random() < 0.25 else 1.0
    floor = Plan((size[0] - 0.1, size[1] - 0.1))
    _on_walls(kit, floor, size, round(5 * few))
    wanted = [kit.next_class("floor") for _ in range(round(min(10 + 0.5 * x * y, 28) * few))]
    wanted.sort(key=_ground, reverse=True)  # large things find no room later
    large = sum(_ground(cls) > _LARGE_M2 for cls in wanted)
    _on_floor(kit, floor, wanted[:large])
    supports = _supports(kit, floor, 4)
    _on_floor(kit, floor, wanted[large:])
    _on_supports(kit, floor, supports, round(36 * few))
    _scattered(kit, floor, round(12 * few))
    return SceneSpec(
        room=random_room(rng, size),
        things=tuple(kit.things),
        lights=random_lights(rng, size),
        ambient=random_ambient(rng),
        camera=_nowhere,
        exposure=float(rng.uniform(0.8, 1.2)),
    )


class TrainingKit(Kit):
    """A kit that draws from the whole range of sizes, and from all surfaces alike.

    Classes come in turns, in random order, so that all are equally frequent.
    """

    def __init__(self, scene: str, seed: int) -> None:
        super().__init__(scene, seed)
        self._turns: dict[str, list[str]] = {}

    def sizes(self, cls: str) -> dict[str, float]:
        """Sizes of one instance, from all that is sensible."""
        return {
            name: float(self.rng.uniform(low, high))
            for name, (low, high) in CLASSES[cls].sizes.items()
        }

    def finish(self, cls: str) -> Any:
        """Any surface that suits the class."""
        finishes = CLASSES[cls].finishes or (CLASSES[cls].finish,)
        return self.pick(*finishes)

    def next_class(self, where: str) -> str:
        """A class that belongs to this place."""
        if not self._turns.get(where):
            known = [c for c, about in CLASSES.items() if about.where == where and about.build]
            self._turns[where] = [known[k] for k in self.rng.permutation(len(known))]
        return self._turns[where].pop()

    def stand(
        self, plan: Plan, cls: str, *, on: str | None = None, reach: float = 0.5
    ) -> str | None:
        """Put one where there is room on a plan; None if no room was found."""
        made = self.sizes(cls)
        low = extent(cls, made)[0, 2]
        for _ in range(_TRIES):
            x, y = (float(c) for c in self.rng.uniform(-reach, reach, 2) * plan.size)
            yaw = float(self.rng.uniform(-np.pi, np.pi))
            if plan.take([footprint(cls, made, x, y, yaw, _STEP_M / 2)]):
                lift = max(0.0, -float(low))  # the origin of a ball is its middle
                return self.put(cls, None, x, y, lift, on=on, size=made, yaw=yaw, **self._pose(cls))
        return None

    def _pose(self, cls: str) -> dict[str, Any]:
        """How something that bends is bent."""
        if cls != "person":
            return {}
        phase = self.phase()
        links = walking_links(1.7, phase) if self.rng.random() < 0.7 else {}
        return {"links": {name: _Still(pose) for name, pose in links.items()}}


class _Still:
    """A pose that stays."""

    def __init__(self, pose: Pose) -> None:
        self._pose = pose

    def __call__(self, t: float) -> Pose:
        return self._pose


def _nowhere(t: float) -> Pose:
    """Training rooms are looked at from everywhere; see `views`."""
    return pose_from(np.eye(3), np.zeros(3))


def _supports(kit: TrainingKit, floor: Plan, count: int) -> list[tuple[str, Plan]]:
    """Furniture that things are put on, and how much room is on it."""
    found = []
    for cls in [kit.pick(*_SUPPORTS) for _ in range(count)]:
        if name := kit.stand(floor, cls):
            low, high = extent(cls, kit.things[-1].size)
            wide, deep, _ = high - low
            found.append((name, Plan((max(wide - 0.06, 0.05), max(deep - 0.1, 0.05)))))
    return found


def _ground(cls: str) -> float:
    """Roughly what a class takes of the floor [m2]; what things may stand on takes nothing."""
    low, high = extent(cls, {})
    return 0.0 if cls == "rug" else float((high[0] - low[0]) * (high[1] - low[1]))


def _on_floor(kit: TrainingKit, floor: Plan, wanted: Sequence[str]) -> None:
    for cls in wanted:
        if cls == "cabinet" and kit.rng.random() < 0.7:
            _open_cabinet(kit, floor)
        elif cls == "rug":
            kit.stand(Plan(floor.size), cls, reach=0.3)  # furniture may stand on it
        else:
            kit.stand(floor, cls)


def _open_cabinet(kit: TrainingKit, floor: Plan) -> None:
    """A chest with one of its drawers pulled out, sometimes in a colour of its own."""
    made = kit.sizes("cabinet")
    made["drawers"] = float(round(made["drawers"]))
    made["opening"] = float(kit.rng.integers(int(made["drawers"])))
    size, (x, y, z) = drawer_of(**made)
    pulled = float(kit.rng.uniform(0.05, 0.9)) * size["depth"]
    for _ in range(_TRIES):
        at = kit.rng.uniform(-0.5, 0.5, 2) * floor.size
        yaw = float(kit.rng.uniform(-np.pi, np.pi))
        ground = footprint("cabinet", made, float(at[0]), float(at[1]), yaw, _STEP_M + pulled / 2)
        if floor.take([ground]):
            name = kit.put("cabinet", None, float(at[0]), float(at[1]), size=made, yaw=yaw)
            color = kit.things[-1].color if kit.rng.random() < 0.7 else None
            kit.put("drawer", color, x, y - pulled, z, within=name, size=size)
            return


def _on_walls(kit: TrainingKit, floor: Plan, size: Sequence[float], count: int) -> None:
    """Pictures and windows above, doors below, all round the room."""
    walls = [Plan((size[side % 2] - 0.1, size[2] - 0.1)) for side in range(4)]
    for _ in range(count):
        side = int(kit.rng.integers(4))
        cls = "door" if kit.rng.random() < 0.35 else kit.next_class("wall")
        made = kit.sizes(cls)
        low, high = extent(cls, made)
        wide, tall = high[0] - low[0], high[2] - low[2]
        rest = max(0.0, size[2] - 0.1 - tall)
        base = 0.0 if cls == "door" else float(kit.rng.uniform(min(0.6, rest), rest))
        along = float(kit.rng.uniform(-0.5, 0.5)) * max(0.0, size[side % 2] - wide - 0.1)
        middle = base + tall / 2 - (size[2] - 0.1) / 2
        box = np.array([(-wide, -tall), (wide, -tall), (wide, tall), (-wide, tall)]) / 2
        if walls[side].take([box + np.array((along, middle))]):
            _hang(kit, floor, size, side, cls, made, (along, base))


def _hang(
    kit: TrainingKit,
    floor: Plan,
    size: Sequence[float],
    side: int,
    cls: str,
    made: dict[str, float],
    place: tuple[float, float],
) -> None:
    """Put a thing flat against wall ``side``, its middle ``place[0]`` along it, and so high."""
    yaw = side * np.pi / 2
    low, high = extent(cls, made)
    out = np.array([-math.sin(yaw), math.cos(yaw)])  # towards the wall behind its back
    right = np.array([math.cos(yaw), math.sin(yaw)])
    gap = size[1 - side % 2] / 2 - float(high[1]) - 0.001
    shift = place[0] - float(low[0] + high[0]) / 2
    x, y = out * gap + right * shift
    kit.put(cls, None, float(x), float(y), place[1] - float(low[2]), size=made, yaw=yaw)
    if cls == "door":  # keep it free
        floor.take([footprint(cls, made, float(x), float(y), yaw, 0.05)])


def _on_supports(
    kit: TrainingKit, floor: Plan, supports: list[tuple[str, Plan]], count: int
) -> None:
    """Small things on furniture, large ones first, and on the floor where there is no room."""
    wanted = sorted((kit.next_class("table") for _ in range(count)), key=_ground, reverse=True)
    for number, cls in enumerate(wanted):
        turn = number % max(1, len(supports))
        for name, plan in supports[turn:] + supports[:turn]:
            if kit.stand(plan, cls, on=name):
                break
        else:
            kit.stand(floor, cls)


def _scattered(kit: TrainingKit, floor: Plan, count: int) -> None:
    """Small things on the floor."""
    for _ in range(count):
        kit.stand(floor, kit.next_class("table"))
