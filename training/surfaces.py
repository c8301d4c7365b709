# SPDX-License-Identifier: Apache-2.0
"""Floors, walls and lights of training rooms: more kinds of them than the worlds have."""

from __future__ import annotations

import colorsys

import numpy as np

from f4x_ros.sim.materials import Material, Rgb
from f4x_ros.sim.scene import Light, Room
from f4x_ros.sim.scenes.kit import FLOORS, WALLS, flecked, plain, planks, tiles, wallpaper

Rng = np.random.Generator


def random_room(rng: Rng, size: tuple[float, float, float]) -> Room:
    """A room with random surfaces, every other one those of the worlds."""
    floor = _any_of(rng, FLOORS) if rng.random() < 0.4 else _floor(rng)
    wall = _any_of(rng, WALLS) if rng.random() < 0.4 else _wall(rng)
    white = float(rng.uniform(0.7, 0.95))
    tint = _tone(rng, (0.0, 0.12), (white, white))
    ceiling = plain(tint if rng.random() < 0.5 else (0.9, 0.9, 0.9))
    return Room(size, floor, wall, ceiling)


def random_lights(rng: Rng, size: tuple[float, float, float]) -> tuple[Light, ...]:
    """One to three lamps under the ceiling, warm to cold, together as bright as the room needs."""
    x, y, z = size
    count = int(rng.integers(1, 4))
    level = (0.42 + 0.045 * x * y) * 1.35 * float(rng.uniform(0.55, 1.35))
    shares = rng.dirichlet(np.full(count, 2.0))
    lights = []
    for share in shares:
        place = (
            float(rng.uniform(-0.4, 0.4)) * x,
            float(rng.uniform(-0.4, 0.4)) * y,
            z - float(rng.uniform(0.15, 0.6)),
        )
        lights.append(
            Light(place, _white(rng, level * float(share)), float(rng.uniform(0.03, 0.25)))
        )
    return tuple(lights)


def random_ambient(rng: Rng) -> Rgb:
    """Light from everywhere."""
    return _white(rng, float(rng.uniform(0.18, 0.42)))


def _white(rng: Rng, level: float) -> Rgb:
    warm = float(rng.normal(0, 0.08))
    return level * (1 + warm), level, level * (1 - warm)


def _any_of(rng: Rng, known: dict[str, Material]) -> Material:
    return list(known.values())[int(rng.integers(len(known)))]


def _tone(rng: Rng, saturation: tuple[float, float], value: tuple[float, float]) -> Rgb:
    return colorsys.hsv_to_rgb(
        float(rng.random()), float(rng.uniform(*saturation)), float(rng.uniform(*value))
    )


def _wooden(rng: Rng) -> Rgb:
    return colorsys.hsv_to_rgb(
        float(rng.uniform(0.05, 0.12)), float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.3, 0.85))
    )


def _floor(rng: Rng) -> Material:
    kind = int(rng.integers(4))
    if kind == 0:
        return planks(_wooden(rng), float(rng.uniform(0.08, 0.25)))
    tone = _tone(rng, (0.0, 0.35), (0.3, 0.85))
    if kind == 1:
        return tiles(tone, _tone(rng, (0.0, 0.25), (0.3, 0.9)), float(rng.uniform(0.15, 0.6)))
    if kind == 2:
        return flecked(tone, float(np.exp(rng.uniform(-4.5, -0.8))), float(rng.uniform(0.1, 0.45)))
    return plain(tone)


def _wall(rng: Rng) -> Material:
    kind = int(rng.integers(4))
    tone = _tone(rng, (0.0, 0.4), (0.45, 0.95))
    if kind == 0:
        return wallpaper(tone, float(rng.uniform(0.08, 0.5)), float(rng.uniform(0.75, 0.95)))
    if kind == 1:
        return flecked(tone, float(np.exp(rng.uniform(-3, -0.5))), float(rng.uniform(0.05, 0.25)))
    if kind == 2:
        return tiles(tone, _tone(rng, (0.0, 0.2), (0.6, 0.95)), float(rng.uniform(0.1, 0.3)))
    return plain(tone)
