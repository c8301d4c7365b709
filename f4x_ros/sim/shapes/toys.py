# SPDX-License-Identifier: Apache-2.0
"""Toys."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.mesh import Mesh, cylinder, hull, rotation, rounded_box, sphere, transformed
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)


def toy_car(length: float = 0.2, width: float = 0.09, height: float = 0.06) -> Parts:
    """A car driving towards +x."""
    wheel = height * 0.36
    roof = wheel + height * 1.1
    body = rounded_box((length, width, height * 0.55), (0, 0, wheel + height * 0.27), 0.012)
    parts = [
        Part(body, "body"),
        Part(
            _cabin(length, width * 0.44, [(-0.34, 0.26, wheel + height * 0.5), (-0.24, 0.1, roof)]),
            "glass",
        ),
        Part(
            _cabin(length, width * 0.45, [(-0.25, 0.11, roof), (-0.22, 0.08, roof + height * 0.1)]),
            "body",
        ),
    ]
    for x in (-0.3, 0.3):
        for y in (-0.5, 0.5):
            at = (x * length, y * width, wheel)
            tyre = cylinder(wheel, 0.022, -0.011, 16)
            hub = cylinder(wheel * 0.5, 0.025, -0.0125, 12)
            parts.append(Part(transformed(tyre, rotation("x", np.pi / 2), at), "rubber"))
            parts.append(Part(transformed(hub, rotation("x", np.pi / 2), at), "metal"))
    for side in _BOTH:
        at = (length * 0.5, side * 0.32 * width, wheel + height * 0.3)
        parts.append(Part(sphere(0.009, at, sides=10, rings=8), "headlight"))
    return parts


def _cabin(length: float, half_width: float, levels: list[tuple[float, float, float]]) -> Mesh:
    """Hull through rectangles given by rear and front (in car lengths) and height."""
    corners = [
        (x * length, side * half_width, z)
        for rear, front, z in levels
        for x in (rear, front)
        for side in _BOTH
    ]
    return hull(corners)


def ball(radius: float = 0.055) -> Parts:
    """A beach ball about its centre (not its base: it rolls and bounces)."""
    return [Part(sphere(radius, sides=32, rings=20), "body")]


def rubber_duck(size: float = 1.35) -> Parts:
    """A bath duck looking towards +x; size 1 is 10 cm high."""
    blobs = [
        ("body", 0.05, (0, 0, 0.04), (1.25, 0.95, 0.8)),
        ("body", 0.032, (0.042, 0, 0.098), (1, 1, 1)),
        ("beak", 0.015, (0.076, 0, 0.094), (1.2, 1.1, 0.5)),
        ("rubber", 0.006, (0.062, 0.018, 0.108), (1, 1, 1)),
        ("rubber", 0.006, (0.062, -0.018, 0.108), (1, 1, 1)),
        ("body", 0.024, (-0.06, 0, 0.06), (1, 0.8, 0.7)),
        ("body", 0.03, (-0.01, 0.04, 0.045), (1.2, 0.4, 0.7)),
        ("body", 0.03, (-0.01, -0.04, 0.045), (1.2, 0.4, 0.7)),
    ]
    return [_blob(size, *blob) for blob in blobs]


def teddy_bear(size: float = 1.25) -> Parts:
    """A sitting teddy bear looking towards -y; size 1 is 25 cm high."""
    parts = [
        _blob(size, "body", 0.07, (0, 0, 0.075), (1, 0.85, 1.1)),
        _blob(size, "body", 0.055, (0, -0.005, 0.185), (1, 1, 1)),
        _blob(size, "cream", 0.045, (0, -0.03, 0.08), (1, 0.8, 1)),
        _blob(size, "cream", 0.024, (0, -0.052, 0.172), (1, 0.8, 0.8)),
        _blob(size, "rubber", 0.008, (0, -0.074, 0.178), (1, 1, 1)),
    ]
    for side in _BOTH:
        parts += [
            _blob(size, "body", 0.022, (side * 0.045, 0, 0.232), (1, 0.6, 1)),
            _blob(size, "body", 0.026, (side * 0.08, -0.01, 0.12), (1.7, 0.9, 0.9)),
            _blob(size, "body", 0.034, (side * 0.05, -0.06, 0.032), (0.9, 1.5, 0.9)),
            _blob(size, "rubber", 0.007, (side * 0.02, -0.052, 0.2), (1, 1, 1)),
        ]
    return parts


def _blob(
    size: float,
    material: str,
    radius: float,
    center: tuple[float, float, float],
    scale: tuple[float, float, float],
) -> Part:
    return Part(sphere(radius * size, np.array(center) * size, scale, 20, 14), material)
