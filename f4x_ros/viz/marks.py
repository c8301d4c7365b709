# SPDX-License-Identifier: Apache-2.0
"""Names on coloured grounds that keep out of each other's way, and legends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from f4x_ros.viz.palette import Rgb, readable_on
from f4x_ros.viz.text import Image8, draw_text, fitted, line_height, text_width

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels

_GROUND_OPACITY = 0.85
_PAD_PX = 4
_RINGS = 7


@dataclass(frozen=True)
class Chip:
    """A name on a coloured ground; (x, y) is the middle of its lower edge, if that is free."""

    text: str
    x: float
    y: float
    color: Rgb
    bold: bool = False


def chip_height(text_px: int) -> int:
    """Height in pixels of a chip."""
    return line_height(text_px) + 2


def draw_chips(
    image: Image8,
    chips: Sequence[Chip],
    text_px: int,
    bottom: int,
    *,
    around: bool = False,
    taken: Sequence[Box] = (),
) -> None:
    """Draw names in place, moved where they would cover one another.

    Args:
        image: [H, W, 3] uint8.
        chips: in the order of their importance: the first get the places they want.
        text_px: size of the letters.
        bottom: row from which on the image is not to be used.
        around: also try places beside and below, with a line back to where the name belongs; else
            names only move up and down.
        taken: boxes that are to stay free.
    """
    room = image.shape[1] - 2 * _PAD_PX
    chips = [replace(c, text=fitted(c.text, text_px, room, bold=c.bold)) for c in chips]
    used = list(taken)
    placed: list[tuple[Chip, Box]] = []
    height = chip_height(text_px)
    for chip in chips:
        width = text_width(chip.text, text_px, bold=chip.bold) + 2 * _PAD_PX
        shifts = _rings(width, height) if around else _column(height)
        box = _free(chip, (width, height), shifts, used, (image.shape[1], bottom))
        used.append(box)
        placed.append((chip, box))
    if around:
        for chip, box in placed:
            _lead(image, chip, box)
    for chip, box in placed:
        _draw_chip(image, chip, box, text_px)


def draw_legend(
    image: Image8,
    entries: Sequence[tuple[str, Rgb, float]],
    area: tuple[int, int, int],
    text_px: int,
    ink: Rgb,
) -> None:
    """One line in place: a patch of colour and a name for each entry (name, colour, opacity).

    `area` is left, top and width in pixels; names are shortened to equal shares where the line is
    too long. Where not even the patches fit, only some entries are drawn, those of most opacity,
    and the number of the others.
    """
    x, top, width = area
    patch, gap = round(text_px * 0.8), round(text_px * 0.45)
    left_out = 0
    if len(entries) * (patch + 3 * gap) > width:
        most = max(1, width // (patch + 3 * gap + 4 * text_px) - 1)
        order = sorted(range(len(entries)), key=lambda k: -entries[k][2])[:most]
        left_out, entries = len(entries) - most, [entries[k] for k in sorted(order)]
        width -= 4 * text_px
    needed = sum(text_width(name, text_px) + patch + 3 * gap for name, _, _ in entries)
    room = width if needed <= width else max(1, width // max(1, len(entries)) - patch - 3 * gap)
    y = top + (line_height(text_px) - patch) // 2
    for name, color, opacity in entries:
        region = image[y : y + patch, x : x + patch]
        region[:] = np.round(region * (1 - opacity) + np.array(color, np.float32) * opacity)
        x += patch + gap
        text = fitted(name, text_px, room)
        draw_text(image, text, x, top, text_px, ink, opacity=opacity)
        x += text_width(text, text_px) + 2 * gap
    if left_out:
        draw_text(image, f"+{left_out}", x, top, text_px, ink)


def _draw_chip(image: Image8, chip: Chip, box: Box, text_px: int) -> None:
    left, top, right, bottom = box
    region = image[top:bottom, left:right]
    ground = np.array(chip.color, np.float32)
    region[:] = np.round(region * (1 - _GROUND_OPACITY) + ground * _GROUND_OPACITY)
    ink = readable_on(chip.color)
    draw_text(image, chip.text, left + _PAD_PX, top + 1, text_px, ink, bold=chip.bold)


def _lead(image: Image8, chip: Chip, box: Box) -> None:
    """A line from the place a name belongs to, to the name, where they are apart."""
    near = (
        int(np.clip(chip.x, box[0], box[2])),
        int(np.clip(chip.y, box[1], box[3])),
    )
    if np.hypot(near[0] - chip.x, near[1] - chip.y) > 6:
        cv2.line(image, (round(chip.x), round(chip.y)), near, chip.color, 1, cv2.LINE_AA)


def _column(height: int) -> Iterator[tuple[float, float]]:
    yield 0.0, 0.0
    for step in range(2, 8 * height, 2):
        yield 0.0, -step
        yield 0.0, step


def _rings(width: int, height: int) -> Iterator[tuple[float, float]]:
    """Above, below, beside; then farther and farther away."""
    for ring in range(_RINGS):
        far_x, far_y = width / 2 + 8 + ring * 18, height / 2 + ring * 16
        yield 0.0, -ring * 16.0
        yield 0.0, 2 * far_y + 6
        yield far_x, far_y
        yield -far_x, far_y
        yield from ((far_x, -ring * 12.0), (-far_x, -ring * 12.0))
        yield from ((far_x, 2 * far_y), (-far_x, 2 * far_y))


def _free(
    chip: Chip,
    size: tuple[int, int],
    shifts: Iterator[tuple[float, float]],
    taken: Sequence[Box],
    room: tuple[int, int],
) -> Box:
    """The first shifted place inside of the room that covers nothing; the first if there is none.

    Sideways, a place outside of the room is moved back into it.
    """
    (width, height), (right_end, bottom_end) = size, room
    first: Box | None = None
    for dx, dy in shifts:
        left = round(float(np.clip(chip.x + dx - width / 2, 0, max(0, right_end - width))))
        wanted = chip.y + dy - height
        top = round(float(np.clip(wanted, 0, max(0, bottom_end - height))))
        box = (left, top, left + width, top + height)
        if first is None:
            first = box
        elif not 0 <= wanted <= bottom_end - height:
            continue
        if not any(_overlap(box, other) for other in taken):
            return box
    assert first is not None
    return first


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
