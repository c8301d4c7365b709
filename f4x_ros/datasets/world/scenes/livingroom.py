# SPDX-License-Identifier: Apache-2.0
"""A living room walked through: somebody passes, a closet and a drawer open, a vacuum cleans."""

from __future__ import annotations

import numpy as np

from f4x_ros.datasets.world.camera_paths import HandheldWalk
from f4x_ros.datasets.world.motion import OpenAndShut, Slide, Swing
from f4x_ros.datasets.world.routes import Route, Stop
from f4x_ros.datasets.world.scene import Light, SceneSpec
from f4x_ros.datasets.world.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.datasets.world.scenes.people import lane, put_person, rectangle, stroll
from f4x_ros.datasets.world.shapes import drawer_of

_X, _Y, _Z = 6.0, 5.0, 2.6


def livingroom(seed: int = 0) -> SceneSpec:
    """The scene; the seed varies colours, sizes, surfaces, light, places and who is where."""
    kit = Kit("livingroom", seed)
    _furniture(kit)
    _small_things(kit)
    _movers(kit)
    return SceneSpec(
        room=room(
            (_X, _Y, _Z),
            FLOORS[kit.pick("oak", "ash", "walnut")],
            WALLS[kit.pick("cream", "sage", "sky", "rose")],
        ),
        things=tuple(kit.things),
        lights=kit.lights(
            Light((0.2, -0.3, 2.4), (1.5, 1.42, 1.3), 0.09),
            Light((2.5, -1.2, 1.9), (0.45, 0.52, 0.6), 0.15),
        ),
        ambient=(0.34, 0.34, 0.35),
        camera=HandheldWalk(
            eyes=((-1.5, -2.0, 1.5), (0.0, -2.05, 1.56), (1.4, -1.9, 1.5), (0.2, -1.75, 1.52)),
            targets=((0.3, 1.2, 0.75), (0.3, 1.3, 0.7), (-0.1, 1.1, 0.7), (0.1, 1.2, 0.75)),
            period_s=16.0,
            phase=kit.phase(),
        ),
        exposure=1.1,
    )


def _furniture(kit: Kit) -> None:
    kit.put("rug", None, -0.9, 0.65, size={"width": 2.2, "depth": 1.5})
    kit.put("sofa", None, -0.95, 2.05, size={"width": 1.95, "depth": 0.84})
    kit.put("floor lamp", "white", 0.35, 2.2, off_m=0.03)
    kit.put("bookshelf", "brown", -2.55, 2.3, size={"width": 0.8, "depth": 0.3, "height": 1.8})
    kit.put("potted plant", None, -2.6, 1.1, off_m=0.05)
    kit.put("potted plant", None, 2.6, 2.1, size={"pot": 0.14, "leaf": 0.34})
    kit.put("picture", None, -0.95, _Y / 2 - 0.001, 1.65)
    kit.put("picture", None, _X / 2 - 0.001, 1.6, 1.6, yaw=-np.pi / 2, size={"width": 0.6})
    kit.put("window", "white", _X / 2 - 0.001, -0.7, 1.5, yaw=-np.pi / 2)
    kit.put("chair", None, -2.45, -0.35, yaw=np.pi / 2 + 0.2, off_rad=0.2)
    # A closet: a shelf behind a door.
    kit.put("bookshelf", "white", 1.3, 2.33, size={"width": 0.86, "depth": 0.3, "height": 2.02})
    play = OpenAndShut(9.0, float(kit.rng.uniform(0.2, 1.0)), 1.5, 2.0)
    kit.put("door", None, 0.88, 2.14, size={"width": 0.84, "height": 2.0}, motion=Swing(-1.7, play))


def _small_things(kit: Kit) -> None:
    table = kit.put(
        "table", "brown", -0.9, 0.65, 0.012, size={"width": 0.95, "depth": 0.55, "height": 0.42}
    )
    kit.put("mug", None, -0.32, -0.12, on=table, off_m=0.03, off_rad=2.0)
    kit.put("mug", None, -0.1, 0.15, on=table, off_m=0.03, off_rad=2.0)
    kit.put("vase", None, 0.3, 0.1, on=table, off_m=0.02)
    kit.put("remote control", "black", 0.1, -0.14, on=table, off_rad=0.8)
    kit.put("book", None, 0.33, -0.12, on=table, off_rad=0.4, life=_COMES_AND_GOES)
    kit.put("teddy bear", "brown", -1.35, 1.95, 0.5, off_rad=0.3)
    kit.put("pillow", None, -0.55, 2.0, 0.5, off_rad=0.4)
    kit.put("cat", None, 0.62, 1.75, yaw=-2.0, off_rad=0.4)
    kit.put("basket", "brown", 0.45, 2.2 - 0.85, off_m=0.02)


_COMES_AND_GOES = tuple((6.0 * k + 1.0, 6.0 * k + 4.0) for k in range(20))


def _movers(kit: Kit) -> None:
    chest = {"width": 0.9, "depth": 0.42, "height": 0.8, "drawers": 3.0, "opening": 1.0}
    color = kit.color("cabinet")
    cabinet = kit.put("cabinet", color, 2.76, 0.75, yaw=-np.pi / 2, size=chest)
    size, (x, y, z) = drawer_of(**chest)
    play = OpenAndShut(7.0, float(kit.rng.uniform(0.5, 1.5)), 1.0, 1.6)
    kit.put("drawer", color, x, y, z, within=cabinet, size=size, motion=Slide((0, -0.28, 0), play))
    kit.put("monitor", "black", 0.0, 0.05, on=cabinet, size={"width": 0.6})
    put_person(kit, stroll(kit, lane((-2.2, -0.75), (2.1, -0.75), 0.5)))
    cleaned = rectangle((0.75, 0.05), (1.95, 1.15))
    stops = (Stop((1.95, 0.6), 0.8), Stop((0.75, 0.6), 1.2))
    kit.put(
        "robot vacuum", None, 0.0, 0.0,
        motion=Route(cleaned, 0.3, stops, 0.3, float(kit.rng.uniform(0, 10))),
    )  # fmt: skip
    around = rectangle((-1.62, 0.13), (-0.18, 1.17))
    kit.put(
        "toy car", None, 0.0, 0.0,
        motion=Route(around, 0.5, corner_m=0.22, start_s=float(kit.rng.uniform(0, 8)), z=0.012),
    )  # fmt: skip
