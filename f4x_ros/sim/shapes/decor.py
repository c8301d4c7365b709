# SPDX-License-Identifier: Apache-2.0
"""Things that stand or hang about in a room."""

from __future__ import annotations

import numpy as np

from f4x_ros.sim.materials import Globe, Landscape, Material
from f4x_ros.sim.mesh import Mesh, arc, box, cylinder, lathe, rotation, sphere, transformed, tube
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)


def book(width: float = 0.17, length: float = 0.24, thickness: float = 0.035) -> Parts:
    """A closed book lying on its back, its spine on -x."""
    cover = 0.003
    page = box((width * 0.95, length * 0.95, thickness - 2 * cover), (0, 0, thickness / 2))
    title = box((width * 0.6, length * 0.12, cover * 1.2), (0, length * 0.2, thickness - cover / 2))
    return [
        Part(box((width, length, cover), (0, 0, cover / 2)), "body"),
        Part(box((width, length, cover), (0, 0, thickness - cover / 2)), "body"),
        Part(box((cover, length, thickness), ((cover - width) / 2, 0, thickness / 2)), "body"),
        Part(page, "paper"),
        Part(title, "paper"),
    ]


def globe(radius: float = 0.115) -> Parts:
    """A globe on a stand; it turns about its upright axis."""
    center = radius + 0.07
    seas = Material(Globe(center, radius), specular=0.3, shininess=40)
    ring = arc(radius * 1.08, -np.pi / 2, np.pi / 2, (0, 0, center), 18)
    return [
        Part(sphere(radius, (0, 0, center), sides=32, rings=20), seas),
        Part(cylinder(radius * 0.65, 0.014, sides=28), "cap"),
        Part(cylinder(0.01, 0.07, sides=10), "cap"),
        Part(tube(ring, 0.006, 8), "cap"),
    ]


def potted_plant(pot: float = 0.15, leaves: int = 22, leaf: float = 0.42) -> Parts:
    """A leafy plant in a pot of radius ``pot``; leaves are up to ``leaf`` metres long."""
    r = pot
    profile = [
        (0, 0), (r * 0.7, 0), (r, r * 1.5), (r * 1.08, r * 1.5),
        (r * 1.08, r * 1.75), (r * 0.95, r * 1.75), (r * 0.95, r * 1.55), (0, r * 1.55),
    ]  # fmt: skip
    parts = [Part(lathe(profile), "body")]
    for k in range(leaves):
        turn = 2.4 * k  # the golden angle spreads leaves evenly
        rise = 0.45 + 0.95 * (k * 0.618 % 1)
        length = leaf * (0.65 + 0.35 * (k * 0.37 % 1))
        blade = transformed(_leaf(length), rotation("z", turn) @ rotation("y", -rise))
        parts.append(Part(transformed(blade, offset=(0, 0, r * 1.55)), "leaf"))
    return parts


def _leaf(length: float) -> Mesh:
    """A flat pointed blade from the origin along +x."""
    ball = sphere(1.0, (1, 0, 0), sides=10, rings=8)
    return transformed(ball, scale=(length / 2, length * 0.13, 0.004))


def trash_can(radius: float = 0.14, height: float = 0.36) -> Parts:
    """An open waste basket."""
    r, h = radius, height
    profile = [
        (0, 0), (r * 0.8, 0), (r, h), (r * 1.06, h), (r * 1.06, h - 0.02),
        (r * 0.97, h - 0.02), (r * 0.77, 0.01), (0, 0.01),
    ]  # fmt: skip
    return [Part(lathe(profile, 30), "body")]


def picture(width: float = 0.75, height: float = 0.52, look: float = 0.0) -> Parts:
    """A framed painting; its back is at y = 0, it faces -y, and its origin is its centre.

    ``look`` in 0..1 chooses the time of day, the place of the sun and the line of the hills.
    """
    frame = 0.04
    art = Material(Landscape((width / 2, height / 2), look))
    parts = [Part(box((width, 0.008, height), (0, -0.006, 0)), art)]
    for side in _BOTH:
        across = box((width + frame, 0.025, frame), (0, -0.0125, side * height / 2))
        upright = box((frame, 0.025, height + frame), (side * width / 2, -0.0125, 0))
        parts += [Part(across, "body"), Part(upright, "body")]
    return parts


def window(width: float = 1.2, height: float = 1.0) -> Parts:
    """A window with four panes; placed like `picture`."""
    bar = 0.05
    parts = [Part(box((width, 0.01, height), (0, -0.005, 0)), "sky")]
    for k in (-1, 0, 1):
        across = box((width + bar, 0.05, bar), (0, -0.025, k * height / 2))
        upright = box((bar, 0.05, height + bar), (k * width / 2, -0.025, 0))
        parts += [Part(across, "white paint"), Part(upright, "white paint")]
    return parts
