# SPDX-License-Identifier: Apache-2.0
"""The demo: a living room with a laid table, a toy car, a turning globe and a bouncing ball."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from f4x_ros.sim.camera_paths import WalkAround
from f4x_ros.sim.materials import Material, Planks, Solid, Stripes, linear
from f4x_ros.sim.motion import Bounce, Drive, Turn
from f4x_ros.sim.scene import Light, Room, SceneSpec, Thing

_X, _Y, _Z = 4.4, 3.8, 2.5
_TABLE = "brown table"

_ROOM = Room(
    size=(_X, _Y, _Z),
    floor=Material(
        Planks(linear((0.66, 0.50, 0.33)), linear((0.50, 0.36, 0.23))), specular=0.1, shininess=25
    ),
    wall=Material(Stripes(linear((0.85, 0.84, 0.79)), linear((0.78, 0.78, 0.73)), 0.18, (1, 1, 0))),
    ceiling=Material(Solid(linear((0.9, 0.9, 0.9)))),
)

_LIGHTS = (
    Light((0.6, -0.4, 2.3), (1.0, 0.96, 0.88), 0.06),
    Light((1.9, -0.2, 1.6), (0.30, 0.35, 0.40), 0.10),
)

_FURNITURE = (
    Thing("rug", "blue", 0.15, -0.25, yaw=0.05),
    Thing("table", "brown", 0.2, 0.35, yaw=0.06),
    Thing("chair", "red", 0.55, 1.15, yaw=0.2),
    Thing("sofa", "green", -1.75, 0.2, yaw=np.pi / 2),
    Thing("bookshelf", "brown", -0.85, _Y / 2 - 0.16),
    Thing("cabinet", "white", _X / 2 - 0.22, 0.45, yaw=-np.pi / 2),
    Thing("potted plant", "orange", 1.75, 1.45),
    Thing("trash can", "gray", 1.75, -0.45),
    Thing("picture", "black", 0.35, _Y / 2 - 0.001, 1.55),
    Thing("window", "white", _X / 2 - 0.001, 0.0, 1.5, yaw=-np.pi / 2),
    Thing("teddy bear", "brown", -1.70, 0.25, 0.49, yaw=np.pi / 2 + 0.2),
)

_ON_TABLE = (
    Thing("mug", "red", -0.50, -0.24, yaw=2.4, on=_TABLE),
    Thing("bowl", "yellow", 0.52, -0.22, on=_TABLE),
    Thing("teapot", "white", 0.02, 0.0, yaw=0.9, on=_TABLE),
    Thing("bottle", "green", -0.58, 0.10, on=_TABLE),
    Thing("book", "blue", 0.55, 0.20, yaw=0.5, on=_TABLE),
    Thing("apple", "green", -0.26, -0.33, on=_TABLE),
    Thing("rubber duck", "yellow", 0.20, -0.32, yaw=-1.2, on=_TABLE),
)

_MOVING = (
    Thing("globe", "blue", -0.36, 0.31, on=_TABLE, motion=Turn(0.9)),
    Thing("toy car", "orange", 0.02, -0.02, on=_TABLE, motion=Drive((0.33, 0.20), 8.0, 0.4, 0.8)),
    Thing(
        "ball",
        "purple",
        -0.14,
        0.35,
        on=_TABLE,
        motion=Bounce((0.42, -0.03, 0.0), 5.0, hop_s=0.8, hop_m=0.2, radius_m=0.055),
    ),
)

_WALK = WalkAround((0.2, 0.35, 0.7), 1.45, -2.25, -0.80, 1.3)


def demo_room(seed: int = 0) -> SceneSpec:
    """The demo scene; ``seed`` shifts what stands on the table, the light and the hand's sway."""
    rng = np.random.default_rng(seed)
    table = tuple(
        replace(
            thing,
            x=thing.x + rng.uniform(-0.015, 0.015),
            y=thing.y + rng.uniform(-0.015, 0.015),
            yaw=thing.yaw + rng.uniform(-0.2, 0.2),
        )
        for thing in _ON_TABLE
    )
    brightness = rng.uniform(0.95, 1.05)
    return SceneSpec(
        room=_ROOM,
        things=_FURNITURE + table + _MOVING,
        lights=_LIGHTS,
        ambient=(0.34, 0.34, 0.35),
        camera=replace(_WALK, phase=float(rng.uniform(0, 2 * np.pi))),
        exposure=1.05 * brightness,
    )
