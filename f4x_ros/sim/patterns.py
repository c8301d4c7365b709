# SPDX-License-Identifier: Apache-2.0
"""Textures of made things: patterned cloth, metal, wickerwork, screens, footballs, cardboard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from f4x_ros.sim.noise import cell_random, fractal_noise
from f4x_ros.sim.textures import Points, Rgb, darker, flat_coordinates, mix


@dataclass(frozen=True)
class Checks:
    """Gingham: two crossing sets of bands ``pitch_m`` wide, darker where they meet."""

    color: Rgb
    ground: Rgb
    pitch_m: float

    def __call__(self, points: Points, normals: Points) -> Points:
        cell = np.floor(flat_coordinates(points, normals) / np.float32(self.pitch_m)) % 2
        return mix(self.ground, self.color, cell.sum(1) / 2)


@dataclass(frozen=True)
class Dots:
    """Round dots on a ground, in staggered rows ``pitch_m`` apart."""

    ground: Rgb
    dot: Rgb
    pitch_m: float
    share: float = 0.3  # radius of a dot in pitches

    def __call__(self, points: Points, normals: Points) -> Points:
        at = flat_coordinates(points, normals) / np.float32(self.pitch_m)
        row = np.floor(at[:, 1])
        across = (at[:, 0] + 0.5 * (row % 2)) % 1 - 0.5
        along = at[:, 1] - row - 0.5
        return mix(self.ground, self.dot, across**2 + along**2 < self.share**2)


@dataclass(frozen=True)
class Brushed:
    """Metal: streaks along z, and bands as if a bright ceiling and a dark horizon were mirrored."""

    color: Rgb

    def __call__(self, points: Points, normals: Points) -> Points:
        streaks = fractal_noise(points * np.array([260, 260, 25], np.float32))
        slant = normals[:, 2] + 0.35 * normals[:, 0] + 0.2 * normals[:, 1]
        mirrored = 0.72 + 0.3 * np.sin(3.4 * slant + 0.4) ** 3 + 0.25 * np.maximum(slant, 0)
        shade = (mirrored * (0.9 + 0.2 * streaks)).astype(np.float32)
        bright = np.asarray(self.color, np.float32) * shade[:, None]
        return np.asarray(np.minimum(bright, 0.95), np.float32)


@dataclass(frozen=True)
class Clear:
    """Coloured glass: lighter where it is seen edge on, with upright gleams."""

    color: Rgb

    def __call__(self, points: Points, normals: Points) -> Points:
        turn = np.arctan2(normals[:, 1], normals[:, 0])
        gleam = np.maximum(np.sin(2 * turn + 0.6), 0) ** 14
        return mix(self.color, (0.85, 0.90, 0.92), 0.04 + 0.3 * gleam)


@dataclass(frozen=True)
class Wicker:
    """Woven strands: over and under in turn around z, rows ``pitch_m`` high."""

    color: Rgb
    pitch_m: float = 0.02

    def __call__(self, points: Points, normals: Points) -> Points:
        turn = np.arctan2(points[:, 1], points[:, 0])
        row = np.floor(points[:, 2] / np.float32(self.pitch_m))
        along = np.sin(turn * 18 + np.pi * row)
        across = np.sin(np.pi * points[:, 2] / np.float32(self.pitch_m))
        shade = 0.45 + 0.55 * np.abs(across) * (0.55 + 0.45 * along)
        return np.asarray(np.asarray(self.color, np.float32) * shade[:, None], np.float32)


@dataclass(frozen=True)
class Marbled:
    """Leather, or glaze with a life of its own: soft clouds and fine pores."""

    color: Rgb
    grain_m: float = 0.03

    def __call__(self, points: Points, normals: Points) -> Points:
        clouds = fractal_noise(points / np.float32(self.grain_m))
        pores = fractal_noise(points / np.float32(self.grain_m * 0.08))
        return mix(self.color, darker(self.color, 0.45), 0.55 * clouds + 0.35 * pores)


@dataclass(frozen=True)
class Bands:
    """Rings of a second colour: where z lies in one of the ``spans`` [m]."""

    color: Rgb
    band: Rgb
    spans: tuple[tuple[float, float], ...]

    def __call__(self, points: Points, normals: Points) -> Points:
        z = points[:, 2]
        inside = np.zeros(len(points), bool)
        for low, high in self.spans:
            inside |= (z >= low) & (z < high)
        return mix(self.color, self.band, inside)


@dataclass(frozen=True)
class Football:
    """Twelve dark pentagons and white hexagons with seams about ``center`` (a cut icosahedron)."""

    center: tuple[float, float, float]
    color: Rgb
    patch: Rgb

    def __call__(self, points: Points, normals: Points) -> Points:
        around = points - np.asarray(self.center, np.float32)
        around = around / (np.linalg.norm(around, axis=1, keepdims=True) + 1e-9)
        corners, middles = icosahedron()
        # A ray from the centre leaves the solid through the face with the greatest cosine over
        # its distance from the centre (in edges: 2.327 for pentagons, 2.267 for hexagons).
        five, six = around @ corners.T / 2.327, around @ middles.T / 2.267
        near = np.partition(np.concatenate([five, six], 1), -2, axis=1)[:, -2:]
        seam = near[:, 1] - near[:, 0] < 0.006
        return mix(self.color, self.patch, np.where(five.max(1) > six.max(1), 1.0, 0.55 * seam))


def icosahedron() -> tuple[Points, Points]:
    """Unit corners ``[12, 3]`` and middles of the faces ``[20, 3]`` of an icosahedron."""
    golden = (1 + 5**0.5) / 2
    signs = [(a, b) for a in (-1, 1) for b in (-1, 1)]
    corners = [np.roll((0, a, b * golden), k) for k in range(3) for a, b in signs]
    middles = [np.roll((0, a * golden, b / golden), k) for k in range(3) for a, b in signs]
    middles += [np.array((a, b, c)) for a, b in signs for c in (-1, 1)]
    unit = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in map(np.array, (corners, middles))]
    return unit[0].astype(np.float32), unit[1].astype(np.float32)


@dataclass(frozen=True)
class Screen:
    """A picture on a flat display: a bar of icons, a window with text, a coloured ground.

    ``origin`` is the lower left corner as seen by the viewer; ``right`` and ``up`` are its sides
    [m]. ``look`` in 0..1 chooses the colours and the place of the window.
    """

    origin: ArrayLike
    right: ArrayLike
    up: ArrayLike
    look: float = 0.0

    def __call__(self, points: Points, normals: Points) -> Points:
        u, v = (_along(points, self.origin, side) for side in (self.right, self.up))
        first, second = _SCREEN_GROUNDS[int(self.look * 3.999)]
        color = mix(first, second, np.clip(0.5 * u + 0.6 * v, 0, 1))
        left = 0.12 + 0.3 * (self.look * 7 % 1)
        window = (u > left) & (u < left + 0.5) & (v > 0.22) & (v < 0.88)
        color[window] = (0.85, 0.86, 0.88)
        color[window & (v > 0.81)] = (0.25, 0.28, 0.33)
        line = np.floor((0.78 - v) / 0.06)
        length = left + 0.1 + 0.33 * cell_random(line, line * 0 + 3)
        written = (u > left + 0.04) & (u < length) & ((0.78 - v) % 0.06 < 0.028) & (v < 0.78)
        color[window & written] = (0.12, 0.13, 0.16)
        bar = v < 0.08
        color[bar] = (0.06, 0.07, 0.09)
        icon = bar & (v > 0.02) & (v < 0.065) & ((u * 18) % 1 < 0.55) & (np.abs(u - 0.5) < 0.28)
        color[icon] = (0.75, 0.55, 0.2)
        return color


_SCREEN_GROUNDS: tuple[tuple[Rgb, Rgb], ...] = (
    ((0.03, 0.20, 0.45), (0.15, 0.55, 0.75)),
    ((0.05, 0.30, 0.22), (0.25, 0.55, 0.45)),
    ((0.10, 0.09, 0.25), (0.40, 0.30, 0.60)),
    ((0.20, 0.20, 0.22), (0.50, 0.52, 0.55)),
)


def _along(points: Points, origin: ArrayLike, side: ArrayLike) -> Points:
    """How far points lie along a side, ``[N]``, 0 at its start and 1 at its end."""
    way = np.asarray(side, np.float32)
    return np.asarray((points - np.asarray(origin, np.float32)) @ way / (way @ way), np.float32)
