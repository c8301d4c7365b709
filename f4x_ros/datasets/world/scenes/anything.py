# SPDX-License-Identifier: Apache-2.0
"""``random``: a room with anything in it. The seed decides all; nothing stands in anything else."""

from __future__ import annotations

import numpy as np

from f4x_ros.datasets.world.camera_paths import HandheldWalk, RobotBase, Stare
from f4x_ros.datasets.world.motion import Motion, Turn, Vec3
from f4x_ros.datasets.world.routes import Route, Stop
from f4x_ros.datasets.world.scene import Light, SceneSpec
from f4x_ros.datasets.world.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.datasets.world.scenes.layout import Plan, extent, footprint, strip, swept
from f4x_ros.datasets.world.scenes.people import Loop, put_person, rectangle
from f4x_ros.datasets.world.shapes import CLASSES

_TRIES = 60
_AGAINST_WALL = ("sofa", "bookshelf", "cabinet", "bed", "bench", "pallet rack")
_TOO_LARGE = ("forklift", "pallet rack", "bicycle", "umbrella", "bed", "guitar")
_SUPPORTS = ("table", "cabinet")


def anything(seed: int = 0) -> SceneSpec:
    """The scene of a seed."""
    kit = Kit("random", seed)
    rng = kit.rng
    x, y, z = (float(rng.uniform(*span)) for span in ((4.6, 6.8), (4.2, 6.0), (2.4, 3.0)))
    floor = Plan((x - 0.06, y - 0.06))
    camera = _camera(kit, floor, (x, y))
    movers = int(rng.integers(1, 5))
    for number in range(movers):
        _floor_mover(kit, floor, number)
    walls = _wall_things(kit, (x, y))
    count = int(rng.integers(10, 31)) - movers
    supports = _furniture(kit, floor, walls, (x, y), count)
    _on_furniture(kit, supports, count)
    level = float(0.55 + 0.045 * x * y)
    corner = (float(rng.uniform(-0.3, 0.3)) * x, float(rng.uniform(-0.3, 0.3)) * y)
    return SceneSpec(
        room=room((x, y, z), kit.pick(*FLOORS.values()), kit.pick(*WALLS.values())),
        things=tuple(kit.things),
        lights=kit.lights(
            Light((corner[0], corner[1], z - 0.25), (level, level * 0.96, level * 0.88), 0.1),
            Light(
                (-corner[0], -corner[1], z - 0.3), (level * 0.4, level * 0.42, level * 0.45), 0.1
            ),
        ),
        ambient=(0.34, 0.34, 0.35),
        camera=camera,
        exposure=float(rng.uniform(1.0, 1.15)),
    )


# --- the camera's way, kept free -----------------------------------------------------------------


def _camera(kit: Kit, floor: Plan, size: tuple[float, float]) -> Motion:
    """By hand along one wall, on a robot round the middle, or on a tripod in a corner."""
    rng = kit.rng
    x, y = size[0] / 2, size[1] / 2
    kind = int(rng.integers(3))
    if kind == 1:
        loop = rectangle((-x * 0.5, -y * 0.5), (x * 0.5, y * 0.5))
        floor.take(swept(loop, 0.32))
        base = Route(loop, float(rng.uniform(0.4, 0.6)), corner_m=0.45,
                     start_s=float(rng.uniform(0, 30)))  # fmt: skip
        return RobotBase(base, float(rng.uniform(0.7, 1.2)), float(rng.uniform(0.1, 0.25)))
    if kind == 2:
        eye = (-x + 0.35, -y + 0.35, float(rng.uniform(1.6, 2.0)))
        floor.take([strip(eye[:2], np.add(eye[:2], 0.01), 0.3)])
        return Stare(eye, (0.1 * x, 0.1 * y, 0.5), 0.12, float(rng.uniform(9, 15)),
                     phase=kit.phase())  # fmt: skip
    floor.take([strip((-x * 0.6, -y + 0.55), (x * 0.6, -y + 0.55), 0.42)])
    high = float(rng.uniform(1.35, 1.65))
    eyes: list[Vec3] = [
        (side * x * 0.5, -y + 0.55 + off, high + float(rng.uniform(-0.06, 0.06)))
        for side, off in ((-1, 0.0), (0, -0.1), (1, 0.0), (0.2, 0.15))
    ]
    targets: list[Vec3] = [
        (float(rng.uniform(-0.25, 0.25)) * x, float(rng.uniform(0.0, 0.3)) * y, 0.55) for _ in eyes
    ]
    return HandheldWalk(tuple(eyes), tuple(targets), float(rng.uniform(14, 20)), kit.phase())


# --- what moves ----------------------------------------------------------------------------------


def _floor_mover(kit: Kit, floor: Plan, number: int) -> None:
    """Somebody or something that goes round a loop that is then kept free."""
    kind = kit.pick("person", "robot vacuum", "robot", "toy car") if number else "person"
    half, corner, speed, (low, high) = {
        "person": (0.34, 0.22, 1.0, (0.45, 2.6)),
        "robot vacuum": (0.24, 0.25, 0.3, (0.5, 1.6)),
        "robot": (0.34, 0.25, 0.5, (0.5, 2.0)),
        "toy car": (0.17, 0.2, 0.45, (0.45, 1.4)),
    }[kind]
    loop = _free_loop(kit, floor, half, low, high)
    if loop is None:
        return
    pace = speed * float(kit.rng.uniform(0.85, 1.15))
    middle = ((loop[0][0] + loop[1][0]) / 2, (loop[0][1] + loop[1][1]) / 2)
    stops = (Stop(middle, float(kit.rng.uniform(0.6, 1.5))),) if kit.rng.random() < 0.5 else ()
    way = Route(loop, pace, stops, corner, float(kit.rng.uniform(0, 20)))
    if kind == "person":
        put_person(kit, way)
    else:
        kit.put(kind, None, 0.0, 0.0, motion=way)


def _free_loop(kit: Kit, floor: Plan, half: float, low: float, high: float) -> Loop | None:
    for attempt in range(_TRIES):
        reach = high - (high - low) * attempt / _TRIES
        wide, deep = (float(kit.rng.uniform(low, max(reach, low + 0.01))) for _ in range(2))
        limit = np.asarray(floor.size) / 2 - half
        cx, cy = kit.rng.uniform(-limit, limit)
        loop = rectangle((cx - wide / 2, cy - deep / 2), (cx + wide / 2, cy + deep / 2))
        if floor.take(swept(loop, half)):
            return loop
    return None


# --- what stands ---------------------------------------------------------------------------------


def _wall_things(kit: Kit, size: tuple[float, float]) -> Plan:
    """Pictures and windows; returns what tall furniture must not cover."""
    walls = Plan((size[0] + 1, size[1] + 1))
    for _ in range(int(kit.rng.integers(2, 5))):
        cls = kit.pick("picture", "picture", "window")
        side = int(kit.rng.integers(4))
        yaw = side * np.pi / 2
        out = np.array([-np.sin(yaw), np.cos(yaw)])  # towards the wall behind its back
        along = np.array([np.cos(yaw), np.sin(yaw)])
        reach, length = (size[1], size[0]) if side % 2 == 0 else (size[0], size[1])
        at = out * (reach / 2 - 0.001) + along * kit.rng.uniform(-0.3, 0.3) * length
        made = kit.sizes(cls)
        if walls.take([footprint(cls, made, *at, yaw, 0.1)]):
            kit.put(cls, None, *at, 1.55, size=made, yaw=yaw)
    return walls


def _furniture(
    kit: Kit, floor: Plan, walls: Plan, size: tuple[float, float], count: int
) -> list[str]:
    """About half of the things stand on the floor; returns those that others can stand on."""
    known = [
        cls for cls, about in CLASSES.items()
        if about.where == "floor" and about.build and cls not in (*_TOO_LARGE, "person", "rug")
    ]  # fmt: skip
    wanted = ["table", kit.pick("cabinet", "table"), kit.pick("sofa", "bookshelf")]
    wanted += [known[k] for k in kit.rng.integers(len(known), size=max(0, count // 2 - 3))]
    supports = []
    for cls in wanted:
        name = _stand(kit, floor, walls, size, cls)
        if name is not None and cls in _SUPPORTS:
            supports.append(name)
    return supports


def _stand(kit: Kit, floor: Plan, walls: Plan, size: tuple[float, float], cls: str) -> str | None:
    made = kit.sizes(cls)
    box = extent(cls, made)
    for _ in range(_TRIES):
        if cls in _AGAINST_WALL:
            side = int(kit.rng.integers(4))
            yaw = side * np.pi / 2
            reach, length = size if side % 2 else size[::-1]
            back = reach / 2 - float(box[1, 1]) - 0.04
            at = np.array([-np.sin(yaw), np.cos(yaw)]) * back
            at += np.array([np.cos(yaw), np.sin(yaw)]) * kit.rng.uniform(-0.5, 0.5) * length
        else:
            yaw = float(kit.rng.uniform(-np.pi, np.pi))
            at = kit.rng.uniform(-0.5, 0.5, 2) * floor.size
        ground = footprint(cls, made, *at, yaw, 0.03)
        if box[1, 2] > 1.0 and not walls.fits([ground]):
            continue
        if floor.take([ground]):
            return kit.put(cls, None, *at, size=made, yaw=yaw)
    return None


def _on_furniture(kit: Kit, supports: list[str], count: int) -> None:
    """The other half stand on tables and cabinets; some come and go, a globe may turn."""
    if not supports:
        return
    known = [cls for cls, about in CLASSES.items() if about.where == "table" and about.build]
    plans = {}
    for thing in kit.things:
        if thing.name in supports:
            wide, deep = extent(thing.cls, thing.size)[1, :2] * 2
            plans[thing.name] = Plan((wide - 0.06, min(deep, wide) - 0.06))
    for number in range(count // 2):
        cls = known[int(kit.rng.integers(len(known)))]
        support = supports[number % len(supports)]
        made = kit.sizes(cls)
        for _ in range(_TRIES):
            x, y = kit.rng.uniform(-0.5, 0.5, 2) * plans[support].size
            yaw = float(kit.rng.uniform(-np.pi, np.pi))
            if plans[support].take([footprint(cls, made, x, y, yaw, 0.012)]):
                _put_on(kit, cls, made, support, (float(x), float(y), yaw))
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
