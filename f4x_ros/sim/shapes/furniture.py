# SPDX-License-Identifier: Apache-2.0
"""Furniture. The front of each piece faces -y, its back stands at +y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from f4x_ros.sim.materials import PALE, PALETTE, Books, Material, Rgb, Weave, linear
from f4x_ros.sim.mesh import Mesh, box, cylinder, rotation, rounded_box, sphere, transformed, tube
from f4x_ros.sim.shapes.part import Part, Parts

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


def chair(width: float = 0.44, seat: float = 0.45, back: float = 0.48, slats: float = 3) -> Parts:
    """A chair with ``slats`` (a whole number, rounded) across its back."""
    leg = 0.035
    inner = width / 2 - leg / 2
    parts = [Part(box((width, width, 0.04), (0, 0, seat)), "body")]
    for x in _BOTH:
        for y in _BOTH:
            parts.append(Part(box((leg, leg, seat), (x * inner, y * inner, seat / 2)), "body"))
        post = box((leg, leg, back), (x * inner, inner, seat + back / 2))
        parts.append(Part(post, "body"))
    heights = (0.35, 0.62, 0.9) if round(slats) == 3 else np.linspace(0.9, 0.3, round(slats))
    for z in heights:
        parts.append(Part(box((width, 0.02, 0.07), (0, inner, seat + back * z)), "body"))
    return parts


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
    width: float = 0.95, depth: float = 0.3, height: float = 1.7, shelves: float = 5
) -> Parts:
    """An open shelf with rows of books of many colours; ``shelves`` is rounded."""
    board = 0.025
    shelves = round(shelves)
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


def rug(width: float = 2.0, depth: float = 1.5) -> Parts:
    """A woven rug with a pattern of diamonds in two tones of its colour."""
    weave = _RugDye((width / 2, depth / 2))
    return [Part(box((width, depth, 0.012), (0, 0, 0.006)), weave)]


@dataclass(frozen=True)
class _RugDye:
    """A rug's threads in a colour."""

    half_size: tuple[float, float]

    def __call__(self, color: str) -> Material:
        dark = linear(PALETTE[color])
        light = _BLUE_ACCENT if color == "blue" else linear(_between(PALETTE[color], PALE[color]))
        return Material(Weave(dark, light, self.half_size))


_BLUE_ACCENT = linear((0.20, 0.38, 0.88))


def _between(first: Rgb, second: Rgb, share: float = 0.45) -> Rgb:
    r, g, b = (float(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return r, g, b


def stool(radius: float = 0.17, height: float = 0.46) -> Parts:
    """A round stool on four splayed legs with rungs between them."""
    parts = [Part(cylinder(radius, 0.04, height - 0.04, 32), "body")]
    feet = [np.array([x, y, 0.0]) * radius * 0.8 for x in _BOTH for y in _BOTH]
    for foot in feet:
        head = foot * 0.65 + [0, 0, height - 0.03]
        parts.append(Part(tube([foot, head], 0.017, 10), "body"))
    for a, b in ((0, 1), (1, 3), (3, 2), (2, 0)):
        ends = [feet[k] * 0.88 + [0, 0, height * 0.35] for k in (a, b)]
        parts.append(Part(tube(ends, 0.01, 8), "body dark"))
    return parts


def bench(width: float = 1.4, depth: float = 0.42, height: float = 0.45) -> Parts:
    """A park bench: slats on two metal frames, with a leaning back."""
    parts = []
    for k in range(4):
        y = depth * (k / 3 - 0.5) * 0.82
        parts.append(Part(box((width, depth * 0.22, 0.03), (0, y, height)), "body"))
    for k in range(3):
        rise = height + 0.13 + 0.12 * k
        at = (0, depth * 0.5 + 0.03 + 0.03 * k, rise)
        parts.append(
            Part(transformed(box((width, 0.025, 0.095)), rotation("x", -0.25), at), "body")
        )
    for side in _BOTH:
        x = side * width * 0.38
        for y in _BOTH:
            parts.append(Part(box((0.04, 0.04, height), (x, y * depth * 0.4, height / 2)), "cap"))
        parts.append(Part(box((0.04, depth, 0.03), (x, 0, height - 0.03)), "cap"))
        post = [(x, depth * 0.4, height - 0.02), (x, depth * 0.5 + 0.13, height + 0.43)]
        parts.append(Part(tube(post, 0.02, 8), "cap"))
        arm = [(x, -depth * 0.42, height), (x, -depth * 0.42, height + 0.2),
               (x, depth * 0.5 + 0.04, height + 0.22)]  # fmt: skip
        parts.append(Part(tube(arm, 0.016, 8), "cap"))
    return parts


def bed(width: float = 1.4, length: float = 2.05, head: float = 0.85) -> Parts:
    """A made bed along y, its head at +y; the blanket has the object's colour."""
    frame, soft = 0.26, 0.22
    top = frame + soft
    mattress = (width * 0.96, length * 0.96, soft)
    fold = -length * 0.5 + length * 0.7
    blanket = (width * 1.02, fold + length * 0.49, soft * 0.75)
    middle = (0, (fold - length * 0.49) / 2, top - soft * 0.375 + 0.015)
    parts = [
        Part(box((width, length, 0.14), (0, 0, frame - 0.07)), "dark wood"),
        Part(box((width * 1.04, 0.06, head), (0, length / 2 + 0.03, head / 2)), "dark wood"),
        Part(rounded_box(mattress, (0, 0, frame + soft / 2), 0.04), "linen"),
        Part(rounded_box(blanket, middle, 0.05), "body"),
        Part(rounded_box((width * 1.025, 0.2, 0.1), (0, fold, top - 0.025), 0.03), "body pale"),
    ]
    for side in _BOTH:
        at = (side * width * 0.24, length * 0.37, top + 0.06)
        parts.append(Part(pillow_mesh(width * 0.4, 0.38, 0.15, at), "linen"))
        for y in _BOTH:
            foot = (side * width * 0.46, y * length * 0.47, 0.1)
            parts.append(Part(box((0.07, 0.07, 0.2), foot), "dark wood"))
    return parts


def pillow(width: float = 0.45, depth: float = 0.45, thickness: float = 0.16) -> Parts:
    """A cushion lying flat."""
    return [Part(pillow_mesh(width, depth, thickness, (0, 0, thickness / 2)), "body")]


def pillow_mesh(
    width: float, depth: float, thickness: float, center: tuple[float, float, float]
) -> Mesh:
    """A stuffed square with thin edges and drawn-out corners."""
    ball = sphere(1.0, sides=48, rings=24).vertices.astype(np.float64)
    flat = ball[:, :2]
    # From the disc to the square: stretch each direction by how far the square reaches in it.
    reach = np.linalg.norm(flat, axis=1) / np.maximum(np.abs(flat).max(1), 1e-9)
    spread = np.sign(flat) * np.abs(flat) ** 0.9 * (0.35 + 0.65 * reach[:, None]) * 1.02
    height = np.sign(ball[:, 2]) * np.abs(ball[:, 2]) ** 1.4
    shape = np.stack(
        [spread[:, 0] * width / 2, spread[:, 1] * depth / 2, height * thickness / 2], 1
    )
    return Mesh((shape + center).astype(np.float32), sphere(1.0, sides=48, rings=24).faces)
