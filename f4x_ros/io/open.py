# SPDX-License-Identifier: Apache-2.0
"""Opening a source by its name or path."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bags import BagSource, is_bag
from f4x_ros.io.cameras import CamerasSource, check_names
from f4x_ros.io.davis import DavisFolder, is_davis_folder
from f4x_ros.io.pictures import PictureFolder, is_picture_folder
from f4x_ros.io.rgbd_folder import RgbdFolder, is_rgbd_folder
from f4x_ros.io.source import Source
from f4x_ros.io.tum import TumFolder, is_tum_folder
from f4x_ros.io.unopened import describe
from f4x_ros.io.video import VideoFile, is_video


def open_source(spec: str | Path, **options: Any) -> Source:
    """Open a recording.

    Args:
        spec: a folder laid out like `RgbdFolder`, `TumFolder` or `DavisFolder`; a ROS 2 bag,
            given as its folder or as a ``.mcap`` or ``.db3`` file (`BagSource`); a video
            (`VideoFile`); or a folder of pictures alone (`PictureFolder`).
        options: passed to the source's constructor, e.g. ``rate_hz=15.0``;
            ``cameras=("front", "left")`` for several, see `open_cameras`.

    Raises:
        ValueError: nothing is there, the layout is unknown, or an option does not fit; the message
            names the path or option and what was expected.
    """
    if names := options.pop("cameras", ()):
        return open_cameras(spec, names, **options)
    path = Path(spec).expanduser()
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise BadInputError(
            f"source {str(spec)!r}: its files cannot be listed (Permission denied), expected a "
            "folder that can be read"
        )
    if found := reader_of(path):
        kind, where = found
        source = construct(kind, (where,), options)
        if where != path:
            source.remarks.append(f"{path.name} has no metadata.yaml; its only bag file is read.")
        return source
    raise BadInputError(
        f"source {str(spec)!r}: {describe(path, _is_recording)}; expected an RGB-D folder "
        "(images/, K.txt), a TUM folder (rgb.txt, depth.txt), a DAVIS folder "
        "(images/, masks/), a ROS 2 bag (metadata.yaml, *.mcap, *.db3), a video (*.mp4), a folder "
        "of pictures or a drawn world ('demo', "
        "'random:7', 'tabletop:320x240:150:noisy')"
    )


def open_cameras(spec: str | Path, names: Sequence[str], **options: Any) -> CamerasSource:
    """Open what several cameras have recorded.

    Args:
        spec: a bag with topics under each name (/front/image, /left/depth/image_raw, ...), or a
            folder with a recording of each in a folder of its name, which share the times and the
            fixed frame.
        names: of the cameras, by precedence.
        options: for each camera's source, see `open_source`.

    Raises:
        ValueError: as `open_source`, with the name of the camera.
    """
    path = Path(spec).expanduser()
    check_names(names)
    in_bag = is_bag(path) or (not (path / names[0]).is_dir() and _only_bag_file(path) is not None)
    sources: dict[str, Source] = {}
    try:
        for name in names:
            try:
                if in_bag:
                    sources[name] = open_source(path, camera=name, **options)
                else:
                    sources[name] = open_source(path / name, **options)
            except BadInputError as error:
                raise BadInputError(f"camera {name}: {error}") from error
        return CamerasSource(path.stem, sources)
    except BaseException:
        for source in sources.values():
            source.close()
        raise


def reader_of(path: Path) -> tuple[type[Source], Path] | None:
    """Who reads a recording, and which path of it; None if nobody does."""
    kinds: dict[type[Source], Callable[[Path], bool]] = {
        RgbdFolder: is_rgbd_folder,
        TumFolder: is_tum_folder,
        DavisFolder: is_davis_folder,
        BagSource: is_bag,
        VideoFile: is_video,
        PictureFolder: is_picture_folder,
    }
    for kind, is_one in kinds.items():
        if is_one(path):
            return kind, path
    alone = _only_bag_file(path)
    return (BagSource, alone) if alone else None


def _is_recording(path: Path) -> bool:
    return any(is_one(path) for is_one in (is_rgbd_folder, is_tum_folder, is_davis_folder, is_bag))


def _only_bag_file(path: Path) -> Path | None:
    """The bag's file in a folder that lacks what `is_bag` looks for, if there is exactly one."""
    files = [p for p in path.iterdir() if is_bag(p) and p.is_file()] if path.is_dir() else []
    return files[0] if len(files) == 1 else None


def construct(
    kind: Callable[..., Source], arguments: tuple[Any, ...], options: dict[str, Any]
) -> Source:
    """Call the constructor; an option it does not have is a ValueError that lists those it has."""
    known = list(inspect.signature(kind).parameters)[len(arguments) :]
    for name in options:
        if name not in known:
            raise BadInputError(f"option {name!r} of {kind.__name__}, expected one of {known}")
    return kind(*arguments, **options)
