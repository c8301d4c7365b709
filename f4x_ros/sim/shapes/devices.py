# SPDX-License-Identifier: Apache-2.0
"""Things with a plug or a battery. Screens and faces look towards -y."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from f4x_ros.sim.materials import PALETTE, Material, Solid, linear
from f4x_ros.sim.mesh import (
    Mesh,
    box,
    cylinder,
    hull,
    lathe,
    merged,
    rotation,
    rounded_box,
    sphere,
    torus,
    transformed,
    tube,
)
from f4x_ros.sim.patterns import Screen
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)


def laptop(width: float = 0.33, depth: float = 0.23, lean: float = 0.3, look: float = 0.0) -> Parts:
    """An open laptop; its lid leans back by ``lean`` [rad], ``look`` chooses what it shows."""
    thick = 0.016
    tilt = rotation("x", -lean)
    hinge = np.array([0, depth / 2 - 0.004, thick])
    lid = transformed(box((width, 0.007, depth), (0, 0.0035, depth / 2)), tilt, hinge)
    wide, tall = width * 0.93, depth * 0.86
    pane = transformed(box((wide, 0.002, tall), (0, 0, depth * 0.53)), tilt, hinge)
    corner = tilt @ np.array([-wide / 2, 0, depth * 0.53 - tall / 2]) + hinge
    picture = _screen(corner, (wide, 0, 0), tilt @ np.array([0, 0, tall]), look)
    keys = _keys(width * 0.88, depth * 0.46, (0, depth * 0.15, thick), 13, 5, 0.002)
    return [
        Part(rounded_box((width, depth, thick), (0, 0, thick / 2), 0.004), "body"),
        Part(lid, "body"),
        Part(pane, picture),
        Part(keys, "rubber"),
        Part(box((width * 0.3, depth * 0.24, 0.001), (0, -depth * 0.29, thick)), "body dark"),
    ]


def _screen(corner: ArrayLike, right: ArrayLike, up: ArrayLike, look: float) -> Material:
    picture = Screen(np.asarray(corner), np.asarray(right), np.asarray(up), look)
    return Material(picture, specular=0.25, shininess=80, emission=0.75)


def _keys(
    width: float,
    depth: float,
    center: tuple[float, float, float],
    columns: int,
    rows: int,
    tall: float,
) -> Mesh:
    """A block of keys, the lowest row with a space bar."""
    x0, y0, z0 = center
    pitch, deep = width / columns, depth / rows
    keys = []
    for row in range(rows):
        y = y0 - depth / 2 + deep * (row + 0.5)
        spans = [(k, k + 1) for k in range(columns)]
        if row == 0:
            spans = [(k, k + 1) for k in range(columns) if not 3 <= k < columns - 4]
            spans.append((3, columns - 4))
        for start, stop in spans:
            x = x0 - width / 2 + pitch * (start + stop) / 2
            size = (pitch * (stop - start) - pitch * 0.16, deep * 0.84, tall)
            keys.append(box(size, (x, y, z0 + tall / 2)))
    return merged(keys)


def monitor(width: float = 0.54, height: float = 0.32, look: float = 0.3) -> Parts:
    """A computer screen on a foot."""
    rise = 0.13
    wide, tall = width * 0.95, height * 0.9
    corner = (-wide / 2, -0.017, rise + height * 0.52 - tall / 2)
    return [
        Part(rounded_box((width, 0.03, height), (0, 0, rise + height / 2), 0.006), "body"),
        Part(
            box((wide, 0.004, tall), (0, -0.015, rise + height * 0.52)),
            _screen(corner, (wide, 0, 0), (0, 0, tall), look),
        ),
        Part(
            box((0.06, 0.025, rise + height * 0.3), (0, 0.027, (rise + height * 0.3) / 2)),
            "body dark",
        ),
        Part(rounded_box((width * 0.45, 0.19, 0.014), (0, 0.02, 0.007), 0.005), "body dark"),
    ]


def keyboard(width: float = 0.43, depth: float = 0.14) -> Parts:
    """A keyboard with separate keys and a block of numbers."""
    main = width * 0.72
    left = -width / 2 + main / 2 + 0.008
    right = width / 2 - width * 0.12 - 0.008
    height = 0.016
    return [
        Part(rounded_box((width, depth, height), (0, 0, height / 2), 0.004), "body"),
        Part(_keys(main, depth * 0.84, (left, 0, height), 14, 5, 0.007), "body pale"),
        Part(_keys(width * 0.22, depth * 0.84, (right, 0, height), 4, 5, 0.007), "body pale"),
    ]


def computer_mouse(length: float = 0.11, width: float = 0.062) -> Parts:
    """A computer mouse with two buttons, a wheel and a cable; its front is at +y."""
    half = np.array([width / 2, length / 2, 0.036])
    shell = sphere(1.0, sides=36, rings=22).vertices.astype(np.float64)
    # A rounded box rather than an egg, cut off at the table.
    shell = np.sign(shell) * np.abs(shell) ** [0.8, 0.85, 1.0]
    shell[:, 2] = np.maximum(shell[:, 2], 0)
    parts = [Part(hull(shell * half), "body")]
    for side in _BOTH:
        button = shell * half * 1.02
        button[:, 0] = side * np.maximum(side * button[:, 0], 0.0012)
        button[:, 1] = np.maximum(button[:, 1], length * 0.08)
        button[:, 2] = np.maximum(button[:, 2], 0.012)
        parts.append(Part(hull(button), "body pale"))
    wheel = transformed(torus(0.007, 0.0035, 18, 8), rotation("y", np.pi / 2))
    front = length / 2
    cable = [(0, front - 0.004, 0.009), (0, front + 0.02, 0.006), (0.012, front + 0.045, 0.003),
             (0.035, front + 0.06, 0.003), (0.06, front + 0.05, 0.003)]  # fmt: skip
    return [
        *parts,
        Part(transformed(wheel, None, (0, length * 0.24, 0.0255)), "rubber"),
        Part(tube(cable, 0.0025, 8), "rubber"),
    ]


def remote_control(length: float = 0.18, width: float = 0.047) -> Parts:
    """A remote control along y with rows of buttons."""
    parts = [Part(rounded_box((width, length, 0.02), (0, 0, 0.01), 0.006), "body")]
    for row in range(6):
        for column in (-1, 0, 1):
            at = (column * width * 0.27, length * (0.22 - 0.11 * row), 0.0195)
            button = transformed(cylinder(width * 0.09, 0.004, 0, 10), None, at)
            parts.append(Part(button, "white paint"))
    power = transformed(cylinder(width * 0.12, 0.004, 0, 12), None, (0, length * 0.38, 0.0195))
    red = Material(Solid(linear(PALETTE["red"])), specular=0.3)
    return [*parts, Part(power, red)]


def phone(width: float = 0.075, length: float = 0.155, look: float = 0.6) -> Parts:
    """A smartphone lying on its back."""
    glass = (width * 0.93, length * 0.95)
    corner = (-glass[0] / 2, -glass[1] / 2, 0.009)
    picture = _screen(corner, (glass[0], 0, 0), (0, glass[1], 0), look)
    return [
        Part(rounded_box((width, length, 0.0085), (0, 0, 0.00425), 0.002), "body"),
        Part(box((*glass, 0.001), (0, 0, 0.0085)), picture),
    ]


def clock(radius: float = 0.09, hour: float = 10.15) -> Parts:
    """A round alarm clock with two bells; ``hour`` in 0..12 is the time it shows."""
    r = radius
    upright = rotation("x", np.pi / 2)
    middle = np.array([0, 0, r * 1.22])

    def facing(mesh: Mesh) -> Mesh:
        return transformed(mesh, upright, middle)

    case = [(0, -0.035), (r * 0.94, -0.035), (r, -0.02), (r, 0.02), (r * 0.94, 0.026),
            (r * 0.88, 0.02), (r * 0.88, 0.012), (0, 0.012)]  # fmt: skip
    marks = [
        transformed(box((0.006, r * (0.2 if k % 3 == 0 else 0.1), 0.002), (0, r * 0.74, 0.0145)),
                    rotation("z", k * np.pi / 6))
        for k in range(12)
    ]  # fmt: skip
    hands = [
        transformed(box((wide, r * long, 0.002), (0, r * long / 2 - 0.008, z)),
                    rotation("z", -2 * np.pi * turn))
        for wide, long, z, turn in ((0.009, 0.45, 0.0165, hour / 12), (0.006, 0.68, 0.0185, hour))
    ]  # fmt: skip
    parts = [
        Part(facing(lathe(case, 40)), "body"),
        Part(facing(cylinder(r * 0.87, 0.0015, 0.012, 36)), "paper"),
        Part(facing(merged([*marks, *hands, cylinder(0.008, 0.008, 0.012, 12)])), "rubber"),
    ]
    for side in _BOTH:
        lean = rotation("y", side * 0.6)
        dome = lathe(
            [(0, 0), (r * 0.42, 0), (r * 0.36, r * 0.2), (r * 0.2, r * 0.3), (0, r * 0.34)]
        )
        bell = transformed(dome, None, (0, 0, r * 1.06))
        foot = tube([(0, 0, -r * 0.9), (0, 0, -r * 1.39)], 0.008, 8)
        parts.append(Part(transformed(bell, lean, middle), "brass"))
        parts.append(Part(transformed(foot, rotation("y", -side * 0.55), middle), "body dark"))
    return parts


def desk_lamp(height: float = 0.45, shade: float = 0.12) -> Parts:
    """A lamp on a foot with a shade like a cut cone, switched on."""
    return _lamp(height, shade, shade * 0.75, 0.009)


def floor_lamp(height: float = 1.55, shade: float = 0.22) -> Parts:
    """A lamp that stands on the floor, switched on."""
    return _lamp(height, shade, shade * 0.65, 0.014)


def _lamp(height: float, shade: float, foot: float, pole: float) -> Parts:
    tall = shade * 1.25
    low = height - tall
    skirt = [(shade, low), (shade * 0.6, height), (shade * 0.59, height), (shade * 0.985, low),
             (shade, low)]  # fmt: skip
    return [
        Part(lathe([(0, 0), (foot, 0), (foot, 0.012), (foot * 0.3, 0.03), (0, 0.03)], 36), "steel"),
        Part(cylinder(pole, height - tall * 0.35, 0.02, 12), "steel"),
        Part(lathe(skirt, 36), _glowing),
        Part(sphere(shade * 0.28, (0, 0, low + tall * 0.4), sides=16, rings=10), "bulb"),
    ]


def _glowing(color: str) -> Material:
    """Cloth with a lamp behind it."""
    return Material(Solid(linear(PALETTE[color])), emission=0.35)


def robot_vacuum(radius: float = 0.17, height: float = 0.09) -> Parts:
    """A round vacuum cleaner driving towards +x: bumper, laser turret, wheels and a light."""
    r, h = radius, height
    rise = 0.012  # clear of the floor; the wheels touch it
    disc = [(0, rise), (r * 0.94, rise), (r, rise + 0.012), (r, h - 0.012), (r * 0.96, h), (0, h)]
    t = np.linspace(-1.15, 1.15, 22)
    bumper = np.stack([r * 1.0 * np.cos(t), r * 1.0 * np.sin(t), 0 * t + h * 0.5], -1)
    turret = (-r * 0.25, 0, h)
    ring = transformed(torus(r * 0.72, 0.004, 44, 6), None, (0, 0, h))
    parts = [
        Part(lathe(disc, 44), "body"),
        Part(tube(bumper, h * 0.2, 8), "rubber"),
        Part(transformed(cylinder(r * 0.3, 0.026, 0, 28), None, turret), "body dark"),
        Part(transformed(cylinder(r * 0.31, 0.006, 0.026, 28), None, turret), "body"),
        Part(ring, "body dark"),
        Part(transformed(cylinder(0.016, 0.004, 0, 16), None, (r * 0.45, 0, h)), "lit"),
    ]
    for side in _BOTH:
        wheel = transformed(cylinder(0.034, 0.02, -0.01, 18), rotation("x", np.pi / 2))
        parts.append(Part(transformed(wheel, None, (0, side * r * 0.68, 0.034)), "rubber"))
    return parts
