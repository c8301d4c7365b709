# SPDX-License-Identifier: Apache-2.0
"""Which views a frame is refined against."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from box_world import BoxWorld
from test_core_births import as_view

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.mapping.schedule import Schedule

STEPS = 40
CONFIG = replace(MappingConfig(), iterations=STEPS, keyframe_iterations=0)


def test_half_of_the_steps_are_for_any_keyframe_within_reach_the_others_for_what_is_new() -> None:
    world = BoxWorld({}, speed_m=0.0)
    old, near, new = (as_view(world(i), 0.1 * i) for i in range(3))
    chosen = Schedule(CONFIG).views(new, [near], [old], keyframe=False)
    assert Counter(map(id, chosen)) == {
        id(new): STEPS // 4,
        id(near): STEPS // 4,
        id(old): STEPS // 2,
    }
    assert chosen[0] is new  # a frame with a single step refines what is new


def test_all_steps_are_for_the_new_view_where_there_is_no_keyframe_near_it() -> None:
    world = BoxWorld({}, speed_m=0.0)
    old, new = (as_view(world(i), 0.1 * i) for i in range(2))
    assert Schedule(CONFIG).views(new, [], [old], keyframe=False) == [new] * STEPS
