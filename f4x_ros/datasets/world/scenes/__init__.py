# SPDX-License-Identifier: Apache-2.0
"""The named scenes: each is a function from a seed to a `SceneSpec`."""

from __future__ import annotations

from collections.abc import Callable

from f4x_ros.datasets.world.scene import SceneSpec
from f4x_ros.datasets.world.scenes.demo_room import demo_room

__all__ = ["SCENES"]

#: Name to the function that describes the scene; the same seed gives the same description.
SCENES: dict[str, Callable[[int], SceneSpec]] = {
    "demo": demo_room,
}
