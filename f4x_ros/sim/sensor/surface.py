# SPDX-License-Identifier: Apache-2.0
"""What a depth image says about its surfaces: how they are inclined, and where they end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera

Depth = NDArray[np.float32]  # [H, W] metres, 0 = none


def incidence(depth: Depth, camera: PinholeCamera) -> NDArray[np.float32]:
    """Angle ``[H, W]`` between ray and normal, 0..pi/2; pi/2 where there is no depth."""
    rays = camera.pixel_rays()
    points = rays * depth[..., None]
    normal = np.cross(_slope(points, 1), _slope(points, 0))
    lengths = np.linalg.norm(normal, axis=-1) * np.linalg.norm(rays, axis=-1)
    cosine = np.abs(np.einsum("hwc,hwc->hw", normal, rays)) / np.maximum(lengths, 1e-20)
    cosine[depth <= 0] = 0
    return np.asarray(np.arccos(np.minimum(cosine, 1)), np.float32)


def edge_m(depth: Depth, camera: PinholeCamera) -> Depth:
    """Difference between neighbours [m] above which they lie on two surfaces.

    A surface may rise by 3 metres a metre before it is taken for an edge.
    """
    return np.asarray(depth * np.float32(0.02 + 3 / camera.fx), np.float32)


def edges(depth: Depth, camera: PinholeCamera) -> NDArray[np.bool_]:
    """Pixels ``[H, W]`` on either side of a jump in depth."""
    out = np.zeros(depth.shape, bool)
    limit = edge_m(depth, camera)
    for axis in (0, 1):
        first = tuple(slice(None, -1) if a == axis else slice(None) for a in (0, 1))
        second = tuple(slice(1, None) if a == axis else slice(None) for a in (0, 1))
        jumps = np.abs(depth[first] - depth[second]) > np.minimum(limit[first], limit[second])
        out[first] |= jumps
        out[second] |= jumps
    return out


def _slope(points: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Step to the neighbour ``[H, W, 3]``, before or after, whichever is nearer in depth."""
    step = np.diff(points, axis=axis)
    edge = np.zeros_like(np.take(points, [0], axis))
    after = np.concatenate([step, edge], axis)
    before = np.concatenate([edge, step], axis)
    last = [slice(None), slice(None)]
    first = [slice(None), slice(None)]
    last[axis], first[axis] = slice(-1, None), slice(0, 1)
    after[tuple(last)] = before[tuple(last)]
    before[tuple(first)] = after[tuple(first)]
    nearer = np.abs(after[..., 2:]) <= np.abs(before[..., 2:])
    return np.where(nearer, after, before)
