# SPDX-License-Identifier: Apache-2.0
"""Pixels that show two things teach little."""

from __future__ import annotations

import torch
from torch import Tensor

from f4x_ros.core.features.silhouettes import pixel_weights

HEIGHT, WIDTH = 24, 32


def two_things() -> Tensor:
    """Unit features [h, w, 2] at half the size: one thing on the left, another on the right."""
    features = torch.zeros(HEIGHT // 2, WIDTH // 2, 2)
    features[:, : WIDTH // 4, 0] = 1
    features[:, WIDTH // 4 :, 1] = 1
    return features


def weights_of(maps: list[Tensor], depth: Tensor) -> Tensor:
    """At the size of the depth."""
    return pixel_weights(maps, depth, (HEIGHT, WIDTH))


def slanted() -> Tensor:
    """Depth [H, W] of a plane: the inverse depth is linear in the pixels."""
    column = torch.arange(WIDTH, dtype=torch.float32)
    return (1 / (0.5 + 0.01 * column)).expand(HEIGHT, WIDTH).clone()


def test_inside_of_things_on_a_plane_pixels_count_whole():
    weights = weights_of([two_things()], slanted())
    assert weights.shape == (HEIGHT, WIDTH)
    assert (weights[:, :10] > 0.99).all()
    assert (weights[:, -10:] > 0.99).all()


def test_where_features_change_pixels_count_little_but_count():
    weights = weights_of([two_things()], slanted())
    edge = weights[:, WIDTH // 2 - 1 : WIDTH // 2 + 1]
    assert (edge < 0.1).all()
    assert (weights > 0).all()


def test_every_head_has_a_say():
    same = torch.ones(HEIGHT, WIDTH, 3)
    alone = weights_of([same], slanted())
    both = weights_of([same, two_things()], slanted())
    assert (alone > 0.99).all()
    assert torch.allclose(both, weights_of([two_things()], slanted()))


def test_at_depth_edges_and_holes_pixels_count_little():
    depth = slanted()
    depth[:, 20:] += 1.0
    depth[5, 5] = 0
    weights = weights_of([torch.ones(HEIGHT, WIDTH, 3)], depth)
    assert (weights[:, 19:21] < 0.3).all()
    assert (weights[4:7, 4:7] < 0.3).all()
    assert weights[12, 10] > 0.99


def test_without_a_head_that_tells_things_apart_depth_alone_decides():
    depth = slanted()
    depth[:, 20:] += 1.0
    weights = weights_of([], depth)
    assert (weights[:, 19:21] < 0.3).all()
    assert (weights[:, :18] == 1).all()


def test_at_a_smaller_size_what_touches_an_edge_counts_little():
    depth = slanted()
    depth[:, 20:] += 1.0
    weights = pixel_weights([torch.ones(HEIGHT // 2, WIDTH // 2, 3)], depth, (12, 16))
    assert weights.shape == (12, 16)
    assert (weights[:, 9:11] < 0.3).all()
    assert (weights[:, :8] > 0.99).all()
