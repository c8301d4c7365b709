# SPDX-License-Identifier: Apache-2.0
"""Whether things of a scene stand in each other: every connected piece of a mesh as a prism."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError

from f4x_ros.sim.mesh import Mesh
from f4x_ros.sim.scene import Body, Scene, SceneObject
from f4x_ros.sim.scenes.layout import overlap

#: What lies flat under other things, or hangs behind them.
FLAT = ("floor", "wall", "ceiling", "rug", "picture", "window")


class Prism(NamedTuple):
    """The convex outline of a piece seen from above, and the heights it spans."""

    outline: np.ndarray  # [N, 2]
    low: float
    high: float


class Solid(NamedTuple):
    """An object at one moment."""

    name: str
    box: np.ndarray  # [2, 3]
    prisms: list[Prism]


def pieces(mesh: Mesh) -> list[np.ndarray]:
    """Vertices of each connected piece."""
    edges = np.concatenate([mesh.faces[:, :2], mesh.faces[:, 1:]])
    count = len(mesh.vertices)
    graph = coo_matrix((np.ones(len(edges)), edges.T), (count, count))
    of = connected_components(graph, directed=False)[1]
    order = np.argsort(of, kind="stable")
    groups = np.split(mesh.vertices[order], np.flatnonzero(np.diff(of[order])) + 1)
    return [points for points in groups if len(points) > 3]


@cache
def _pieces_of(body: Body) -> list[np.ndarray]:
    return pieces(body.mesh)


def prism(points: np.ndarray, shrink_m: float) -> Prism | None:
    """The prism around points, ``shrink_m`` smaller; None for a sliver."""
    try:
        outline = points[ConvexHull(points[:, :2]).vertices, :2]
    except QhullError:
        return None
    middle = outline.mean(0)
    far = np.linalg.norm(outline - middle, axis=1, keepdims=True)
    outline = middle + (outline - middle) * np.maximum(0, 1 - shrink_m / np.maximum(far, 1e-9))
    low, high = float(points[:, 2].min()) + shrink_m, float(points[:, 2].max()) - shrink_m
    return Prism(outline, low, high) if high > low else None


def solid(made: SceneObject, t: float, shrink_m: float = 0.004) -> Solid:
    """An object as it is at time ``t``."""
    prisms, points = [], []
    for body, pose in zip(made.bodies, made.body_poses(t), strict=True):
        for piece in _pieces_of(body):
            placed = piece @ pose[:3, :3].T + pose[:3, 3]
            points.append(placed)
            prisms.append(prism(placed, shrink_m))
    every = np.concatenate(points)
    return Solid(made.label.name, np.stack([every.min(0), every.max(0)]), [p for p in prisms if p])


def meet(first: Solid, second: Solid) -> bool:
    """Whether any two pieces share a volume."""
    if (first.box[0] > second.box[1]).any() or (second.box[0] > first.box[1]).any():
        return False
    return any(
        a.low < b.high and b.low < a.high and overlap(a.outline, b.outline)
        for a in first.prisms
        for b in second.prisms
    )


def collisions(scene: Scene, times: list[float], movers_only: bool) -> Iterator[tuple]:
    """(time, name, name) of solid things that stand in each other."""
    objects = [made for made in scene.objects if made.label.cls not in FLAT]
    fixed = {id(m): solid(m, times[0]) for m in objects if m.motion is None and not m.links}
    for t in times:
        now = [(m, fixed.get(id(m)) or solid(m, t)) for m in objects if m.exists(t)]
        for k, (a, first) in enumerate(now):
            for b, second in now[k + 1 :]:
                if movers_only and id(a) in fixed and id(b) in fixed:
                    continue
                if meet(first, second):
                    yield t, first.name, second.name
