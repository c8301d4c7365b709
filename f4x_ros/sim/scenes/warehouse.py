# SPDX-License-Identifier: Apache-2.0
"""A storeroom as a robot sees it that drives round a rack: a forklift, somebody with a box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from f4x_ros.sim.camera_paths import RobotBase
from f4x_ros.sim.carrying import Carried, Errand
from f4x_ros.sim.mesh import rotation
from f4x_ros.sim.motion import OpenAndShut, Slide, pose_from, upright
from f4x_ros.sim.routes import Route, Shuttle, Stop
from f4x_ros.sim.scene import Light, SceneSpec
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.sim.scenes.people import lane, put_person
from f4x_ros.sim.shapes import rack_levels
from f4x_ros.sim.walking import Walker

_X, _Y, _Z = 13.0, 7.0, 4.0
_RACK = {"width": 2.0, "depth": 0.8, "height": 2.4, "levels": 3.0}


def warehouse(seed: int = 0) -> SceneSpec:
    """The scene; the seed varies colours, sizes, goods, light and who is where."""
    kit = Kit("warehouse", seed)
    _racks(kit)
    _goods(kit)
    _carrier(kit)
    _vehicles(kit)
    loop = ((-5.8, 1.15), (1.5, 1.15), (1.5, -1.15), (-5.8, -1.15))
    drive = Route(loop, 0.7, (Stop((-3.9, 1.15), 0.6), Stop((-0.6, -1.15), 1.0)), 0.5, ramp_s=1.0)
    return SceneSpec(
        room=room((_X, _Y, _Z), FLOORS["concrete"], WALLS["panel"]),
        things=tuple(kit.things),
        lights=kit.lights(
            Light((-3.5, 1.2, 3.4), (2.1, 2.4, 2.35), 0.1),
            Light((3.5, 0.0, 3.4), (2.2, 2.6, 2.55), 0.1),
            Light((-3.0, -1.6, 3.4), (1.4, 1.6, 1.55), 0.1),
        ),
        ambient=(0.30, 0.30, 0.31),
        camera=RobotBase(drive.starting_at((-5.4, 1.15)), 1.1, 0.05),
        exposure=1.1,
    )


def _racks(kit: Kit) -> None:
    color = kit.pick("blue", "green", "gray")
    places = [(x, 3.05, 0.0) for x in (-4.6, -2.5, -0.4)]
    places += [(x, -3.05, np.pi) for x in (-4.6, -2.5, -0.4)]
    places += [(-2.9, 0.0, 0.0), (-0.85, 0.0, 0.0)]
    for x, y, yaw in places:
        rack = kit.put("pallet rack", color, x, y, yaw=yaw, size=_RACK)
        for level in rack_levels(_RACK["height"], _RACK["levels"])[:: 1 if y > -1 else 2]:
            _fill(kit, rack, level)


def _fill(kit: Kit, rack: str, z: float) -> None:
    """Boxes, crates and barrels side by side on one deck, some places left empty."""
    for x in (-0.62, 0.0, 0.62):
        what = kit.pick("box", "box", "box", "crate", "")
        if what:
            kit.put(
                what,
                None,
                x,
                0.0,
                z,
                within=rack,
                off_m=0.03,
                off_rad=0.08,
                size={"width": float(kit.rng.uniform(0.34, 0.5)), "depth": 0.4},
            )


def _goods(kit: Kit) -> None:
    pallet = kit.put("pallet", "brown", 1.9, 2.95, yaw=0.06)
    for x, y in ((-0.3, -0.15), (0.3, -0.15), (0.0, 0.22)):
        kit.put("barrel", None, x, y, on=pallet, size={"radius": 0.22, "height": 0.8})
    kit.put("ladder", "yellow", 5.9, 2.6, yaw=-0.6, off_rad=0.2)
    kit.put("hand truck", "red", 1.2, -3.0, yaw=0.3, off_rad=0.3)
    kit.put("fire extinguisher", "red", 6.3, 0.9)
    for x, y in ((3.0, 2.5), (2.0, -2.3), (-5.9, -2.2)):
        kit.put("traffic cone", "orange", x, y, off_m=0.05)
    kit.put("bucket", None, -4.6, 0.1, off_m=0.1)
    pallet = kit.put("pallet", "blue", 5.8, -2.75, yaw=-0.05)
    for x in (-0.3, 0.3):
        kit.put("crate", None, x, 0.0, on=pallet, off_m=0.02, off_rad=0.1)


def _carrier(kit: Kit) -> None:
    """Somebody who carries a box from one stack to another and back."""
    height, hip, ahead = 1.75, 0.84, 0.56
    west, east = (-1.9, 1.95), (0.7, 1.95)
    spots = []
    for x, yaw in ((west[0] - ahead, -np.pi / 2), (east[0] + ahead, np.pi / 2)):
        size = {"width": 0.5, "depth": 0.4, "height": hip / 2}
        low = kit.put("crate", None, x, west[1], size=size, yaw=np.pi / 2)
        kit.put("crate", None, 0.0, 0.0, on=low, size=size)
        near = 0.06 if yaw < 0 else -0.06  # the box stands on the stack's side of the person
        spots.append(upright(x + near, west[1], hip, yaw))
    way = Shuttle(west, east, 1.0, wait_s=1.9, turn_s=1.0)
    half = way.period_s / 2
    # At the beginning it has just been lifted in the east. It waits a lap where it was put down.
    now = 3 * half + float(kit.rng.uniform(1.9, 2.3))
    way = replace(way, start_s=now)
    box = Carried(
        way, pose_from(rotation("z", np.pi / 2), (0.4, 0.0, 1.0)), tuple(spots),
        (Errand(0.9, half + 1.1), Errand(3 * half + 0.9, 4 * half + 1.1)), 6 * half, start_s=now,
    )  # fmt: skip
    size = {"width": 0.4, "depth": 0.34, "height": 0.3}
    kit.put("box", "brown", 0.0, 0.0, size=size, motion=box)
    put_person(kit, Walker(way, height, box, ((0.2, 0.12, 0.1), (-0.2, 0.12, 0.1))))


def _vehicles(kit: Kit) -> None:
    play = OpenAndShut(6.0, 0.5, 1.6, 1.0)
    patrol = lane((4.5, -0.6), (4.5, 0.6), 1.3)
    kit.put(
        "forklift", "yellow", 0.0, 0.0, links={"forks": Slide((0, 0, 0.5), play)},
        size={"length": 1.8, "height": 2.0, "raised": 0.05},
        motion=Route(patrol, 0.7, (Stop((5.15, 0.0), 1.0),), 0.6, float(kit.rng.uniform(0, 8))),
    )  # fmt: skip
    crossing = lane((2.2, -1.5), (2.2, 1.6), 0.4)
    kit.put(
        "robot", None, 0.0, 0.0,
        motion=Route(crossing, 0.6, (Stop((2.0, 0.6), 1.2),), 0.2, float(kit.rng.uniform(0, 9))),
    )  # fmt: skip
