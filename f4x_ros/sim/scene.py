# SPDX-License-Identifier: Apache-2.0
"""A room described as data (`SceneSpec`), and the same room ready to be drawn (`Scene`).

The map frame stands in the middle of the floor, z up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.materials import Finish, Material, Rgb, surface
from f4x_ros.sim.mesh import Mesh, box, corner_normals, corners_between, merged, transformed
from f4x_ros.sim.motion import Motion, Pose, upright, velocity_of
from f4x_ros.sim.shapes import CLASS_IDS, CLASSES, Part, Parts, called


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    ``x, y, z`` [m] and ``yaw`` [rad] are relative to the room, or to the middle of the upper side
    of the thing named by ``on``, or to the origin of the thing named by ``within``.

    Attributes:
        size: arguments of the function that builds the class.
        finish: surface; None takes the usual one of the class.
        motion: pose over time relative to where the thing was placed; None stands still.
        name: unique in the scene; None takes "<color> <cls>", or "<cls> in <color>".
        links: for things that bend: pose of a link over time, relative to the thing.
        life: spans of seconds ``[start, stop)`` in which the thing exists; () = always.
    """

    cls: str
    color: str
    x: float
    y: float
    z: float = 0.0
    yaw: float = 0.0
    on: str | None = None
    within: str | None = None
    size: Mapping[str, float] = field(default_factory=dict)
    finish: Finish | None = None
    motion: Motion | None = None
    name: str | None = None
    links: Mapping[str, Motion] = field(default_factory=dict)
    life: tuple[tuple[float, float], ...] = ()


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
        material: word for its surface, e.g. "wooden"; "" where none comes to mind.
        moving: whether it ever moves.
        center: ``[3]`` middle of its bounding box at rest in its own frame [m].
        size: ``[3]`` full extent of that box [m].
    """

    id: int
    name: str
    cls: str
    class_id: int
    color: str
    material: str
    moving: bool
    center: tuple[float, float, float]
    size: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid piece that is drawn: all parts of an object with one link."""

    link: str
    mesh: Mesh  # in the object's frame, at rest
    normals: NDArray[np.float32]  # [F, 3, 3] of the corners
    face_material: NDArray[np.int64]  # [F] index into `materials`
    materials: tuple[Material, ...]


@dataclass(frozen=True, eq=False)
class SceneObject:
    """An object ready to be drawn: one body, or several that move against each other."""

    label: ObjectLabel
    bodies: tuple[Body, ...]
    base: Pose
    motion: Motion | None
    links: Mapping[str, Motion]
    life: tuple[tuple[float, float], ...]

    @cached_property
    def mesh(self) -> Mesh:
        """All triangles at rest, in the object's frame."""
        return merged([body.mesh for body in self.bodies])

    def mesh_at(self, t: float) -> Mesh:
        """All triangles as they are bent at time ``t`` [s], in the object's frame."""
        return merged(
            [
                transformed(body.mesh, link[:3, :3], link[:3, 3])
                for body, link in zip(self.bodies, self._link_poses(t), strict=True)
            ]
        )

    def exists(self, t: float) -> bool:
        """Whether the object is in the room at time ``t`` [s]."""
        return not self.life or any(start <= t < stop for start, stop in self.life)

    def pose(self, t: float) -> Pose:
        """``T_map_object`` at time ``t`` [s]."""
        return self.base if self.motion is None else self.base @ self.motion(t)

    def body_poses(self, t: float) -> list[Pose]:
        """``T_map_body`` of each body at time ``t`` [s]."""
        T_map_object = self.pose(t)
        return [T_map_object @ link for link in self._link_poses(t)]

    def carried(self, points: NDArray[np.float64], t: float, later: float) -> NDArray[np.float64]:
        """Where points [N, 3] of its surface at time ``t`` [s] are at another time, map frame."""
        poses = zip(self.body_poses(t), self.body_poses(later), strict=True)
        moved, far = [], []
        for body, (then, now) in zip(self.bodies, poses, strict=True):
            local = (points - then[:3, 3]) @ then[:3, :3]
            moved.append(local @ now[:3, :3].T + now[:3, 3])
            if len(self.bodies) > 1:
                far.append(cKDTree(corners_between(body.mesh)).query(local)[0])
        if not far:
            return np.asarray(moved[0])
        return np.asarray(np.stack(moved)[np.argmin(far, 0), np.arange(len(points))])

    def moves(self, t: float) -> bool:
        """Whether any of its bodies moves at time ``t`` [s]."""
        if self.motion is None and not self.links:
            return False
        motions = [self.pose, *(self.links[b.link] for b in self.bodies if b.link in self.links)]
        return any(np.abs(velocity_of(motion, t)).max() > _STILL for motion in motions)

    def _link_poses(self, t: float) -> list[Pose]:
        return [
            self.links[body.link](t) if body.link in self.links else np.eye(4)
            for body in self.bodies
        ]


#: Below this speed [m/s, rad/s] a thing stands still.
_STILL = 1e-6


@dataclass(frozen=True, eq=False)
class Scene:
    """The objects of a scene in the order of their ids, which start at 1."""

    spec: SceneSpec
    objects: tuple[SceneObject, ...]


def build_scene(spec: SceneSpec) -> Scene:
    """Make meshes, materials and poses; raises ValueError naming a thing that does not fit."""
    objects = [
        _build(number, Thing(cls, "white", 0, 0, name=cls), parts, Finish(), np.eye(4))
        for number, (cls, parts) in enumerate(_room_parts(spec.room).items(), start=1)
    ]
    tops: dict[str, Pose] = {}
    bases: dict[str, Pose] = {}
    for thing in spec.things:
        made = _build_thing(len(objects) + 1, thing, tops, bases)
        name = made.label.name
        if name in tops:
            raise BadInputError(f"thing {name!r} is there twice, expected different names")
        bases[name] = made.base
        tops[name] = made.base @ upright(0, 0, float(made.mesh.vertices[:, 2].max()))
        objects.append(made)
    return Scene(spec, tuple(objects))


def _build_thing(
    number: int, thing: Thing, tops: Mapping[str, Pose], bases: Mapping[str, Pose]
) -> SceneObject:
    name = _name(thing)
    known = CLASSES.get(thing.cls)
    if known is None or known.build is None:
        raise BadInputError(f"class {thing.cls!r} of {name!r}, expected one of {sorted(CLASSES)}")
    support = np.eye(4)
    for word, other, poses in (("stands on", thing.on, tops), ("is within", thing.within, bases)):
        if other is not None and other not in poses:
            raise BadInputError(f"{name!r} {word} {other!r}, expected one of {sorted(poses)}")
        support = support if other is None else poses[other]
    base = support @ upright(thing.x, thing.y, thing.z, thing.yaw)
    parts = known.build(**thing.size)
    links = {part.link for part in parts}
    for link in thing.links:
        if link not in links:
            raise BadInputError(f"{name!r} has no link {link!r}, expected one of {sorted(links)}")
    return _build(number, thing, parts, thing.finish or known.finish, base)


def _name(thing: Thing) -> str:
    return thing.name or called(thing.color, thing.cls, thing.cls)


def _build(number: int, thing: Thing, parts: Parts, finish: Finish, base: Pose) -> SceneObject:
    mesh = merged([part.mesh for part in parts])
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    label = ObjectLabel(
        id=number,
        name=_name(thing),
        cls=thing.cls,
        class_id=CLASS_IDS[thing.cls],
        color=thing.color,
        material=finish.word,
        moving=thing.motion is not None or bool(thing.links),
        center=tuple(((low + high) / 2).tolist()),
        size=tuple((high - low).tolist()),
    )
    by_link: dict[str, Parts] = {}
    for part in parts:
        by_link.setdefault(part.link, []).append(part)
    bodies = tuple(_body(link, of, finish, thing.color) for link, of in by_link.items())
    return SceneObject(label, bodies, base, thing.motion, thing.links, thing.life)


def _body(link: str, parts: Parts, finish: Finish, color: str) -> Body:
    return Body(
        link=link,
        mesh=merged([part.mesh for part in parts]),
        normals=np.concatenate([corner_normals(part.mesh) for part in parts]),
        face_material=np.repeat(np.arange(len(parts)), [len(part.mesh.faces) for part in parts]),
        materials=tuple(surface(part.material, finish, color) for part in parts),
    )


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
