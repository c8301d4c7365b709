# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes made from code: boxes, hulls, lathes and tubes. Metres, z up.

Faces are counter-clockwise seen from outside. Every function returns a new `Mesh`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull

_BOX_FACES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ],
    np.int32,
)  # fmt: skip


class Mesh(NamedTuple):
    """A triangle mesh in its own frame."""

    vertices: NDArray[np.float32]  # [V, 3] metres
    faces: NDArray[np.int32]  # [F, 3] vertex indices


def _mesh(vertices: ArrayLike, faces: ArrayLike) -> Mesh:
    return Mesh(np.asarray(vertices, np.float32), np.asarray(faces, np.int32).reshape(-1, 3))


def rotation(axis: str, angle_rad: float) -> NDArray[np.float64]:
    """Rotation ``[3, 3]`` about the axis "x", "y" or "z"."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    rows = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }
    return np.array(rows[axis], np.float64)


def transformed(
    mesh: Mesh,
    turn: ArrayLike | None = None,
    offset: ArrayLike = (0, 0, 0),
    scale: ArrayLike = 1.0,
) -> Mesh:
    """Scale, then turn by a 3x3 matrix, then move."""
    vertices = mesh.vertices * np.asarray(scale)
    if turn is not None:
        vertices = vertices @ np.asarray(turn).T
    return _mesh(vertices + np.asarray(offset), mesh.faces)


def box(size: Sequence[float], center: ArrayLike = (0, 0, 0)) -> Mesh:
    """Axis-aligned box of the given full extent."""
    half = (-0.5, 0.5)
    corners = np.array([[x, y, z] for x in half for y in half for z in half])
    return _mesh(corners * np.asarray(size) + np.asarray(center), _BOX_FACES)


def hull(points: ArrayLike) -> Mesh:
    """Convex hull of points ``[N, 3]``."""
    pts = np.asarray(points, np.float64)
    shell = ConvexHull(pts)
    faces = shell.simplices.copy()
    a, b, c = (pts[faces[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * shell.equations[:, :3]).sum(1) < 0
    faces[inward] = faces[inward][:, ::-1]
    return _mesh(pts, faces)


def rounded_box(size: Sequence[float], center: ArrayLike = (0, 0, 0), bevel: float = 0.01) -> Mesh:
    """Box whose edges are cut off at ``bevel`` metres."""
    full = np.asarray(size, np.float64)
    slabs = [np.maximum(full - 2 * bevel * (np.arange(3) != k), 1e-4) for k in range(3)]
    return hull(np.concatenate([box(list(slab)).vertices for slab in slabs]) + np.asarray(center))


def lathe(profile: ArrayLike, sides: int = 28) -> Mesh:
    """Turn a polyline of (radius, height) about z; travelling up it, outside is on the right."""
    line = np.asarray(profile, np.float64)
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    rings = np.stack(
        [
            line[:, :1] * np.cos(angles),
            line[:, :1] * np.sin(angles),
            np.repeat(line[:, 1:], sides, 1),
        ],
        -1,
    )
    a = np.arange(len(line) - 1)[:, None] * sides + np.arange(sides)
    b = np.arange(len(line) - 1)[:, None] * sides + np.roll(np.arange(sides), -1)
    # A ring of radius zero is a point: the triangle on that side has no area.
    lower = np.stack([a, b, b + sides], -1)[line[:-1, 0] > 1e-6]
    upper = np.stack([a, b + sides, a + sides], -1)[line[1:, 0] > 1e-6]
    return _mesh(rings.reshape(-1, 3), np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]))


def cylinder(radius: float, height: float, base: float = 0.0, sides: int = 24) -> Mesh:
    """Closed upright cylinder standing at z = ``base``."""
    return lathe([(0, base), (radius, base), (radius, base + height), (0, base + height)], sides)


def sphere(
    radius: float,
    center: ArrayLike = (0, 0, 0),
    scale: ArrayLike = (1, 1, 1),
    sides: int = 24,
    rings: int = 14,
) -> Mesh:
    """Sphere, or an ellipsoid with ``scale`` other than one."""
    t = np.linspace(-np.pi / 2, np.pi / 2, rings)
    profile = np.stack([np.maximum(np.cos(t), 0) * radius, np.sin(t) * radius], -1)
    profile[[0, -1], 0] = 0
    return transformed(lathe(profile, sides), None, center, scale)


def tube(path: ArrayLike, radius: ArrayLike, sides: int = 12) -> Mesh:
    """Closed tube along points ``[N, 3]``; ``radius`` is one number or one per point."""
    line = np.asarray(path, np.float64)
    radii = np.broadcast_to(np.asarray(radius, np.float64), (len(line),))
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    # Rings turn about the axis along which the curve extends least (y before x before z), so that
    # the curve hardly ever runs along it.
    order = np.array([1, 0, 2])
    up = np.eye(3)[order[np.round(np.ptp(line, axis=0)[order], 9).argmin()]]
    side = np.cross(up, along)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(along, side)
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)[None, :, None]
    circle = np.cos(angles) * side[:, None] + np.sin(angles) * other[:, None]
    rings = line[:, None] + radii[:, None, None] * circle
    vertices = np.concatenate([rings.reshape(-1, 3), line[:1], line[-1:]])

    here = np.arange(sides)
    following = np.roll(here, -1)
    a = np.arange(len(line) - 1)[:, None] * sides + here
    b = np.arange(len(line) - 1)[:, None] * sides + following
    first, last = len(vertices) - 2, len(vertices) - 1
    end = (len(line) - 1) * sides
    faces = [
        np.stack([a, b, b + sides], -1).reshape(-1, 3),
        np.stack([a, b + sides, a + sides], -1).reshape(-1, 3),
        np.stack([np.full(sides, first), following, here], -1),
        np.stack([np.full(sides, last), end + here, end + following], -1),
    ]
    return _mesh(vertices, np.concatenate(faces))


def torus(radius: float, thick: float, sides: int = 28, around: int = 10) -> Mesh:
    """Ring about z; ``radius`` to the middle of a wire of radius ``thick``."""
    t = np.linspace(0, 2 * np.pi, around + 1)
    return lathe(np.stack([radius + thick * np.cos(t), thick * np.sin(t)], -1), sides)


def loft(rows: ArrayLike, sides: int = 20, power: float = 2.0) -> Mesh:
    """Closed skin over upright rows of (x, y, z, half width, half depth), from below upwards.

    ``power`` 2 makes ellipses, larger numbers rectangles with ever sharper corners (superellipse).
    """
    row = np.asarray(rows, np.float64)
    t = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    unit = np.stack([np.cos(t), np.sin(t)], -1)
    unit = np.sign(unit) * np.abs(unit) ** (2 / power)
    flat = row[:, None, :2] + unit * row[:, None, 3:]
    rings = np.concatenate([flat, np.broadcast_to(row[:, None, 2:3], (*flat.shape[:2], 1))], -1)
    return _skin(rings, row[[0, -1], :3])


def loft_x(rows: ArrayLike, sides: int = 20, power: float = 2.0) -> Mesh:
    """A `loft` lying along x: rows of (x, z, half depth, half height), from the rear forwards."""
    x, z, depth, height = np.asarray(rows, np.float64).T
    upright = np.stack([-z, 0 * x, x, height, depth], -1)
    return transformed(loft(upright, sides, power), rotation("y", np.pi / 2))


def extruded(outline: ArrayLike, low: float, high: float) -> Mesh:
    """Closed slab between two heights over an outline ``[N, 2]``.

    The outline runs counter-clockwise seen from above, and all of it must be visible from the
    mean of its points.
    """
    line = np.asarray(outline, np.float64)
    rings = np.stack([np.insert(line, 2, z, axis=1) for z in (low, high)])
    return _skin(rings, np.array([[*line.mean(0), low], [*line.mean(0), high]]))


def _skin(rings: NDArray[np.float64], ends: NDArray[np.float64]) -> Mesh:
    """Join rings ``[R, N, 3]``, counter-clockwise seen from the last, and close both ends."""
    count, sides = rings.shape[:2]
    here = np.arange(sides)
    following = np.roll(here, -1)
    a = np.arange(count - 1)[:, None] * sides + here
    b = np.arange(count - 1)[:, None] * sides + following
    first = count * sides
    top = first - sides
    faces = [
        np.stack([a, b, b + sides], -1).reshape(-1, 3),
        np.stack([a, b + sides, a + sides], -1).reshape(-1, 3),
        np.stack([np.full(sides, first), following, here], -1),
        np.stack([np.full(sides, first + 1), top + here, top + following], -1),
    ]
    return _mesh(np.concatenate([rings.reshape(-1, 3), ends]), np.concatenate(faces))


def arc(
    radius: float,
    start_rad: float,
    stop_rad: float,
    center: ArrayLike = (0, 0, 0),
    points: int = 14,
) -> NDArray[np.float64]:
    """Points ``[N, 3]`` of a circular arc in the xz plane, angle 0 along +x."""
    t = np.linspace(start_rad, stop_rad, points)
    curve = np.stack([radius * np.cos(t), 0 * t, radius * np.sin(t)], -1)
    return np.asarray(curve + np.asarray(center), np.float64)


def merged(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several, faces in the same order."""
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes[:-1])])
    return _mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]),
    )


def corners_between(mesh: Mesh, spacing: float = 0.01) -> NDArray[np.float64]:
    """Points [N, 3] all over the triangles, hardly farther apart than this, and their corners."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    sides = np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).max(1)
    steps = np.clip(np.ceil(sides / spacing).astype(int), 1, 40)
    found = [mesh.vertices.astype(np.float64)]
    for count in np.unique(steps[steps > 1]):
        a, b = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
        inside = a + b <= count
        shares = np.stack([a[inside], b[inside], count - a[inside] - b[inside]], 1) / count
        found.append(np.einsum("sk,fkc->fsc", shares, corners[steps == count]).reshape(-1, 3))
    return np.concatenate(found)


def corner_normals(mesh: Mesh, crease_cos: float = 0.72) -> NDArray[np.float32]:
    """Unit normals ``[F, 3, 3]`` of the three corners of each face.

    At a vertex, the normals of the faces around it are averaged by area, leaving out those that
    meet at an angle whose cosine is below ``crease_cos``: round parts shade smoothly, edges stay.
    """
    triangles = mesh.vertices[mesh.faces].astype(np.float64)
    area = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    unit = area / (np.linalg.norm(area, axis=1, keepdims=True) + 1e-20)

    # Corners that share a point form a group, whatever part of the mesh they came from.
    keys = np.round(mesh.vertices * 1e5).astype(np.int64)
    point = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)[mesh.faces].reshape(-1)
    face = np.repeat(np.arange(len(mesh.faces)), 3)
    order = np.argsort(point, kind="stable")
    starts, counts = np.unique(point[order], return_index=True, return_counts=True)[1:]
    group_start = np.repeat(starts, counts)
    group_size = np.repeat(counts, counts)

    # Each corner against every corner of its group.
    mine = np.repeat(np.arange(len(order)), group_size)
    first_pair = np.cumsum(group_size) - group_size
    other = np.arange(len(mine)) - np.repeat(first_pair, group_size) + group_start[mine]
    mine_face, other_face = face[order[mine]], face[order[other]]
    smooth = np.einsum("ni,ni->n", unit[mine_face], unit[other_face]) > crease_cos
    contribution = area[other_face] * smooth[:, None]
    total = np.zeros((len(order), 3))
    total[order] = np.add.reduceat(contribution, first_pair, axis=0)
    total /= np.linalg.norm(total, axis=1, keepdims=True) + 1e-20
    return total.reshape(-1, 3, 3).astype(np.float32)
