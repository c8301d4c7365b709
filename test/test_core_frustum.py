# SPDX-License-Identifier: Apache-2.0
"""What a camera may see: boxes within its pyramid and before the surface that it measured."""

from __future__ import annotations

import numpy as np
from field_places import CAMERA, looking, pose

from f4x_ros.core.data import Frustum, farthest


def test_a_frustum_meets_every_box_with_a_point_in_view() -> None:
    rng = np.random.default_rng(0)
    frustum = Frustum(CAMERA, pose(1.0, -2.0, 0.5, turn=0.7), 12.0)
    low = rng.uniform(-15, 15, (400, 3))
    high = low + rng.uniform(0, 3, (400, 3))
    met = frustum.meets(low, high)
    T = np.linalg.inv(frustum.T_map_camera)
    for k in range(400):
        inside = rng.uniform(low[k], high[k], (200, 3)) @ T[:3, :3].T + T[:3, 3]
        z = inside[:, 2]
        uv = inside[:, :2] / np.maximum(z, 1e-9)[:, None] * [CAMERA.fx, CAMERA.fy]
        uv += [CAMERA.cx, CAMERA.cy]
        seen = (z > 0) & (z < 12) & (uv >= 0).all(1) & (uv < [CAMERA.width, CAMERA.height]).all(1)
        assert met[k] or not seen.any()
    assert 0.02 < met.mean() < 0.5  # and leaves most of the others out


def test_what_is_behind_or_too_far_is_not_met() -> None:
    box = np.array([[-1.0, -1.0, 5.0]]), np.array([[1.0, 1.0, 6.0]])
    assert looking().meets(*box)
    assert not looking(far_m=4.0).meets(*box)
    assert not looking(turn=np.pi).meets(*box)


def test_a_box_with_a_point_before_the_surface_is_met_and_one_behind_it_is_not() -> None:
    rng = np.random.default_rng(1)
    depth = np.full((48, 64), 6.0, np.float32)
    depth[:, 20:40] = 2.0  # a pillar
    depth[:24, 50:] = 0.0  # a window
    frustum = Frustum(CAMERA, pose(), 12.0, farthest(depth))
    low = rng.uniform((-6, -4, 0.5), (6, 4, 11), (600, 3))
    high = low + rng.uniform(0, 1, (600, 3))
    met = frustum.meets(low, high)
    for k in range(600):
        x, y, z = rng.uniform(low[k], high[k], (200, 3)).T
        u, v = CAMERA.fx * x / z + CAMERA.cx, CAMERA.fy * y / z + CAMERA.cy
        inside = (u >= 0) & (u < 64) & (v >= 0) & (v < 48) & (z < 12)
        surface = np.full(200, np.inf)
        surface[inside] = depth[v[inside].astype(int), u[inside].astype(int)]
        seen = inside & ((z < surface) | (surface == 0))
        assert met[k] or not seen.any()
    assert met.sum() < 0.7 * Frustum(CAMERA, pose(), 12.0).meets(low, high).sum()
    behind = np.array([[-0.3, -0.3, 3.0]]), np.array([[0.1, 0.3, 4.0]])
    assert looking().meets(*behind)
    assert not frustum.meets(*behind)
    assert frustum.meets(np.array([[1.5, -2.0, 9.0]]), np.array([[5.0, -1.0, 10.0]]))  # the window


def test_the_farthest_surface_of_a_tile_is_unknown_where_much_of_it_is() -> None:
    depth = np.ones((48, 64), np.float32)
    depth[0, 0] = 0.0  # one of 4 x 4 pixels: still known
    depth[:2, 4:8] = 0.0
    depth[10, 10] = 3.0
    found = farthest(depth)
    assert found.shape == (12, 16)
    assert found[0, 0] == np.float32(np.inf) or found[0, 0] == 1
    assert np.isinf(found[0, 1])
    assert found[2, 2] == 3
    assert (found[3:] == 1).all()
    odd = farthest(np.full((5, 7), 2.0, np.float32))  # smaller than there are tiles
    assert odd.shape == (5, 7)
    assert (odd == 2).all()
