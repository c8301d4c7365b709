# SPDX-License-Identifier: Apache-2.0
"""Things on wheels and wings. They drive towards +x."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from f4x_ros.sim.mesh import (
    Mesh,
    box,
    cylinder,
    hull,
    lathe,
    loft_x,
    merged,
    rotation,
    rounded_box,
    sphere,
    torus,
    transformed,
    tube,
)
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)


def _upright(mesh: Mesh, center: ArrayLike) -> Mesh:
    """Something made about z, turned to roll along x."""
    return transformed(mesh, rotation("x", np.pi / 2), center)


def bicycle(wheel: float = 0.33, length: float = 1.0) -> Parts:
    """A bicycle held upright; ``length`` is the distance between its axles."""
    w = wheel
    rear, front = np.array([-length / 2, 0, w]), np.array([length / 2, 0, w])
    crank = np.array([-length * 0.08, 0, w * 0.85])
    seat = np.array([-length * 0.2, 0, w + 0.42])
    head = np.array([length * 0.36, 0, w + 0.44])
    crown = np.array([length * 0.4, 0, w + 0.3])
    frame = [(crank, seat, 0.017), (seat, head, 0.016), (crank, crown, 0.02), (head, crown, 0.02)]
    pipes = [tube([a, b], r, 12) for a, b, r in frame]
    for side in _BOTH:
        off = np.array([0, side * 0.05, 0])
        pipes.append(tube([crank + off * 0.5, rear + off], 0.01, 8))
        pipes.append(tube([seat + off * 0.3, rear + off], 0.009, 8))
        pipes.append(tube([crown + off * 0.6, front + off], 0.012, 8))
    post = tube([seat, np.add(seat, (-0.025, 0, 0.12))], 0.013, 10)
    stem = tube([head, np.add(head, (-0.02, 0, 0.1))], 0.014, 10)
    top = np.add(head, (-0.02, 0, 0.1))
    bar = [top + np.array(at) for at in ((-0.1, -0.28, 0.03), (0.02, -0.16, 0.03), (0, 0, 0),
                                         (0.02, 0.16, 0.03), (-0.1, 0.28, 0.03))]  # fmt: skip
    saddle = [(-0.13, 0, 0.075, 0.022), (-0.1, 0, 0.085, 0.03), (0, -0.005, 0.05, 0.028),
              (0.11, -0.01, 0.022, 0.02), (0.14, -0.015, 0.012, 0.01)]  # fmt: skip
    parts = [
        Part(merged(pipes), "body"),
        Part(merged([post, stem, tube(bar, 0.012, 10)]), "steel"),
        Part(transformed(loft_x(saddle, 20), None, np.add(seat, (-0.03, 0, 0.14))), "rubber"),
        Part(_upright(cylinder(0.095, 0.006, -0.003, 28), np.add(crank, (0, -0.05, 0))), "steel"),
    ]
    for k in (0, -1):
        grip = tube([bar[k], np.array(bar[k]) * 0.7 + np.array(bar[1 if k == 0 else -2]) * 0.3],
                    0.018, 10)  # fmt: skip
        parts.append(Part(grip, "rubber"))
    for side in _BOTH:
        arm = np.add(crank, (side * 0.12, side * 0.075, -side * 0.12))
        parts.append(Part(tube([np.add(crank, (0, side * 0.075, 0)), arm], 0.01, 8), "steel"))
        parts.append(Part(box((0.09, 0.07, 0.02), np.add(arm, (0, side * 0.045, 0))), "rubber"))
    for axle in (rear, front):
        spoke = tube([(0.02, 0, 0.012), (w * 0.93, 0, 0)], 0.0022, 4)
        fan = [transformed(spoke, rotation("z", k * np.pi / 10)) for k in range(20)]
        parts += [
            Part(_upright(torus(w - 0.02, 0.02, 44, 10), axle), "rubber"),
            Part(_upright(torus(w - 0.045, 0.01, 44, 8), axle), "steel"),
            Part(_upright(merged([*fan, cylinder(0.022, 0.1, -0.05, 12)]), axle), "steel"),
        ]
    return parts


def forklift(length: float = 1.9, height: float = 2.0, raised: float = 0.12) -> Parts:
    """A forklift truck; its forks (link "forks") are ``raised`` metres and slide along z."""
    back, front = -length * 0.4, length * 0.26
    wide = 0.95
    shell = hull(
        [(x, side * wide / 2, z)
         for side in _BOTH
         for x, z in ((back - 0.1, 0.2), (back - 0.14, 0.6), (back - 0.05, 0.88),
                      (back + 0.5, 0.88), (back + 0.62, 0.55), (back + 0.62, 0.2))]
    )  # fmt: skip
    parts = [
        Part(shell, "body"),
        Part(box((front - back - 0.5, wide, 0.3), ((front + back + 0.5) / 2, 0, 0.35)), "body"),
        Part(rounded_box((0.18, wide * 0.92, 0.42), (front - 0.06, 0, 0.66), 0.04), "body"),
        Part(rounded_box((0.42, 0.46, 0.14), (back + 0.6, 0, 0.88), 0.04), "rubber"),
        Part(rounded_box((0.12, 0.46, 0.5), (back + 0.4, 0, 1.12), 0.04), "rubber"),
        Part(tube([(front - 0.1, 0, 0.75), (front - 0.24, 0, 1.1)], 0.02, 8), "cap"),
        Part(transformed(torus(0.16, 0.018, 24, 8), rotation("y", -0.55),
                         (front - 0.25, 0, 1.12)), "cap"),
    ]  # fmt: skip
    guard, mast = [], []
    for side in _BOTH:
        y = side * wide * 0.44
        guard.append(
            tube(
                [
                    (back + 0.1, y, 0.85),
                    (back + 0.18, y, height - 0.04),
                    (front - 0.1, y, height - 0.04),
                    (front + 0.02, y, 0.5),
                ],
                0.032,
                8,
            )
        )
        mast.append(box((0.09, 0.1, height - 0.1), (front + 0.16, side * 0.3, height / 2)))
        for x, radius in ((back + 0.12, 0.22), (front - 0.1, 0.27)):
            at = (x, side * (wide / 2 - 0.02), radius)
            parts.append(Part(_upright(cylinder(radius, 0.2, -0.1, 28), at), "rubber"))
            parts.append(Part(_upright(cylinder(radius * 0.5, 0.22, -0.11, 20), at), "white paint"))
    for k in range(6):
        x = back + 0.22 + (front - back - 0.36) * k / 5
        guard.append(box((0.05, wide * 0.86, 0.03), (x, 0, height - 0.03)))
    for z in (0.15, height - 0.08):
        mast.append(box((0.07, 0.64, 0.1), (front + 0.16, 0, z)))
    mast.append(tube([(front + 0.15, 0, 0.1), (front + 0.15, 0, height - 0.2)], 0.035, 10))
    forks = [box((0.05, 0.7, 0.09), (front + 0.24, 0, z + raised)) for z in (0.12, 0.42)]
    for side in _BOTH:
        forks.append(box((0.06, 0.12, 0.55), (front + 0.29, side * 0.22, 0.275 + raised)))
        forks.append(box((0.8, 0.11, 0.04), (front + 0.7, side * 0.22, 0.02 + raised)))
    return [
        *parts,
        Part(merged(guard), "cap"),
        Part(merged(mast), "cap"),
        Part(merged(forks), "steel", "forks"),
    ]


def robot(height: float = 1.1, radius: float = 0.23) -> Parts:
    """A service robot: a round base on wheels, a column, a tray, and a head with two eyes."""
    r, h = radius, height
    base = [(0, 0.03), (r * 0.93, 0.03), (r, 0.06), (r, 0.2), (r * 0.9, 0.26), (0, 0.27)]
    trunk = [(0, 0.26), (r * 0.55, 0.26), (r * 0.42, h * 0.45), (r * 0.5, h * 0.72),
             (r * 0.35, h * 0.76), (0, h * 0.76)]  # fmt: skip
    z = h * 0.88
    face = [(x * r, side * y * r, z + s * r) for side in _BOTH
            for x, y, s in ((0.52, 0.5, -0.3), (0.52, 0.5, 0.32), (0.4, 0.55, -0.36),
                            (0.4, 0.55, 0.38))]  # fmt: skip
    parts = [
        Part(lathe(base, 40), "body"),
        Part(lathe([(r * 0.99, 0.11), (r * 1.015, 0.11), (r * 1.015, 0.15), (r * 0.99, 0.15),
                    (r * 0.99, 0.11)], 40), "lit"),
        Part(lathe(trunk, 32), "white paint"),
        Part(rounded_box((r * 1.0, r * 1.35, r * 1.0), (0, 0, z), 0.04), "body"),
        Part(hull(face), "glass"),
        Part(cylinder(r * 0.2, 0.1, h * 0.74, 16), "cap"),
        Part(transformed(cylinder(0.045, 0.05, 0, 24), None, (r * 0.62, 0, 0.25)), "cap"),
        Part(rounded_box((r * 1.5, r * 1.7, 0.025), (r * 0.35, 0, h * 0.55), 0.01), "cap"),
        Part(tube([(0, 0, z + r * 0.45), (0, 0, h - 0.02)], 0.006, 8), "steel"),
        Part(sphere(0.02, (0, 0, h - 0.02), sides=14, rings=10), "collar"),
    ]  # fmt: skip
    for side in _BOTH:
        eye = sphere(r * 0.14, (r * 0.515, side * r * 0.26, z + r * 0.06), (0.4, 1, 1.2), 16, 12)
        arm = [(0, side * r * 0.5, h * 0.68), (r * 0.1, side * r * 0.85, h * 0.6),
               (r * 0.55, side * r * 0.88, h * 0.48)]  # fmt: skip
        at = (0, side * r * 0.82, 0.075)
        parts += [
            Part(eye, "lit"),
            Part(tube(arm, 0.03, 12), "body dark"),
            Part(sphere(0.042, arm[-1], sides=14, rings=10), "cap"),
            Part(sphere(0.05, arm[0], sides=14, rings=10), "body"),
            Part(_upright(cylinder(0.075, 0.05, -0.025, 24), at), "rubber"),
        ]
    return parts


def toy_airplane(length: float = 0.25, span: float = 0.26) -> Parts:
    """A toy aeroplane with a propeller, on two wheels and a tail skid."""
    n = length / 0.25
    z = 0.062
    hull_rows = np.array([
        (-0.122, 0.008, 0.004, 0.006), (-0.115, 0.008, 0.008, 0.011), (-0.02, 0.0, 0.022, 0.026),
        (0.06, 0.0, 0.026, 0.029), (0.1, 0.0, 0.024, 0.025), (0.112, 0.0, 0.015, 0.015),
    ]) * [n, 1, 1, 1] + [0, z, 0, 0]  # fmt: skip
    blades = [box((0.004, 0.105, 0.013), (0.118 * n, 0, z)),
              sphere(0.01, (0.117 * n, 0, z), (1.4, 1, 1), 14, 10)]  # fmt: skip
    fin = hull(
        [
            (x * n, y, z + s)
            for y in (-0.003, 0.003)
            for x, s in ((-0.12, 0.01), (-0.065, 0.015), (-0.125, 0.06), (-0.1, 0.06))
        ]
    )
    wings = [
        _wing(0.03 * n, 0.055 * n, 0.04 * n, span / 2, z - 0.008, 0.012),
        _wing(-0.1 * n, 0.034 * n, 0.022 * n, span * 0.19, z + 0.012, 0.002),
    ]
    parts = [
        Part(loft_x(hull_rows, 24), "body"),
        Part(merged(wings), "body pale"),
        Part(fin, "body pale"),
        Part(sphere(0.024, (0.02 * n, 0, z + 0.022), (1.5, 0.75, 0.8), 18, 12), "glass"),
        Part(merged(blades), "cap"),
    ]
    for side in _BOTH:
        at = np.array([0.055 * n, side * 0.042, 0.017])
        leg = tube([at, np.add(at, (-0.008, -side * 0.026, 0.032))], 0.0035, 8)
        parts.append(Part(leg, "steel"))
        parts.append(Part(_upright(cylinder(0.017, 0.012, -0.006, 18), at), "rubber"))
    return parts


def _wing(x: float, root: float, tip: float, half: float, z: float, rise: float) -> Mesh:
    """A flat pair of wings: chords at the middle and at the tips, tips ``rise`` higher."""
    sides = []
    for side in _BOTH:
        sides.append(hull([
            (x + s * chord / 2, side * y, z + dz + t)
            for chord, y, dz in ((root, 0.0, 0.0), (tip, half, rise))
            for s in _BOTH
            for t in (-0.003, 0.003)
        ]))  # fmt: skip
    return merged(sides)
