# SPDX-License-Identifier: Apache-2.0
"""What a real camera does to the exact picture of a world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.camera import PinholeCamera
from f4x_ros.core.poses import Pose
from f4x_ros.datasets.world.raycast import Drawing


class Observation(NamedTuple):
    """What the camera and its localisation report."""

    rgb: NDArray[np.uint8]  # [H, W, 3]
    depth: NDArray[np.float32]  # [H, W] metres, 0 = no reading
    T_map_camera: Pose  # [4, 4] as localisation believes


@dataclass(frozen=True)
class Sensor:
    """The sensor model of a world. All of it is a pure function of the seed and the moment."""

    name: str = "ideal"

    @classmethod
    def parse(cls, text: str) -> Sensor:
        """The model named so; raises ValueError for an unknown name."""
        if text != "ideal":
            raise ValueError(f"sensor is {text!r}, expected 'ideal'")
        return cls()

    @property
    def offsets_us(self) -> tuple[int, ...]:
        """Moments around a frame [microseconds] at which the world must be drawn for it."""
        return (0,)

    def kept(self, frames: int, seed: int) -> NDArray[np.int64]:
        """Numbers of the moments of which a frame arrives, growing."""
        return np.arange(frames)

    def observe(
        self,
        drawing: Callable[[int], Drawing],
        pose: Callable[[int], Pose],
        camera: PinholeCamera,
        moment: int,
        seed: int,
    ) -> Observation:
        """One frame.

        Args:
            drawing: exact picture so many microseconds after the moment.
            pose: exact ``T_map_camera`` then.
            camera: intrinsics.
            moment: number of the frame at the nominal rate.
            seed: of the world.
        """
        exact = drawing(0)
        return Observation(exact.rgb, exact.depth, pose(0))
