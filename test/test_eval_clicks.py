# SPDX-License-Identifier: Apache-2.0
"""The simulated user who clicks: where, how often, and what its scores say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from f4x_ros.eval.metrics.clicks import CLICKS, Click, click_through, next_click
from f4x_ros.eval.protocol.click_questions import click_numbers, visible_things
from f4x_ros.sim import World


def block(columns: slice, rows: slice = slice(4, 15)) -> np.ndarray:
    out = np.zeros((20, 30), bool)
    out[rows, columns] = True
    return out


def nothing() -> np.ndarray:
    return np.zeros((20, 30), bool)


def test_the_first_click_is_the_middle_of_the_thing() -> None:
    click = next_click(block(slice(5, 16)), nothing())
    assert click == Click(10.5, 9.5, True)


def test_the_border_of_the_picture_is_an_outline_too() -> None:
    click = next_click(block(slice(0, 11), slice(0, 11)), nothing())
    assert click == Click(5.5, 5.5, True)


def test_the_next_click_is_in_the_deepest_error_missing_or_too_much() -> None:
    truth = block(slice(5, 16))
    missing = next_click(truth, block(slice(5, 9)))
    assert missing is not None
    assert missing.inside
    assert 9 < missing.x < 16
    extra = next_click(truth, block(slice(5, 27)))
    assert extra == Click(21.5, 9.5, False)
    assert next_click(truth, truth) is None


def test_a_user_who_sees_no_error_clicks_no_more() -> None:
    truth, asked = block(slice(5, 16)), []

    def perfect(clicks: Sequence[Click]) -> np.ndarray:
        asked.append(len(clicks))
        return truth

    assert click_through(truth, perfect) == [1.0] * CLICKS
    assert asked == [1]


def test_each_click_sees_all_before_it_and_is_scored() -> None:
    truth = block(slice(5, 25))

    def brush(clicks: Sequence[Click]) -> np.ndarray:
        out = nothing()
        for click in clicks:
            assert truth[int(click.y), int(click.x)] == click.inside
            out[:, int(click.x) - 2 : int(click.x) + 3] |= truth[:, int(click.x)][:, None]
        return out

    ious = click_through(truth, brush)
    assert len(ious) == CLICKS
    assert ious[0] == pytest.approx(5 / 20)
    assert ious == sorted(ious)
    assert ious[-1] > 0.6


class Clicker:
    """Knows the world; `shift_px` moves its masks."""

    def __init__(self, world: World, shift_px: int = 0) -> None:
        self._world, self._shift_px = world, shift_px
        self.stamps: set[int] = set()

    def segment(self, clicks: Sequence[Click], stamp_ns: int = 0, view: Any = None) -> np.ndarray:
        self.stamps.add(stamp_ns)
        last = self._world.stamps_ns[-1]
        index = int(np.searchsorted(self._world.stamps_ns, stamp_ns or last))
        own = np.array_equal(view, self._world.camera_pose(index))
        truth = self._world.truth(index) if own else self._world.view(index, view)[1]
        first = clicks[0]
        number = int(truth.instances[int(first.y), int(first.x)])
        return np.roll(truth.mask({number}), self._shift_px, axis=1)


@pytest.fixture(scope="module")
def world() -> World:
    return World(width=96, frames=10, scene="tabletop")


def test_who_selects_the_truth_scores_one_at_all_moments_and_views(world: World) -> None:
    clicker = Clicker(world)
    numbers = click_numbers(world, clicker, [])
    assert numbers["click_iou_1"] == numbers["click_iou_3"] == 1.0
    assert numbers["click_iou_1_aside"] is None  # there was no such view
    assert 0 in clicker.stamps  # now
    assert len(clicker.stamps) > 1  # and before
    things = visible_things(world, world.truth(9))
    assert things
    assert "floor" not in {world.labels[number].cls for number in things}


def test_masks_beside_the_thing_score_less(world: World) -> None:
    value = click_numbers(world, Clicker(world, 3), [])["click_iou_1"]
    assert value is not None
    assert 0.1 < value < 0.9


def test_a_subject_that_answers_no_clicks_is_not_measured(world: World) -> None:
    assert click_numbers(world, object(), []) == {}
