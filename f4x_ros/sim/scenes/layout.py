# SPDX-License-Identifier: Apache-2.0
"""Where there is room: footprints of things, and a floor plan that knows what is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.shapes import CLASSES

Polygon = NDArray[np.float64]  # [N, 2] convex, metres


@cache
def _extent(cls: str, size: tuple[tuple[str, float], ...]) -> NDArray[np.float64]:
    build = CLASSES[cls].build
    if build is None:
        raise BadInputError(f"class {cls!r} is part of the room, expected a thing")
    points = np.concatenate([part.mesh.vertices for part in build(**dict(size))])
    return np.stack([points.min(0), points.max(0)]).astype(np.float64)


def extent(cls: str, size: Mapping[str, float]) -> NDArray[np.float64]:
    """Lowest and highest corner ``[2, 3]`` of a thing in its own frame [m]."""
    return _extent(cls, tuple(sorted(size.items())))


def footprint(
    cls: str, size: Mapping[str, float], x: float, y: float, yaw: float = 0.0, margin: float = 0.0
) -> Polygon:
    """The rectangle ``[4, 2]`` under a thing at a place, ``margin`` larger all round."""
    (x0, y0, _), (x1, y1, _) = extent(cls, size)
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    corners += margin * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    c, s = np.cos(yaw), np.sin(yaw)
    return np.asarray(corners @ np.array([[c, s], [-s, c]]) + (x, y))


def strip(start: ArrayLike, stop: ArrayLike, half_width: float) -> Polygon:
    """The rectangle swept by something ``2 * half_width`` wide on its way between two points."""
    a, b = np.asarray(start, np.float64), np.asarray(stop, np.float64)
    along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9) * half_width
    side = np.array([-along[1], along[0]])
    return np.stack([a - along - side, b + along - side, b + along + side, a - along + side])


def swept(loop: Sequence[ArrayLike], half_width: float) -> list[Polygon]:
    """What a closed way takes up."""
    return [strip(a, b, half_width) for a, b in zip(loop, [*loop[1:], loop[0]], strict=True)]


def overlap(first: Polygon, second: Polygon) -> bool:
    """Whether two convex polygons share an area (separating axis theorem)."""
    for polygon in (first, second):
        edges = np.roll(polygon, -1, 0) - polygon
        for normal in np.stack([edges[:, 1], -edges[:, 0]], 1):
            a, b = first @ normal, second @ normal
            if a.max() <= b.min() or b.max() <= a.min():
                return False
    return True


@dataclass(eq=False)
class Plan:
    """A rectangular floor or table top, ``size`` metres about (0, 0), and what is taken of it."""

    size: tuple[float, float]
    taken: list[Polygon] = field(default_factory=list)

    def fits(self, polygons: Sequence[Polygon]) -> bool:
        """Whether they lie inside and meet nothing."""
        limit = np.asarray(self.size) / 2
        return all(
            bool((np.abs(polygon) <= limit).all())
            and not any(overlap(polygon, other) for other in self.taken)
            for polygon in polygons
        )

    def take(self, polygons: Sequence[Polygon]) -> bool:
        """Take them if they fit; says whether they did."""
        if not self.fits(polygons):
            return False
        self.taken += polygons
        return True
