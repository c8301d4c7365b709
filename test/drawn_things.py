# SPDX-License-Identifier: Apache-2.0
"""A picture that is computed, not stored: a clock, a stop sign and an orange before a wall."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

CLOCK = (0.06, 0.10, 0.44, 0.60)
"""Its box: x0, y0, x1, y1 as shares of the picture's sides."""

SIGN = (0.56, 0.08, 0.92, 0.56)
ORANGE = (0.40, 0.66, 0.62, 0.95)


def drawn_things(height: int, width: int) -> Tensor:
    """[1, 3, height, width] RGB, 0..1; edges are a pixel wide."""
    y, x = ((np.arange(n) + 0.5) / n for n in (height, width))
    x, y = np.meshgrid(x, y)
    wall = 0.55 + 0.15 * y + 0.02 * np.sin(40 * x) * np.sin(31 * y)
    floor = 0.35 + 0.05 * np.sin(90 * x + 20 * y)
    image = np.stack([wall, wall * 0.95, wall * 0.85], -1)
    image = _over(image, np.stack([floor, floor * 0.7, floor * 0.5], -1), (y - 0.8) * height)

    u, v = _within(x, y, CLOCK)
    pixels = (CLOCK[2] - CLOCK[0]) * width / 2
    far, angle = np.hypot(u, v), np.arctan2(u, -v)
    image = _over(image, (0.1, 0.1, 0.12), (1 - far) * pixels)
    image = _over(image, (0.96, 0.96, 0.92), (0.88 - far) * pixels)
    marks = np.minimum(0.06 - np.abs(far - 0.76), 0.035 - far * np.abs(np.sin(6 * angle)) / 6)
    image = _over(image, (0.05, 0.05, 0.05), marks * pixels)
    for towards, length in ((0.9, 0.6), (-1.1, 0.42)):
        along = u * np.sin(towards) - v * np.cos(towards)
        aside = np.abs(u * np.cos(towards) + v * np.sin(towards))
        hand = np.minimum(np.minimum(along + 0.08, length - along), 0.045 - aside)
        image = _over(image, (0.05, 0.05, 0.05), hand * pixels)

    u, v = _within(x, y, SIGN)
    pixels = (SIGN[2] - SIGN[0]) * width / 2
    rim = 1 - np.maximum(np.maximum(np.abs(u), np.abs(v)), (np.abs(u) + np.abs(v)) / 2**0.5)
    image = _over(image, (0.95, 0.95, 0.95), rim * pixels)
    image = _over(image, (0.78, 0.06, 0.10), (rim - 0.07) * pixels)
    for k in range(4):  # letters, as bars
        bar = np.minimum(0.09 - np.abs(u + 0.54 - 0.36 * k), 0.25 - np.abs(v))
        image = _over(image, (0.95, 0.95, 0.95), bar * pixels)

    u, v = _within(x, y, ORANGE)
    pixels = (ORANGE[2] - ORANGE[0]) * width / 2
    light = np.clip(1 - 0.45 * np.hypot(u + 0.3, v + 0.4), 0, 1)[..., None]
    image = _over(image, light * (1.0, 0.55, 0.08), (1 - np.hypot(u, v)) * pixels)
    return torch.from_numpy(image.clip(0, 1).astype(np.float32)).permute(2, 0, 1)[None]


def _within(x: np.ndarray, y: np.ndarray, box: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Places as -1..1 from rim to rim of a box."""
    x0, y0, x1, y1 = box
    return (2 * x - x0 - x1) / (x1 - x0), (2 * y - y0 - y1) / (y1 - y0)


def _over(image: np.ndarray, colour: object, inside: np.ndarray) -> np.ndarray:
    """Colour where `inside` (pixels from the edge) is positive."""
    share = np.clip(inside + 0.5, 0, 1)[..., None]
    return image * (1 - share) + np.asarray(colour) * share
