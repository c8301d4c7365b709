# SPDX-License-Identifier: Apache-2.0
"""The named scenes: each is a function from a seed to a `SceneSpec`."""

from __future__ import annotations

from collections.abc import Callable

from f4x_ros.sim.scene import SceneSpec
from f4x_ros.sim.scenes.anything import anything
from f4x_ros.sim.scenes.corridor import corridor
from f4x_ros.sim.scenes.crowd import crowd
from f4x_ros.sim.scenes.demo_room import demo_room
from f4x_ros.sim.scenes.livingroom import livingroom
from f4x_ros.sim.scenes.tabletop import tabletop
from f4x_ros.sim.scenes.warehouse import warehouse

__all__ = ["SCENES"]

#: Name to the function that describes the scene; the same seed gives the same description.
SCENES: dict[str, Callable[[int], SceneSpec]] = {
    "demo": demo_room,
    "tabletop": tabletop,
    "livingroom": livingroom,
    "corridor": corridor,
    "warehouse": warehouse,
    "crowd": crowd,
    "random": anything,
}
