# SPDX-License-Identifier: Apache-2.0
"""The demo world: a furnished room drawn on the CPU, with exact ground truth for every frame.

``mesh`` and ``noise`` are the raw material of ``shapes`` and ``materials``; ``scene`` puts things
into a room described as data (``demo_room``), ``motion`` moves them and the camera, ``raycast`` and
``shading`` draw, ``cache`` and ``workers`` keep and share the work, ``dataset`` is the source.
"""

from __future__ import annotations

from f4x_ros.datasets.world.dataset import RATE_HZ, World, WorldTruth
from f4x_ros.datasets.world.scene import ObjectLabel

__all__ = ["RATE_HZ", "ObjectLabel", "World", "WorldTruth"]
