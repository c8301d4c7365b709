# SPDX-License-Identifier: Apache-2.0
"""The sensor model of a world: which effects are on, and a frame as they leave it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose
from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.raycast import Drawing
from f4x_ros.sim.sensor import depth, light, localisation, timing

#: What can be switched on, in the order of a sensor's name.
EFFECTS = ("depth", "blur", "exposure", "pose", "drops", "async")


class Observation(NamedTuple):
    """What the camera and its localisation report."""

    rgb: NDArray[np.uint8]  # [H, W, 3]
    depth: NDArray[np.float32]  # [H, W] metres, 0 = no reading
    T_map_camera: Pose  # [4, 4] as localisation believes


@dataclass(frozen=True)
class Sensor:
    """The sensor model of a world. All of it is a pure function of the seed and the moment.

    - ``depth``: noise and holes of a structured-light camera (`sensor.depth`, `sensor.holes`);
    - ``blur``: motion during a shutter of 12 ms (`sensor.light`);
    - ``exposure``: drifting gain, white balance and veil, vignette, image noise (`sensor.light`);
    - ``pose``: error of the localisation (`sensor.localisation`);
    - ``drops``: frames that never arrive (`sensor.timing`);
    - ``async``: depth taken later than colour (`sensor.timing`).

    Attributes:
        name: "ideal", "noisy" (all of them), or effects joined by "+" in the order of `EFFECTS`.
    """

    name: str = "ideal"

    @classmethod
    def parse(cls, text: str) -> Sensor:
        """The model named so, in any order; raises ValueError for a word it does not know."""
        if text == "noisy":
            return cls("noisy")
        wanted = [] if text == "ideal" else text.split("+")
        if any(word not in EFFECTS for word in wanted):
            raise BadInputError(
                f"sensor is {text!r}, expected 'ideal', 'noisy' (everything), or any of "
                f"{', '.join(EFFECTS)} joined by '+'"
            )
        chosen = [effect for effect in EFFECTS if effect in wanted]
        if len(chosen) == len(EFFECTS):
            return cls("noisy")
        return cls("+".join(chosen) or "ideal")

    def has(self, effect: str) -> bool:
        """Whether one of `EFFECTS` is on."""
        return self.name == "noisy" or effect in self.name.split("+")

    @property
    def offsets_us(self) -> tuple[int, ...]:
        """Moments around a frame [microseconds] at which the world must be drawn for it."""
        shutter = light.SHUTTER_US if self.has("blur") else ()
        late = (timing.DEPTH_DELAY_US,) if self.has("async") else ()
        return tuple(sorted({0, *shutter, *late}))

    def kept(self, frames: int, seed: int) -> NDArray[np.int64]:
        """Numbers of the moments of which a frame arrives, growing."""
        if self.has("drops"):
            return timing.arriving(frames, seed)
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
        T_map_camera = pose(0)
        if self.has("pose"):
            T_map_camera = localisation.believed(T_map_camera, moment, seed)
        return Observation(
            self._rgb(drawing, camera, moment, seed),
            self._depth(drawing, camera, moment, seed),
            T_map_camera,
        )

    def _rgb(
        self, drawing: Callable[[int], Drawing], camera: PinholeCamera, moment: int, seed: int
    ) -> NDArray[np.uint8]:
        offsets = light.SHUTTER_US if self.has("blur") else (0,)
        if not (self.has("blur") or self.has("exposure")):
            return drawing(0).rgb
        collected = light.collected([drawing(offset).rgb for offset in offsets])
        if self.has("exposure"):
            collected = light.exposed(collected, camera, moment, seed)
        return light.developed(collected)

    def _depth(
        self, drawing: Callable[[int], Drawing], camera: PinholeCamera, moment: int, seed: int
    ) -> NDArray[np.float32]:
        exact = drawing(timing.DEPTH_DELAY_US if self.has("async") else 0)
        if not self.has("depth"):
            return exact.depth
        return depth.measured(exact.depth, exact.rgb, camera, moment, seed)
