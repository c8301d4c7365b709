# SPDX-License-Identifier: Apache-2.0
"""People of scenes, and the ways they take."""

from __future__ import annotations

from f4x_ros.sim.routes import Point, Route
from f4x_ros.sim.scenes.kit import Kit
from f4x_ros.sim.walking import Walker, Way

Loop = tuple[Point, ...]

_LOOKS = ("skin", "hair", "long_hair", "trousers", "sleeves")


def lane(start: Point, stop: Point, width: float = 0.4) -> Loop:
    """To and fro between two points: a long rectangle about the line between them."""
    (ax, ay), (bx, by) = start, stop
    far = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
    nx, ny = -(by - ay) / far * width / 2, (bx - ax) / far * width / 2
    return ((ax - nx, ay - ny), (bx - nx, by - ny), (bx + nx, by + ny), (ax + nx, ay + ny))


def rectangle(low: Point, high: Point) -> Loop:
    """Its corners, counter-clockwise."""
    return (low, (high[0], low[1]), high, (low[0], high[1]))


def put_person(kit: Kit, walker: Walker, color: str | None = None) -> None:
    """Add the person that moves like this, of any looks."""
    looks = {name: float(kit.rng.random()) for name in _LOOKS}
    kit.put(
        "person", color, 0.0, 0.0, size={"height": walker.height, **looks},
        motion=walker, links=walker.links,
    )  # fmt: skip


def passer_by(kit: Kit, way: Way, color: str | None = None) -> None:
    """Add somebody of any height who goes this way."""
    put_person(kit, Walker(way, float(kit.rng.uniform(1.6, 1.85))), color)


def stroll(kit: Kit, loop: Loop, speed: float | None = None, corner_m: float = 0.2) -> Route:
    """A way at walking speed that the seed begins anywhere."""
    pace = float(kit.rng.uniform(0.85, 1.15)) if speed is None else speed
    return Route(loop, pace, corner_m=corner_m, start_s=float(kit.rng.uniform(0, 20)))
