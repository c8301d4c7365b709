# SPDX-License-Identifier: Apache-2.0
"""Colours that stay the same for a prompt or a track; colour-blind people can tell them apart."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence
from functools import lru_cache

from f4x_ros.core.errors import BadInputError

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
_WORDS: dict[str, Rgb] = {
    "red": (204, 51, 17),
    "orange": (238, 135, 30),
    "yellow": (240, 228, 66),
    "green": (0, 158, 115),
    "blue": (0, 114, 178),
    "purple": (136, 34, 136),
    "violet": (136, 34, 136),
    "pink": (238, 120, 170),
    "brown": (140, 86, 42),
    "black": (58, 58, 62),
}
_TOLD_APART = 64  # prompts whose colours are kept from each other; there are not many more
_GOLDEN_ANGLE = 0.381966  # share of the colour circle: neighbours in the sequence are far apart


def color_of(index: int) -> Rgb:
    """Colour of prompt or track `index` (>= 0), as red, green, blue in 0..255.

    The first ten are told apart by colour-blind people; further ones follow the golden angle with
    three lightnesses, so that no index is refused.
    """
    if index < 0:
        raise BadInputError(f"colour index is {index}, expected >= 0")
    if index < len(_NAMED):
        return _NAMED[index]
    extra = index - len(_NAMED)
    hue = (0.08 + extra * _GOLDEN_ANGLE) % 1.0
    red, green, blue = colorsys.hls_to_rgb(hue, (0.42, 0.62, 0.3)[extra % 3], 0.65)
    return round(red * 255), round(green * 255), round(blue * 255)


def prompt_colors(prompts: Sequence[str]) -> tuple[Rgb, ...]:
    """A colour for each prompt, all different as far as that many can be told apart.

    Prompts that name a colour get one that looks like it, so that "green thing" is not shown in
    orange; the others take those of `color_of` that are left, in order.
    """
    return _prompt_colors(tuple(prompts))


@lru_cache(maxsize=8)  # of up to 1000 prompts each
def _prompt_colors(prompts: tuple[str, ...]) -> tuple[Rgb, ...]:
    chosen: dict[int, Rgb] = {}
    for q, prompt in enumerate(prompts):
        words = re.findall(r"[a-z]+", prompt.lower())
        like = next((_WORDS[word] for word in words if word in _WORDS), None)
        if like is not None and like not in chosen.values():
            chosen[q] = like
    index = 0
    for q in range(len(prompts)):
        if q in chosen:
            continue
        while len(chosen) < _TOLD_APART and any(
            _close(color_of(index), other) for other in chosen.values()
        ):
            index += 1
        chosen[q] = color_of(index)
        index += 1
    return tuple(chosen[q] for q in range(len(prompts)))


def _close(a: Rgb, b: Rgb) -> bool:
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) < 20


def color_of_label(label: str, prompts: tuple[str, ...]) -> Rgb:
    """Colour of an object by what it is called: that of its prompt, grey for any other name."""
    if label not in prompts:
        return (128, 128, 128)
    return prompt_colors(prompts)[prompts.index(label)]


def readable_on(background: Rgb) -> Rgb:
    """Black or white, whichever stands out more on a colour (WCAG relative luminance)."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (value / 255 for value in background)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)
