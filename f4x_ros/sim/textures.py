# SPDX-License-Identifier: Apache-2.0
"""Textures: functions from points on an object to linear albedo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from f4x_ros.sim.noise import cell_random, fractal_noise

Points = NDArray[np.float32]  # [N, 3]
Rgb = tuple[float, float, float]  # linear, 0..1


def linear(srgb: ArrayLike) -> Rgb:
    """sRGB values in 0..1 to linear light (IEC 61966-2-1)."""
    c = np.asarray(srgb, np.float64)
    r, g, b = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(r), float(g), float(b)


class Texture(Protocol):
    """Albedo ``[N, 3]`` (linear) from points and unit normals ``[N, 3]`` in the object's frame."""

    def __call__(self, points: Points, normals: Points) -> Points: ...


def mix(first: ArrayLike, second: ArrayLike, amount: NDArray[np.floating]) -> Points:
    """Blend two colours by ``amount [N]`` in 0..1."""
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return a + (b - a) * np.asarray(amount, np.float32)[:, None]


def darker(color: Rgb, factor: float) -> Rgb:
    """A colour times ``factor``."""
    return color[0] * factor, color[1] * factor, color[2] * factor


def flat_coordinates(points: Points, normals: Points) -> Points:
    """Coordinates ``[N, 2]`` in the coordinate plane that the surface faces most."""
    facing = np.abs(normals).argmax(1)
    u = np.where(facing == 0, points[:, 1], points[:, 0])
    v = np.where(facing == 2, points[:, 1], points[:, 2])
    return np.stack([u, v], 1)


@dataclass(frozen=True)
class Solid:
    """One colour."""

    color: Rgb

    def __call__(self, points: Points, normals: Points) -> Points:
        return np.broadcast_to(np.asarray(self.color, np.float32), points.shape)


@dataclass(frozen=True)
class Cloth:
    """A colour that darkens irregularly by up to ``depth``, in flecks of ``grain_m``."""

    color: Rgb
    grain_m: float = 0.01
    depth: float = 0.3

    def __call__(self, points: Points, normals: Points) -> Points:
        flecks = fractal_noise(points / np.float32(self.grain_m))
        return mix(self.color, darker(self.color, 1 - self.depth), flecks)


@dataclass(frozen=True)
class Wood:
    """Year rings along the x axis between a light and a dark tone."""

    light: Rgb
    dark: Rgb
    rings_per_m: float = 8.0

    def __call__(self, points: Points, normals: Points) -> Points:
        bent = fractal_noise(points * np.array([2, 9, 9], np.float32))
        phase = 2 * np.pi * self.rings_per_m * (points[:, 1] + points[:, 2]) + 9 * bent
        return mix(self.light, self.dark, 0.5 + 0.5 * np.sin(phase))


@dataclass(frozen=True)
class Planks:
    """Floor boards along x with dark gaps; each board has its own tone."""

    light: Rgb
    dark: Rgb
    length_m: float = 0.9
    width_m: float = 0.13

    def __call__(self, points: Points, normals: Points) -> Points:
        across = points[:, 1] / np.float32(self.width_m)
        row = np.floor(across)
        along = points[:, 0] / np.float32(self.length_m) + cell_random(row, row * 0)
        board = np.floor(along)
        grain = fractal_noise(points * np.array([4, 40, 40], np.float32))
        tone = 0.75 + 0.4 * cell_random(row, board, row * 0 + 7)
        gap = (across - row < 0.04) | (along - board < 0.008)
        shade = (tone * np.where(gap, 0.5, 1.0)).astype(np.float32)
        return mix(self.light, self.dark, grain) * shade[:, None]


@dataclass(frozen=True)
class Stripes:
    """Two colours in turn along ``direction``; one pair is ``pitch_m`` wide."""

    first: Rgb
    second: Rgb
    pitch_m: float
    direction: tuple[float, float, float] = (0, 0, 1)

    def __call__(self, points: Points, normals: Points) -> Points:
        along = points @ np.asarray(self.direction, np.float32)
        return mix(self.first, self.second, np.sin(along * (2 * np.pi / self.pitch_m)) > 0)


@dataclass(frozen=True)
class Weave:
    """A rug: a grid of diamonds, a border, and the grain of the threads."""

    color: Rgb
    accent: Rgb
    half_size: tuple[float, float]
    cell_m: float = 0.14
    border_m: float = 0.07

    def __call__(self, points: Points, normals: Points) -> Points:
        k = np.float32(np.pi / self.cell_m)
        diamond = np.sin(points[:, 0] * k) * np.sin(points[:, 1] * k) > 0.25
        inset = np.asarray(self.half_size, np.float32) - np.abs(points[:, :2])
        border = np.abs(inset.min(1) - self.border_m) < self.border_m * 0.25
        threads = 0.8 + 0.35 * fractal_noise(points * np.float32(120))
        return mix(self.color, self.accent, diamond | border) * threads[:, None]


@dataclass(frozen=True)
class Sectors:
    """A beach ball: ``count`` sectors about z in two colours in turn."""

    first: Rgb
    second: Rgb
    count: int = 6

    def __call__(self, points: Points, normals: Points) -> Points:
        turn = np.arctan2(points[:, 1], points[:, 0]) / np.float32(2 * np.pi)
        return mix(self.first, self.second, np.floor((turn + 1) * self.count) % 2 == 1)


@dataclass(frozen=True)
class Globe:
    """Seas, continents and polar ice on a sphere about ``center_z`` of ``radius``."""

    center_z: float
    radius: float

    def __call__(self, points: Points, normals: Points) -> Points:
        around = points - np.array([0, 0, self.center_z], np.float32)
        height = fractal_noise(around * np.float32(1.6 / self.radius) + np.float32(3.3))
        relief = fractal_noise(around * np.float32(5 / self.radius))
        land = mix((0.07, 0.28, 0.05), (0.42, 0.30, 0.10), relief)
        color = np.where((height > 0.55)[:, None], land, np.array((0.02, 0.10, 0.45), np.float32))
        ice = np.abs(around[:, 2]) > self.radius * 0.88
        return np.where(ice[:, None], np.float32(0.85), color).astype(np.float32)


@dataclass(frozen=True)
class Landscape:
    """A painted view for a picture frame: sun, sky, hills; x from -1 to 1, z from -1 to 1."""

    half_size: tuple[float, float]
    look: float = 0.0  # in 0..1: which view

    def __call__(self, points: Points, normals: Points) -> Points:
        x = points[:, 0] / np.float32(self.half_size[0])
        z = points[:, 2] / np.float32(self.half_size[1])
        ground, sky, disc, far, near = _VIEWS[min(int(self.look * len(_VIEWS)), len(_VIEWS) - 1)]
        color = mix(ground, sky, np.clip(z * 0.7 + 0.5, 0, 1))
        sun = (x - 0.35 + 1.1 * self.look) ** 2 * 1.7 + (z - 0.35) ** 2 < 0.05
        color[sun] = disc
        for base, steep, tone in ((-0.05, 2.1, far), (-0.45, 3.3, near)):
            hill = np.sin(steep * x + base * 9 + 7 * self.look)
            color[z < base + 0.25 * hill] = tone
        return color


# Horizon, sky, sun or moon, far hills, near hills: day, night, dusk, sea.
_VIEWS: tuple[tuple[Rgb, Rgb, Rgb, Rgb, Rgb], ...] = (
    ((0.85, 0.55, 0.25), (0.20, 0.42, 0.75), (0.95, 0.75, 0.20), (0.22, 0.30, 0.42),
     (0.10, 0.22, 0.12)),
    ((0.10, 0.16, 0.35), (0.01, 0.02, 0.08), (0.85, 0.85, 0.75), (0.05, 0.08, 0.16),
     (0.02, 0.04, 0.06)),
    ((0.90, 0.35, 0.12), (0.30, 0.10, 0.30), (1.00, 0.85, 0.45), (0.30, 0.12, 0.22),
     (0.08, 0.05, 0.08)),
    ((0.75, 0.85, 0.90), (0.15, 0.50, 0.80), (0.98, 0.95, 0.85), (0.04, 0.25, 0.45),
     (0.70, 0.58, 0.35)),
)  # fmt: skip


@dataclass(frozen=True)
class Sky:
    """A bright sky with clouds, seen through a window."""

    def __call__(self, points: Points, normals: Points) -> Points:
        clouds = fractal_noise(points * np.array([3, 3, 5], np.float32))
        return mix((0.30, 0.50, 0.85), (0.88, 0.92, 0.97), np.clip(clouds * 3 - 1, 0, 1))


@dataclass(frozen=True)
class Books:
    """Book backs standing side by side along x on boards ``shelf_m`` apart."""

    colors: tuple[Rgb, ...]
    width_m: float = 0.035

    def __call__(self, points: Points, normals: Points) -> Points:
        at = points[:, 0] / np.float32(self.width_m)
        book = np.floor(at)
        chosen = (cell_random(book, book * 0 + 5) * len(self.colors)).astype(int)
        color = np.asarray(self.colors, np.float32)[chosen % len(self.colors)]
        gap = at - book < 0.09
        shade = np.where(gap, 0.3, 1.0).astype(np.float32)
        return np.asarray(color * shade[:, None])
