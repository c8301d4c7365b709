# SPDX-License-Identifier: Apache-2.0
"""Several cameras as one source: their frames in the order of time, each with its camera's name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError, shown
from f4x_ros.io.source import Source

MAX_CAMERAS = 16
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def check_names(names: Sequence[str], what: str = "cameras") -> tuple[str, ...]:
    """Names of cameras, which are parts of topics.

    Raises:
        BadInputError: none or too many, one twice, or one that can be no part of a topic.
    """
    if not 1 <= len(names) <= MAX_CAMERAS:
        raise BadInputError(f"{what} has {len(names)} names, expected 1 to {MAX_CAMERAS}")
    for name in names:
        if not _NAME.fullmatch(name) or "__" in name or name.endswith("_"):
            raise BadInputError(
                f"{what} has {shown(name)}, expected letters, digits and single underscores, such "
                "as front_left"
            )
    if len(set(names)) < len(names):
        raise BadInputError(f"{what} is {','.join(names)}, expected each name once")
    return tuple(names)


def of_camera(reason: str, name: str) -> str:
    """A reason of `left_out` as that of one camera: "images_without_depth_of_front"."""
    return f"{reason}_of_{name}" if name else reason


class CamerasSource(Source):
    """Frames of several sources, ascending by stamp; of one stamp, in the order of the cameras.

    Each keeps its own rate, calibration and poses; what one lacks is counted for it alone, with
    its name in the reason (`of_camera`).

    Attributes:
        cameras: their names.
    """

    def __init__(self, name: str, sources: Mapping[str, Source]) -> None:
        """From a source for each camera, whose poses are in one fixed frame.

        Raises:
            BadInputError: a name that is none, or fixed frames that differ.
        """
        self.cameras = check_names(tuple(sources))
        self._sources = dict(sources)
        frames = {n: str(getattr(one, "map_frame", "map")) for n, one in sources.items()}
        if len(set(frames.values())) > 1:
            raise BadInputError(
                f"{name}: the poses of the cameras are in {frames}, expected one fixed frame"
            )
        stamps = np.concatenate([one.stamps_ns for one in sources.values()])
        camera = np.repeat(np.arange(len(sources)), [len(one) for one in sources.values()])
        within = np.concatenate([np.arange(len(one)) for one in sources.values()])
        order = np.lexsort((camera, stamps))
        super().__init__(name, stamps[order])
        self._at = [
            (self.cameras[number], int(index))
            for number, index in zip(camera[order].tolist(), within[order], strict=True)
        ]
        for own, one in sources.items():
            self._take_counts(own, LeftOut(), one.left_out)
            self.remarks += [f"camera {own}: {text}" for text in one.remarks]

    def camera_of(self, index: int) -> str:
        """Whose frame it is."""
        return self._at[self.checked_index(index)][0]

    def source_of(self, name: str) -> Source:
        """The source of one camera."""
        return self._sources[name]

    def load(self, index: int) -> Frame:
        name, own = self._at[index]
        source = self._sources[name]
        before = LeftOut()
        before.extend(source.left_out)
        remarks = len(source.remarks)
        try:
            return replace(source[own], camera_name=name)
        finally:
            self._take_counts(name, before, source.left_out)
            self.remarks += [f"camera {name}: {text}" for text in source.remarks[remarks:]]

    def _take_counts(self, name: str, before: LeftOut, now: LeftOut) -> None:
        """Count for a camera what its source has counted since."""
        for reason, count, first_ns in now:
            self.left_out.add(of_camera(reason, name), count - before[reason], first_ns)

    def _loaded(self, index: int) -> Frame:
        return self.load(index)  # (depth without a reading is counted by the camera's source)

    def close(self) -> None:
        for source in self._sources.values():
            source.close()
