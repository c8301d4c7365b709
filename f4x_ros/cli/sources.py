# SPDX-License-Identifier: Apache-2.0
"""A part of a source, drawn beforehand where it is a drawn world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.base import LeftOut
    from f4x_ros.core.data import Frame
    from f4x_ros.io.source import Source

SOURCE_HELP = (
    "a drawn world (demo, tabletop, livingroom, corridor, warehouse, crowd, random:SEED), an RGB-D "
    "or TUM folder, or a ROS 2 bag"
)


class Part:
    """Frames `start` to `start + count - 1` of a source (count 0 = to the end).

    Attributes:
        name: of the source.
        left_out: what the whole source has and does not use.
        remarks: of the whole source.

    Raises:
        ValueError: the part is not within the source.
    """

    def __init__(self, source: Any, start: int = 0, count: int = 0) -> None:
        if start < 0 or start >= max(1, len(source)):
            raise BadInputError(f"--start is {start}, expected 0 to {len(source) - 1}")
        if count < 0:
            raise BadInputError(f"--frames is {count}, expected at least 1 (or 0 for all)")
        if not len(source):
            raise BadInputError(f"source {source.name!r} has no frames, expected at least one")
        self.name = str(source.name)
        self.left_out: LeftOut = source.left_out
        self.remarks: list[str] = source.remarks
        self._source = source
        stop = min(len(source), start + count) if count else len(source)
        self._range = range(start, stop)

    def __len__(self) -> int:
        return len(self._range)

    def __getitem__(self, index: int) -> Frame:
        frame: Frame = self._source[self._range[index]]
        return frame


def open_part(spec: str, start: int = 0, count: int = 0) -> Part:
    """Open a part of a source; of a drawn world, draw what is missing and show it.

    Raises:
        ValueError: the source or the part is not as expected.
    """
    from f4x_ros.sim import open_source

    return Part(prepared(open_source(spec), start + count if count else 0), start, count)


def prepared(source: Source, stop: int = 0) -> Source:
    """The source; if it is a drawn world, its first `stop` frames (0 = all), drawn with a bar."""
    from f4x_ros.sim import World

    if not isinstance(source, World):
        return source
    if 0 < stop < len(source):  # do not draw what is not asked for
        source = source.shortened(stop)
    if missing := len(source.missing()):
        from f4x_ros.cli.progress import progress_bar

        with progress_bar(missing, f"drawing {source.name}") as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            source.prepare(progress=show)
    return source
