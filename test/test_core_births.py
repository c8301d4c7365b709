# SPDX-License-Identifier: Apache-2.0
"""When new Gaussians are taken to have appeared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from box_world import BoxWorld, iou, still

from f4x_ros.core.config import Config, MappingConfig
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.mapping.births import RecentViews, birth_times
from f4x_ros.core.observe.exposure import Exposure
from f4x_ros.core.observe.views import View, make_view
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)
CPU = torch.device("cpu")


def as_view(frame: Frame, time_s: float) -> View:
    return make_view(frame, time_s, MappingConfig(), CPU, Exposure.neutral(CPU, learn=False))


def test_a_slow_mover_before_a_still_camera_is_dated_and_moves() -> None:
    world = BoxWorld({"red": lambda i: (-0.5 + 0.02 * i, -0.2, 1.6)}, speed_m=0.0)
    perception = Perception(QUICK, ("red thing",))
    percepts = [perception.process(world(i)) for i in range(24)]
    for index in (4, 8, 12, 16):
        mask = perception.query("red thing", stamp_ns=percepts[index].stamp_ns).mask
        assert iou(mask >= 0.5, world.mask(index, "red")) > 0.65
    assert sum(t.moving for p in percepts for t in p.tracks) > 15
    assert np.allclose(percepts[-1].tracks[0].velocity, (0.2, 0, 0), atol=0.06)


def test_a_thing_put_down_while_its_place_was_out_of_view_was_not_always_there() -> None:
    def pan(index: int) -> Frame:
        """Looks ahead, away for four seconds, and ahead again, where green stands now."""
        looks_away = 3 <= index < 43
        green = still(0.0, 0.0, 1.5) if index >= 10 else still(0.0, 0.0, 99.0)
        frame = BoxWorld({"green": green}, speed_m=0.0)(index)
        if not looks_away:
            return frame
        turned = np.eye(4)
        turned[:3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
        wall = BoxWorld({}, speed_m=0.0)(index)
        return replace(wall, T_map_camera=turned)

    perception = Perception(QUICK, ("green thing",))
    for index in range(46):
        perception.process(pan(index))
    assert perception.query("green thing").present
    assert not perception.query("green thing", stamp_ns=pan(0).stamp_ns).present


def test_the_latest_view_that_saw_the_place_empty_dates_a_birth() -> None:
    world = BoxWorld({}, speed_m=0.0)
    views = [as_view(world(i), 0.1 * i) for i in range(5)]
    blind = as_view(replace(world(5), depth=np.zeros((72, 96), np.float32)), 0.5)
    means = torch.tensor([[0.0, 0.0, 1.5], [0.0, 0.0, 2.0], [9.0, 0.0, 1.5]])
    birth = birth_times([*views, blind][::-1], views, means, torch.full((3,), 0.02), 0.05)
    assert birth.tolist() == [views[4].time_s, -np.inf, -np.inf]


def test_old_keyframes_are_asked_only_where_they_look() -> None:
    old = as_view(BoxWorld({}, speed_m=0.0)(0), 0.0)
    behind, ahead = torch.tensor([[0.0, 0.0, -1.5]]), torch.tensor([[0.2, 0.1, 1.5]])
    margin = torch.tensor([0.02])
    assert birth_times([], [old], ahead, margin, 0.05).tolist() == [0.0]
    assert birth_times([], [old], behind, margin, 0.05).tolist() == [-np.inf]


def test_recent_views_are_bounded_and_spread_over_the_last_seconds() -> None:
    frame = BoxWorld()(0)
    for rate_hz in (2.0, 10.0, 60.0):
        recent = RecentViews()
        for index in range(int(20 * rate_hz)):
            recent.add(as_view(frame, index / rate_hz))
        times = [v.time_s for v in recent.views]
        assert times == sorted(times)
        assert 8 <= len(times) <= 16
        assert times[-1] == (int(20 * rate_hz) - 1) / rate_hz
        assert times[-1] - times[0] >= 1.5
        assert np.diff(times).max() < max(0.4, 2 / rate_hz)
