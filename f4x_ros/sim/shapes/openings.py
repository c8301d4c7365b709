# SPDX-License-Identifier: Apache-2.0
"""Doors, drawers and the chests they are in. The front faces -y."""

from __future__ import annotations

from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.mesh import Mesh, box, sphere, transformed, tube
from f4x_ros.sim.shapes.part import Part, Parts

_BOTH = (-1, 1)
_WALL = 0.018  # thickness of boards [m]


def door(width: float = 0.85, height: float = 2.0, thickness: float = 0.04) -> Parts:
    """A panelled door leaf with handles on both sides.

    Its hinge is the z axis: the leaf lies along +x, the middle of its thickness at y = 0, and
    turning it about z swings it. It leaves 5 mm of air to the floor.
    """
    parts = [Part(box((width, thickness, height), (width / 2, 0, height / 2 + 0.005)), "body")]
    for side in _BOTH:
        face = side * (thickness / 2 + 0.002)
        for low, high in ((0.06, 0.42), (0.50, 0.94)):
            middle = (width / 2, face, height * (low + high) / 2)
            size = (width * 0.68, 0.012, height * (high - low))
            parts.append(Part(box(size, middle), "body dark"))
            inner = (size[0] - 0.1, 0.018, size[2] - 0.1)
            parts.append(Part(box(inner, middle), "body"))
        x, z = width - 0.065, height * 0.5
        plate = box((0.04, 0.006, 0.2), (x, side * (thickness / 2 + 0.003), z))
        out = side * (thickness / 2 + 0.055)
        grip = [(x, face, z + 0.03), (x, out, z + 0.03), (x - 0.12, out, z + 0.03)]
        parts += [Part(plate, "steel"), Part(tube(grip, 0.009, 10), "steel")]
    for z in (0.15, 0.85):
        parts.append(Part(box((0.014, thickness * 1.3, 0.09), (0.005, 0, height * z)), "steel"))
    return parts


def cabinet(
    width: float = 0.8,
    depth: float = 0.42,
    height: float = 0.8,
    drawers: float = 3,
    opening: float = -1,
) -> Parts:
    """A chest of drawers with round knobs.

    ``drawers`` is rounded. With ``opening`` = 0, 1, ... (from below) that drawer is left out and
    the chest is hollow there: `drawer_of` says which drawer fits and where it belongs.
    """
    count, hole = round(drawers), round(opening)
    if not hole < count:
        raise BadInputError(f"opening {opening} of a cabinet with {count} drawers, expected fewer")
    parts: Parts = []
    if hole < 0:
        parts.append(Part(box((width, depth, height), (0, 0, height / 2)), "body"))
    else:
        parts += [Part(mesh, "body") for mesh in _carcass(width, depth, height, count, hole)]
    for k in range(count):
        if k == hole:
            continue
        z = height * (k + 0.5) / count
        front = box((width * 0.93, 0.02, height / count * 0.88), (0, -depth / 2 - 0.008, z))
        knob = sphere(0.018, (0, -depth / 2 - 0.032, z), sides=12, rings=8)
        parts += [Part(front, "body dark"), Part(knob, "cap")]
    return parts


def _carcass(width: float, depth: float, height: float, count: int, hole: int) -> list[Mesh]:
    """A chest that is solid but for the place of one drawer, which is open at the front."""
    low, high = height * hole / count, height * (hole + 1) / count
    middle = (low + high) / 2
    meshes = [
        box((_WALL, depth, high - low), (side * (width - _WALL) / 2, 0, middle)) for side in _BOTH
    ]
    meshes.append(box((width - 2 * _WALL, _WALL, high - low), (0, (depth - _WALL) / 2, middle)))
    floor, top = low + _WALL / 2, high - _WALL / 2
    meshes.append(box((width, depth, floor), (0, 0, floor / 2)))
    meshes.append(box((width, depth, height - top), (0, 0, (height + top) / 2)))
    return meshes


def drawer_of(
    width: float = 0.8,
    depth: float = 0.42,
    height: float = 0.8,
    drawers: float = 3,
    opening: float = 0,
) -> tuple[dict[str, float], tuple[float, float, float]]:
    """The arguments of the `drawer` that fits a `cabinet`'s opening, and its place in its frame."""
    pitch = height / round(drawers)
    size = {"width": width * 0.93, "depth": depth - 0.03, "height": pitch * 0.88}
    return size, (0.0, -depth / 2, pitch * (round(opening) + 0.06))


def drawer(width: float = 0.744, depth: float = 0.39, height: float = 0.235) -> Parts:
    """An open box behind a front with a handle; slide it along -y to open it.

    The back of the front is at y = 0, so that the drawer is shut when its origin lies in the
    front of its cabinet; the box reaches back to y = ``depth``.
    """
    inner, tall, base = width - 0.05, height * 0.8, height * 0.05
    parts = [
        Part(box((width, 0.02, height), (0, -0.01, height / 2)), "body"),
        Part(box((inner, depth, 0.01), (0, depth / 2, base + 0.005)), "pine"),
        Part(box((inner, 0.012, tall), (0, depth - 0.006, base + tall / 2)), "pine"),
    ]
    for side in _BOTH:
        wall = box((0.012, depth, tall), (side * (inner - 0.012) / 2, depth / 2, base + tall / 2))
        parts.append(Part(wall, "pine"))
    reach, z = min(0.09, width * 0.2), height * 0.55
    grip = [(-reach, -0.018, 0), (-reach, -0.045, 0), (reach, -0.045, 0), (reach, -0.018, 0)]
    bar = transformed(tube(grip, 0.006, 8), None, (0, 0, z))
    return [*parts, Part(bar, "cap")]
