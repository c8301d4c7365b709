# SPDX-License-Identifier: Apache-2.0
"""``random``: a room with anything in it. The seed decides all; nothing stands in anything else."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.camera_paths import HandheldWalk, RobotBase, Stare
from f4x_ros.sim.motion import Motion, OpenAndShut, Turn, Vec3
from f4x_ros.sim.routes import Rolling, Route, Shunt, Stop
from f4x_ros.sim.scene import Light, SceneSpec
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.sim.scenes.layout import Plan, extent, footprint, strip, swept
from f4x_ros.sim.scenes.people import Loop, passer_by, rectangle
from f4x_ros.sim.shapes import CLASSES
from f4x_ros.sim.textures import Rgb

_TRIES = 60
_AGAINST_WALL = ("sofa", "bookshelf", "cabinet", "bench")
_NOT_IN_A_ROOM = ("forklift", "pallet rack", "bicycle", "umbrella", "bed", "person", "rug")


def anything(seed: int = 0) -> SceneSpec:
    """The scene of a seed."""
    kit = Kit("random", seed)
    rng = kit.rng
    x, y, z = (float(rng.uniform(*span)) for span in ((3.8, 5.6), (3.8, 5.2), (2.4, 2.9)))
    floor = Plan((x - 0.06, y - 0.06))
    camera = _camera(kit, floor, (x, y))
    movers = int(rng.integers(1, 5))
    count = int(rng.integers(14, 31)) - movers
    walls = _wall_things(kit, (x, y))
    supports = [
        name
        for cls in ("table", kit.pick("table", "cabinet"))
        if (name := _stand(kit, floor, walls, (x, y), cls))
    ]
    for number in range(movers):
        _floor_mover(kit, floor, "person" if number == 1 else None)
    made = len(kit.things)
    _furniture(kit, floor, walls, (x, y), max(2, (count - made) // 3))
    _on_furniture(kit, supports, max(6, count - len(kit.things)))
    level = float(0.42 + 0.045 * x * y)
    corner = (float(rng.uniform(-0.25, 0.25)) * x, float(rng.uniform(-0.25, 0.25)) * y)
    warm, cold = (1.0, 0.96, 0.88), (0.4, 0.42, 0.45)
    return SceneSpec(
        room=room((x, y, z), kit.pick(*FLOORS.values()), kit.pick(*WALLS.values())),
        things=tuple(kit.things),
        lights=kit.lights(
            Light((corner[0], corner[1], z - 0.3), _times(warm, level), 0.08),
            Light((-corner[0], -corner[1], z - 0.4), _times(cold, level), 0.08),
        ),
        ambient=_times((1.0, 1.0, 1.02), float(rng.uniform(0.24, 0.34))),
        camera=camera,
        exposure=float(rng.uniform(0.95, 1.1)),
    )


def _times(color: Rgb, factor: float) -> Rgb:
    return color[0] * factor, color[1] * factor, color[2] * factor


# --- the camera's way, kept free -----------------------------------------------------------------


def _camera(kit: Kit, floor: Plan, size: tuple[float, float]) -> Motion:
    """By hand along one wall, on a robot that shunts there, or on a tripod in a corner."""
    rng = kit.rng
    x, y = size[0] / 2, size[1] / 2
    kind = int(rng.integers(3))
    if kind == 2:
        eye = (-x + 0.35, -y + 0.35, float(rng.uniform(1.5, 1.9)))
        floor.take([strip(eye[:2], np.add(eye[:2], 0.01), 0.35)])
        return Stare(eye, (0.15 * x, 0.15 * y, 0.45), 0.12, float(rng.uniform(9, 15)),
                     phase=kit.phase())  # fmt: skip
    floor.take([strip((-x * 0.6, -y + 0.5), (x * 0.6, -y + 0.5), 0.42)])
    if kind == 1:
        side = float(rng.choice([-1.0, 1.0]))
        play = OpenAndShut(float(rng.uniform(9, 12)), float(rng.uniform(0, 0.6)), 3.6, 0.8)
        base = Shunt((-side * x * 0.5, -y + 0.5), (side * x * 0.5, -y + 0.5), side * 0.6, play)
        return RobotBase(base, float(rng.uniform(0.9, 1.3)), float(rng.uniform(0.2, 0.32)),
                         yaw_rad=side * np.pi / 2)  # fmt: skip
    high = float(rng.uniform(1.35, 1.65))
    eyes: list[Vec3] = [
        (side * x * 0.5, -y + 0.5 + off, high + float(rng.uniform(-0.06, 0.06)))
        for side, off in ((-1, 0.0), (0, -0.1), (1, 0.0), (0.2, 0.12))
    ]
    targets: list[Vec3] = [
        (float(rng.uniform(-0.2, 0.2)) * x, float(rng.uniform(0.0, 0.3)) * y, 0.5) for _ in eyes
    ]
    return HandheldWalk(tuple(eyes), tuple(targets), float(rng.uniform(14, 20)), kit.phase())


# --- what moves ----------------------------------------------------------------------------------


def _floor_mover(kit: Kit, floor: Plan, kind: str | None) -> None:
    """Somebody or something that goes round a loop that is then kept free."""
    kind = kind or kit.pick("person", "robot vacuum", "robot", "toy car", "football")
    half, corner, speed, (low, high) = _ON_THE_FLOOR[kind]
    loop = _free_loop(kit, floor, half, low, high)
    if loop is None and kind != "toy car":
        _floor_mover(kit, floor, "toy car")
        return
    if loop is None:
        return
    pace = speed * float(kit.rng.uniform(0.85, 1.15))
    middle = ((loop[0][0] + loop[1][0]) / 2, (loop[0][1] + loop[1][1]) / 2)
    stops = (Stop(middle, float(kit.rng.uniform(0.6, 1.5))),) if kit.rng.random() < 0.5 else ()
    way = Route(loop, pace, stops, corner, float(kit.rng.uniform(0, 20)))
    if kind == "person":
        passer_by(kit, way)
    elif kind == "football":
        size = kit.sizes(kind)
        kit.put(
            kind, None, 0.0, 0.0, size=size, motion=Rolling(way, size["radius"], size["radius"])
        )
    else:
        kit.put(kind, None, 0.0, 0.0, motion=way)


#: Half the width kept free [m], rounding of corners [m], speed [m/s], shortest and longest side.
_ON_THE_FLOOR: dict[str, tuple[float, float, float, tuple[float, float]]] = {
    "person": (0.33, 0.2, 1.0, (0.4, 2.2)),
    "robot vacuum": (0.22, 0.2, 0.3, (0.4, 1.4)),
    "robot": (0.32, 0.2, 0.5, (0.4, 1.6)),
    "toy car": (0.16, 0.15, 0.45, (0.3, 1.2)),
    "football": (0.15, 0.15, 0.6, (0.3, 1.2)),
}


def _free_loop(kit: Kit, floor: Plan, half: float, low: float, high: float) -> Loop | None:
    """A rectangle in the middle of the room, ever smaller until one is free."""
    limit = np.asarray(floor.size) / 2 - half
    for attempt in range(_TRIES):
        reach = high - (high - low) * attempt / _TRIES
        wide, deep = (float(kit.rng.uniform(low, max(reach, low + 0.01))) for _ in range(2))
        cx, cy = kit.rng.uniform(-0.75, 0.75, 2) * limit
        loop = rectangle((cx - wide / 2, cy - deep / 2), (cx + wide / 2, cy + deep / 2))
        if floor.take(swept(loop, half)):
            return loop
    return None


# --- what stands ---------------------------------------------------------------------------------


def _wall_things(kit: Kit, size: tuple[float, float]) -> Plan:
    """Pictures and windows; returns what tall furniture must not cover."""
    walls = Plan((size[0] + 1, size[1] + 1))
    for number in range(int(kit.rng.integers(2, 5))):
        cls = kit.pick("picture", "picture", "window")
        side = 0 if number == 0 else int(kit.rng.integers(4))
        yaw = side * np.pi / 2
        out = np.array([-np.sin(yaw), np.cos(yaw)])  # towards the wall behind its back
        along = np.array([np.cos(yaw), np.sin(yaw)])
        reach, length = (size[1], size[0]) if side % 2 == 0 else (size[0], size[1])
        x, y = out * (reach / 2 - 0.001) + along * kit.rng.uniform(-0.3, 0.3) * length
        made = kit.sizes(cls)
        if walls.take([footprint(cls, made, x, y, yaw, 0.1)]):
            kit.put(cls, None, x, y, 1.55, size=made, yaw=yaw)
    return walls


def _furniture(kit: Kit, floor: Plan, walls: Plan, size: tuple[float, float], count: int) -> None:
    known = [
        cls for cls, about in CLASSES.items()
        if about.where == "floor" and about.build and cls not in _NOT_IN_A_ROOM
    ]  # fmt: skip
    wanted = [kit.pick("sofa", "bookshelf", "chair")]
    wanted += [known[k] for k in kit.rng.integers(len(known), size=count - 1)]
    for cls in wanted:
        _stand(kit, floor, walls, size, cls)


def _stand(kit: Kit, floor: Plan, walls: Plan, size: tuple[float, float], cls: str) -> str | None:
    """Put it where there is room, its back to a wall if that is its way; None if there is none."""
    made = kit.sizes(cls)
    box = extent(cls, made)
    for _ in range(_TRIES):
        if cls in _AGAINST_WALL:
            side = int(kit.rng.integers(4))
            yaw = side * np.pi / 2
            reach, length = size if side % 2 else size[::-1]
            at = np.array([-np.sin(yaw), np.cos(yaw)]) * (reach / 2 - float(box[1, 1]) - 0.04)
            at += np.array([np.cos(yaw), np.sin(yaw)]) * kit.rng.uniform(-0.5, 0.5) * length
        else:
            yaw = float(kit.rng.uniform(-np.pi, np.pi))
            at = kit.rng.uniform(-0.45, 0.45, 2) * floor.size
        x, y = (float(c) for c in at)
        ground = footprint(cls, made, x, y, yaw, 0.03)
        if box[1, 2] > 1.0 and not walls.fits([ground]):
            continue
        if floor.take([ground]):
            return kit.put(cls, None, x, y, size=made, yaw=yaw)
    return None


def _on_furniture(kit: Kit, supports: list[str], count: int) -> None:
    """Small things on tables and cabinets; some come and go, a globe turns."""
    known = [cls for cls, about in CLASSES.items() if about.where == "table" and about.build]
    plans = []
    for thing in kit.things:
        if thing.name in supports:
            low, high = extent(thing.cls, thing.size)[:, :2]
            wide, deep = high - low
            plans.append((thing.name, Plan((wide - 0.04, deep - 0.12))))
    for number in range(count if plans else 0):
        cls = known[int(kit.rng.integers(len(known)))]
        support, plan = plans[number % len(plans)]
        made = kit.sizes(cls)
        for _ in range(_TRIES):
            x, y = (float(c) for c in kit.rng.uniform(-0.5, 0.5, 2) * plan.size)
            yaw = float(kit.rng.uniform(-np.pi, np.pi))
            if plan.take([footprint(cls, made, x, y, yaw, 0.012)]):
                _put_on(kit, cls, made, support, (x, y, yaw))
                break


def _put_on(
    kit: Kit, cls: str, made: dict[str, float], on: str, place: tuple[float, float, float]
) -> None:
    x, y, yaw = place
    start = float(kit.rng.uniform(0.5, 3.0))
    goes = tuple((start + 6.0 * k, start + 6.0 * k + 3.0) for k in range(20))
    lift = made["radius"] if cls == "ball" else 0.0  # its origin is its middle
    kit.put(
        cls, None, x, y, lift, on=on, size=made, yaw=yaw,
        motion=Turn(float(kit.rng.uniform(0.5, 1.2))) if cls == "globe" else None,
        life=goes if kit.rng.random() < 0.1 else (),
    )  # fmt: skip
