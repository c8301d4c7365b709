# SPDX-License-Identifier: Apache-2.0
"""A corridor as a robot sees it that drives down it: doors, somebody coming, another robot."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.camera_paths import RobotBase
from f4x_ros.sim.finishes import PAINTED
from f4x_ros.sim.motion import OpenAndShut, Swing
from f4x_ros.sim.routes import Route, Stop
from f4x_ros.sim.scene import Light, SceneSpec
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.sim.scenes.people import lane, passer_by

_X, _Y, _Z = 9.0, 3.0, 2.5


def corridor(seed: int = 0) -> SceneSpec:
    """The scene; the seed varies colours, sizes, surfaces, light, places and who is where."""
    kit = Kit("corridor", seed)
    _fixtures(kit)
    _left_things(kit)
    _movers(kit)
    there_and_back = lane((-4.0, -0.55), (0.7, -0.55), 0.6)
    drive = Route(there_and_back, 0.6, (Stop((-2.4, -0.85), 0.4),), 0.3, ramp_s=0.7)
    return SceneSpec(
        room=room(
            (_X, _Y, _Z),
            FLOORS[kit.pick("linoleum", "checks", "tiles", "carpet")],
            WALLS[kit.pick("plaster", "cream", "sky")],
        ),
        things=tuple(kit.things),
        lights=kit.lights(
            Light((-2.7, 0.0, 2.2), (0.8, 0.8, 0.77), 0.06),
            Light((0.3, 0.0, 2.2), (0.8, 0.8, 0.77), 0.06),
            Light((3.3, 0.0, 2.2), (0.8, 0.8, 0.77), 0.06),
        ),
        ambient=(0.32, 0.32, 0.33),
        camera=RobotBase(drive.starting_at((-3.6, -0.85)), 0.95, 0.06),
        exposure=1.05,
    )


def _fixtures(kit: Kit) -> None:
    color = kit.pick("brown", "blue", "green", "beige")
    wall = _Y / 2 - 0.028
    for x, side in ((-2.6, 1), (0.9, 1), (-1.0, -1), (2.2, -1)):
        kit.put("door", color, x, side * wall, size={"width": 0.85, "height": 2.0}, finish=PAINTED)
    kit.put("window", "white", _X / 2 - 0.001, 0.45, 1.02, yaw=-np.pi / 2,
            size={"width": 0.78, "height": 1.86})  # fmt: skip
    kit.put("window", "white", -_X / 2 + 0.001, 0.0, 1.5, yaw=np.pi / 2)
    kit.put("picture", None, -0.9, _Y / 2 - 0.001, 1.55, size={"width": 0.7, "height": 0.5})
    kit.put("picture", None, 2.6, _Y / 2 - 0.001, 1.5, size={"width": 0.6, "height": 0.6})
    kit.put("picture", None, 0.8, -_Y / 2 + 0.001, 1.55, yaw=np.pi, size={"width": 0.8})


def _left_things(kit: Kit) -> None:
    kit.put("fire extinguisher", "red", -1.5, 1.36)
    kit.put("potted plant", None, 0.35, 1.2, size={"pot": 0.14, "leaf": 0.32})
    kit.put("trash can", None, 3.3, 1.3, off_m=0.02)
    kit.put("suitcase", None, -1.55, -1.28, yaw=np.pi, off_rad=0.1)
    kit.put("backpack", None, 0.35, -1.26, yaw=np.pi, off_rad=0.12, size={"depth": 0.17})
    kit.put("shoe", None, 1.0, -1.34, yaw=1.4, off_rad=0.2)
    kit.put("shoe", kit.things[-1].color, 1.16, -1.33, yaw=1.6, off_rad=0.2)
    goes = tuple((5.0 * k + 0.8, 5.0 * k + 4.2) for k in range(60))
    kit.put("cat", None, 1.75, 1.2, yaw=-2.4, off_rad=0.5, life=goes)
    kit.put("stool", None, 1.75, -1.28)
    kit.put("box", "brown", 3.6, -1.2, off_rad=0.1)
    kit.put("box", "beige", 0.0, 0.0, on=kit.things[-1].name, off_rad=0.3,
            size={"width": 0.28, "depth": 0.22, "height": 0.18})  # fmt: skip
    kit.put("traffic cone", "yellow", 2.55, -1.0, off_m=0.04)
    kit.put("bench", None, 3.95, -0.55, yaw=-np.pi / 2, size={"width": 1.0})


def _movers(kit: Kit) -> None:
    play = OpenAndShut(6.0, float(kit.rng.uniform(0.0, 0.8)), 1.4, 1.2)
    kit.put("door", "red", _X / 2 - 0.06, 0.03, yaw=np.pi / 2, motion=Swing(1.35, play),
            size={"width": 0.84, "height": 2.0})  # fmt: skip
    walk = Route(lane((3.2, 0.6), (-3.0, 0.6), 0.44), 0.95, corner_m=0.2)
    passer_by(kit, walk.starting_at((float(kit.rng.uniform(2.6, 3.1)), 0.82)))
    cleaned = lane((1.6, -0.35), (3.0, -0.35), 0.5)
    kit.put(
        "robot vacuum", None, 0.0, 0.0,
        motion=Route(cleaned, 0.3, (Stop((2.3, -0.6), 1.2), Stop((2.3, -0.1), 0.8)), 0.25,
                     float(kit.rng.uniform(0, 12))),
    )  # fmt: skip
