# SPDX-License-Identifier: Apache-2.0
"""A drawn world as a source of frames with exact ground truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, PinholeCamera
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.source import Source, stamps_at_rate
from f4x_ros.sim import embree
from f4x_ros.sim.cache import FrameCache
from f4x_ros.sim.language import Phrase, absent_phrases, paraphrases_of, phrases_of, surface_colors
from f4x_ros.sim.mesh import Mesh
from f4x_ros.sim.motion import Pose
from f4x_ros.sim.raycast import Drawing, Raycaster
from f4x_ros.sim.scene import ObjectLabel, Scene, build_scene
from f4x_ros.sim.scenes import SCENES
from f4x_ros.sim.sensor import Sensor
from f4x_ros.sim.shapes import CLASS_IDS
from f4x_ros.sim.truth import WorldTruth, truth_of

#: Frames a second of the camera.
RATE_HZ = 30.0

_MAX_SIDE_PX = 4096
_FOCAL_PER_WIDTH = 0.82  # 63 degrees wide


class World(Source):
    """A room seen by a moving camera at 30 Hz, drawn when asked for and kept on disk.

    Frame ``i`` is the same whatever the number of frames, and whoever draws it. `prepare` draws
    all that is missing on several cores; without it, each frame is drawn when it is first read.

    Attributes:
        scene_name: one of `SCENES`.
        seed: variant of the scene.
        sensor: what the camera does to the picture; `truth` is exact whatever it does.
        camera: intrinsics.
    """

    def __init__(
        self,
        width: int = 320,
        height: int | None = None,
        frames: int = 150,
        seed: int = 0,
        cache: Path | None = None,
        scene: str = "demo",
        sensor: str = "ideal",
    ) -> None:
        """Describe the world; nothing is drawn yet.

        Args:
            width: pixels.
            height: pixels; default three quarters of the width.
            frames: length of the sequence at 30 Hz (a sensor may drop some of them).
            seed: variant of the scene; same seed, same bytes.
            cache: folder for drawn frames; default ``$XDG_CACHE_HOME/f4x_ros/worlds``.
            scene: one of `SCENES`.
            sensor: "ideal", or what `Sensor.parse` understands, e.g. "noisy" or "depth+blur".

        Raises:
            ValueError: a parameter is out of range; names it.
            OSError: the cache folder cannot be made.
            UnsupportedError: what draws is not installed.
        """
        embree.check_installed()
        height = width * 3 // 4 if height is None else height
        _check("width", width, 8, _MAX_SIDE_PX)
        _check("height", height, 8, _MAX_SIDE_PX)
        _check("frames", frames, 1, 1_000_000)
        _check("seed", seed, 0, 2**32 - 1)
        if scene not in SCENES:
            raise BadInputError(f"scene is {scene!r}, expected one of {', '.join(SCENES)}")
        self.sensor = Sensor.parse(sensor)
        self.scene_name, self.seed, self._frames = scene, seed, frames
        self._moments = self.sensor.kept(frames, seed)  # number of the moment of each frame
        super().__init__(
            world_name(scene, width, height, frames, seed, self.sensor.name),
            stamps_at_rate(frames, RATE_HZ)[self._moments],
        )
        if len(self._moments) < frames:
            self.left_out.add("frames_dropped_by_sensor", frames - len(self._moments))
        focal = width * _FOCAL_PER_WIDTH
        self.camera = PinholeCamera(width, height, focal, focal, width / 2, height / 2)
        self._cache_root = cache
        key = {"scene": scene, "width": width, "height": height, "seed": seed}
        self.cache = FrameCache(key, cache)

    @cached_property
    def scene(self) -> Scene:
        """The room and its things."""
        return build_scene(SCENES[self.scene_name](self.seed))

    @cached_property
    def _raycaster(self) -> Raycaster:
        return Raycaster(self.scene)

    # --- what there is -------------------------------------------------------------------------

    @cached_property
    def labels(self) -> dict[int, ObjectLabel]:
        """What each instance id stands for."""
        return {made.label.id: made.label for made in self.scene.objects}

    @property
    def class_names(self) -> dict[int, str]:
        """What each class id stands for."""
        return {number: name for name, number in CLASS_IDS.items()}

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """Words for what is in the scene, and which instances each of them means."""
        return phrases_of(self.labels.values())

    @cached_property
    def paraphrases(self) -> tuple[Phrase, ...]:
        """Other words for the same."""
        return paraphrases_of(self.labels.values())

    @cached_property
    def absent_phrases(self) -> tuple[str, ...]:
        """Words for what is not in the scene, the near misses ("blue mug") first."""
        return absent_phrases(self.labels.values(), surface_colors(self.scene.spec.room))

    def mesh(self, instance: int, index: int = 0) -> Mesh:
        """Triangles of an object in its own frame, bent as it is at frame ``index``.

        Raises:
            ValueError: the id is unknown.
        """
        if instance not in self.labels:
            raise BadInputError(f"instance is {instance}, expected 1..{len(self.labels)}")
        return self.scene.objects[instance - 1].mesh_at(self._time_s(index))

    def carried(
        self, points: NDArray[np.float64], instances: NDArray[np.integer], index: int, later: int
    ) -> NDArray[np.float64]:
        """Where points ``[N, 3]`` on these instances at frame ``index`` are at another frame.

        NaN where the thing does not exist any more, or not yet. All in the map frame.
        """
        out = np.full((len(points), 3), np.nan)
        t, then = self._time_s(index), self._time_s(later)
        for number in np.unique(instances[instances > 0]).tolist():
            thing = self.scene.objects[number - 1]
            if thing.exists(then):
                own = instances == number
                out[own] = thing.carried(points[own], t, then)
        return out

    # --- frames --------------------------------------------------------------------------------

    def load(self, index: int) -> Frame:
        moment = int(self._moments[index])
        seen = self.sensor.observe(
            lambda offset_us: self._drawing(moment, offset_us),
            lambda offset_us: self.scene.spec.camera(moment / RATE_HZ + offset_us * 1e-6),
            self.camera,
            moment,
            self.seed,
        )
        return Frame(
            stamp_ns=int(self.stamps_ns[index]),
            rgb=seen.rgb,
            camera=self.camera,
            depth=seen.depth,
            T_map_camera=seen.T_map_camera,
        )

    def truth(self, index: int) -> WorldTruth:
        """Exact ground truth of frame ``index``."""
        return self._truth(index, self.drawing(index), self.camera_pose(index))

    def view(self, index: int, T_map_camera: Pose) -> tuple[NDArray[np.uint8], WorldTruth]:
        """Picture ``[H, W, 3]`` and truth of frame ``index``'s time, seen by a camera elsewhere.

        Ideal, whatever the sensor, and drawn anew at each call.
        """
        drawing = self._raycaster.draw(self.camera, T_map_camera, self._time_s(index), self.seed)
        return drawing.rgb, self._truth(index, drawing, T_map_camera)

    def camera_pose(self, index: int) -> Pose:
        """Exact ``T_map_camera`` of frame ``index``."""
        return self.scene.spec.camera(self._time_s(index))

    def drawing(self, index: int) -> Drawing:
        """What an ideal camera sees at frame ``index``, from the cache or drawn now."""
        return self._drawing(int(self._moments[self.checked_index(index)]), 0)

    def _time_s(self, index: int) -> float:
        return int(self._moments[self.checked_index(index)]) / RATE_HZ

    def _truth(self, index: int, drawing: Drawing, T_map_camera: Pose) -> WorldTruth:
        index = self.checked_index(index)
        stamp_ns = int(self.stamps_ns[index])
        return truth_of(self.scene, drawing, self._time_s(index), stamp_ns, T_map_camera)

    def _drawing(self, moment: int, offset_us: int) -> Drawing:
        drawing = self.cache.get(moment, offset_us)
        if drawing is None:
            t = moment / RATE_HZ + offset_us * 1e-6
            seed = ((offset_us & 0xFFFFFFFF) << 64) + (self.seed << 32) + moment
            drawing = self._raycaster.draw(self.camera, self.scene.spec.camera(t), t, seed)
            self.cache.put(moment, drawing, offset_us)
        return drawing

    # --- drawing beforehand --------------------------------------------------------------------

    def missing(self) -> list[int]:
        """Indices of the frames that are not on disk yet."""
        return [index for index in range(len(self)) if not self._is_drawn(index)]

    def _is_drawn(self, index: int) -> bool:
        moment = int(self._moments[index])
        return all((moment, offset) in self.cache for offset in self.sensor.offsets_us)

    def draw(self, index: int) -> None:
        """Draw everything that frame ``index`` needs, unless it is on disk."""
        for offset_us in self.sensor.offsets_us:
            self._drawing(int(self._moments[index]), offset_us)

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
        from f4x_ros.sim.workers import draw_missing

        workers = len(os.sched_getaffinity(0)) if workers is None else workers
        _check("workers", workers, 1, 256)
        return draw_missing(self, workers, progress)

    def shortened(self, frames: int) -> World:
        """The same world with so many moments; raises ValueError if that is below 1."""
        return World(
            self.camera.width,
            self.camera.height,
            frames,
            self.seed,
            self._cache_root,
            self.scene_name,
            self.sensor.name,
        )

    def parameters(self) -> dict[str, int | str]:
        """Arguments of the constructor that make this world again."""
        made: dict[str, int | str] = {
            "width": self.camera.width,
            "height": self.camera.height,
            "frames": self._frames,
            "seed": self.seed,
            "scene": self.scene_name,
            "sensor": self.sensor.name,
        }
        if self._cache_root is not None:
            made["cache"] = str(self._cache_root)
        return made


def world_name(
    scene: str, width: int, height: int, frames: int, seed: int = 0, sensor: str = "ideal"
) -> str:
    """The text that opens this world, but for the seed of a named scene, which is not in it."""
    seeded = f"{scene}:{seed}" if scene == "random" else scene
    ending = "" if sensor == "ideal" else f":{sensor}"
    return f"{seeded}:{width}x{height}:{frames}{ending}"


def _check(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInputError(f"{name} is {value!r}, expected a whole number from {low} to {high}")
