# SPDX-License-Identifier: Apache-2.0
"""Pixels that show two things teach little."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.features.silhouettes import pixel_weights

HEIGHT, WIDTH = 24, 32


def two_things() -> Tensor:
    """Unit features [2, h, w] at half the size: one thing on the left, another on the right."""
    features = torch.zeros(2, HEIGHT // 2, WIDTH // 2)
    features[0, :, : WIDTH // 4] = 1
    features[1, :, WIDTH // 4 :] = 1
    return features


def slanted() -> Tensor:
    """Depth [H, W] of a plane: the inverse depth is linear in the pixels."""
    column = torch.arange(WIDTH, dtype=torch.float32)
    return (1 / (0.5 + 0.01 * column)).expand(HEIGHT, WIDTH).clone()


def test_inside_of_things_on_a_plane_pixels_count_whole():
    weights = pixel_weights([two_things()], slanted())
    assert weights.shape == (HEIGHT, WIDTH)
    assert (weights[:, :10] > 0.99).all()
    assert (weights[:, -10:] > 0.99).all()


def test_where_features_change_pixels_count_little_but_count():
    weights = pixel_weights([two_things()], slanted())
    edge = weights[:, WIDTH // 2 - 1 : WIDTH // 2 + 1]
    assert (edge < 0.1).all()
    assert (weights > 0).all()


def test_every_head_has_a_say():
    same = torch.ones(3, HEIGHT, WIDTH)
    alone = pixel_weights([same], slanted())
    both = pixel_weights([same, two_things()], slanted())
    assert (alone > 0.99).all()
    assert torch.allclose(both, pixel_weights([two_things()], slanted()))


def test_at_depth_edges_and_holes_pixels_count_little():
    depth = slanted()
    depth[:, 20:] += 1.0
    depth[5, 5] = 0
    weights = pixel_weights([torch.ones(3, HEIGHT, WIDTH)], depth)
    assert (weights[:, 19:21] < 0.3).all()
    assert (weights[4:7, 4:7] < 0.3).all()
    assert weights[12, 10] > 0.99


def test_without_a_head_that_tells_things_apart_depth_alone_decides():
    depth = slanted()
    depth[:, 20:] += 1.0
    weights = pixel_weights([], depth)
    assert (weights[:, 19:21] < 0.3).all()
    assert (weights[:, :18] == 1).all()
