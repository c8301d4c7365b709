# SPDX-License-Identifier: Apache-2.0
"""The check of the truth passes on the truth and notices small lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.sim import World
from f4x_ros.sim.check import check_truth, coverage


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(width=160, frames=14, cache=tmp_path_factory.mktemp("worlds")) as made:
        yield made


class Lying:
    """A world whose truth is changed by `lie(truth, index)`."""

    def __init__(self, world: World, lie: Any) -> None:
        self._world, self._lie = world, lie

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def __len__(self) -> int:
        return len(self._world)

    def truth(self, index: int) -> Any:
        return self._lie(self._world.truth(index), index)


def test_poses_reproduce_masks_within_a_pixel_and_depth_agrees_within_two_millimetres(
    world: World,
) -> None:
    found = check_truth(world, frames=2)
    assert found.objects >= 20
    assert (found.outside_px, found.missing_px) == (0, 0)
    assert found.depth_points > 5000
    assert found.depth_median_m < 1e-5
    assert found.depth_p99_m < 2e-3


def test_poses_that_are_two_centimetres_off_are_noticed(world: World) -> None:
    def lie(truth: Any, index: int) -> Any:
        poses = {n: T.copy() for n, T in truth.T_map_object.items()}
        for T in poses.values():
            T[:2, 3] += 0.02
        return replace(truth, T_map_object=poses)

    found = check_truth(Lying(world, lie), frames=2)  # type: ignore[arg-type]
    assert found.outside_px > 20
    assert found.missing_px > 0


def test_depth_that_is_half_a_percent_off_is_noticed(world: World) -> None:
    def lie(truth: Any, index: int) -> Any:
        return replace(truth, depth=truth.depth * np.float32(1 + 0.001 * index))

    found = check_truth(Lying(world, lie), frames=2)  # type: ignore[arg-type]
    assert found.depth_median_m > 2e-3


def test_a_world_too_short_to_compare_is_named(world: World) -> None:
    with pytest.raises(ValueError, match="has 5 frames, expected more than 6"):
        check_truth(world.shortened(5))


def test_coverage_is_the_area_of_a_triangle() -> None:
    camera = PinholeCamera(40, 30, 40.0, 40.0, 20.0, 15.0)
    points = np.array([[-0.25, -0.25, 1.0], [0.25, -0.25, 1.0], [-0.25, 0.25, 1.0]])
    share = coverage(camera, points, np.array([[0, 1, 2]], np.int32))
    assert share.sum() == pytest.approx(20 * 20 / 2, rel=0.05)
    assert share[6, 11] == 1
    assert share[24, 29] == 0
