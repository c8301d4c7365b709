# SPDX-License-Identifier: Apache-2.0
"""A kitchen table seen from the hand: breakfast, a toy car, and somebody who moves a mug."""

from __future__ import annotations

import numpy as np

from f4x_ros.datasets.world.camera_paths import WalkAround
from f4x_ros.datasets.world.carrying import Carried, Errand
from f4x_ros.datasets.world.motion import Turn, pose_from, upright
from f4x_ros.datasets.world.routes import Route
from f4x_ros.datasets.world.scene import Light, SceneSpec
from f4x_ros.datasets.world.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.datasets.world.walking import Standing, Walker

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
    first, second = kit.colors("mug", 3, ("brown", "beige"))[:2]
    kit.put("mug", first, -0.62, -0.30, on=table, off_m=0.02, off_rad=1.5)
    kit.put("mug", second, 0.30, -0.33, on=table, off_m=0.02, off_rad=1.5)
    kit.put("laptop", None, 0.55, 0.16, on=table, yaw=0.5, off_m=0.01, off_rad=0.15)
    kit.put("teapot", None, -0.62, 0.04, on=table, off_m=0.02, off_rad=1.0)
    kit.put("bowl", None, -0.36, -0.34, on=table, off_m=0.01)
    kit.put("bottle", None, -0.66, 0.36, on=table, off_m=0.02)
    book = kit.put("book", None, 0.66, -0.30, on=table, off_m=0.01, off_rad=0.5)
    kit.put("phone", None, 0.0, 0.0, on=book, off_rad=0.3)
    kit.put("banana", "yellow", 0.02, -0.38, on=table, off_m=0.01, off_rad=0.6)
    kit.put("apple", None, -0.47, 0.38, on=table, off_m=0.02)
    kit.put("apple", None, -0.36, 0.35, on=table, off_m=0.01)


def _movers(kit: Kit, table: str) -> None:
    top = 0.1, _TALL  # y of the table's middle, and its height
    kit.put("globe", "blue", 0.24, 0.36, on=table, size={"radius": 0.1}, motion=Turn(0.9))
    lap = ((-0.34, -0.1), (0.14, -0.1), (0.14, 0.2), (-0.34, 0.2))
    kit.put(
        "toy car", None, 0.0, -0.02, on=table,
        motion=Route(lap, speed=0.35, corner_m=0.11, start_s=float(kit.rng.uniform(0, 3))),
    )  # fmt: skip
    kit.put(
        "rubber duck", "yellow", 0.33, -0.12, on=table, yaw=-1.2, off_rad=0.5,
        life=((1.5, 3.5), *((8.0 * k, 8.0 * k + 4.0) for k in range(1, 8))),
    )  # fmt: skip
    height = 1.72
    stand = Standing(-0.05, top[0] + 0.68, -np.pi / 2)
    spots = (upright(0.10, 0.44, top[1], 0.5), upright(-0.24, 0.42, top[1], 2.0))
    mug = Carried(
        stand, pose_from(np.eye(3), (0.42, -0.18, top[1] + 0.2)), spots,
        (Errand(0.8, 3.2), Errand(5.0, 7.4)), 8.8,
    )  # fmt: skip
    someone = Walker(stand, height, mug, (None, (0.0, 0.0, 0.06)))
    kit.put("person", None, 0.0, 0.0, size={"height": height}, motion=someone, links=someone.links)
    kit.put("mug", None, 0.0, 0.0, motion=mug)
