# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one drawn world: the scene's own, and others beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.cameras import CamerasSource
from f4x_ros.io.source import Source
from f4x_ros.sim.dataset import World
from f4x_ros.sim.truth import WorldTruth


class EveryNth(Source):
    """Every n-th frame of a world: a slower camera."""

    def __init__(self, world: World, every: int) -> None:
        """Raises ValueError for less than 1, and where no frame is left."""
        if not 1 <= every <= len(world):
            raise BadInputError(f"every is {every}, expected 1 to {len(world)}")
        super().__init__(world.name, world.stamps_ns[every - 1 :: every])
        self._world, self._every = world, every
        self.left_out.extend(world.left_out)

    def index_of(self, index: int) -> int:
        """Number of a frame in the world."""
        return index * self._every + self._every - 1

    def load(self, index: int) -> Frame:
        return self._world[self.index_of(index)]


class Rig(CamerasSource):
    """A drawn world seen by several cameras, each with noise and an exposure of its own.

    Attributes:
        worlds: by camera, what it sees; scenes, words and ids are those of one world.
    """

    def __init__(self, cameras: Mapping[str, int], **options: Any) -> None:
        """From the names of cameras (`mounts.MOUNTS`), each with the n of "every n-th frame".

        Options are those of `World`.

        Raises:
            ValueError: a camera or an option is not as expected.
        """
        self._every, self._options = dict(cameras), options
        self.worlds = {name: World(**options, mount=name) for name in cameras}
        sources = {name: EveryNth(self.worlds[name], every) for name, every in cameras.items()}
        first = next(iter(self.worlds.values()))
        super().__init__(f"{first.name.partition('@')[0]}@{rig_name(cameras)}", sources)

    def load(self, index: int) -> Frame:
        frame = super().load(index)
        return replace(frame, frame_id=f"{frame.camera_name}_optical")

    def truth(self, index: int) -> WorldTruth:
        """Exact ground truth of frame ``index``, as its camera sees it."""
        world, own = self._in_world(index)
        return world.truth(own)

    def _in_world(self, index: int) -> tuple[World, int]:
        name, own = self._at[self.checked_index(index)]
        source = self.source_of(name)
        assert isinstance(source, EveryNth)
        return self.worlds[name], source.index_of(own)

    def shortened(self, frames: int) -> Rig:
        """The same rig with so many moments; raises ValueError if that is below 1."""
        return Rig(self._every, **{**self._options, "frames": frames})

    def missing(self) -> list[tuple[str, int]]:
        """Cameras and numbers of the frames that are not on disk yet."""
        return [(name, index) for name, one in self.worlds.items() for index in one.missing()]

    def prepare(
        self, workers: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> float:
        """Draw all missing frames, see `World.prepare`."""
        total, done = len(self.missing()), 0
        seconds = 0.0
        for world in self.worlds.values():
            left = len(world.missing())

            def show(drawn: int, _: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + drawn, total)

            seconds += world.prepare(workers, show)
            done += left
        return seconds


def rig_name(cameras: Mapping[str, int]) -> str:
    """How a source's name tells of the cameras: "front+left/3"."""
    return "+".join(n if every == 1 else f"{n}/{every}" for n, every in cameras.items())


def rig_of(text: str) -> dict[str, int]:
    """The inverse of `rig_name`; raises ValueError for a name given twice."""
    parts = [part.partition("/") for part in text.split("+")]
    cameras = {name: int(every or 1) for name, _, every in parts}
    if len(cameras) < len(parts):
        raise BadInputError(f"cameras are {text!r}, expected each name once")
    return cameras
