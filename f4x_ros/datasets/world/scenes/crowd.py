# SPDX-License-Identifier: Apache-2.0
"""A hall with twelve movers that cross and hide each other, seen from a tripod."""

from __future__ import annotations

import numpy as np

from f4x_ros.datasets.world.camera_paths import Stare
from f4x_ros.datasets.world.motion import Bounce, Drive
from f4x_ros.datasets.world.routes import Route, Stop
from f4x_ros.datasets.world.scene import Light, SceneSpec
from f4x_ros.datasets.world.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.datasets.world.scenes.people import lane, put_person, stroll

_X, _Y, _Z = 8.0, 7.4, 3.0


def crowd(seed: int = 0) -> SceneSpec:
    """The scene; the seed varies colours, sizes, surfaces, light, and where everybody begins."""
    kit = Kit("crowd", seed)
    _furniture(kit)
    _people(kit)
    _toys(kit)
    return SceneSpec(
        room=room(
            (_X, _Y, _Z),
            FLOORS[kit.pick("oak", "linoleum", "tiles", "ash")],
            WALLS[kit.pick("cream", "sky", "plaster")],
        ),
        things=tuple(kit.things),
        lights=kit.lights(
            Light((-1.8, -0.8, 2.85), (1.7, 1.66, 1.58), 0.15),
            Light((1.8, 0.8, 2.85), (1.7, 1.66, 1.58), 0.15),
        ),
        ambient=(0.34, 0.34, 0.35),
        camera=Stare((0.0, -3.45, 1.95), (0.0, 0.3, 0.75), 0.10, 12.0, phase=kit.phase()),
        exposure=1.1,
    )


def _furniture(kit: Kit) -> None:
    kit.put("bench", None, -2.0, 3.3, size={"width": 1.5})
    kit.put("bench", None, 2.2, 3.3, size={"width": 1.5})
    kit.put("potted plant", None, 0.1, 3.35, size={"leaf": 0.45}, off_m=0.05)
    kit.put("potted plant", None, -3.6, 3.2, size={"leaf": 0.4}, off_m=0.05)
    kit.put("trash can", None, 3.6, 3.3, off_m=0.05)
    kit.put("window", "white", -2.0, _Y / 2 - 0.001, 1.6, size={"width": 1.4})
    kit.put("window", "white", 2.2, _Y / 2 - 0.001, 1.6, size={"width": 1.4})
    kit.put("picture", None, 0.1, _Y / 2 - 0.001, 1.7)
    kit.put("suitcase", None, -3.6, 1.2, yaw=np.pi / 2, off_rad=0.2)
    kit.put("backpack", None, -3.3, -0.3, yaw=np.pi / 2, off_rad=0.3)
    kit.put("chair", None, 3.5, 1.5, yaw=-np.pi / 2, off_rad=0.3)
    kit.put("traffic cone", "orange", 2.75, -0.95, off_m=0.05)


def _people(kit: Kit) -> None:
    shirts = kit.colors("person", 4, ("beige", "brown"))
    lanes = (
        lane((-2.3, -0.35), (2.3, -0.35), 0.44),
        lane((2.7, 0.55), (-2.7, 0.55), 0.44),
        lane((-3.0, 1.45), (3.0, 1.45), 0.44),
        lane((3.2, 2.3), (-3.2, 2.3), 0.44),
    )
    for shirt, loop in zip(shirts, lanes, strict=True):
        put_person(kit, stroll(kit, loop), shirt)


def _toys(kit: Kit) -> None:
    def late(seconds: float) -> float:
        return float(kit.rng.uniform(0, seconds))

    wheels = [("toy car", lane((-1.1, -1.75), (0.9, -1.75), 0.4), 0.5, 0.16),
              ("toy car", lane((1.5, -1.25), (0.0, -1.25), 0.24), 0.4, 0.11)]  # fmt: skip
    for cls, loop, speed, corner in wheels:
        kit.put(cls, None, 0.0, 0.0, size={"length": 0.26, "width": 0.11, "height": 0.075},
                motion=Route(loop, speed, corner_m=corner, start_s=late(9)))  # fmt: skip
    cleaners = (
        (lane((-2.3, -1.2), (-0.5, -1.2), 0.36), (Stop((-1.4, -1.38), 1.0),)),
        (lane((1.6, -0.95 + 1.0), (-1.6, -0.95 + 1.0), 0.2), ()),
    )
    del cleaners
    kit.put("robot vacuum", None, 0.0, 0.0,
            motion=Route(lane((-2.3, -1.15), (-0.5, -1.15), 0.36), 0.3,
                         (Stop((-1.4, -1.33), 1.0),), 0.2, late(9)))  # fmt: skip
    kit.put(
        "robot vacuum",
        None,
        0.0,
        0.0,
        motion=Route(lane((2.9, 2.85), (-2.9, 2.85), 0.2), 0.3, (), 0.1, late(9)),
    )
    kit.put(
        "robot",
        None,
        0.0,
        0.0,
        motion=Route(lane((-0.2, 1.0), (2.4, 1.0), 0.2), 0.5, (), 0.1, late(9)),
    )
    kit.put("football", "white", 0.0, 0.0, size={"radius": 0.11},
            motion=Drive((0.5, 0.3), 5.0, kit.phase()))  # fmt: skip
    kit.put("ball", None, -1.2, -2.15, size={"radius": 0.1},
            motion=Bounce((2.3, 0.1, 0.0), 5.0, 0.7, 0.35, 0.1))  # fmt: skip
    kit.put("ball", None, 2.0, 2.9, size={"radius": 0.14},
            motion=Bounce((-3.8, 0.0, 0.0), 8.0, 0.9, 0.5, 0.14))  # fmt: skip
    kit.put("toy airplane", None, 0.0, 0.9, 2.0, size={"length": 0.32, "span": 0.34},
            motion=Drive((1.6, 1.1), 6.0, kit.phase()))  # fmt: skip
