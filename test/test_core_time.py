# SPDX-License-Identifier: Apache-2.0
"""Gaps, a camera that was away, held-out frames: none of them changes what time is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from box_world import BoxWorld, still

from f4x_ros.core.config import Config, MappingConfig
from f4x_ros.core.data import Frame
from f4x_ros.core.features.color import ColorExtractor
from f4x_ros.core.field import NO_PIECE
from f4x_ros.core.mapping.births import held_times
from f4x_ros.core.motion import Pace, rest_s
from f4x_ros.core.observe import Exposure, View, make_view
from f4x_ros.core.perception import Perception

QUICK = {
    "features.extractor": "color",
    "mapping.iterations": 2,
    "mapping.keyframe_iterations": 4,
}
S = 1_000_000_000


def as_view(frame: Frame, time_s: float) -> View:
    cpu = torch.device("cpu")
    return make_view(frame, time_s, MappingConfig(), cpu, Exposure.neutral(cpu, learn=False))


def turned_away(index: int) -> Frame:
    """A wall beside everything else."""
    turned = np.eye(4)
    turned[:3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    return replace(BoxWorld({}, speed_m=0.0)(index), T_map_camera=turned)


# --- when what is gone went --------------------------------------------------------------------


def test_a_place_is_held_until_the_last_view_that_looked_there() -> None:
    red = BoxWorld({"red": still(0.0, 0.0, 1.5)}, speed_m=0.0)
    empty = BoxWorld({}, speed_m=0.0)
    views = [
        as_view(red(0), 0.0),
        as_view(red(1), 0.1),
        as_view(turned_away(2), 0.2),
        as_view(empty(3), 0.3),
        as_view(replace(red(4), depth=np.zeros((72, 96), np.float32)), 0.4),  # saw nothing
    ]
    at_red, at_wall, behind = [0.0, 0.0, 1.5], [0.5, 0.3, 2.0], [0.0, 0.0, -1.0]
    means, margin = torch.tensor([at_red, at_wall, behind]), torch.full((3,), 0.02)
    held = held_times(views, [], means, margin, 0.05)
    assert held.tolist() == pytest.approx([0.1, 0.3, -np.inf])
    hidden = torch.tensor([[0.0, 0.0, 1.8]])  # behind the red square: nothing says that it is gone
    assert held_times(views[:2], [], hidden, margin[:1], 0.05).tolist() == pytest.approx([0.1])


def test_a_death_while_the_camera_was_away_is_dated_from_the_last_view_of_the_place() -> None:
    def pan(index: int) -> Frame:
        """Red stands there, the camera looks away for four seconds, and red is gone."""
        if 5 <= index < 45:
            return turned_away(index)
        red = {"red": still(0.0, 0.0, 1.5)} if index < 5 else {}
        return BoxWorld(red, speed_m=0.0)(index)

    perception = Perception(Config.from_dotted(QUICK), ("red thing",))
    for index in range(48):
        perception.process(pan(index))
    field = perception._memory.field
    colors = field.past["colors"]
    red = (colors[:, 0] > 0.5) & (colors[:, 1] < 0.3)
    assert red.sum() > 20
    death_s = field.past["death_s"][red]
    assert float(death_s.median()) == pytest.approx((0.4 + 4.5) / 2, abs=0.06)  # not 4.45
    assert not perception.query("red thing").present
    assert perception.query("red thing", stamp_ns=pan(4).stamp_ns).present
    soon, late = (pan(0).stamp_ns + int(s * S) for s in (2.0, 3.0))
    assert perception.query("red thing", stamp_ns=soon).present
    assert not perception.query("red thing", stamp_ns=late).present


# --- gaps ----------------------------------------------------------------------------------------


def test_a_gap_does_not_change_the_usual_interval() -> None:
    pace = Pace()
    assert pace.interval_s == 0
    for _ in range(10):
        pace.add(0.1)
    pace.add(60.0)
    assert pace.interval_s == pytest.approx(0.1)
    assert rest_s(pace.interval_s) == 1.0
    for _ in range(20):
        pace.add(2.0)
    assert rest_s(pace.interval_s) == 5.0  # frames are rare now: rest takes more of them


def test_after_a_gap_what_rests_is_not_taken_to_move() -> None:
    """With the length of the gap as the interval, all that came within a minute would move."""
    world = BoxWorld({"red": still(-0.3, 0.0, 1.6), "blue": still(0.4, 0.1, 1.5)}, speed_m=0.0)

    def late(index: int) -> Frame:
        """Blue is put down in frame 5; after frame 24 nothing comes for thirty seconds."""
        frame = (world if index >= 5 else BoxWorld({"red": world.squares["red"]}, speed_m=0.0))(
            index
        )
        return replace(frame, stamp_ns=frame.stamp_ns + (30 * S if index > 24 else 0))

    perception = Perception(Config.from_dotted(QUICK), ("red thing", "blue thing"))
    percepts = [perception.process(late(index)) for index in range(28)]
    blue = world.mask(20, "blue")
    assert percepts[7].moving[blue].mean() > 0.5  # it has just come
    for percept in (percepts[24], *percepts[25:]):
        assert percept.moving.mean() < 0.01
        assert not any(track.moving for track in percept.tracks)
    before = {track.id for track in percepts[24].tracks}
    assert {track.id for track in percepts[27].tracks} == before


# --- held-out frames -----------------------------------------------------------------------------


def test_held_out_frames_advance_no_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """With every 8th held out and `group_every` 8, pieces are made all the same."""
    monkeypatch.setattr(ColorExtractor, "traits", replace(ColorExtractor.traits, of_things=True))
    config = Config.from_dotted({**QUICK, "features.group_every": 8, "features.every": 8})
    perception = Perception(config)
    grouped, extracted = [], 0
    for index in range(20):
        before = perception._memory.distiller.codec.images
        percept = perception.process(BoxWorld()(index), hold_out=index % 8 == 7)
        grouped += [index] if "grouped" in percept.counts else []
        extracted += perception._memory.distiller.codec.images - before
    assert grouped == [8, 17]  # the 8th and the 16th that were mapped
    assert extracted == 3  # the 1st, the 9th and the 17th
    assert (perception._memory.field.present["piece_ids"] != NO_PIECE).float().mean() > 0.9
