# SPDX-License-Identifier: Apache-2.0
"""A hall with twelve movers that cross and hide each other, seen from a tripod."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from f4x_ros.sim.camera_paths import Stare
from f4x_ros.sim.motion import Bounce, Drive
from f4x_ros.sim.routes import Rolling, Route, Stop
from f4x_ros.sim.scene import Light, SceneSpec
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.sim.scenes.people import Loop, lane, passer_by, rectangle, stroll

_X, _Y, _Z = 8.0, 7.8, 3.0


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
        camera=Stare((0.0, -3.45, 2.1), (0.0, 0.3, 0.5), 0.08, 12.0, phase=kit.phase()),
        exposure=0.85,
    )


def _furniture(kit: Kit) -> None:
    kit.put("bench", None, -2.0, 3.4, size={"width": 1.5})
    kit.put("bench", None, 2.2, 3.4, size={"width": 1.5})
    kit.put("potted plant", None, 0.1, 3.35, size={"leaf": 0.45}, off_m=0.05)
    kit.put("potted plant", None, -3.6, 3.2, size={"leaf": 0.4}, off_m=0.05)
    kit.put("trash can", None, 3.6, 3.3, off_m=0.05)
    kit.put("window", "white", -2.0, _Y / 2 - 0.001, 1.6, size={"width": 1.4})
    kit.put("window", "white", 2.2, _Y / 2 - 0.001, 1.6, size={"width": 1.4})
    kit.put("picture", None, 0.1, _Y / 2 - 0.001, 1.7)
    kit.put("suitcase", None, -3.6, 1.2, yaw=np.pi / 2, off_rad=0.2)
    kit.put("backpack", None, -3.3, -0.3, yaw=np.pi / 2, off_rad=0.3)
    kit.put("chair", None, 3.5, 1.5, yaw=-np.pi / 2, off_rad=0.3)


def _people(kit: Kit) -> None:
    """Two loops, one behind the other and the other way round, with two people on each."""
    shirts = kit.colors("person", 4, ("beige", "brown", "white", "gray"))
    near = rectangle((-2.2, -0.1), (2.2, 0.9))
    far = rectangle((-2.6, 2.05), (2.6, 2.75))[::-1]
    for loop, pair in ((near, shirts[:2]), (far, shirts[2:])):
        way = stroll(kit, loop, corner_m=0.3)
        apart = float(kit.rng.uniform(0.4, 0.6)) * way.period_s
        for shirt, start in zip(pair, (way.start_s, way.start_s + apart), strict=True):
            passer_by(kit, replace(way, start_s=start), shirt)


def _toys(kit: Kit) -> None:
    def late(loop: Loop, speed: float, corner_m: float, stops: tuple[Stop, ...] = ()) -> Route:
        return Route(loop, speed, stops, corner_m, float(kit.rng.uniform(0, 12)))

    car = {"length": 0.26, "width": 0.11, "height": 0.075}
    for start, stop in (((-1.25, -1.3), (-0.2, -1.3)), ((1.25, -1.3), (0.2, -1.3))):
        kit.put("toy car", None, 0.0, 0.0, size=car,
                motion=late(lane(start, stop, 0.24), 0.45, 0.11))  # fmt: skip
    for start, stop in (((-1.6, -0.8), (-0.25, -0.8)), ((1.6, -0.8), (0.25, -0.8))):
        middle = ((start[0] + stop[0]) / 2, -0.7)
        kit.put("robot vacuum", None, 0.0, 0.0,
                motion=late(lane(start, stop, 0.2), 0.3, 0.1, (Stop(middle, 1.0),)))  # fmt: skip
    kit.put("robot", None, 0.0, 0.0,
            motion=late(lane((-2.3, 1.48), (-0.2, 1.48), 0.14), 0.5, 0.1,
                        (Stop((-1.2, 1.41), 1.0),)))  # fmt: skip
    kit.put(
        "football",
        "white",
        0.0,
        0.0,
        size={"radius": 0.11},
        motion=Rolling(late(lane((0.35, 1.5), (2.2, 1.5), 0.3), 0.8, 0.15), 0.11, 0.11),
    )
    kit.put("ball", kit.pick("red", "orange", "blue", "purple"), -1.5, 0.4, size={"radius": 0.12},
            motion=Bounce((3.0, 0.0, 0.0), 7.0, 0.8, 0.4, 0.12))  # fmt: skip
    kit.put("toy airplane", None, 0.0, 1.0, 2.0, size={"length": 0.32, "span": 0.34},
            motion=Drive((1.7, 1.2), 7.0, kit.phase()))  # fmt: skip
