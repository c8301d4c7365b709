# SPDX-License-Identifier: Apache-2.0
"""A room described as data (`SceneSpec`), and the same room ready to be drawn (`Scene`).

The map frame stands in the middle of the floor, z up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from f4x_ros.datasets.world.materials import FIXED, Finish, Material, Rgb
from f4x_ros.datasets.world.mesh import Mesh, box, corner_normals, merged
from f4x_ros.datasets.world.motion import Motion, Pose, upright
from f4x_ros.datasets.world.shapes import CLASS_IDS, CLASSES, Part, Parts


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    ``x, y, z`` [m] and ``yaw`` [rad] are relative to the room, or to the middle of the upper side
    of the thing named by ``on``. ``size`` goes to the function that builds the class.
    """

    cls: str
    color: str
    x: float
    y: float
    z: float = 0.0
    yaw: float = 0.0
    on: str | None = None
    size: Mapping[str, float] = field(default_factory=dict)
    finish: Finish | None = None
    motion: Motion | None = None
    name: str | None = None  # default: "<color> <cls>"


@dataclass(frozen=True)
class Room:
    """A closed box of ``size`` metres with its surfaces."""

    size: tuple[float, float, float]
    floor: Material
    wall: Material
    ceiling: Material


@dataclass(frozen=True)
class Light:
    """A ball-shaped light."""

    position: tuple[float, float, float]
    color: Rgb  # linear, brightness at one metre
    radius_m: float = 0.08


@dataclass(frozen=True)
class SceneSpec:
    """Everything a scene is made of."""

    room: Room
    things: tuple[Thing, ...]
    lights: tuple[Light, ...]
    ambient: Rgb
    camera: Motion  # T_map_camera over time
    exposure: float = 1.0


@dataclass(frozen=True)
class ObjectLabel:
    """What an instance id stands for.

    Attributes:
        id: instance id in ground truth, from 1.
        name: e.g. "red mug"; no two objects of a scene share it.
        cls: class name, e.g. "mug".
        class_id: id of the class in ground truth.
        color: colour word, e.g. "red".
        moving: whether it ever moves.
        center: ``[3]`` middle of its bounding box in its own frame [m].
        size: ``[3]`` full extent of that box [m].
    """

    id: int
    name: str
    cls: str
    class_id: int
    color: str
    moving: bool
    center: tuple[float, float, float]
    size: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class SceneObject:
    """An object ready to be drawn."""

    label: ObjectLabel
    mesh: Mesh  # in the object's frame
    normals: NDArray[np.float32]  # [F, 3, 3] of the corners
    face_material: NDArray[np.int64]  # [F] index into `materials`
    materials: tuple[Material, ...]
    base: Pose
    motion: Motion | None

    def pose(self, t: float) -> Pose:
        """``T_map_object`` at time ``t`` [s]."""
        return self.base if self.motion is None else self.base @ self.motion(t)


@dataclass(frozen=True, eq=False)
class Scene:
    """The objects of a scene in the order of their ids, which start at 1."""

    spec: SceneSpec
    objects: tuple[SceneObject, ...]


def build_scene(spec: SceneSpec) -> Scene:
    """Make meshes, materials and poses; raises ValueError naming a thing that does not fit."""
    parts_of_room = _room_parts(spec.room)
    objects = [
        _build(number, cls, cls, "white", parts, Finish(), np.eye(4), None)
        for number, (cls, parts) in enumerate(parts_of_room.items(), start=1)
    ]
    tops: dict[str, Pose] = {}
    for thing in spec.things:
        made = _build_thing(len(objects) + 1, thing, tops)
        name = made.label.name
        if name in tops:
            raise ValueError(f"thing {name!r} is there twice, expected different names")
        tops[name] = made.base @ upright(0, 0, float(made.mesh.vertices[:, 2].max()))
        objects.append(made)
    return Scene(spec, tuple(objects))


def _build_thing(number: int, thing: Thing, tops: Mapping[str, Pose]) -> SceneObject:
    name = thing.name or f"{thing.color} {thing.cls}"
    known = CLASSES.get(thing.cls)
    if known is None or known.build is None:
        raise ValueError(f"class {thing.cls!r} of {name!r}, expected one of {sorted(CLASSES)}")
    if thing.on is not None and thing.on not in tops:
        raise ValueError(f"{name!r} stands on {thing.on!r}, expected one of {sorted(tops)}")
    support = np.eye(4) if thing.on is None else tops[thing.on]
    base = support @ upright(thing.x, thing.y, thing.z, thing.yaw)
    finish = thing.finish or known.finish
    parts = known.build(**thing.size)
    return _build(number, name, thing.cls, thing.color, parts, finish, base, thing.motion)


def _build(
    number: int,
    name: str,
    cls: str,
    color: str,
    parts: Parts,
    finish: Finish,
    base: Pose,
    motion: Motion | None,
) -> SceneObject:
    mesh = merged([part.mesh for part in parts])
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    label = ObjectLabel(
        id=number,
        name=name,
        cls=cls,
        class_id=CLASS_IDS[cls],
        color=color,
        moving=motion is not None,
        center=tuple(((low + high) / 2).tolist()),
        size=tuple((high - low).tolist()),
    )
    materials = [_material(part, finish, color) for part in parts]
    counts = [len(part.mesh.faces) for part in parts]
    return SceneObject(
        label=label,
        mesh=mesh,
        normals=np.concatenate([corner_normals(part.mesh) for part in parts]),
        face_material=np.repeat(np.arange(len(parts)), counts),
        materials=tuple(materials),
        base=base,
        motion=motion,
    )


def _material(part: Part, finish: Finish, color: str) -> Material:
    if isinstance(part.material, Material):
        return part.material
    if part.material in ("body", "body dark"):
        return finish.material(color, 1.0 if part.material == "body" else 0.8)
    return FIXED[part.material]


def _room_parts(room: Room) -> dict[str, Parts]:
    """Slabs 10 cm thick around the inside of the room."""
    x, y, z = room.size
    slab = 0.1
    sides = [box((x, slab, z), (0, s * (y + slab) / 2, z / 2)) for s in (1, -1)] + [
        box((slab, y, z), (s * (x + slab) / 2, 0, z / 2)) for s in (1, -1)
    ]
    return {
        "floor": [Part(box((x, y, slab), (0, 0, -slab / 2)), room.floor)],
        "wall": [Part(side, room.wall) for side in sides],
        "ceiling": [Part(box((x, y, slab), (0, 0, z + slab / 2)), room.ceiling)],
    }
