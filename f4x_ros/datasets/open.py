# SPDX-License-Identifier: Apache-2.0
"""Opening a source by its name or path."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from f4x_ros.datasets.bags import BagSource, is_bag
from f4x_ros.datasets.davis import DavisFolder, is_davis_folder
from f4x_ros.datasets.rgbd_folder import RgbdFolder, is_rgbd_folder
from f4x_ros.datasets.source import Source
from f4x_ros.datasets.tum import TumFolder, is_tum_folder

_WORLDS = ("demo", "tabletop", "livingroom", "corridor", "warehouse", "crowd", "random")
_WORLD = re.compile(
    rf"(?P<scene>{'|'.join(_WORLDS)})(?P<seed>(?<=random):\d+)?(?::(?P<width>\d+)x(?P<height>\d+))?"
    r"(?::(?P<frames>\d+))?(?::(?P<sensor>[a-z]+(?:\+[a-z]+)*))?"
)


def open_source(spec: str | Path, **options: Any) -> Source:
    """Open a source of frames.

    Args:
        spec: a drawn world (`World`): ``demo``, ``tabletop``, ``livingroom``, ``corridor``,
            ``warehouse``, ``crowd`` or ``random:SEED``, each with ``:WIDTHxHEIGHT``, ``:FRAMES``
            and ``:SENSOR`` after it (any may be left out), e.g. ``tabletop:320x240:60:noisy``;
            a folder laid out like `RgbdFolder`, `TumFolder` or `DavisFolder`; or a
            ROS 2 bag, given as its folder or as a ``.mcap`` or ``.db3`` file (`BagSource`).
        options: passed to the source's constructor, e.g. ``rate_hz=15.0`` or ``seed=3``.

    Raises:
        ValueError: nothing is there, the layout is unknown, or an option does not fit; the message
            names the path or option and what was expected.
    """
    if world := _WORLD.fullmatch(str(spec)):
        # Imported here: the ray caster is only needed by those who ask for a drawn world.
        from f4x_ros.datasets.world import World

        return _construct(World, (), {**_world_options(world.groupdict()), **options})
    path = Path(spec).expanduser()
    if is_rgbd_folder(path):
        return _construct(RgbdFolder, (path,), options)
    if is_tum_folder(path):
        return _construct(TumFolder, (path,), options)
    if is_davis_folder(path):
        return _construct(DavisFolder, (path,), options)
    if is_bag(path):
        return _construct(BagSource, (path,), options)
    problem = "layout not recognised" if path.exists() else "no such file or folder"
    raise ValueError(
        f"source {str(spec)!r}: {problem}, expected a drawn world ({', '.join(_WORLDS)}:SEED, or "
        "with its size, frames and sensor 'demo:320x240:150:noisy'), an RGB-D folder (images/, "
        "K.txt), a TUM folder (rgb.txt, depth.txt), a DAVIS folder (images/, masks/) or a ROS 2 "
        "bag (metadata.yaml, *.mcap, *.db3)"
    )


def _world_options(given: Mapping[str, str | None]) -> dict[str, Any]:
    numbers = {
        name: int(text.lstrip(":"))
        for name in ("seed", "width", "height", "frames")
        if (text := given[name])
    }
    words = {name: text for name in ("scene", "sensor") if (text := given[name])}
    return {**numbers, **words}


def _construct(
    kind: Callable[..., Source], arguments: tuple[Any, ...], options: dict[str, Any]
) -> Source:
    """Call the constructor; an option it does not have is a ValueError that lists those it has."""
    known = list(inspect.signature(kind).parameters)[len(arguments) :]
    for name in options:
        if name not in known:
            raise ValueError(f"option {name!r} of {kind.__name__}, expected one of {known}")
    return kind(*arguments, **options)
