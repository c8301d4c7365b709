# SPDX-License-Identifier: Apache-2.0
"""How much of an object's silhouette a camera sees."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.sim.embree import triangles
from f4x_ros.sim.mesh import Mesh

_NEAR_M = 0.05  # nearer vertices have no sensible place in the image
_MOST_RAYS = 2500  # of one object


def seen_share(
    camera: PinholeCamera, T_map_camera: Pose, mesh: Mesh, seen: NDArray[np.bool_]
) -> float:
    """Visible share 0..1 of the silhouette that the object would have if it stood alone.

    The silhouette is taken in a view twice as wide and high as the image, so what lies beyond the
    border counts as not visible. Large silhouettes are sampled on an even grid of pixels.

    Args:
        camera: intrinsics.
        T_map_camera: ``[4, 4]`` of the optical frame.
        mesh: triangles in the map frame.
        seen: ``[H, W]`` pixels that show the object.
    """
    box = _box_px(camera, T_map_camera, mesh)
    if box is None:
        return 0.0
    left, top, right, bottom = box
    stride = max(1, math.ceil(math.sqrt((right - left) * (bottom - top) / _MOST_RAYS)))
    u, v = np.meshgrid(np.arange(left, right, stride), np.arange(top, bottom, stride))
    columns, rows = u.reshape(-1), v.reshape(-1)
    hit = _hits(camera, T_map_camera, mesh, columns, rows)
    inside = (columns >= 0) & (columns < camera.width) & (rows >= 0) & (rows < camera.height)
    shown = np.zeros(len(columns), bool)
    shown[inside] = seen[rows[inside], columns[inside]]
    # Two traversals of one mesh may differ in a pixel at its edge.
    whole = int((hit | shown).sum())
    return float(shown.sum() / whole) if whole else 0.0


def _box_px(
    camera: PinholeCamera, T_map_camera: Pose, mesh: Mesh
) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom in whole pixels, right and bottom exclusive; None if out of view."""
    T = inverse(T_map_camera)
    points = mesh.vertices.astype(np.float64) @ T[:3, :3].T + T[:3, 3]
    if points[:, 2].max() <= _NEAR_M:
        return None
    width, height = camera.width, camera.height
    low, high = np.array([-width // 2, -height // 2]), np.array([width * 3 // 2, height * 3 // 2])
    first, last = low, high
    if points[:, 2].min() > _NEAR_M:
        pixels = camera.project(points)
        first = np.clip(np.floor(pixels.min(0)).astype(int), low, high)
        last = np.clip(np.ceil(pixels.max(0)).astype(int), low, high)
    if (last <= first).any():
        return None
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _hits(
    camera: PinholeCamera,
    T_map_camera: Pose,
    mesh: Mesh,
    columns: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Whether the rays through the centres of these pixels hit the mesh alone."""
    alone = triangles(mesh.vertices, mesh.faces)
    rays = np.stack(
        [
            (columns + 0.5 - camera.cx) / camera.fx,
            (rows + 0.5 - camera.cy) / camera.fy,
            np.ones(len(columns)),
        ],
        -1,
    )
    directions = np.ascontiguousarray(rays @ T_map_camera[:3, :3].T, np.float32)
    origins = np.tile(T_map_camera[:3, 3].astype(np.float32), (len(rays), 1))
    return np.asarray(alone.run(origins, directions) >= 0)
