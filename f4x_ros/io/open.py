# SPDX-License-Identifier: Apache-2.0
"""Opening a source by its name or path."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bags import BagSource, is_bag
from f4x_ros.io.davis import DavisFolder, is_davis_folder
from f4x_ros.io.rgbd_folder import RgbdFolder, is_rgbd_folder
from f4x_ros.io.source import Source
from f4x_ros.io.tum import TumFolder, is_tum_folder


def open_source(spec: str | Path, **options: Any) -> Source:
    """Open a recording.

    Args:
        spec: a folder laid out like `RgbdFolder`, `TumFolder` or `DavisFolder`; or a ROS 2 bag,
            given as its folder or as a ``.mcap`` or ``.db3`` file (`BagSource`).
        options: passed to the source's constructor, e.g. ``rate_hz=15.0``.

    Raises:
        ValueError: nothing is there, the layout is unknown, or an option does not fit; the message
            names the path or option and what was expected.
    """
    path = Path(spec).expanduser()
    if is_rgbd_folder(path):
        return construct(RgbdFolder, (path,), options)
    if is_tum_folder(path):
        return construct(TumFolder, (path,), options)
    if is_davis_folder(path):
        return construct(DavisFolder, (path,), options)
    if is_bag(path):
        return construct(BagSource, (path,), options)
    problem = "layout not recognised" if path.exists() else "no such file or folder"
    raise BadInputError(
        f"source {str(spec)!r}: {problem}, expected an RGB-D folder (images/, K.txt), a TUM folder "
        "(rgb.txt, depth.txt), a DAVIS folder (images/, masks/), a ROS 2 bag (metadata.yaml, "
        "*.mcap, *.db3) or a drawn world ('demo', 'random:7', 'tabletop:320x240:150:noisy')"
    )


def construct(
    kind: Callable[..., Source], arguments: tuple[Any, ...], options: dict[str, Any]
) -> Source:
    """Call the constructor; an option it does not have is a ValueError that lists those it has."""
    known = list(inspect.signature(kind).parameters)[len(arguments) :]
    for name in options:
        if name not in known:
            raise BadInputError(f"option {name!r} of {kind.__name__}, expected one of {known}")
    return kind(*arguments, **options)
