# SPDX-License-Identifier: Apache-2.0
"""What all scenes are furnished with: surfaces of rooms, and things that differ by the seed."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from f4x_ros.sim.materials import PALETTE, Finish, Material, Planks, Solid, linear
from f4x_ros.sim.patterns import Checks
from f4x_ros.sim.scene import Light, Room, Thing
from f4x_ros.sim.shapes import CLASSES, called
from f4x_ros.sim.textures import Cloth, Rgb, Stripes, darker


class Kit:
    """Collects the things of one scene; the seed decides what is left open.

    Attributes:
        rng: the seed's random numbers, different for each scene.
        things: what was put so far.
    """

    def __init__(self, scene: str, seed: int) -> None:
        self.rng = np.random.default_rng([seed, zlib.crc32(scene.encode())])
        self.things: list[Thing] = []
        self._names: set[str] = set()

    def put(
        self,
        cls: str,
        color: str | None,
        x: float,
        y: float,
        z: float = 0.0,
        *,
        size: Mapping[str, float] | None = None,
        finish: Finish | None = None,
        off_m: float = 0.0,
        off_rad: float = 0.0,
        **rest: Any,
    ) -> str:
        """Add a `Thing` and return its name.

        Args:
            cls: its class.
            color: its colour word; None lets the seed choose.
            x: place [m], as in `Thing`.
            y: place [m].
            z: place [m].
            size: arguments that are fixed; others that may vary are drawn near the usual.
            finish: None lets the seed choose among those of the class.
            off_m: how far the seed may move it to either side.
            off_rad: how far the seed may turn it to either side.
            rest: other fields of `Thing`.
        """
        color = color or self.color(cls)
        x, y = x + self.rng.uniform(-1, 1) * off_m, y + self.rng.uniform(-1, 1) * off_m
        yaw = float(rest.pop("yaw", 0.0)) + self.rng.uniform(-1, 1) * off_rad
        made = {**self.sizes(cls), **(size or {})}
        name = self._new_name(rest.pop("name", None) or called(color, cls, cls))
        finish = finish or self.finish(cls)
        self.things.append(
            Thing(cls, color, float(x), float(y), z, float(yaw), size=made, finish=finish,
                  name=name, **rest)
        )  # fmt: skip
        return name

    def sizes(self, cls: str) -> dict[str, float]:
        """Sizes of one instance: from the middle half of what is sensible."""
        return {
            name: float(low + (high - low) * self.rng.uniform(0.25, 0.75))
            for name, (low, high) in CLASSES[cls].sizes.items()
        }

    def finish(self, cls: str) -> Finish:
        """A surface that suits the class, the usual one as often as all others together."""
        usual, others = CLASSES[cls].finish, CLASSES[cls].finishes
        if not others or self.rng.random() < 0.5:
            return usual
        return others[int(self.rng.integers(len(others)))]

    def colors(self, cls: str, count: int, leave_out: tuple[str, ...] = ()) -> list[str]:
        """Different colours in which the class comes."""
        known = [c for c in CLASSES[cls].colors or tuple(PALETTE) if c not in leave_out]
        return [known[k] for k in self.rng.permutation(len(known))[:count]]

    def color(self, cls: str) -> str:
        """A colour in which the class comes, a new one if possible."""
        known = CLASSES[cls].colors or tuple(PALETTE)
        worn = {thing.color for thing in self.things if thing.cls == cls}
        free = [color for color in known if color not in worn] or list(known)
        return free[int(self.rng.integers(len(free)))]

    def pick(self, *choices: Any) -> Any:
        """One of these."""
        return choices[int(self.rng.integers(len(choices)))]

    def phase(self) -> float:
        """An angle."""
        return float(self.rng.uniform(0, 2 * np.pi))

    def lights(self, *lights: Light) -> tuple[Light, ...]:
        """The lights a little dimmer or brighter, warmer or colder."""
        warm = self.rng.uniform(-0.06, 0.06)
        level = self.rng.uniform(0.94, 1.06)
        return tuple(
            Light(
                light.position,
                (
                    light.color[0] * level * (1 + warm),
                    light.color[1] * level,
                    light.color[2] * level * (1 - warm),
                ),
                light.radius_m,
            )
            for light in lights
        )

    def _new_name(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self._names:
            name, number = f"{wanted} {number}", number + 1
        self._names.add(name)
        return name


def room(size: tuple[float, float, float], floor: Material, wall: Material) -> Room:
    """A room with a white ceiling."""
    return Room(size, floor, wall, Material(Solid(linear((0.9, 0.9, 0.9)))))


# --- floors and walls ----------------------------------------------------------------------------


def planks(light: Rgb, width_m: float = 0.13) -> Material:
    """Floor boards; ``light`` is the sRGB of their lighter grain."""
    made = linear(light)
    return Material(Planks(made, darker(made, 0.58), 0.9, width_m), specular=0.1, shininess=25)


def tiles(first: Rgb, second: Rgb, pitch_m: float = 0.4) -> Material:
    """Square tiles in two sRGB tones and their mean."""
    return Material(Checks(linear(first), linear(second), pitch_m), specular=0.15, shininess=40)


def flecked(color: Rgb, grain_m: float, depth: float = 0.25) -> Material:
    """Carpet, plaster or concrete."""
    return Material(Cloth(linear(color), grain_m, depth))


def wallpaper(color: Rgb, pitch_m: float = 0.18, contrast: float = 0.84) -> Material:
    """Upright stripes in two close tones."""
    made = linear(color)
    return Material(Stripes(made, darker(made, contrast), pitch_m, (1, 1, 0)))


def plain(color: Rgb) -> Material:
    """Painted in one colour."""
    return Material(Solid(linear(color)))


FLOORS: dict[str, Material] = {
    "oak": planks((0.66, 0.50, 0.33)),
    "ash": planks((0.78, 0.68, 0.52), 0.16),
    "walnut": planks((0.50, 0.36, 0.25), 0.11),
    "tiles": tiles((0.62, 0.58, 0.52), (0.80, 0.77, 0.71)),
    "checks": tiles((0.32, 0.35, 0.38), (0.78, 0.78, 0.74), 0.45),
    "carpet": flecked((0.50, 0.52, 0.56), 0.02, 0.4),
    "concrete": flecked((0.58, 0.57, 0.55), 0.35, 0.35),
    "linoleum": flecked((0.45, 0.55, 0.55), 0.05, 0.3),
}

WALLS: dict[str, Material] = {
    "cream": wallpaper((0.85, 0.82, 0.74)),
    "sage": wallpaper((0.70, 0.77, 0.68), 0.24, 0.9),
    "sky": wallpaper((0.70, 0.78, 0.85), 0.3, 0.9),
    "rose": wallpaper((0.86, 0.76, 0.73), 0.2, 0.9),
    "plaster": flecked((0.84, 0.83, 0.80), 0.25, 0.14),
    "panel": flecked((0.72, 0.74, 0.76), 0.5, 0.12),
}
