# SPDX-License-Identifier: Apache-2.0
"""Which views a frame is refined against."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

from box_world import BoxWorld
from test_core_births import as_view

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.mapping.schedule import Schedule

STEPS = 60
CONFIG = replace(MappingConfig(), iterations=STEPS, keyframe_iterations=0)


def test_a_third_each_for_the_new_view_the_latest_near_it_and_any_within_reach() -> None:
    world = BoxWorld({}, speed_m=0.0)
    *keyframes, new = (as_view(world(i), 0.1 * i) for i in range(21))
    near, old = keyframes[10:], keyframes[:10]
    chosen = Schedule(CONFIG).views(new, near, old, keyframe=False)
    counts = Counter(map(id, chosen))
    assert chosen[0] is new  # a frame with a single step refines what is new
    assert STEPS // 3 <= counts[id(new)] <= STEPS // 3 + STEPS // 10
    assert sum(counts[id(one)] for one in old) == STEPS // 3


def test_a_keyframe_that_had_its_turn_a_moment_ago_leaves_its_step_to_the_new_view() -> None:
    world = BoxWorld({}, speed_m=0.0)
    only, new = (as_view(world(i), 0.1 * i) for i in range(2))
    chosen = Schedule(CONFIG).views(new, [only], [only], keyframe=False)
    turns = [step for step, one in enumerate(chosen) if one is only]
    assert len(turns) > STEPS // 8
    assert all(after - before > 3 for before, after in pairwise(turns))


def test_what_was_left_alone_for_longest_has_its_turn_before_others_have_two() -> None:
    world = BoxWorld({}, speed_m=0.0)
    *old, near, new = (as_view(world(i), 0.1 * i) for i in range(6))
    schedule = Schedule(CONFIG)
    chosen = [one for _ in range(3) for one in schedule.views(new, [near], old, keyframe=False)]
    counts = Counter(map(id, chosen))
    share = STEPS // len(old)  # of a third of three frames' steps
    assert all(0.8 * share <= counts[id(one)] <= 1.2 * share for one in old)


def test_all_steps_are_for_the_new_view_where_there_is_no_keyframe_near_it() -> None:
    world = BoxWorld({}, speed_m=0.0)
    old, new = (as_view(world(i), 0.1 * i) for i in range(2))
    assert Schedule(CONFIG).views(new, [], [old], keyframe=False) == [new] * STEPS
