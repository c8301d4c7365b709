# SPDX-License-Identifier: Apache-2.0
"""Music, sport and tools."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from f4x_ros.sim.materials import PALETTE, Material, linear
from f4x_ros.sim.mesh import (
    Mesh,
    box,
    cylinder,
    extruded,
    lathe,
    merged,
    rotation,
    rounded_box,
    sphere,
    torus,
    transformed,
    tube,
)
from f4x_ros.sim.patterns import Football
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)

# Half width of an acoustic guitar's body along its height, both as shares.
_BODY_AT = (0, 0.015, 0.06, 0.15, 0.28, 0.42, 0.56, 0.66, 0.78, 0.9, 0.965, 0.99, 1)
_BODY_WIDE = (0, 0.34, 0.66, 0.92, 1, 0.9, 0.68, 0.62, 0.7, 0.72, 0.5, 0.25, 0)


def guitar(length: float = 1.0, width: float = 0.38) -> Parts:
    """An acoustic guitar leaning in a stand; its face looks towards -y."""
    body, half, thick = length * 0.48, width / 2, 0.1
    share = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 33))
    wide = PchipInterpolator(_BODY_AT, _BODY_WIDE)(share) * half
    right = np.stack([wide, share * body], -1)
    outline = np.concatenate([right, (right * [-1, 1])[-2:0:-1]])
    hole = np.array([0.0, body * 0.66])
    neck_top = length * 0.86
    front = thick + 0.004

    parts: list[tuple[Mesh, Material | str]] = [
        (extruded(outline, 0.0, thick), "body dark"),
        (extruded((outline - [0, body * 0.45]) * 0.985 + [0, body * 0.45], thick - 0.001, front),
         "body"),
        (_disc(0.052, front, hole), "rubber"),
        (transformed(torus(0.057, 0.004, 32, 6), None, (*hole, front)), "cream"),
        (box((0.15, 0.03, 0.012), (0, body * 0.3, front + 0.005)), "dark wood"),
        (box((0.048, neck_top - body * 0.8, 0.026),
             (0, (neck_top + body * 0.8) / 2, front)), "dark wood"),
        (rounded_box((0.07, length - neck_top, 0.018),
                     (0, (length + neck_top) / 2, front - 0.006), 0.004), "body dark"),
        (merged([box((0.003, neck_top - body * 0.3, 0.002),
                     ((k - 2.5) * 0.0075, (neck_top + body * 0.3) / 2, front + 0.016))
                 for k in range(6)]), "steel"),
        (merged([box((0.048, 0.003, 0.003), (0, neck_top - (neck_top - body * 0.85) * s,
                                             front + 0.0135))
                 for s in (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)]), "steel"),
        (merged([transformed(sphere(0.011, sides=10, rings=8), None,
                             (side * 0.045, neck_top + (length - neck_top) * s, front - 0.006))
                 for side in _BOTH for s in (0.25, 0.55, 0.85)]), "steel"),
    ]  # fmt: skip
    # Stand it up: its own y becomes z, its face (own z) looks to -y, and it leans back.
    lean = 0.14
    turn = rotation("x", np.pi / 2 - lean)
    lift = 0.1
    made = [Part(transformed(mesh, turn, (0, 0.05, lift)), material) for mesh, material in parts]
    rod: list[Mesh] = []
    for side in _BOTH:
        rod.append(tube([(side * 0.17, -0.13, 0.012), (side * 0.09, 0.06, 0.085),
                         (side * 0.08, 0.1, 0.3)], 0.01, 8))  # fmt: skip
        rod.append(tube([(side * 0.09, 0.06, 0.085), (side * 0.09, -0.09, 0.085),
                         (side * 0.09, -0.1, 0.13)], 0.01, 8))  # fmt: skip
    rod.append(tube([(0, 0.24, 0.012), (0, 0.12, 0.3)], 0.01, 8))
    rod.append(tube([(-0.08, 0.1, 0.3), (0, 0.12, 0.3), (0.08, 0.1, 0.3)], 0.01, 8))
    return [*made, Part(merged(rod), "cap")]


def _disc(radius: float, z: float, center: NDArray[np.float64]) -> Mesh:
    return transformed(cylinder(radius, 0.001, z, 30), None, (center[0], center[1], 0))


def football(radius: float = 0.11) -> Parts:
    """A ball of hexagons in its colour and pentagons in black (white on a black ball)."""
    return [Part(sphere(radius, (0, 0, radius), sides=40, rings=26), _FootballDye(radius))]


class _FootballDye:
    """The patches of a ball in a colour."""

    def __init__(self, radius: float) -> None:
        self._radius = radius

    def __call__(self, color: str) -> Material:
        patch = PALETTE["white" if color == "black" else "black"]
        texture = Football((0, 0, self._radius), linear(PALETTE[color]), linear(patch))
        return Material(texture, specular=0.3, shininess=40)


def hammer(length: float = 0.3, head: float = 0.11) -> Parts:
    """A claw hammer lying on its side, its handle along x in the object's colour."""
    r = 0.015
    grip = [(-length * 0.5, 0, r), (-length * 0.42, 0, r), (-length * 0.1, 0, r),
            (length * 0.42, 0, r)]  # fmt: skip
    x = length * 0.45
    face = transformed(lathe([(0, 0), (0.018, 0), (0.019, 0.02), (0.013, 0.03), (0.012, head * 0.5),
                              (0, head * 0.5)], 20), rotation("x", np.pi / 2))  # fmt: skip
    eye = rounded_box((0.034, 0.036, 0.03), (x, 0, r), 0.004)
    parts = [
        Part(tube(grip, np.array([0.013, 0.0155, 0.012, 0.011]), 14), "body"),
        Part(transformed(face, None, (x, head * 0.5, 0.017)), "steel"),
        Part(eye, "steel"),
    ]
    for side in _BOTH:
        claw = [(x, -0.01, r + side * 0.006), (x - 0.003, -head * 0.3, r + side * 0.008),
                (x - 0.02, -head * 0.55, r + side * 0.01)]  # fmt: skip
        parts.append(Part(tube(claw, np.array([0.011, 0.0085, 0.003]), 10), "steel"))
    return parts
