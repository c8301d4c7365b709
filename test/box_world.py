# SPDX-License-Identifier: Apache-2.0
"""Coloured squares before a grey wall, filmed by a camera that slides along: exact and tiny."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame

CAMERA = PinholeCamera(96, 72, 90.0, 90.0, 48.0, 36.0)
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
WALL_M = 2.0
SIDE_M = 0.3

COLORS = {"red": (200, 20, 20), "blue": (20, 40, 200), "green": (20, 140, 40)}


def still(x: float, y: float, z: float) -> Callable[[int], tuple[float, float, float]]:
    """A square that stays."""
    return lambda _: (x, y, z)


@dataclass(frozen=True)
class BoxWorld:
    """Squares by colour, each with its centre (m, map frame) as a function of the frame number."""

    squares: Mapping[str, Callable[[int], tuple[float, float, float]]] = field(
        default_factory=lambda: {"red": still(-0.4, 0.0, 1.6), "blue": still(0.4, 0.1, 1.5)}
    )
    speed_m: float = 0.01  # camera motion per frame along x

    def __call__(self, index: int) -> Frame:
        """The frame of a number, 10 Hz."""
        pose = np.eye(4)
        pose[0, 3] = self.speed_m * index
        rays = CAMERA.pixel_rays()
        depth = np.full(rays.shape[:2], WALL_M, np.float32)
        rgb = np.full((*rays.shape[:2], 3), 128, np.uint8)
        for color, place in self.squares.items():
            x, y, z = place(index)
            hit = rays[..., :2] * z + pose[:2, 3]
            inside = (np.abs(hit - [x, y]) < SIDE_M / 2).all(-1) & (z < depth)
            depth[inside] = z
            rgb[inside] = COLORS[color]
        return Frame(START_NS + STEP_NS * index, rgb, CAMERA, depth, pose)

    def mask(self, index: int, color: str) -> np.ndarray:
        """Where a colour is seen, [H, W] bool."""
        return (self(index).rgb == COLORS[color]).all(-1)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((a & b).sum() / max(1, (a | b).sum()))
