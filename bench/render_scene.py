# SPDX-License-Identifier: Apache-2.0
"""The scene of the renderer's benchmark: Gaussians on the visible surfaces of a furnished room.

Every Gaussian lies in the view, close to a wall or a box of furniture (one in seven on the wall
behind the furniture), is flat along the surface's normal, and has a 3-sigma radius of 3 to 8 px at
the given size. Same distribution and random numbers as `shared/prototypes/rasterizer/scene.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor

SIZES = ((20_000, 320, 240), (20_000, 640, 480), (60_000, 320, 240), (60_000, 640, 480))

ROOM = np.array([[-2.5, -1.3, -1.0], [2.5, 1.2, 5.0]])  # metres; camera at the origin, z forward
FURNITURE = np.array(
    [
        [[-1.8, 0.2, 2.2], [-0.6, 1.2, 3.4]],
        [[0.4, -0.2, 3.0], [1.6, 1.2, 4.0]],
        [[-0.3, 0.6, 1.8], [0.3, 1.2, 2.4]],
    ]
)


@dataclass
class RoomScene:
    """Gaussians and camera; `colors` [N, 3] in 0..1, `features` [N, F] in -1..1."""

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor
    features: Tensor
    viewmat: Tensor
    K: Tensor
    width: int
    height: int


def _room_hit(rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance along each ray [N, 3] to the room's wall, and the wall's normal axis [N, 3]."""
    safe = np.where(rays == 0, 1e-9, rays)
    t = np.where(rays > 0, ROOM[1] / safe, ROOM[0] / safe)
    t = np.where(np.abs(rays) < 1e-9, 1e9, t)
    return t.min(1), np.eye(3)[t.argmin(1)]


def _furniture_hit(
    rays: np.ndarray, wall: np.ndarray, wall_normal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of the wall and the furniture along each ray."""
    nearest, normal = wall.copy(), wall_normal.copy()
    safe = np.where(rays == 0, 1e-9, rays)
    for low, high in FURNITURE:
        t0, t1 = low / safe, high / safe
        enter, leave = np.minimum(t0, t1), np.maximum(t0, t1).min(1)
        first = enter.max(1)
        hit = (first < leave) & (first > 0) & (first < nearest)
        nearest[hit] = first[hit]
        normal[hit] = np.eye(3)[enter.argmax(1)][hit]
    return nearest, normal


def _flat_rotations(normals: np.ndarray, spin: np.ndarray) -> np.ndarray:
    """Unit quaternions wxyz [N, 4] that turn the z axis into the normal, spun about it."""
    side = np.where(np.abs(normals[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]])
    x = np.cross(side, normals)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.cross(normals, x)
    x = np.cos(spin) * x + np.sin(spin) * y
    R = torch.from_numpy(np.stack([x, np.cross(normals, x), normals], -1))
    return roma.rotmat_to_unitquat(R).roll(1, -1).numpy()  # roma's xyzw -> wxyz


def room_scene(
    count: int,
    width: int,
    height: int,
    *,
    features: int = 16,
    seed: int = 0,
    radius_px: tuple[float, float] = (3.0, 8.0),
    dtype: torch.dtype = torch.float32,
) -> RoomScene:
    """A room seen by a pinhole camera; activated values on the CPU."""
    rng = np.random.default_rng(seed)
    f, cx, cy = 0.9 * width, width / 2, height / 2
    u, v = rng.uniform(0, width, count), rng.uniform(0, height, count)
    rays = np.stack([(u - cx) / f, (v - cy) / f, np.ones(count)], -1)
    wall, wall_normal = _room_hit(rays)
    first, first_normal = _furniture_hit(rays, wall, wall_normal)
    behind = rng.random(count) < 0.15
    distance = np.where(behind, wall, first) * (1 + 0.01 * rng.standard_normal(count))
    normals = np.where(behind[:, None], wall_normal, first_normal)
    means = rays * distance[:, None]
    size = rng.uniform(*radius_px, count) / 3.0 * means[:, 2] / f
    flat = np.stack([np.ones(count), rng.uniform(0.6, 1.0, count), np.full(count, 0.3)], -1)
    quats = _flat_rotations(normals, rng.uniform(0, 2 * math.pi, count)[:, None])
    opacities = rng.uniform(0.3, 0.95, count)
    feature_values = rng.uniform(-1, 1, (count, features))
    colors = rng.uniform(0, 1, (count, 3))
    K = np.array([[f, 0, cx], [0, f, cy], [0, 0, 1]])
    values = (means, quats, size[:, None] * flat, opacities, colors, feature_values, np.eye(4), K)
    return RoomScene(*(torch.tensor(a, dtype=dtype) for a in values), width, height)
