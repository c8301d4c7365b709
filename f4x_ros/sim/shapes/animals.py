# SPDX-License-Identifier: Apache-2.0
"""Animals. They look towards +x."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.mesh import lathe, loft, loft_x, rotation, sphere, transformed, tube
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)


def dog(height: float = 0.5, snout: float = 1.0) -> Parts:
    """A standing dog ``height`` metres high at the shoulder, with a red collar."""
    u = height / 0.5
    trunk = [(-0.31, 0.38, 0.05, 0.06), (-0.27, 0.385, 0.085, 0.095), (-0.12, 0.375, 0.09, 0.095),
             (0.05, 0.36, 0.105, 0.125), (0.2, 0.375, 0.1, 0.13), (0.27, 0.40, 0.07, 0.09),
             (0.3, 0.41, 0.03, 0.04)]  # fmt: skip
    neck = np.array([(0.2, 0, 0.43), (0.28, 0, 0.51), (0.34, 0, 0.58)]) * u
    muzzle = [(0.36, 0.57, 0.05, 0.05), (0.42, 0.56, 0.04, 0.04),
              (0.42 + 0.09 * snout, 0.55, 0.033, 0.03),
              (0.43 + 0.1 * snout, 0.55, 0.02, 0.018)]  # fmt: skip
    tail = np.array([(-0.29, 0, 0.42), (-0.37, 0, 0.50), (-0.42, 0, 0.60), (-0.42, 0, 0.68)]) * u
    way = neck[1] - neck[0]
    spot = neck[1] + way * 0.1
    collar = tube([spot, spot + way * 0.2], 0.082 * u, 20)
    parts = [
        Part(loft_x(np.array(trunk) * u, 26), "body"),
        Part(tube(neck, np.array([0.1, 0.08, 0.066]) * u, 18), "body"),
        Part(collar, "collar"),
        Part(sphere(0.085 * u, np.array([0.35, 0, 0.60]) * u, (1.05, 0.88, 0.92)), "body"),
        Part(loft_x(np.array(muzzle) * u, 18), "body dark"),
        Part(sphere(0.018 * u, np.array([0.44 + 0.095 * snout, 0, 0.562]) * u), "rubber"),
        Part(tube(tail, np.array([0.03, 0.026, 0.02, 0.01]) * u, 12), "body"),
    ]
    for side in _BOTH:
        ear = sphere(1.0, np.array([0.325, side * 0.078, 0.585]) * u,
                     np.array([0.04, 0.018, 0.075]) * u, 14, 10)  # fmt: skip
        eye = sphere(0.0125 * u, np.array([0.423, side * 0.036, 0.622]) * u, sides=12, rings=8)
        parts += [Part(ear, "body dark"), Part(eye, "rubber")]
        for x, bulge, knee in ((0.2, 0.06, 0.0), (-0.23, 0.075, -0.05)):
            leg = np.array([(x + 0.01, side * 0.065, 0.02), (x + knee * 0.7, side * 0.065, 0.14),
                            (x, side * 0.065, 0.27), (x, side * 0.06, 0.38)]) * u  # fmt: skip
            thick = np.array([0.028, 0.026, bulge * 0.75, bulge]) * u
            paw = sphere(1.0, np.array([x + 0.028, side * 0.065, 0.02]) * u,
                         np.array([0.045, 0.032, 0.02]) * u, 14, 10)  # fmt: skip
            parts += [Part(tube(leg, thick, 14), "body"), Part(paw, "body dark")]
    return parts


def cat(height: float = 0.42) -> Parts:
    """A sitting cat, ``height`` metres high, its tail laid around it."""
    u = height / 0.42
    trunk = [(-0.03, 0, 0.0, 0.07, 0.07), (-0.03, 0, 0.03, 0.105, 0.1),
             (-0.025, 0, 0.09, 0.11, 0.1), (0.0, 0, 0.17, 0.085, 0.08), (0.02, 0, 0.25, 0.06, 0.06),
             (0.03, 0, 0.3, 0.045, 0.048), (0.035, 0, 0.33, 0.035, 0.04)]  # fmt: skip
    t = np.linspace(0, 1, 18)
    turn = np.pi + 0.2 - 2.6 * t
    tail = np.stack([-0.02 + 0.14 * np.cos(turn), 0.125 * np.sin(turn), 0.022 + 0 * t], -1) * u
    head = np.array([0.055, 0, 0.345]) * u
    chest = sphere(1.0, np.array([0.052, 0, 0.2]) * u, np.array([0.042, 0.05, 0.09]) * u)
    parts = [
        Part(loft(np.array(trunk) * u, 26), "body"),
        Part(sphere(0.066 * u, head, (0.95, 1.1, 0.88)), "body"),
        Part(chest, "body pale"),
        Part(sphere(1.0, head + np.array([0.055, 0, -0.017]) * u,
                    np.array([0.02, 0.03, 0.018]) * u), "body pale"),
        Part(sphere(1.0, head + np.array([0.073, 0, -0.006]) * u,
                    np.array([0.006, 0.009, 0.006]) * u, 10, 8), "mouth"),
        Part(tube(tail, np.linspace(0.024, 0.016, 18) * u, 12), "body dark"),
        Part(sphere(0.0165 * u, tail[-1], sides=12, rings=8), "body dark"),
    ]  # fmt: skip
    for side in _BOTH:
        cone = lathe([(0, 0), (0.034, 0), (0.018, 0.035), (0, 0.068)], 14)
        ear = transformed(
            cone,
            rotation("x", -side * 0.35),
            head + np.array([-0.005, side * 0.042, 0.035]) * u,
            [0.55 * u, u, u],
        )
        pupil = head + np.array([0.06, side * 0.027, 0.014]) * u
        eye = head + np.array([0.052, side * 0.027, 0.014]) * u
        leg = np.array([(0.075, side * 0.035, 0.012), (0.065, side * 0.035, 0.1),
                        (0.045, side * 0.038, 0.2)]) * u  # fmt: skip
        haunch = sphere(1.0, np.array([-0.015, side * 0.075, 0.065]) * u,
                        np.array([0.085, 0.045, 0.065]) * u)  # fmt: skip
        parts += [
            Part(ear, "body dark"),
            Part(sphere(0.0125 * u, eye, (0.8, 1, 1.1), 12, 8), "cat eye"),
            Part(sphere(0.006 * u, pupil, (0.7, 0.5, 1.6), 10, 8), "rubber"),
            Part(tube(leg, np.array([0.02, 0.021, 0.03]) * u, 12), "body"),
            Part(haunch, "body"),
        ]
        for x, y, size in ((0.09, 0.036, 0.026), (0.065, 0.085, 0.03)):
            paw = sphere(1.0, np.array([x, side * y, 0.016]) * u,
                         np.array([size * 1.25, size, 0.016]) * u, 14, 10)  # fmt: skip
            parts.append(Part(paw, "body pale"))
    return parts
