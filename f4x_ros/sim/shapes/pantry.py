# SPDX-License-Identifier: Apache-2.0
"""Fruit, dishes and other small things that stand on a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from f4x_ros.sim.mesh import box, cylinder, lathe, loft, rotation, sphere, torus, transformed, tube
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)


def banana(radius: float = 0.11, thick: float = 0.019, bend: float = 0.85) -> Parts:
    """A banana lying on its side; ``radius`` and ``bend`` [rad] are those of its curve."""
    t = np.linspace(-bend, bend, 22)
    curve = np.stack([radius * np.sin(t), radius * (1 - np.cos(t)), 0 * t + thick], -1)
    share = t / bend
    girth = np.interp(
        share, [-1, -0.96, -0.8, -0.4, 0.3, 0.75, 0.84, 1], [0.3, 0.4, 0.75, 1, 1, 0.6, 0.3, 0.24]
    )
    ends = [(curve[:2], 0.42), (curve[-3:], 0.3)]
    parts = [Part(tube(curve, girth * thick, 6), "body")]
    parts += [Part(tube(line, thick * share, 8), "bark") for line, share in ends]
    return parts


def tangerine(radius: float = 0.04) -> Parts:
    """A tangerine with a green navel on top."""
    return [
        Part(sphere(radius, (0, 0, radius * 0.95), (1, 1, 0.95)), "body"),
        Part(sphere(radius * 0.13, (0, 0, radius * 1.87), (1, 1, 0.4), 8, 6), "leaf"),
    ]


def pear(radius: float = 0.038) -> Parts:
    """A pear with a stem."""
    r = radius
    profile = [(0, 0.08), (0.35, 0), (0.8, 0.35), (1, 0.9), (0.88, 1.4), (0.62, 1.85), (0.5, 2.25),
               (0.4, 2.5), (0.2, 2.62), (0, 2.55)]  # fmt: skip
    stem = [(0, 0, r * 2.5), (0.002, 0, r * 2.8), (0.009, 0, r * 3.05)]
    skin = lathe(_smooth(np.array(profile) * r))
    return [Part(skin, "body"), Part(tube(stem, 0.0024, 6), "bark")]


def _smooth(line: NDArray[np.float64], points: int = 28) -> NDArray[np.float64]:
    """A smooth curve through the points of a profile (monotone cubics along its length)."""
    along = np.insert(np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1)), 0, 0)
    fine = PchipInterpolator(along, line)(np.linspace(0, along[-1], points))
    fine[[0, -1], 0] = line[[0, -1], 0]
    return np.asarray(np.maximum(fine, [0, -np.inf]), np.float64)


def plate(radius: float = 0.12, height: float = 0.022) -> Parts:
    """A dinner plate with a rim in a second tone."""
    r, h = radius, height
    profile = [(0, 0), (r * 0.58, 0), (r * 0.7, h * 0.3), (r, h * 0.9), (r, h),
               (r * 0.68, h * 0.5), (r * 0.56, h * 0.3), (0, h * 0.3)]  # fmt: skip
    line = [(r * 0.93, h * 0.905), (r * 0.97, h * 0.975), (r * 0.97, h * 1.005),
            (r * 0.93, h * 0.935)]  # fmt: skip
    ring = lathe([*line, line[0]], 48)
    return [Part(lathe(profile, 48), "body"), Part(ring, "body dark")]


def frying_pan(radius: float = 0.13, handle: float = 0.19, height: float = 0.045) -> Parts:
    """A pan with a long handle on +x and a dark coat inside."""
    r, h = radius, height
    profile = [(0, 0), (r * 0.8, 0), (r * 0.88, 0.006), (r, h), (r * 0.97, h), (r * 0.84, 0.008),
               (0, 0.008)]  # fmt: skip
    grip = [(r * 0.93, 0, h * 0.75), (r * 1.1, 0, h * 1.0), (r * 1.25, 0, h * 1.15),
            (r + handle, 0, h * 1.5)]  # fmt: skip
    thick = np.array([0.008, 0.009, 0.012, 0.013])
    coat = lathe([(0, 0.0083), (r * 0.83, 0.0083), (r * 0.95, h * 0.94), (r * 0.94, h * 0.95),
                  (r * 0.82, 0.0095), (0, 0.0095)])  # fmt: skip
    return [
        Part(lathe(profile, 40), "body"),
        Part(coat, "cap"),
        Part(tube(grip, thick, 10), "rubber"),
        Part(sphere(0.006, (r * 0.92, 0, h * 0.8), sides=8, rings=6), "steel"),
    ]


def can(radius: float = 0.033, height: float = 0.12) -> Parts:
    """A drinks can with a printed band and a ring to open it."""
    r, h = radius, height
    rim = [(r, h * 0.91), (r * 0.86, h), (r * 0.82, h), (r * 0.8, h - 0.004), (0, h - 0.004)]
    band = lathe([(r * 1.002, h * 0.3), (r * 1.006, h * 0.3), (r * 1.006, h * 0.62),
                  (r * 1.002, h * 0.62), (r * 1.002, h * 0.3)])  # fmt: skip
    ring = transformed(torus(r * 0.22, 0.0016, 14, 6), None, (r * 0.25, 0, h - 0.0015))
    return [
        Part(lathe([(0, 0), (r * 0.82, 0), (r * 0.86, 0.002), (0, 0.002)]), "steel"),
        Part(
            lathe([(0, 0.002), (r * 0.86, 0.002), (r, h * 0.07), *rim[:1], (0, h * 0.91)]), "body"
        ),
        Part(lathe([(0, h * 0.9), *rim]), "steel"),
        Part(band, "body pale"),
        Part(ring, "steel"),
    ]


def vase(radius: float = 0.07, height: float = 0.27, belly: float = 0.5) -> Parts:
    """A vase; ``belly`` in 0..1 moves its bulge from low and wide to high and slim."""
    z = np.array([0, 0.03, 0.25 + 0.25 * belly, 0.72 + 0.1 * belly, 0.88, 1.0])
    wide = np.array([0.55, 0.62, 1.0, 0.55, 0.38 + 0.1 * belly, 0.62])
    outside = _smooth(np.stack([wide * radius, z * height], -1), 26)
    inside = outside[::-1][:12] - [0.005, 0]
    profile = np.concatenate([[(0, 0)], outside, inside, [(0, inside[-1, 1])]])
    return [Part(lathe(profile, 36), "body")]


def candle(radius: float = 0.03, height: float = 0.13) -> Parts:
    """A burning candle on a saucer with a ring to hold it."""
    r, h = radius, height
    top = h + 0.012
    saucer = [(0, 0), (r * 1.4, 0), (r * 2.1, 0.014), (r * 2.1, 0.018), (r * 1.35, 0.008),
              (0, 0.008)]  # fmt: skip
    wax = [(0, 0.008), (r, 0.008), (r, h), (r * 0.9, h + 0.003), (r * 0.5, h - 0.004),
           (0, h - 0.006)]  # fmt: skip
    flame = [(0, 0), (0.0045, 0.004), (0.0075, 0.012), (0.006, 0.021), (0.002, 0.034), (0, 0.038)]
    ring = transformed(torus(0.016, 0.0035, 18, 8), rotation("x", np.pi / 2), (r * 2.3, 0, 0.018))
    return [
        Part(lathe(saucer, 32), "brass"),
        Part(ring, "brass"),
        Part(lathe(wax), "body"),
        Part(cylinder(0.0015, 0.02, h - 0.008, 6), "rubber"),
        Part(transformed(lathe(np.array(flame), 14), None, (0, 0, top - 0.006)), "flame"),
    ]


def bucket(radius: float = 0.15, height: float = 0.28) -> Parts:
    """An open bucket with a wire handle that stands up."""
    r, h = radius, height
    profile = [(0, 0), (r * 0.72, 0), (r, h - 0.012), (r * 1.04, h - 0.012), (r * 1.04, h),
               (r * 0.97, h), (r * 0.7, 0.008), (0, 0.008)]  # fmt: skip
    t = np.linspace(0.06, np.pi - 0.06, 20)
    wire = np.stack([r * 1.05 * np.cos(t), 0 * t, h - 0.02 + r * 1.15 * np.sin(t)], -1)
    grip = box((r * 0.7, 0.024, 0.024), (0, 0, h - 0.02 + r * 1.15))
    ears = [box((0.012, 0.03, 0.04), (side * r * 1.03, 0, h - 0.025)) for side in _BOTH]
    return [
        Part(lathe(profile, 32), "body"),
        Part(tube(wire, 0.004, 8), "steel"),
        Part(grip, "cap"),
        *(Part(ear, "body dark") for ear in ears),
    ]


def basket(radius: float = 0.16, height: float = 0.17) -> Parts:
    """A woven basket with a high handle."""
    r, h = radius, height
    profile = [(0, 0), (r * 0.72, 0), (r, h), (r * 0.94, h), (r * 0.68, 0.012), (0, 0.012)]
    t = np.linspace(0, np.pi, 22)
    hoop = np.stack([r * 0.98 * np.cos(t), 0 * t, h * 0.85 + r * 1.05 * np.sin(t)], -1)
    rim = transformed(torus(r * 0.98, 0.011, 32, 8), None, (0, 0, h))
    return [
        Part(lathe(profile, 36), "body"),
        Part(rim, "body dark"),
        Part(tube(hoop, 0.01, 8), "body dark"),
    ]


def kettle(radius: float = 0.095, height: float = 0.2) -> Parts:
    """An electric kettle: spout on +x, handle on -x."""
    r, h = radius, height
    jug = [(0, 0, 0.028, r, r), (0, 0, h * 0.5, r * 0.9, r * 0.9), (0, 0, h, r * 0.68, r * 0.68)]
    spout = [(r * 0.55, 0, h * 0.8, 0.03, 0.035), (r * 0.95, 0, h * 0.97, 0.012, 0.022)]
    grip = [(-r * 0.6, 0, h * 0.97), (-r * 1.3, 0, h * 0.98), (-r * 1.55, 0, h * 0.82),
            (-r * 1.5, 0, h * 0.3), (-r * 1.2, 0, h * 0.18)]  # fmt: skip
    return [
        Part(cylinder(r * 1.05, 0.028, 0, 32), "cap"),
        Part(loft(jug, 32), "body"),
        Part(loft(spout, 16), "body"),
        Part(lathe([(0, h), (r * 0.66, h), (r * 0.5, h + 0.018), (0, h + 0.024)]), "cap"),
        Part(sphere(0.014, (0, 0, h + 0.032), sides=12, rings=8), "cap"),
        Part(tube(grip, 0.014, 10), "cap"),
    ]
