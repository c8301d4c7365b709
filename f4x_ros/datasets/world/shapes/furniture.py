# SPDX-License-Identifier: Apache-2.0
"""Furniture. The front of each piece faces -y, its back stands at +y."""

from __future__ import annotations

from f4x_ros.datasets.world.materials import PALETTE, Books, Material, Weave, linear
from f4x_ros.datasets.world.mesh import box, rounded_box, sphere
from f4x_ros.datasets.world.shapes.part import Part, Parts

_BOTH = (-1, 1)

# Quiet tones, so that a question for a colour finds the things of that colour and not the shelf.
_BOOK_BACKS = tuple(
    linear(srgb)
    for srgb in ((0.80, 0.76, 0.66), (0.55, 0.53, 0.50), (0.42, 0.33, 0.25), (0.30, 0.30, 0.32))
)


def table(width: float = 1.44, depth: float = 0.86, height: float = 0.72) -> Parts:
    """A table on four legs, with an apron under the top."""
    top, leg = 0.04, 0.06
    parts = [Part(box((width, depth, top), (0, 0, height - top / 2)), "body")]
    for side in _BOTH:
        apron = box((width * 0.9, 0.02, 0.08), (0, side * depth * 0.44, height - 0.08))
        parts.append(Part(apron, "body dark"))
    for x in _BOTH:
        for y in _BOTH:
            at = (x * (width / 2 - leg), y * (depth / 2 - leg), (height - top) / 2)
            parts.append(Part(box((leg, leg, height - top), at), "body dark"))
    return parts


def chair(width: float = 0.44, seat: float = 0.45, back: float = 0.48) -> Parts:
    """A wooden chair with three slats in its back."""
    leg = 0.035
    inner = width / 2 - leg / 2
    parts = [Part(box((width, width, 0.04), (0, 0, seat)), "body")]
    for x in _BOTH:
        for y in _BOTH:
            parts.append(Part(box((leg, leg, seat), (x * inner, y * inner, seat / 2)), "body"))
        post = box((leg, leg, back), (x * inner, inner, seat + back / 2))
        parts.append(Part(post, "body"))
    slats = [box((width, 0.02, 0.07), (0, inner, seat + back * z)) for z in (0.35, 0.62, 0.9)]
    return parts + [Part(slat, "body") for slat in slats]


def sofa(width: float = 1.6, depth: float = 0.82) -> Parts:
    """A sofa with two arms and two cushions."""
    arm = 0.18
    cushion = (width - 2 * arm - 0.02) / 2
    parts = [
        Part(rounded_box((width, depth, 0.3), (0, 0, 0.22), 0.03), "body"),
        Part(rounded_box((width, 0.2, 0.5), (0, depth / 2 - 0.1, 0.55), 0.05), "body"),
    ]
    for side in _BOTH:
        at = (side * (width / 2 - arm / 2), 0, 0.33)
        parts.append(Part(rounded_box((arm, depth, 0.5), at, 0.04), "body"))
        seat = (side * cushion / 2, -0.08, 0.43)
        size = (cushion * 0.98, depth * 0.72, 0.14)
        parts.append(Part(rounded_box(size, seat, 0.04), "body dark"))
        for y in _BOTH:
            foot = (side * width * 0.45, y * depth * 0.42, 0.04)
            parts.append(Part(box((0.05, 0.05, 0.08), foot), "bark"))
    return parts


def bookshelf(
    width: float = 0.95, depth: float = 0.3, height: float = 1.7, shelves: int = 5
) -> Parts:
    """An open shelf with rows of books of many colours."""
    board = 0.025
    pitch = (height - board) / shelves
    parts = [
        Part(box((board, depth, height), (s * width / 2, 0, height / 2)), "body") for s in _BOTH
    ]
    parts.append(Part(box((width, 0.012, height), (0, depth / 2, height / 2)), "body dark"))
    row = Material(Books(_BOOK_BACKS))
    for level in range(shelves + 1):
        z = board / 2 + level * pitch
        parts.append(Part(box((width, depth, board), (0, 0, z)), "body"))
        if level == shelves:
            break
        length = width * (0.8, 0.55, 0.7, 0.45, 0.75)[level % 5]
        tall = pitch * (0.72, 0.66, 0.78, 0.7, 0.6)[level % 5]
        left = -width / 2 + board if level % 2 == 0 else width / 2 - board - length
        at = (left + length / 2, 0.02, z + board / 2 + tall / 2)
        parts.append(Part(box((length, depth * 0.7, tall), at), row))
    return parts


def cabinet(
    width: float = 0.8, depth: float = 0.42, height: float = 0.8, drawers: int = 3
) -> Parts:
    """A chest of drawers with round knobs."""
    parts = [Part(box((width, depth, height), (0, 0, height / 2)), "body")]
    for k in range(drawers):
        z = height * (k + 0.5) / drawers
        front = box((width * 0.93, 0.02, height / drawers * 0.88), (0, -depth / 2 - 0.008, z))
        knob = sphere(0.018, (0, -depth / 2 - 0.032, z), sides=12, rings=8)
        parts += [Part(front, "body dark"), Part(knob, "cap")]
    return parts


def rug(width: float = 2.0, depth: float = 1.5) -> Parts:
    """A woven rug with a pattern of diamonds."""
    weave = Weave(linear(PALETTE["blue"]), linear((0.20, 0.38, 0.88)), (width / 2, depth / 2))
    return [Part(box((width, depth, 0.012), (0, 0, 0.006)), Material(weave))]
