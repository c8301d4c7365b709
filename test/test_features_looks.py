# SPDX-License-Identifier: Apache-2.0
"""Wholes and magnified tiles: where they lie, how often they come, and what they show."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.features.base import FeatureExtractor, Traits
from f4x_ros.core.features.heads import Heads
from f4x_ros.core.features.looks import Look, Shot, look

VIEW = (160, 120)


def halved(images: torch.Tensor) -> torch.Tensor:
    """The colours of each 2x2 pixels."""
    return avg_pool2d(images, 2)


def tiles(count: int, view: tuple[int, int], each: int = 1) -> list[Look]:
    """The first tiles of a view."""
    looks = [look(nth, view, each) for nth in range(2 * count * (each + 1))]
    return [one for one in looks if not one.whole][:count]


@pytest.mark.parametrize("view", [(160, 120), (80, 46), (6, 8)])
def test_tiles_come_by_everywhere(view: tuple[int, int]) -> None:
    counts = np.zeros(view[::-1])
    for one in tiles(100, view):
        counts[one.pixels] += 0.01
    assert counts.min() > 0.07  # even in the corners
    assert counts.max() < 0.75
    assert counts.mean() == pytest.approx(0.25, abs=0.08)


def test_odd_views_have_no_blind_row() -> None:
    counts = np.zeros((7, 5))
    for one in tiles(100, (5, 7)):
        counts[one.pixels] += 1
    assert counts.min() > 7


def test_a_view_of_one_pixel_has_one_tile() -> None:
    assert tiles(1, (1, 1)) == [Look(0, 0, 1, 1, whole=False)]


@pytest.mark.parametrize("each", [0, 1, 3])
def test_each_whole_is_followed_by_so_many_tiles_and_no_tile_comes_twice(each: int) -> None:
    looks = [look(nth, VIEW, each) for nth in range(40)]
    assert [one.whole for one in looks] == [nth % (each + 1) == 0 for nth in range(40)]
    shown = [one for one in looks if not one.whole]
    assert len(set(shown)) >= 0.6 * len(shown)
    assert all(one.size == (120, 160) for one in looks if one.whole)


@pytest.mark.parametrize("zoom", [1, 2, 3])
def test_a_tile_shows_the_place_where_it_lies(zoom: int) -> None:
    """Colours are the same from near, whatever resolution the camera has."""
    ramp = np.stack(np.meshgrid(np.linspace(0, 250, 80), np.linspace(0, 250, 60)), -1)
    small = np.concatenate([ramp, ramp[..., :1] * 0 + 90], -1).astype(np.uint8)
    picture = np.ascontiguousarray(small.repeat(zoom, 0).repeat(zoom, 1))
    whole = torch.from_numpy(small).permute(2, 0, 1).float() / 255
    for one in tiles(4, (80, 60)):
        near = halved(one.cut(picture, (80, 60))[None])[0]
        assert near.shape == (3, 30, 40)
        assert (near - whole[(slice(None), *one.pixels)]).abs().max() < 0.012


def test_the_camera_of_a_part_sees_the_same_points_there() -> None:
    view = PinholeCamera(160, 120, 100.0, 110.0, 82.0, 57.0)
    points = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 4], (50, 3))
    for one, size in ((look(0, VIEW, 1), (80, 60)), (look(1, VIEW, 1), (40, 30))):
        own = one.camera(view, size).project(points)
        expected = (view.project(points) - [one.x, one.y]) * [
            size[0] / one.width,
            size[1] / one.height,
        ]
        assert np.allclose(own, expected)


def test_a_part_of_a_map_is_what_lies_there() -> None:
    ramp = torch.stack(torch.meshgrid(torch.arange(60.0), torch.arange(80.0), indexing="ij"))
    for one in tiles(3, VIEW):
        part = one.of_map(ramp, VIEW)
        assert part.shape == (2, 30, 40)
        assert part[0, 0, 0] == pytest.approx(max(0.0, one.y / 2), abs=0.6)
        assert part[1, 0, -1] == pytest.approx((one.x + one.width) / 2 - 1, abs=0.6)


def test_maps_are_used_in_their_own_resolution_within_half_of_the_view_and_the_view() -> None:
    whole = look(0, VIEW, 1)
    for rows, expected in ((4, 60), (60, 60), (90, 90), (120, 120), (500, 120)):
        shares = [torch.zeros(rows, rows * 4 // 3, 1), torch.zeros(2, 3, 1)]
        assert whole.grid(shares)[0] == expected


class Sees(FeatureExtractor):
    """An extractor that notes what it is shown."""

    dim, licence = 3, "none"

    def __init__(self, name: str, *, closer: bool) -> None:
        self.name, self.traits, self.shown = name, Traits(looks_closer=closer), []

    def dense(self, images: torch.Tensor) -> torch.Tensor:
        self.shown.append(images[0])
        return halved(images)


def test_only_extractors_that_gain_are_shown_tiles_and_all_speak_of_the_same_place() -> None:
    near, far = Sees("near", closer=True), Sees("far", closer=False)
    heads = Heads([near, far])
    smooth = np.stack(np.meshgrid(np.arange(32) * 7, np.arange(24) * 9), -1)
    picture = np.concatenate([smooth, smooth[..., :1]], -1).astype(np.uint8)
    image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    one = look(1, (32, 24), 1)
    tile = one.cut(picture, (32, 24))
    parts = heads.parts(Shot(tile, image, one, (32, 24)))
    maps = [part.features for part in parts]
    assert torch.equal(near.shown[0], tile)
    assert torch.equal(far.shown[0], image)
    fine = avg_pool2d(maps[0][None], 2)[0]
    assert (fine - maps[1]).abs().max() < 0.06
