# SPDX-License-Identifier: Apache-2.0
"""Opening a drawn world by its name, or a recording."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from f4x_ros import io
from f4x_ros.io.open import construct
from f4x_ros.io.source import Source
from f4x_ros.sim.dataset import World
from f4x_ros.sim.rig import Rig, rig_of
from f4x_ros.sim.scenes import SCENES

_WORLD = re.compile(
    rf"(?P<scene>{'|'.join(SCENES)})(?P<seed>(?<=random):\d+)?(?::(?P<width>\d+)x(?P<height>\d+))?"
    r"(?::(?P<frames>\d+))?(?::(?P<sensor>[a-z]+(?:\+[a-z]+)*))?"
    r"(?:@(?P<cameras>[a-z]+(?:/\d+)?(?:\+[a-z]+(?:/\d+)?)*))?"
)


def open_source(spec: str | Path, **options: Any) -> Source:
    """Open a drawn world, or a recording.

    Args:
        spec: a drawn world (`World`): ``demo``, ``tabletop``, ``livingroom``, ``corridor``,
            ``warehouse``, ``crowd`` or ``random:SEED``, each with ``:WIDTHxHEIGHT``, ``:FRAMES``
            and ``:SENSOR`` after it (any may be left out), e.g. ``tabletop:320x240:60:noisy``,
            and several cameras (`mounts.MOUNTS`) after that, each with ``/N`` for every N-th
            frame: ``livingroom@front+left/3``; or what `f4x_ros.io.open_source` opens.
        options: passed to the source's constructor, e.g. ``rate_hz=15.0`` or ``seed=3``;
            ``cameras=("front", "left")``, the names of several.

    Raises:
        BadInputError: nothing is there, the layout is unknown, or an option does not fit; the
            message names the path or option and what was expected.
        UnsupportedError: a world is asked for, and what draws it is not installed.
    """
    world = _WORLD.fullmatch(str(spec))
    if not world:
        return io.open_source(spec, **options)
    given = world.groupdict()
    cameras = rig_of(given["cameras"]) if given["cameras"] else {}
    if named := options.pop("cameras", ()):
        cameras = dict.fromkeys(named, 1)
    made = {**_world_options(given), **options}
    if not cameras:
        return construct(World, (), made)
    construct(World, (), {**made, "mount": next(iter(cameras))})  # says what does not fit
    return Rig(cameras, **made)


def _world_options(given: Mapping[str, str | None]) -> dict[str, Any]:
    numbers = {
        name: int(text.lstrip(":"))
        for name in ("seed", "width", "height", "frames")
        if (text := given[name])
    }
    words = {name: text for name in ("scene", "sensor") if (text := given[name])}
    return {**numbers, **words}
