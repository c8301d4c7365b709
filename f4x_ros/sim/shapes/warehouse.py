# SPDX-License-Identifier: Apache-2.0
"""Things of a storeroom."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.materials import Material, linear
from f4x_ros.sim.mesh import (
    Mesh,
    box,
    cylinder,
    lathe,
    merged,
    rotation,
    rounded_box,
    torus,
    transformed,
    tube,
)
from f4x_ros.sim.shapes.part import Part, Parts
from f4x_ros.sim.textures import Solid

_BOTH = (-1, 1)
_SAFETY_ORANGE = Material(Solid(linear((0.93, 0.40, 0.06))), specular=0.2)


def carton(width: float = 0.4, depth: float = 0.3, height: float = 0.28) -> Parts:
    """A closed box with tape along its middle, the line of its flaps, and a label on its front."""
    w, d, h = width, depth, height
    skin = 0.0012
    tape = [
        box((w + 2 * skin, d * 0.17, skin), (0, 0, h)),
        *(box((skin, d * 0.17, h * 0.3), (side * (w / 2), 0, h * 0.85)) for side in _BOTH),
    ]
    label = box((w * 0.34, skin, h * 0.34), (w * 0.22, -d / 2, h * 0.55))
    lines = [
        box((w * 0.24, skin, h * 0.035), (w * 0.22, -d / 2 - skin, h * (0.48 + 0.07 * k)))
        for k in range(3)
    ]
    arrow = box((w * 0.04, skin, h * 0.3), (-w * 0.3, -d / 2, h * 0.3))
    return [
        Part(box((w, d, h), (0, 0, h / 2)), "body"),
        Part(merged(tape), "tape"),
        Part(label, "paper"),
        Part(merged([*lines, arrow]), "cap"),
    ]


def pallet(width: float = 1.2, depth: float = 0.8) -> Parts:
    """A wooden pallet of boards and nine blocks."""
    height, board = 0.144, 0.022
    tops = [
        box((width, depth * 0.15, board), (0, depth * (k / 4 - 0.5) * 0.85, height - board / 2))
        for k in range(5)
    ]
    under = [
        box((width * 0.11, depth, board), (x * width * 0.445, 0, height - 1.5 * board))
        for x in (-1, 0, 1)
    ]
    blocks = []
    for x in (-1, 0, 1):
        for y in (-1, 0, 1):
            tall = height - 3 * board
            at = (x * width * 0.445, y * depth * 0.425, board + tall / 2)
            blocks.append(box((width * 0.1, depth * 0.14, tall), at))
    feet = [
        box((width, depth * 0.13, board), (0, y * depth * 0.425, board / 2)) for y in (-1, 0, 1)
    ]
    return [
        Part(merged(tops), "body"),
        Part(merged([*under, *feet]), "body dark"),
        Part(merged(blocks), "body dark"),
    ]


def rack_levels(height: float = 2.4, levels: float = 3) -> list[float]:
    """Heights [m] of the decks of a `pallet_rack`, from below."""
    return [float(z) for z in np.linspace(0.12, height * 0.78, round(levels))]


def pallet_rack(
    width: float = 1.9, depth: float = 0.8, height: float = 2.4, levels: float = 3
) -> Parts:
    """A heavy shelf: frames in the object's colour, orange beams, wooden decks."""
    posts, braces, beams, decks = [], [], [], []
    for x in _BOTH:
        at = x * (width / 2 - 0.04)
        for y in _BOTH:
            post = (at, y * (depth / 2 - 0.04))
            posts.append(box((0.08, 0.08, height), (*post, height / 2)))
            posts.append(box((0.13, 0.13, 0.012), (*post, 0.006)))
        rungs = np.linspace(0.15, height - 0.1, 6)
        for k in range(5):
            side = 1 if k % 2 else -1
            ends = [(at, -side * (depth / 2 - 0.04), rungs[k]),
                    (at, side * (depth / 2 - 0.04), rungs[k + 1])]  # fmt: skip
            braces.append(tube(ends, 0.018, 8))
    for z in rack_levels(height, levels):
        for y in _BOTH:
            beams.append(box((width - 0.16, 0.05, 0.11), (0, y * (depth / 2 - 0.04), z - 0.055)))
        decks.append(box((width - 0.17, depth - 0.02, 0.02), (0, 0, z - 0.01)))
    return [
        Part(merged(posts), "body"),
        Part(merged(braces), "body"),
        Part(merged(beams), _SAFETY_ORANGE),
        Part(merged(decks), "pine"),
    ]


def barrel(radius: float = 0.29, height: float = 0.88) -> Parts:
    """A drum with two hoops, a rim and two bungs."""
    r, h = radius, height
    profile = [(0, 0), (r, 0), (r * 1.02, 0.008), (r * 1.02, 0.02), (r, 0.03)]
    for z in (0.34, 0.66):
        profile += [(r, h * z - 0.03), (r * 1.035, h * z - 0.01), (r * 1.035, h * z + 0.01),
                    (r, h * z + 0.03)]  # fmt: skip
    profile += [(r, h - 0.03), (r * 1.02, h - 0.02), (r * 1.02, h), (r * 0.96, h),
                (r * 0.95, h - 0.015), (0, h - 0.015)]  # fmt: skip
    parts = [Part(lathe(profile, 40), "body")]
    for x, size in ((0.6, 0.1), (-0.62, 0.06)):
        cap = transformed(cylinder(r * size, 0.014, 0, 16), None, (x * r, 0, h - 0.015))
        parts.append(Part(cap, "steel"))
    return parts


def crate(width: float = 0.5, depth: float = 0.36, height: float = 0.3) -> Parts:
    """An open slatted crate."""
    board, slats = 0.014, 3
    pitch = height / slats
    sides, ends = [], []
    for k in range(slats):
        z = pitch * (k + 0.5)
        for side in _BOTH:
            sides.append(box((width, board, pitch * 0.8), (0, side * (depth - board) / 2, z)))
            ends.append(
                box((board, depth - 2 * board, pitch * 0.8), (side * (width - board) / 2, 0, z))
            )
    posts = [
        box((0.034, 0.034, height), (x * (width / 2 - 0.032), y * (depth / 2 - 0.032), height / 2))
        for x in _BOTH
        for y in _BOTH
    ]
    floor = box((width - 2 * board, depth - 2 * board, 0.012), (0, 0, 0.012))
    return [
        Part(merged(sides), "body"),
        Part(merged(ends), "body"),
        Part(merged([*posts, floor]), "body dark"),
    ]


def _wheel(radius: float, width: float, center: tuple[float, float, float]) -> Parts:
    """A wheel about the y axis with a tyre and a hub."""
    turn = rotation("x", np.pi / 2)
    tyre = [(radius * 0.6, -width / 2), (radius * 0.94, -width / 2), (radius, -width * 0.3),
            (radius, width * 0.3), (radius * 0.94, width / 2), (radius * 0.6, width / 2),
            (radius * 0.6, -width / 2)]  # fmt: skip
    hub = cylinder(radius * 0.62, width * 0.8, -width * 0.4, 20)
    cap = cylinder(radius * 0.2, width * 1.1, -width * 0.55, 12)
    return [
        Part(transformed(lathe(tyre, 28), turn, center), "rubber"),
        Part(transformed(hub, turn, center), "steel"),
        Part(transformed(cap, turn, center), "cap"),
    ]


def hand_truck(height: float = 1.2, width: float = 0.48) -> Parts:
    """A sack barrow standing upright: two wheels behind, a plate in front (-y)."""
    w = width / 2
    rails = []
    for side in _BOTH:
        x = side * w * 0.7
        rails.append(tube([(x, 0, 0.03), (x, 0, height * 0.78), (x, 0.09, height * 0.95),
                           (x, 0.15, height)], 0.016, 10))  # fmt: skip
    rungs = [tube([(-w * 0.7, 0, z * height), (w * 0.7, 0, z * height)], 0.013, 8)
             for z in (0.12, 0.32, 0.54, 0.76)]  # fmt: skip
    bow = tube([(-w * 0.7, 0.15, height), (w * 0.7, 0.15, height)], 0.016, 10)
    plate = box((width * 0.92, 0.24, 0.012), (0, -0.12, 0.006))
    brackets = [tube([(side * w * 0.7, 0, 0.36), (side * w * 0.7, 0.12, 0.13)], 0.012, 8)
                for side in _BOTH]  # fmt: skip
    axle = tube([(-w * 0.95, 0.12, 0.13), (w * 0.95, 0.12, 0.13)], 0.012, 10)
    parts = [
        Part(merged(rails), "body"),
        Part(merged([*rungs, *brackets]), "body"),
        Part(merged([bow, axle]), "cap"),
        Part(plate, "steel"),
    ]
    for side in _BOTH:
        wheel = transformed(lathe([(0, -0.03), (0.06, -0.03), (0.06, 0.03), (0, 0.03)], 20),
                            rotation("y", np.pi / 2), (side * w * 0.92, 0.12, 0.13))  # fmt: skip
        tyre = transformed(torus(0.096, 0.034, 28, 10), rotation("y", np.pi / 2),
                           (side * w * 0.92, 0.12, 0.13))  # fmt: skip
        parts += [Part(wheel, "steel"), Part(tyre, "rubber")]
    return parts


def traffic_cone(height: float = 0.5, width: float = 0.32) -> Parts:
    """A cone on a square foot with two white bands."""
    base, r, tip = 0.028, width * 0.38, width * 0.07

    def at(z: float) -> float:
        return r + (tip - r) * (z - base) / (height - base)

    parts = [Part(rounded_box((width, width, base), (0, 0, base / 2), 0.008), "body")]
    cone = [(0, base), (r, base), (tip, height), (tip * 0.8, height), (0, height - 0.02)]
    parts.append(Part(lathe(cone, 32), "body"))
    for low, high in ((0.36, 0.55), (0.7, 0.84)):
        a, b = base + (height - base) * low, base + (height - base) * high
        band = [(at(a), a), (at(a) + 0.002, a), (at(b) + 0.002, b), (at(b), b), (at(a), a)]
        parts.append(Part(lathe(band, 32), "white paint"))
    return parts


def fire_extinguisher(radius: float = 0.075, height: float = 0.5) -> Parts:
    """A cylinder with a valve, a lever, a hose with a horn, and a paper label."""
    r = radius
    body = height * 0.8
    t = np.linspace(0, np.pi / 2, 7)
    dome = np.stack([r * np.cos(t), body - r * 0.7 + r * 0.7 * np.sin(t)], -1)
    dome[-1, 0] = 0
    valve = cylinder(0.02, height * 0.1, body - 0.004, 16)
    z = body + height * 0.09
    levers = [box((0.13, 0.022, 0.008), (0.045, 0, z)),
              transformed(box((0.14, 0.02, 0.008), (0.07, 0, 0)), rotation("y", -0.25),
                          (-0.02, 0, z + 0.022))]  # fmt: skip
    hose = [(-0.015, 0, z - 0.01), (-r * 0.9, 0, z + 0.01), (-r * 1.5, 0, z - 0.06),
            (-r * 1.5, 0, body * 0.6), (-r * 1.35, 0, body * 0.35)]  # fmt: skip
    long = body * 0.32
    horn = transformed(lathe([(0, 0), (0.03, 0), (0.014, long), (0, long)], 16), None,
                       (-r * 1.35, 0, body * 0.36 - long))  # fmt: skip
    band = [(r * 1.0, body * 0.35), (r * 1.008, body * 0.35), (r * 1.008, body * 0.65),
            (r * 1.0, body * 0.65), (r * 1.0, body * 0.35)]  # fmt: skip
    gauge = transformed(cylinder(0.018, 0.012, 0, 14), rotation("x", np.pi / 2),
                        (0, -0.016, body + height * 0.05))  # fmt: skip
    return [
        Part(lathe([(0, 0), (r * 0.96, 0), (r, 0.012), *dome], 36), "body"),
        Part(lathe([(0, 0), (r * 1.03, 0), (r * 1.03, 0.03), (0, 0.03)], 36), "rubber"),
        Part(lathe(band, 36), "paper"),
        Part(valve, "brass"),
        Part(merged(levers), "cap"),
        Part(tube(hose, 0.011, 10), "rubber"),
        Part(horn, "rubber"),
        Part(gauge, "paper"),
    ]


def stepladder(height: float = 1.5, width: float = 0.45) -> Parts:
    """A folding ladder with steps towards -y."""
    spread = height * 0.32
    steps, rails = [], []
    top = height - 0.03
    for side in _BOTH:
        x = side * width / 2
        for y in _BOTH:
            wide = 1.0 if y < 0 else 0.9
            foot = (x * wide, y * spread, 0.009)
            rails.append(_bar(foot, (x * 0.72 * wide, y * 0.05, top), 0.05 if y < 0 else 0.032))
    count = max(2, round(height / 0.27))
    for k in range(1, count):
        z = top * k / count
        lean = 1 - k / count
        wide = width * (0.72 + 0.28 * lean)
        forward = 0.05 + (spread - 0.05) * lean
        steps.append(box((wide, 0.085, 0.025), (0, 0.01 - forward, z)))
    back = [box((width * 0.86, 0.02, 0.04), (0, spread * 0.66, top * 0.36))]
    return [
        Part(merged(rails), "steel"),
        Part(merged([*steps, box((width * 0.85, 0.2, 0.03), (0, 0, top + 0.015))]), "body"),
        Part(merged(back), "steel"),
    ]


def _bar(start: tuple[float, float, float], stop: tuple[float, float, float], wide: float) -> Mesh:
    """A bar of square section between two points."""
    return tube([start, stop], wide * 0.6, 4)
