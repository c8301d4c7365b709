# SPDX-License-Identifier: Apache-2.0
"""Magnified tiles: where they lie, what they add, and how much it counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from f4x_ros.core.features.base import FeatureExtractor, Traits
from f4x_ros.core.features.close_looks import look_closer, tile
from f4x_ros.core.features.heads import Heads


def halved(images: torch.Tensor) -> torch.Tensor:
    """The colours of each 2x2 pixels."""
    return avg_pool2d(images, 2)


def counted(grid: tuple[int, int], looks: int) -> np.ndarray:
    counts = np.zeros(grid)
    for nth in range(looks):
        counts[tile(nth, grid).cells] += 1
    return counts


@pytest.mark.parametrize("grid", [(120, 160), (46, 80), (8, 6)])
def test_tiles_come_by_everywhere(grid: tuple[int, int]) -> None:
    counts = counted(grid, 100) / 100
    assert counts.min() > 0.07  # even in the corners
    assert counts.max() < 0.75
    assert counts.mean() == pytest.approx(0.25, abs=0.07)


def test_odd_grids_have_no_blind_row() -> None:
    assert counted((7, 5), 100).min() > 7


def test_a_grid_of_one_cell_has_one_tile() -> None:
    assert tile(3, (1, 1)) == (0, 0, 1, 1)


@pytest.mark.parametrize("zoom", [1, 2, 3])
def test_a_tile_shows_the_place_where_it_lies(zoom: int) -> None:
    """Colours are the same from near, so nothing changes, whatever resolution the camera has."""
    ramp = np.stack(np.meshgrid(np.linspace(0, 250, 80), np.linspace(0, 250, 60)), -1)
    small = np.concatenate([ramp, ramp[..., :1] * 0 + 90], -1).astype(np.uint8)
    picture = np.ascontiguousarray(small.repeat(zoom, 0).repeat(zoom, 1))
    whole = halved(torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255)[0]
    for nth in range(4):
        found, counts = look_closer(halved, whole, picture, (80, 60), range(nth, nth + 1))
        assert (found - whole).abs().max() < 0.012
        assert set(counts.unique().tolist()) == {0.5, 2.5}


def test_both_looks_have_the_same_say_in_the_mean() -> None:
    """The whole says 0 everywhere and the tiles 1: the mean over many frames is a half."""
    grid, picture = (12, 16), np.zeros((24, 32, 3), np.uint8)

    def ones(images: torch.Tensor) -> torch.Tensor:
        return torch.ones(1, 1, *grid)

    for looks in (1, 3):
        total, weight = torch.zeros(grid), torch.zeros(grid)
        for frame in range(200):
            numbers = range(frame * looks, (frame + 1) * looks)
            found, counts = look_closer(ones, torch.zeros(1, *grid), picture, (32, 24), numbers)
            total += found[0] * counts
            weight += counts
        assert float((total / weight).mean()) == pytest.approx(0.5, abs=0.06)
        assert float((total / weight).min()) > 0.25
        assert float(weight.mean()) == pytest.approx(200, rel=0.05)  # about 1 a frame


class Sees(FeatureExtractor):
    """An extractor that notes what it is shown."""

    dim, licence = 3, "none"

    def __init__(self, name: str, *, closer: bool) -> None:
        self.name, self.traits, self.shown = name, Traits(looks_closer=closer), 0

    def dense(self, images: torch.Tensor) -> torch.Tensor:
        self.shown += 1
        return halved(images)


def test_only_extractors_that_gain_are_shown_tiles() -> None:
    near, far = Sees("near", closer=True), Sees("far", closer=False)
    heads = Heads([near, far])
    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    maps = heads.dense(torch.from_numpy(picture).permute(2, 0, 1).float() / 255)
    found, counts = heads.look_closer(maps, picture, (32, 24), range(2))
    assert (near.shown, far.shown) == (3, 1)
    assert found[1] is maps[1]
    assert len(counts) == 1
    assert not torch.equal(found[0], maps[0])
    found, counts = heads.look_closer(maps, picture, (32, 24), range(0))
    assert found[0] is maps[0]
    assert counts == []
