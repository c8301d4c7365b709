# SPDX-License-Identifier: Apache-2.0
"""Scenes with several instances of a class, filmed by somebody who walks around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.poses import Pose
from f4x_ros.sim.keypoints import KEYPOINT_CLASSES, Keypoints, keypoints_of
from f4x_ros.sim.motion import look_at
from f4x_ros.sim.raycast import Drawing, Raycaster
from f4x_ros.sim.scene import Light, ObjectLabel, Scene, SceneSpec, build_scene
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, Kit, room
from f4x_ros.sim.scenes.layout import extent
from f4x_ros.sim.sensor import Sensor
from f4x_ros.sim.shapes import CLASSES
from f4x_ros.sim.textures import Rgb

CAMERA = PinholeCamera(320, 240, 262.4, 262.4, 160.0, 120.0)
FRAMES = 36
RATE_HZ = 30.0
ROWS = 2  # classes of a scene
COUNT = 3  # instances of each class


@dataclass(frozen=True)
class Arc:
    """A camera that goes once along an arc around a point and looks at it."""

    target: tuple[float, float, float]
    radius_m: float
    rise_m: float
    start_rad: float
    span_rad: float

    def __call__(self, t: float) -> Pose:
        share = t * RATE_HZ / FRAMES
        angle = self.start_rad + self.span_rad * share
        height = self.rise_m * (1 + 0.25 * np.sin(7 * share))
        out = self.radius_m * (1 + 0.08 * np.sin(5 * share))
        way = np.array([out * np.cos(angle), out * np.sin(angle), height])
        sway = 0.06 * self.radius_m * np.array([np.sin(9 * share), np.cos(11 * share), 0])
        return look_at(np.add(self.target, way), np.add(self.target, sway))


def describe(seed: int) -> SceneSpec:
    """Three instances each of two classes of about one size, on the floor or on a table.

    Sizes come from all of the range of the class (scenes of `SCENES` use its middle half), colours
    and finishes differ, and each is turned as the seed likes.
    """
    kit = Kit("instances", seed)
    rng = kit.rng
    table = bool(rng.integers(2))
    place = "table" if table else "floor"
    known = [cls for cls in KEYPOINT_CLASSES if CLASSES[cls].where == place]
    first = known[int(rng.integers(len(known)))]
    reach = _reach(first)
    like = [c for c in known if c != first and 0.5 <= _reach(c) / reach <= 2]
    second = like[int(rng.integers(len(like)))]
    rows = [_row(kit, cls) for cls in (first, second)]
    pitch = 1.12 * max(
        _span(cls, size) for cls, sizes in zip((first, second), rows, strict=True) for size in sizes
    )
    on, top = None, 0.0
    if table:
        top = 0.72
        on = kit.put("table", None, 0, 0, name="the table", finish=CLASSES["table"].finish,
                     size={"width": pitch * 3.4, "depth": pitch * 2.6, "height": top})  # fmt: skip
    tall = 0.0
    for row, (cls, sizes) in enumerate(zip((first, second), rows, strict=True)):
        for column, size in enumerate(sizes):
            low, high = extent(cls, size)
            tall = max(tall, float(high[2] - low[2]))
            kit.put(cls, None, (column - 1) * pitch, (row - 0.5) * pitch, size=size, on=on,
                    off_m=0.05 * pitch, yaw=float(rng.uniform(0, 2 * np.pi)))  # fmt: skip
    radius = 2.15 * pitch + 0.5 * tall
    middle = top + 0.4 * tall
    side, high = 2 * radius + 1.5, max(2.6, middle + 0.8 * radius + 0.4)
    level = 0.42 + 0.05 * side**2
    warm, cold = (1.0, 0.96, 0.88), (0.5, 0.52, 0.56)
    span = float(rng.uniform(1.1, 1.6)) * np.pi  # 200 to 290 degrees: nothing is seen all round
    return SceneSpec(
        room=room((side, side, high), kit.pick(*FLOORS.values()), kit.pick(*WALLS.values())),
        things=tuple(kit.things),
        lights=kit.lights(
            Light((side * 0.3, -side * 0.25, high - 0.3), _times(warm, level), 0.08),
            Light((-side * 0.3, side * 0.2, high - 0.4), _times(cold, level), 0.08),
        ),
        ambient=(0.3, 0.3, 0.31),
        camera=Arc(
            (0.0, 0.0, middle), radius, 0.55 * radius, float(rng.uniform(0, 2 * np.pi)), span
        ),
    )


def _times(color: Rgb, factor: float) -> Rgb:
    return color[0] * factor, color[1] * factor, color[2] * factor


def _row(kit: Kit, cls: str) -> list[dict[str, float]]:
    return [
        {name: float(kit.rng.uniform(*span)) for name, span in CLASSES[cls].sizes.items()}
        for _ in range(COUNT)
    ]


def _reach(cls: str) -> float:
    usual = {name: (low + high) / 2 for name, (low, high) in CLASSES[cls].sizes.items()}
    return float(np.ptp(extent(cls, usual), axis=0).max())


def _span(cls: str, size: dict[str, float]) -> float:
    """Diameter of the circle it needs on the ground."""
    low, high = extent(cls, size)
    return float(2 * np.hypot(*np.maximum(np.abs(low[:2]), np.abs(high[:2]))))


class Instances:
    """The scene of a seed: frames, and where the keypoints truly are."""

    def __init__(self, seed: int, sensor: str = "ideal") -> None:
        self.seed = seed
        self.sensor = Sensor.parse(sensor)

    @cached_property
    def scene(self) -> Scene:
        return build_scene(describe(self.seed))

    @cached_property
    def _raycaster(self) -> Raycaster:
        return Raycaster(self.scene)

    @cached_property
    def _drawings(self) -> dict[int, Drawing]:
        return {}

    def drawing(self, index: int) -> Drawing:
        """What an ideal camera sees."""
        if index not in self._drawings:
            self._drawings[index] = self._draw(index / RATE_HZ, index)
        return self._drawings[index]

    def _draw(self, t: float, seed: int) -> Drawing:
        return self._raycaster.draw(CAMERA, self.scene.spec.camera(t), t, (self.seed << 16) + seed)

    def pose(self, index: int) -> Pose:
        """Exact `T_map_camera`."""
        return self.scene.spec.camera(index / RATE_HZ)

    def frame(self, index: int) -> Frame:
        """What the sensor reports."""
        seen = self.sensor.observe(
            lambda us: (
                self._draw(index / RATE_HZ + us * 1e-6, index) if us else self.drawing(index)
            ),
            lambda us: self.scene.spec.camera(index / RATE_HZ + us * 1e-6),
            CAMERA,
            index,
            self.seed,
        )
        stamp_ns = 1_000_000_000 + round(index * 1e9 / RATE_HZ)
        return Frame(stamp_ns, seen.rgb, CAMERA, seen.depth, seen.T_map_camera)

    @property
    def groups(self) -> dict[str, list[ObjectLabel]]:
        """Instances by class, of those with keypoints."""
        found: dict[str, list[ObjectLabel]] = {}
        for made in self.scene.objects:
            if made.label.cls in KEYPOINT_CLASSES and made.label.name != "the table":
                found.setdefault(made.label.cls, []).append(made.label)
        return found

    def corners(self, label: ObjectLabel) -> NDArray[np.float64]:
        """All corners of an instance's mesh [V, 3] in the map frame."""
        made = self.scene.objects[label.id - 1]
        return _to_map(made.base, made.mesh.vertices.astype(np.float64))

    def center(self, label: ObjectLabel) -> NDArray[np.float64]:
        """Middle of an instance's box [3] in the map frame."""
        base = self.scene.objects[label.id - 1].base
        return _to_map(base, np.asarray(label.center)[None])[0]

    def keypoints(self, label: ObjectLabel) -> Keypoints:
        """Of an instance, in the map frame."""
        made = self.scene.objects[label.id - 1]
        size = next(t.size for t in self.scene.spec.things if t.name == label.name)
        own = keypoints_of(label.cls, size)
        return Keypoints(
            own.names, _to_map(made.base, own.points), _to_map(made.base, own.equivalents)
        )


def _to_map(T_map_object: Pose, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ T_map_object[:3, :3].T + T_map_object[:3, 3])
