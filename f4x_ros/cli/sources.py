# SPDX-License-Identifier: Apache-2.0
"""Opening sources: the topics that are named, a part of the frames, drawn worlds beforehand."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.base import LeftOut
    from f4x_ros.core.data import Frame
    from f4x_ros.io.source import Source

SOURCE_HELP = (
    "a drawn world (demo, tabletop, livingroom, corridor, warehouse, crowd, random:SEED), an RGB-D "
    "or TUM folder, a ROS 2 bag, a video, or a folder of pictures"
)

#: Flags that name what is what in a bag, the options of `BagSource` they stand for, and their help.
_TOPIC_FLAGS = {
    "--image-topic": ("image", "colour pictures"),
    "--depth-topic": ("depth", 'depth pictures; "" forgoes depth'),
    "--info-topic": ("camera_info", "calibration of the colour pictures"),
    "--pose-topic": ("pose", "the camera's pose, or the word tf"),
    "--fixed-frame": ("map_frame", "frame of the map"),
    "--slop": ("slop_s", "picture and depth pair up to this far apart (0.02)"),
}


def add_topic_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say what is what in a bag; without one it is found."""
    group = parser.add_argument_group("what is what in a ROS 2 bag (found where it is clear)")
    for flag, (_, text) in _TOPIC_FLAGS.items():
        metavar = {"--fixed-frame": "FRAME", "--slop": "SECONDS"}.get(flag, "TOPIC")
        kind = float if flag == "--slop" else str
        group.add_argument(flag, metavar=metavar, help=text, type=kind)
    parser.add_argument(
        "--cameras", metavar="NAME,NAME",
        help="several cameras into one map: a bag with topics under each name (/front/image), a "
        "folder with a recording of each, or those of a drawn world (front, left, right, back)",
    )  # fmt: skip
    parser.add_argument(
        "--stereo", action="store_true",
        help="of a bag: depth comes of the left and the right image of a calibrated pair",
    )  # fmt: skip
    parser.add_argument(
        "--extrinsic", action="append", default=[], metavar="TRANSFORM",
        help="of a bag: a transform it lacks, 'PARENT CHILD X Y Z QX QY QZ QW', such as where a "
        "camera is mounted; may be given several times",
    )  # fmt: skip


def add_lens_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say what lens took pictures that say nothing of it."""
    group = parser.add_argument_group("lens of a video or of pictures alone (guessed if not known)")
    group.add_argument("--fov", type=float, metavar="DEGREES", help="horizontal field of view")
    group.add_argument(
        "--calibration", metavar="FILE",
        help="3x3 numbers, or YAML as ROS's camera_calibration writes it",
    )  # fmt: skip


def lens_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of `VideoFile` and the like that were given by flags."""
    given = {"fov": options.fov, "calibration": options.calibration}
    return {name: value for name, value in given.items() if value is not None}


def topic_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of `BagSource` that were given by flags."""
    given = {
        name: getattr(options, flag.removeprefix("--").replace("-", "_"), None)
        for flag, (name, _) in _TOPIC_FLAGS.items()
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if cameras := getattr(options, "cameras", None):
        from f4x_ros.io.cameras import check_names

        chosen["cameras"] = check_names(cameras.replace(" ", "").split(","), "--cameras")
    if getattr(options, "stereo", False):
        chosen["stereo"] = True
    if extrinsics := getattr(options, "extrinsic", []):
        chosen["extrinsics"] = extrinsics
    return chosen


def flags_of(chosen: dict[str, Any]) -> list[str]:
    """The words of the command line that name these topics."""
    return [
        word
        for flag, (name, _) in _TOPIC_FLAGS.items()
        if name in chosen
        for word in (flag, str(chosen[name]))
    ] + [
        *(["--cameras", ",".join(chosen["cameras"])] if "cameras" in chosen else []),
        *(["--stereo"] if "stereo" in chosen else []),
        *(word for text in chosen.get("extrinsics", ()) for word in ("--extrinsic", text)),
    ]


def open_recording(spec: str, chosen: dict[str, Any], lens: dict[str, Any] | None = None) -> Source:
    """Open a source; `chosen` (`topic_options`) is for bags alone, but for the cameras.

    `lens` is for pictures alone.

    Raises:
        BadInputError: the source is not as expected, or topics are named and it is no bag.
    """
    from f4x_ros.sim import open_source

    check_chosen(spec, chosen)
    return open_source(spec, **chosen, **(lens or {}))


def check_chosen(spec: str, chosen: dict[str, Any]) -> None:
    """Raise BadInputError if topics are named and the source is there and no bag."""
    from f4x_ros.io.bags import BagSource
    from f4x_ros.io.open import reader_of
    from f4x_ros.sim import open_source

    chosen = {name: value for name, value in chosen.items() if name != "cameras"}
    if not chosen:
        return
    found = reader_of(Path(spec).expanduser())
    if found is None:
        open_source(spec).close()  # says what it is instead, unless it is a drawn world
    elif found[0] is BagSource:
        return
    flag, *value = flags_of(chosen)[:2]
    said = f"{flag} is given" if flag == "--stereo" else f"{flag} is '{value[0]}'"
    raise BadInputError(f"{said}, but source '{spec}' is no ROS 2 bag: only a bag has topics")


class Part:
    """Frames `start` to `start + count - 1` of a source (count 0 = to the end).

    Attributes:
        name: of the source.
        left_out: what the whole source has and does not use.
        remarks: of the whole source.
        frames_there: frames of the part, and pictures of the source of which none could be made.

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
        self.frames_there: int = len(self) + source.frames_there - len(source)
        self.stamps_ns = source.stamps_ns[start:stop]
        self.cameras: tuple[str, ...] = getattr(source, "cameras", ())

    def __len__(self) -> int:
        return len(self._range)

    def __getitem__(self, index: int) -> Frame:
        frame: Frame = self._source[self._range[index]]
        return frame

    def camera_of(self, index: int) -> str:
        """Whose frame it is, "" where there is one camera."""
        return str(self._source.camera_of(self._range[index])) if self.cameras else ""


def open_part(
    spec: str, start: int = 0, count: int = 0, chosen: dict[str, Any] | None = None
) -> Part:
    """Open a part of a source; of a drawn world, draw what is missing and show it.

    `chosen` are topics of a bag, see `topic_options`.

    Raises:
        ValueError: the source or the part is not as expected.
    """
    opened = open_recording(spec, chosen or {})
    return Part(prepared(opened, start + count if count else 0), start, count)


def prepared(source: Source, stop: int = 0) -> Source:
    """The source; if it is a drawn world, its first `stop` frames (0 = all), drawn with a bar."""
    from f4x_ros.sim import Rig, World

    if not isinstance(source, (World, Rig)):
        return source
    if isinstance(source, World) and 0 < stop < len(source):  # not draw what is not asked for
        source = source.shortened(stop)
    if missing := len(source.missing()):
        from f4x_ros.cli.progress import progress_bar

        with progress_bar(missing, f"drawing {source.name}") as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            source.prepare(progress=show)
    return source
