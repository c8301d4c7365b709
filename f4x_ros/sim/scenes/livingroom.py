# SPDX-License-Identifier: Apache-2.0
"""A living room walked through: somebody passes, a closet and a drawer open, a vacuum cleans."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.camera_paths import HandheldWalk
from f4x_ros.sim.motion import OpenAndShut, Slide, Swing
from f4x_ros.sim.routes import Route, Stop
from f4x_ros.sim.scene import Light, SceneSpec
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.sim.scenes.people import passer_by, rectangle, stroll
from f4x_ros.sim.shapes import drawer_of

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
        ambient=(0.29, 0.29, 0.30),
        camera=HandheldWalk(
            eyes=((-1.3, -2.1, 1.5), (0.0, -2.15, 1.56), (1.3, -2.0, 1.5), (0.2, -1.9, 1.52)),
            targets=((0.25, 0.6, 0.6), (0.35, 0.6, 0.6), (-0.1, 0.6, 0.6), (0.1, 0.6, 0.62)),
            period_s=16.0,
            phase=kit.phase(),
        ),
        exposure=1.1,
    )


def _furniture(kit: Kit) -> None:
    kit.put("rug", None, -0.85, 0.6, size={"width": 2.2, "depth": 1.5})
    kit.put("sofa", None, -0.95, 2.05, size={"width": 1.95, "depth": 0.84})
    kit.put("floor lamp", "white", 0.35, 2.2, off_m=0.03)
    kit.put("bookshelf", "brown", -2.55, 2.3, size={"width": 0.8, "depth": 0.3, "height": 1.8})
    kit.put("potted plant", None, -2.55, 1.25, off_m=0.05)
    kit.put("potted plant", None, 2.6, 2.1, size={"pot": 0.14, "leaf": 0.34})
    kit.put("picture", None, -0.95, _Y / 2 - 0.001, 1.65)
    kit.put("picture", None, _X / 2 - 0.001, 1.7, 1.6, yaw=-np.pi / 2, size={"width": 0.6})
    kit.put("window", "white", _X / 2 - 0.001, -0.7, 1.5, yaw=-np.pi / 2)
    kit.put("chair", None, -2.5, 0.2, yaw=np.pi / 2 + 0.2, off_rad=0.2)
    # A closet: a shelf behind a door.
    kit.put("bookshelf", "white", 1.3, 2.33, size={"width": 0.86, "depth": 0.3, "height": 2.02})
    play = OpenAndShut(9.0, float(kit.rng.uniform(0.2, 1.0)), 1.5, 2.0)
    kit.put("door", None, 0.88, 2.13, size={"width": 0.84, "height": 2.0}, motion=Swing(-1.7, play))


def _small_things(kit: Kit) -> None:
    table = kit.put(
        "table", "brown", -0.85, 0.9, 0.012, size={"width": 0.95, "depth": 0.55, "height": 0.42}
    )
    kit.put("mug", None, -0.32, -0.12, on=table, off_m=0.03, off_rad=2.0)
    kit.put("mug", None, -0.1, 0.15, on=table, off_m=0.03, off_rad=2.0)
    kit.put("vase", None, 0.3, 0.1, on=table, off_m=0.02)
    kit.put("remote control", "black", 0.1, -0.14, on=table, off_rad=0.8)
    kit.put("book", None, 0.33, -0.12, on=table, off_rad=0.4, life=_COMES_AND_GOES)
    kit.put("teddy bear", "brown", -1.35, 1.95, 0.5, off_rad=0.3)
    kit.put("pillow", None, -0.55, 2.0, 0.5, off_rad=0.4)
    kit.put("cat", None, 0.62, 1.75, yaw=-2.0, off_rad=0.4)
    kit.put("basket", "brown", 0.4, 1.45, off_m=0.02)


_COMES_AND_GOES = tuple((6.0 * k + 1.0, 6.0 * k + 4.0) for k in range(20))


def _movers(kit: Kit) -> None:
    chest = {"width": 0.9, "depth": 0.42, "height": 0.8, "drawers": 3.0, "opening": 1.0}
    color = kit.color("cabinet")
    cabinet = kit.put("cabinet", color, 2.76, 0.75, yaw=-np.pi / 2, size=chest)
    size, (x, y, z) = drawer_of(**chest)
    play = OpenAndShut(7.0, float(kit.rng.uniform(0.5, 1.5)), 1.0, 1.6)
    kit.put("drawer", color, x, y, z, within=cabinet, size=size, motion=Slide((0, -0.28, 0), play))
    kit.put("monitor", "black", 0.0, 0.05, on=cabinet, size={"width": 0.6})
    round_the_room = rectangle((0.45, -0.85), (1.85, 0.85))
    passer_by(kit, stroll(kit, round_the_room, corner_m=0.35))
    cleaned = rectangle((0.98, -0.35), (1.46, 0.42))
    stops = (Stop((1.46, 0.1), 0.8), Stop((0.98, 0.0), 1.0))
    kit.put(
        "robot vacuum", None, 0.0, 0.0,
        motion=Route(cleaned, 0.3, stops, 0.2, float(kit.rng.uniform(0, 10))),
    )  # fmt: skip
    before_the_table = rectangle((-1.55, 0.05), (-0.1, 0.38))
    kit.put(
        "toy car", None, 0.0, 0.0, size={"length": 0.25, "width": 0.11, "height": 0.075},
        motion=Route(before_the_table, 0.5, corner_m=0.13, start_s=float(kit.rng.uniform(0, 8)),
                     z=0.012),
    )  # fmt: skip
