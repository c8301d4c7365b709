# SPDX-License-Identifier: Apache-2.0
"""How much an RGB value is each of the eleven basic colour terms, robust to shading.

The terms are those of Berlin & Kay (Basic Color Terms, 1969); fuzzy membership follows the idea of
Benavente, Vanrell & Baldrich (Parametric fuzzy sets for automatic color naming, 2008). The space is
OKLab (Ottosson 2020): light k times as strong scales its L, a and b all by the cube root of k, so
hue and chroma / L do not change between light and shade. Those two decide the colour; lightness
only separates black, grey and white, and orange from brown, red from pink.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

TERMS = (
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
"""Order of the colour memberships."""

TONES = ("dark", "light")
"""Order of the tones."""

LEVELS = 64
"""Quantisation of each of R, G, B in `color_table`."""

# Ottosson, "A perceptual color space for image processing": linear sRGB -> cone response -> OKLab.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

# Where one hue family ends and the next begins, degrees of OKLab hue.
_HUES = {
    "red": 12.0,
    "orange": 40.0,
    "yellow": 82.0,
    "green": 116.0,
    "blue": 203.0,
    "purple": 291.0,
    "rose": 338.0,
}
_HUE_BLUR_DEG = 3.0


def oklab(rgb: Array) -> Array:
    """SRGB [..., 3] in 0..1 to OKLab [..., 3]: L in 0..1, a, b."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab: Array = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return lab


def _above(value: Array, edge: Array | float, blur: float) -> Array:
    """Soft step 0..1 from below to above `edge`; most of it happens within +- 2 blur."""
    step: Array = 0.5 + 0.5 * np.tanh(0.5 * (value - edge) / blur)
    return step


def _hue_families(hue_deg: Array) -> dict[str, Array]:
    """Soft partition of the hue circle."""
    starts = list(_HUES.values())
    ends = starts[1:] + starts[:1]
    weights = {}
    for name, start, end in zip(_HUES, starts, ends, strict=True):
        width = (end - start) % 360
        # Distance into the family from its start, and to its end, with the cut opposite its middle.
        offset = (hue_deg - start - width / 2 + 180) % 360 - 180
        weights[name] = _above(offset, -width / 2, _HUE_BLUR_DEG) * _above(
            -offset, -width / 2, _HUE_BLUR_DEG
        )
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


@lru_cache(maxsize=1)
def _purest() -> Array:
    """Largest chroma / L that sRGB has at each degree of hue, [361]."""
    t = np.linspace(0, 1, 400)[:, None]
    corners = np.eye(3)[[0, 1, 2, 0]]
    rim = np.concatenate([a + (b - a) * t for a, b in pairwise(corners)])
    lab = np.cbrt(rim @ _TO_CONES.T) @ _TO_LAB.T
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    purity = np.hypot(lab[:, 1], lab[:, 2]) / lab[:, 0]
    order = np.argsort(hue)
    table: Array = np.interp(np.arange(361), hue[order], purity[order], period=360)
    return table


def memberships(rgb: Array) -> Array:
    """SRGB [..., 3] in 0..1 to memberships [..., 11] in the order of `TERMS`; they add up to 1."""
    lab = oklab(np.asarray(rgb, np.float64))
    L = lab[..., 0]
    purity = np.hypot(lab[..., 1], lab[..., 2]) / np.maximum(L, 1e-4)
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    full = purity / np.interp(hue, np.arange(361), _purest())  # 1 = as pure as sRGB can show

    # Too dark to have a colour; pure colours keep theirs longer.
    black = _above(-L, -(0.29 - 0.15 * np.clip(purity / 0.3, 0, 1)), 0.015)
    # Dark and very light greys are never quite neutral in real pictures, and where blue meets brown
    # in one pixel, a dull purple comes out.
    family = _hue_families(hue)
    dim, glaring = _above(-L, -0.42, 0.03), _above(L, 0.88, 0.02)
    tint = (
        0.048
        + 0.035 * dim
        + 0.012 * glaring
        + (0.04 + 0.06 * _above(-L, -0.5, 0.02)) * family["purple"]
    )
    coloured = (1 - black) * _above(purity, tint, 0.006)
    neutral = 1 - black - coloured
    white = _above(L, 0.72, 0.02)

    pale_red = _above(L, 0.68, 0.02) * _above(-full, -0.72, 0.04)
    rosy = _above(L, 0.58, 0.025)
    dull_red = _above(-full, -0.5, 0.04) * (1 - pale_red)
    bright = _above(full, 0.7, 0.04) * _above(L + 0.6 * (full - 0.7), 0.63, 0.025)
    lively = _above(full, 0.6, 0.04) * _above(L + 0.45 * (full - 0.6), 0.57, 0.025)
    orchid = _above(L, 0.75, 0.02) * _above(hue, 320.0, 3.0)
    shares = {
        "red": family["red"] * (1 - pale_red - dull_red) + family["rose"] * (1 - rosy) * 0.5,
        "orange": family["orange"] * bright,
        "yellow": family["yellow"] * lively,
        "green": family["green"],
        "blue": family["blue"],
        "purple": family["purple"] * (1 - orchid) + family["rose"] * (1 - rosy) * 0.5,
        "pink": family["red"] * pale_red + family["rose"] * rosy + family["purple"] * orchid,
        "brown": family["red"] * dull_red
        + family["orange"] * (1 - bright)
        + family["yellow"] * (1 - lively),
    }
    out = np.stack(
        [black, neutral * (1 - white), neutral * white]
        + [coloured * shares[term] for term in TERMS[3:]],
        axis=-1,
    )
    total: Array = out / out.sum(-1, keepdims=True)
    return total


def tones(rgb: Array) -> Array:
    """SRGB [..., 3] in 0..1 to how dark and how light it appears [..., 2], each 0..1, sum <= 1.

    Blue is dark only below the lightness of pure blue, which is a dark colour by itself.
    """
    lab = oklab(np.asarray(rgb, np.float64))
    hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
    edge = 0.42 - 0.11 * _hue_families(hue)["blue"]
    return np.stack([_above(-lab[..., 0], -edge, 0.02), _above(lab[..., 0], 0.72, 0.02)], axis=-1)


@lru_cache(maxsize=1)
def color_table() -> NDArray[np.float32]:
    """Memberships and tones of all colours quantised to `LEVELS`, [LEVELS**3, 13]; R slowest."""
    axis = np.arange(LEVELS) / (LEVELS - 1)
    table = np.empty((LEVELS, LEVELS, LEVELS, len(TERMS) + len(TONES)), np.float32)
    green, blue = np.meshgrid(axis, axis, indexing="ij")
    for plane, red in zip(table, axis, strict=True):
        rgb = np.stack([np.full_like(green, red), green, blue], -1)
        plane[...] = np.concatenate([memberships(rgb), tones(rgb)], -1)
    return table.reshape(LEVELS**3, -1)
