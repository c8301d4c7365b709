# SPDX-License-Identifier: Apache-2.0
"""What moves in a video, from its pictures alone: no depth, pose, map, learned weight or prompt."""

from __future__ import annotations

from f4x_ros.core.motion.picture.colours import ColourMemory
from f4x_ros.core.motion.picture.evidence import Evidence, EvidenceSource
from f4x_ros.core.motion.picture.movers import MoverOptions, MoverSegmenter, PictureMovers

__all__ = [
    "ColourMemory",
    "Evidence",
    "EvidenceSource",
    "MoverOptions",
    "MoverSegmenter",
    "PictureMovers",
]
