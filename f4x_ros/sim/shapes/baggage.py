# SPDX-License-Identifier: Apache-2.0
"""Things people wear and carry."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.mesh import (
    box,
    cylinder,
    extruded,
    lathe,
    loft,
    loft_x,
    merged,
    rotation,
    rounded_box,
    torus,
    transformed,
    tube,
)
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)


def shoe(length: float = 0.28, width: float = 0.095, collar: float = 0.115) -> Parts:
    """A laced sports shoe, its toe towards +x; ``collar`` is the height of its opening."""
    s, w = length / 0.28, width / 0.095
    outline = [(0.145, 0), (0.138, 0.024), (0.115, 0.04), (0.07, 0.047), (0.02, 0.04),
               (-0.03, 0.036), (-0.09, 0.037), (-0.125, 0.03), (-0.14, 0.014)]  # fmt: skip
    line = np.array([*outline, *((x, -y) for x, y in reversed(outline[1:]))]) * [s, w]
    sole = extruded(line, 0.0, 0.026)
    c = collar
    rows = [
        (-0.140, c * 0.48, 0.020, c * 0.28), (-0.134, c * 0.52, 0.031, c * 0.42),
        (-0.105, c * 0.54, 0.037, c * 0.46), (-0.045, c * 0.53, 0.037, c * 0.46),
        (0.000, c * 0.47, 0.039, c * 0.38), (0.045, c * 0.40, 0.043, c * 0.29),
        (0.085, c * 0.34, 0.044, c * 0.21), (0.120, c * 0.30, 0.036, c * 0.15),
        (0.138, c * 0.27, 0.022, c * 0.09), (0.142, c * 0.25, 0.008, c * 0.03),
    ]  # fmt: skip
    upper = loft_x(np.array(rows) * [s, 1, w, 1], 28, 2.4)
    mouth = [(-0.078 * s, 0, c * 0.95, 0.047 * s, 0.026 * w),
             (-0.078 * s, 0, c * 1.01, 0.049 * s, 0.027 * w)]  # fmt: skip
    rim = transformed(torus(1, 0.16, 28, 8), None, (-0.078 * s, 0, c), (0.05 * s, 0.027 * w, 0.03))
    shell = np.array(rows).T

    def height(x: float, y: float) -> float:
        _, z, deep, tall = (np.interp(x, shell[0], row) for row in shell)
        return float(z + tall * (1 - min(abs(y) / deep, 1.0) ** 2.4) ** (1 / 2.4))

    def side_at(x: float, z: float) -> float:
        _, middle, deep, tall = (np.interp(x, shell[0], row) for row in shell)
        return float(deep * (1 - min(abs(z - middle) / tall, 1.0) ** 2.4) ** (1 / 2.4))

    laces = [
        tube([(x * s, y * w, height(x, y)) for y in np.linspace(-0.026, 0.026, 9)], 0.0042, 8)
        for x in (-0.005, 0.02, 0.045, 0.07)
    ]
    tongue = [(-0.035, 0, c * 0.9), (-0.02, 0, c * 1.0), (-0.012, 0, c * 1.12)]
    parts = [
        Part(sole, "white paint"),
        Part(upper, "body"),
        Part(rim, "body dark"),
        Part(loft(mouth, 24), "rubber"),
        Part(merged(laces), "white paint"),
        Part(tube(np.array(tongue) * [s, 1, 1], np.array([0.012, 0.016, 0.008]), 12), "body dark"),
    ]
    for side in _BOTH:
        for k in (0, 1, 2):
            xs = np.linspace(0.02, -0.012, 7) - 0.026 * k
            zs = np.linspace(0.028, c * 0.66, 7)
            path = [(x * s, side * side_at(x, z) * w, z) for x, z in zip(xs, zs, strict=True)]
            parts.append(Part(tube(path, 0.0045, 8), "body pale"))
    return parts


def backpack(width: float = 0.31, height: float = 0.46, depth: float = 0.17) -> Parts:
    """A backpack standing up: pocket towards -y, straps at +y."""
    w, h, d = width / 2, height, depth / 2
    rows = [(0, 0, 0.0, w * 0.86, d * 0.8), (0, 0, h * 0.04, w * 0.97, d * 0.95),
            (0, 0, h * 0.45, w, d), (0, 0.01, h * 0.78, w * 0.93, d * 0.88),
            (0, 0.02, h * 0.93, w * 0.7, d * 0.66), (0, 0.02, h, w * 0.35, d * 0.35)]  # fmt: skip
    p = h * 0.5
    pocket = [(0, -d, 0.01, w * 0.66, d * 0.4), (0, -d, p * 0.12, w * 0.74, d * 0.55),
              (0, -d, p * 0.7, w * 0.74, d * 0.5), (0, -d * 0.95, p * 0.97, w * 0.6, d * 0.3),
              (0, -d * 0.9, p, w * 0.5, d * 0.15)]  # fmt: skip
    t = np.linspace(-1.2, 1.2, 13)
    zip_line = np.stack([w * 0.99 * np.sin(t) * 0.9, -d * np.cos(t) ** 0.4 * 0.93,
                         h * (0.62 + 0.18 * np.cos(t))], -1)  # fmt: skip
    loop = np.stack([0.045 * np.cos(t * 1.3 + np.pi / 2), 0 * t + 0.03,
                     h * 0.985 + 0.04 * np.sin(t * 1.3 + np.pi / 2)], -1)  # fmt: skip
    parts = [
        Part(loft(rows, 36, 3.2), "body"),
        Part(loft(pocket, 32, 3.2), "body dark"),
        Part(tube(zip_line, 0.005, 6), "rubber"),
        Part(tube(loop, 0.009, 8), "rubber"),
        Part(box((w * 1.1, 0.006, 0.008), (0, -d * 1.5, p * 0.74)), "rubber"),
        Part(box((0.012, 0.008, 0.035), (w * 0.4, -d * 1.5, p * 0.68)), "steel"),
    ]
    for side in _BOTH:
        x = side * w * 0.55
        strap = [(x * 0.6, d * 0.75, h * 0.92), (x, d * 1.35, h * 0.86),
                 (x * 1.1, d * 1.6, h * 0.6), (x * 1.2, d * 1.35, h * 0.3),
                 (x * 1.3, d * 0.9, h * 0.1)]  # fmt: skip
        band = np.array([0.016, 0.024, 0.026, 0.018, 0.01])
        parts.append(Part(tube(strap, band, 8), "rubber"))
        bag = [(side * w, 0, 0.02, 0.03, d * 0.55), (side * w, 0, h * 0.28, 0.034, d * 0.55)]
        parts.append(Part(loft(bag, 20, 2.6), "body dark"))
    return parts


def suitcase(width: float = 0.42, height: float = 0.6, depth: float = 0.24) -> Parts:
    """An upright suitcase on wheels with its handle drawn out; the ribbed front faces -y."""
    wheel = 0.025
    low = 2 * wheel
    middle = low + height / 2
    parts = [
        Part(rounded_box((width, depth, height), (0, 0, middle), 0.03), "body"),
        Part(box((width * 1.004, 0.01, height * 0.96), (0, 0, middle)), "cap"),
    ]
    for k in range(5):
        x = width * (k - 2) * 0.17
        for side in _BOTH:
            rib = box((0.018, 0.016, height * 0.84), (x, side * depth / 2, middle))
            parts.append(Part(rib, "body dark"))
    for x in _BOTH:
        for y in _BOTH:
            at = (x * width * 0.38, y * depth * 0.34, wheel)
            roll = transformed(cylinder(wheel, 0.03, -0.015, 16), rotation("y", np.pi / 2), at)
            parts.append(Part(roll, "rubber"))
            fork = box((0.045, 0.03, 0.02), (at[0], at[1], low - 0.004))
            parts.append(Part(fork, "cap"))
    top, rise, reach = low + height, 0.32, width * 0.26
    rear = depth * 0.3
    rail = [(-reach, rear, top - 0.02), (-reach, rear, top + rise), (reach, rear, top + rise),
            (reach, rear, top - 0.02)]  # fmt: skip
    grip = box((reach * 2 + 0.03, 0.03, 0.035), (0, rear, top + rise))
    strap = [(-0.07, -depth * 0.1, top - 0.01), (-0.06, -depth * 0.1, top + 0.025),
             (0.06, -depth * 0.1, top + 0.025), (0.07, -depth * 0.1, top - 0.01)]  # fmt: skip
    return [*parts, Part(tube(rail, 0.008, 8), "steel"), Part(grip, "cap"),
            Part(tube(strap, 0.01, 8), "cap")]  # fmt: skip


def hat(radius: float = 0.16, height: float = 0.12) -> Parts:
    """A hat with a brim and a ribbon."""
    r, h = radius, height
    crown = r * 0.56
    profile = [(0, 0.004), (crown * 0.9, 0.004), (r * 0.8, 0.004), (r, 0.02), (r, 0.025),
               (r * 0.8, 0.012), (crown * 1.05, 0.013), (crown, h * 0.3), (crown * 0.94, h * 0.85),
               (crown * 0.82, h), (crown * 0.4, h * 0.94), (0, h * 0.9)]  # fmt: skip
    band = [(crown * 1.0, 0.013), (crown * 1.075, 0.014), (crown * 1.03, h * 0.36),
            (crown * 0.96, h * 0.36), (crown * 1.0, 0.013)]  # fmt: skip
    shape = transformed(lathe(profile, 40), None, (0, 0, -0.004), (1.08, 0.96, 1))
    ribbon = transformed(lathe(band, 40), None, (0, 0, -0.004), (1.08, 0.96, 1))
    return [Part(shape, "body"), Part(ribbon, "rubber")]


def umbrella(radius: float = 0.5, length: float = 0.85) -> Parts:
    """An open umbrella lying on the rim of its canopy and the end of its handle."""
    r = radius
    t = np.linspace(0, 1, 9)
    outside = np.stack([r * np.sin(t * 1.35) / np.sin(1.35), r * 0.55 * np.cos(t * 1.35)], -1)[::-1]
    outside[-1, 0] = 0
    inside = (outside - [0, 0.012])[::-1]
    inside[-1, 0] = outside[0, 0] - 0.004
    canopy = lathe([*outside, *inside, outside[0]], 8)
    top = r * 0.55
    hook = [(0, 0, top + 0.06), (0, 0, top - length + 0.08), (0.012, 0, top - length + 0.03),
            (0.045, 0, top - length), (0.08, 0, top - length + 0.03),
            (0.085, 0, top - length + 0.07)]  # fmt: skip
    ribs = []
    for k in range(8):
        turn = k * np.pi / 4
        rib = [(0.01, 0, top - 0.34 * r), (r * 0.55, 0, top - 0.19 * r)]
        ribs.append(transformed(tube(rib, 0.004, 6), rotation("z", turn)))
    parts = [
        Part(canopy, "body"),
        Part(tube(hook[:2], 0.007, 8), "steel"),
        Part(tube(hook[1:], 0.014, 10), "dark wood"),
        Part(merged(ribs), "steel"),
    ]
    # Lean over until rim and handle touch the floor, then put it on z = 0.
    low_rim = np.array([-outside[0, 0] * np.cos(np.pi / 8), outside[0, 1]])
    low_hook = np.array([0.0, top - length])
    lean = np.arctan2(*(low_rim - low_hook)[::-1])
    over = rotation("y", lean + np.pi)
    turned = [(transformed(part.mesh, over), part.material) for part in parts]
    low = min(float(mesh.vertices[:, 2].min()) for mesh, _ in turned)
    return [Part(transformed(mesh, None, (0, 0, -low)), material) for mesh, material in turned]
