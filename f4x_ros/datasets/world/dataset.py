# SPDX-License-Identifier: Apache-2.0
"""The demo world as a source of frames with exact ground truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.camera import PinholeCamera
from f4x_ros.core.frame import Frame
from f4x_ros.datasets.source import Source, stamps_at_rate
from f4x_ros.datasets.world.cache import FrameCache
from f4x_ros.datasets.world.demo_room import demo_room
from f4x_ros.datasets.world.mesh import Mesh
from f4x_ros.datasets.world.motion import Pose, velocity_of
from f4x_ros.datasets.world.raycast import Drawing, Raycaster
from f4x_ros.datasets.world.scene import ObjectLabel, Scene, build_scene
from f4x_ros.datasets.world.shapes import CLASS_IDS

#: Frames a second of the demo camera.
RATE_HZ = 30.0

_MAX_SIDE_PX = 4096
_FOCAL_PER_WIDTH = 0.82  # 63 degrees wide


@dataclass(frozen=True, eq=False)
class WorldTruth:
    """What is exactly so at one frame. Dictionaries are keyed by instance id.

    Attributes:
        stamp_ns: stamp of the frame.
        T_map_camera: ``[4, 4]`` optical frame to map.
        depth: ``[H, W]`` float32, metres along the optical axis, 0 = nothing hit.
        instances: ``[H, W]`` uint16 instance id of the pixel's centre, 0 = nothing hit.
        classes: ``[H, W]`` uint16 class id (`CLASS_IDS`), 0 = nothing hit.
        T_map_object: ``[4, 4]`` object frame to map; the object frame's origin is the centre of
            the object's base, the middle of a ball, the middle of a picture or window.
        moving: whether the object moves at this instant.
        velocity: ``[3]`` m/s of the object frame's origin, map frame.
        angular_velocity: ``[3]`` rad/s, map frame.
    """

    stamp_ns: int
    T_map_camera: Pose
    depth: NDArray[np.float32]
    instances: NDArray[np.uint16]
    classes: NDArray[np.uint16]
    T_map_object: dict[int, Pose]
    moving: dict[int, bool]
    velocity: dict[int, NDArray[np.float64]]
    angular_velocity: dict[int, NDArray[np.float64]]


class World(Source):
    """A room seen by a walking camera at 30 Hz, drawn when asked for and kept on disk.

    Frame ``i`` is the same whatever the number of frames, and whoever draws it. `prepare` draws
    all that is missing on several cores; without it, each frame is drawn when it is first read.
    """

    def __init__(
        self,
        width: int = 320,
        height: int | None = None,
        frames: int = 150,
        seed: int = 0,
        cache: Path | None = None,
    ) -> None:
        """Describe the world; nothing is drawn yet.

        Args:
            width: pixels.
            height: pixels; default three quarters of the width.
            frames: length of the sequence at 30 Hz.
            seed: variant of the room; same seed, same bytes.
            cache: folder for drawn frames; default ``$XDG_CACHE_HOME/f4x_ros/worlds``.

        Raises:
            ValueError: a parameter is out of range; names it.
            OSError: the cache folder cannot be made.
        """
        height = width * 3 // 4 if height is None else height
        _check("width", width, 8, _MAX_SIDE_PX)
        _check("height", height, 8, _MAX_SIDE_PX)
        _check("frames", frames, 1, 1_000_000)
        _check("seed", seed, 0, 2**32 - 1)
        super().__init__(f"demo:{width}x{height}:{frames}", stamps_at_rate(frames, RATE_HZ))
        self.seed = seed
        focal = width * _FOCAL_PER_WIDTH
        self.camera = PinholeCamera(width, height, focal, focal, width / 2, height / 2)
        self._cache_root = cache
        key = {"scene": "demo", "width": width, "height": height, "seed": seed}
        self.cache = FrameCache(key, cache)

    @cached_property
    def scene(self) -> Scene:
        """The room and its things."""
        return build_scene(demo_room(self.seed))

    @cached_property
    def _raycaster(self) -> Raycaster:
        return Raycaster(self.scene)

    @cached_property
    def labels(self) -> dict[int, ObjectLabel]:
        """What each instance id stands for."""
        return {made.label.id: made.label for made in self.scene.objects}

    @property
    def class_names(self) -> dict[int, str]:
        """What each class id stands for."""
        return {number: name for name, number in CLASS_IDS.items()}

    def mesh(self, instance: int) -> Mesh:
        """Triangles of an object in its own frame; raises ValueError for an unknown id."""
        if instance not in self.labels:
            raise ValueError(f"instance is {instance}, expected 1..{len(self.labels)}")
        return self.scene.objects[instance - 1].mesh

    def load(self, index: int) -> Frame:
        drawing = self.drawing(index)
        return Frame(
            stamp_ns=int(self.stamps_ns[index]),
            rgb=drawing.rgb,
            camera=self.camera,
            depth=drawing.depth,
            T_map_camera=self.scene.spec.camera(index / RATE_HZ),
        )

    def truth(self, index: int) -> WorldTruth:
        """Exact ground truth of frame ``index``."""
        index = self.checked_index(index)
        drawing = self.drawing(index)
        t = index / RATE_HZ
        velocity, angular = {}, {}
        for made in self.scene.objects:
            velocity[made.label.id], angular[made.label.id] = velocity_of(made.pose, t)
        class_of = np.array([0, *(label.class_id for label in self.labels.values())], np.uint16)
        return WorldTruth(
            stamp_ns=int(self.stamps_ns[index]),
            T_map_camera=self.scene.spec.camera(t),
            depth=drawing.depth,
            instances=drawing.instances,
            classes=class_of[drawing.instances],
            T_map_object={made.label.id: made.pose(t) for made in self.scene.objects},
            moving={i: bool(np.abs([velocity[i], angular[i]]).max() > 1e-6) for i in self.labels},
            velocity=velocity,
            angular_velocity=angular,
        )

    def drawing(self, index: int) -> Drawing:
        """Colour, depth and instance ids of frame ``index``, from the cache or drawn now."""
        drawing = self.cache.get(index)
        if drawing is None:
            t = index / RATE_HZ
            seed = (self.seed << 32) + index
            drawing = self._raycaster.draw(self.camera, self.scene.spec.camera(t), t, seed)
            self.cache.put(index, drawing)
        return drawing

    def missing(self) -> list[int]:
        """Indices of the frames that are not on disk yet."""
        return [index for index in range(len(self)) if index not in self.cache]

    def prepare(
        self,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> float:
        """Draw all missing frames with ``workers`` processes; returns the seconds it took.

        ``workers`` is by default the number of cores this process may use; ``progress(done,
        total)`` is called about four times a second. Raises RuntimeError with the worker's last
        words if one fails; what was drawn until then stays.
        """
        from f4x_ros.datasets.world.workers import draw_missing

        workers = len(os.sched_getaffinity(0)) if workers is None else workers
        _check("workers", workers, 1, 256)
        return draw_missing(self, workers, progress)

    def parameters(self) -> dict[str, int | str]:
        """Arguments of the constructor that make this world again."""
        made: dict[str, int | str] = {
            "width": self.camera.width,
            "height": self.camera.height,
            "frames": len(self),
            "seed": self.seed,
        }
        if self._cache_root is not None:
            made["cache"] = str(self._cache_root)
        return made


def _check(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}, expected a whole number from {low} to {high}")
