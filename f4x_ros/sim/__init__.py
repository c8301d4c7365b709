# SPDX-License-Identifier: Apache-2.0
"""Drawn worlds: furnished rooms drawn on the CPU, with exact ground truth for every frame.

``mesh`` and ``noise`` are the raw material of ``shapes`` and ``materials``; ``scenes`` describe
rooms as data, ``scene`` builds them, ``motion`` moves things and the camera, ``raycast``,
``shading`` and ``visibility`` draw, ``sensor`` spoils, ``cache`` and ``workers`` keep and share the
work, ``language`` has the words, ``truth`` what is exactly so, ``dataset`` is the source, ``rig``
one of several cameras.
"""

from __future__ import annotations

from f4x_ros.sim.dataset import RATE_HZ, World
from f4x_ros.sim.language import Phrase
from f4x_ros.sim.open import open_source
from f4x_ros.sim.rig import Rig
from f4x_ros.sim.scene import ObjectLabel
from f4x_ros.sim.scenes import SCENES
from f4x_ros.sim.truth import WorldTruth

__all__ = [
    "RATE_HZ",
    "SCENES",
    "ObjectLabel",
    "Phrase",
    "Rig",
    "World",
    "WorldTruth",
    "open_source",
]
