# SPDX-License-Identifier: Apache-2.0
"""A kitchen table seen from the hand: breakfast, a toy car, and somebody who moves a mug."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.camera_paths import WalkAround
from f4x_ros.sim.carrying import Carried, Errand
from f4x_ros.sim.finishes import CERAMIC, patterned
from f4x_ros.sim.motion import Turn, pose_from, upright
from f4x_ros.sim.routes import Route
from f4x_ros.sim.scene import Light, SceneSpec
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.sim.scenes.people import put_person, rectangle
from f4x_ros.sim.walking import Standing, Walker

_TALL = 0.9  # a table to stand at


def tabletop(seed: int = 0) -> SceneSpec:
    """The scene; the seed varies colours, sizes, surfaces, light and places a little."""
    kit = Kit("tabletop", seed)
    table = kit.put("table", "brown", 0.0, 0.1, size={"width": 1.6, "depth": 0.95, "height": _TALL})
    _furniture(kit)
    _breakfast(kit, table)
    _movers(kit, table)
    floor, wall = kit.pick("oak", "tiles", "ash"), kit.pick("cream", "sage", "sky")
    return SceneSpec(
        room=room((4.4, 3.8, 2.5), FLOORS[floor], WALLS[wall]),
        things=tuple(kit.things),
        lights=kit.lights(
            Light((0.5, -0.5, 2.35), (1.0, 0.96, 0.88), 0.07),
            Light((-1.8, -0.6, 1.7), (0.30, 0.34, 0.40), 0.12),
        ),
        ambient=(0.34, 0.34, 0.35),
        camera=WalkAround((0.0, 0.12, _TALL + 0.06), 1.42, -2.35, -0.85, 1.55, phase=kit.phase()),
        exposure=1.05,
    )


def _furniture(kit: Kit) -> None:
    kit.put("cabinet", "white", -1.3, 1.66, size={"width": 0.9, "depth": 0.44, "height": 0.85})
    kit.put("bookshelf", "brown", 1.45, 1.72, size={"width": 1.0, "depth": 0.3, "height": 1.8})
    kit.put("picture", None, 0.3, 1.899, 1.65)
    kit.put("window", "white", 2.199, 0.2, 1.5, yaw=-np.pi / 2)
    kit.put("chair", None, -1.45, 0.3, yaw=np.pi / 2, off_m=0.05, off_rad=0.3)
    kit.put("potted plant", None, 1.75, 0.75, off_m=0.05)
    kit.put("trash can", None, -1.9, 1.0, off_m=0.04)


def _breakfast(kit: Kit, table: str) -> None:
    """All places are relative to the middle of the table."""
    first, second = kit.colors("mug", 2, ("brown", "beige"))
    kit.put("mug", first, -0.63, -0.31, on=table, finish=CERAMIC, off_m=0.02, off_rad=1.5)
    kit.put("mug", second, 0.29, -0.35, on=table, finish=kit.pick(*patterned(0.024, 0.3)),
            size={"radius": 0.042, "height": 0.105}, off_m=0.015, off_rad=1.5)  # fmt: skip
    kit.put(
        "laptop",
        None,
        0.62,
        0.17,
        on=table,
        yaw=0.25,
        off_rad=0.06,
        size={"width": 0.3, "depth": 0.22},
    )
    kit.put("teapot", None, -0.62, 0.02, on=table, off_m=0.015, off_rad=0.5)
    kit.put("bowl", None, -0.38, -0.34, on=table, off_m=0.01)
    kit.put("bottle", None, -0.71, 0.24, on=table, off_m=0.015)
    book = kit.put("book", None, 0.64, -0.28, on=table, off_m=0.01, off_rad=0.4)
    kit.put("phone", None, 0.0, 0.0, on=book, off_rad=0.3)
    kit.put("banana", "yellow", 0.0, -0.37, on=table, yaw=0.4, off_m=0.01, off_rad=0.4)
    kit.put("pear", None, -0.17, -0.4, on=table, off_m=0.01, off_rad=3.0)
    kit.put("apple", None, -0.61, 0.4, on=table, off_m=0.01)
    kit.put("apple", None, -0.5, 0.41, on=table, off_m=0.01)


def _movers(kit: Kit, table: str) -> None:
    kit.put("globe", "blue", 0.32, 0.3, on=table, size={"radius": 0.1}, motion=Turn(0.9))
    lap = rectangle((-0.36, -0.13), (0.13, 0.12))
    start = float(kit.rng.uniform(0, 3))
    kit.put("toy car", None, 0.0, 0.0, on=table, size={"length": 0.19},
            motion=Route(lap, 0.35, corner_m=0.11, start_s=start))  # fmt: skip
    goes = tuple((6.0 * k + 1.2, 6.0 * k + 4.4) for k in range(60))
    kit.put("rubber duck", "yellow", 0.35, -0.13, on=table, yaw=-1.2, off_rad=0.5, life=goes)
    _somebody_with_a_mug(kit)


def _somebody_with_a_mug(kit: Kit) -> None:
    """Behind the table; takes a mug, lifts it, puts it down to the side, and later back."""
    height = 1.72
    stand = Standing(-0.05, 0.78, -np.pi / 2)
    spots = (upright(-0.08, 0.40, _TALL, 0.5), upright(-0.41, 0.40, _TALL, 2.0))
    late = float(kit.rng.uniform(0, 0.5))
    mug = Carried(
        stand, pose_from(np.eye(3), (0.36, -0.2, _TALL + 0.2)), spots,
        (Errand(1.0, 3.4), Errand(5.0, 7.4)), 8.8, start_s=late,
    )  # fmt: skip
    waits = ((0.22, 0.2, 1.06), (0.24, -0.22, 1.1))
    kit.put("mug", None, 0.0, 0.0, motion=mug)
    put_person(kit, Walker(stand, height, mug, (None, (0.0, 0.0, 0.06)), waits))
