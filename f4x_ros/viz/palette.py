# SPDX-License-Identifier: Apache-2.0
"""Colours that stay the same for a prompt or a track; colour-blind people can tell them apart."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[int, int, int]  # 0..255

# Okabe and Ito, "Color Universal Design" (2008), without black; then shades of Paul Tol's "muted"
# scheme that are far from these.
_NAMED: tuple[Rgb, ...] = (
    (213, 94, 0),  # vermilion
    (0, 114, 178),  # blue
    (0, 158, 115),  # bluish green
    (240, 228, 66),  # yellow
    (204, 121, 167),  # reddish purple
    (86, 180, 233),  # sky blue
    (230, 159, 0),  # orange
    (136, 34, 85),  # wine
    (51, 34, 136),  # indigo
    (153, 153, 51),  # olive
)
_GOLDEN_ANGLE = 0.381966  # share of the colour circle: neighbours in the sequence are far apart


def color_of(index: int) -> Rgb:
    """Colour of prompt or track `index` (>= 0), as red, green, blue in 0..255.

    The first ten are told apart by colour-blind people; further ones follow the golden angle with
    three lightnesses, so that no index is refused.
    """
    if index < 0:
        raise ValueError(f"colour index is {index}, expected >= 0")
    if index < len(_NAMED):
        return _NAMED[index]
    extra = index - len(_NAMED)
    hue = (0.08 + extra * _GOLDEN_ANGLE) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, (0.42, 0.62, 0.3)[extra % 3], 0.65)
    return round(red * 255), round(green * 255), round(blue * 255)


def colors(count: int) -> NDArray[np.uint8]:
    """The first `count` colours as [count, 3] uint8."""
    return np.array([color_of(i) for i in range(count)], np.uint8).reshape(-1, 3)


def color_of_label(label: str, prompts: tuple[str, ...]) -> Rgb:
    """Colour of an object by what it is called: that of its prompt, grey for any other name."""
    return color_of(prompts.index(label)) if label in prompts else (128, 128, 128)


def readable_on(background: Rgb) -> Rgb:
    """Black or white, whichever stands out more on a colour (WCAG relative luminance)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (value / 255 for value in background)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)
