# SPDX-License-Identifier: Apache-2.0
"""What one map has taken in, and what it shows of a frame.

In: frames. Out: `Percept`s, and scenes to ask.
"""

from __future__ import annotations

from f4x_ros.core.world.map_cloud import MapCloud, cloud_of
from f4x_ros.core.world.memory import Memory
from f4x_ros.core.world.percepts import percept_of
from f4x_ros.core.world.points import followed, moments, surface_points
from f4x_ros.core.world.shown import shown

__all__ = [
    "MapCloud",
    "Memory",
    "cloud_of",
    "followed",
    "moments",
    "percept_of",
    "shown",
    "surface_points",
]
