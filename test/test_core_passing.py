# SPDX-License-Identifier: Apache-2.0
"""What moves is known only where it is seen; what rests stays where it was seen."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from box_world import CAMERA, STEP_NS, BoxWorld, still

from f4x_ros.core.config import Config, MappingConfig
from f4x_ros.core.field.gaussians import GaussianSet, present_columns
from f4x_ros.core.motion.passing import gone_beside, note_moving_things, on_its_way, passed_on
from f4x_ros.core.objects.pieces import Grouper
from f4x_ros.core.observe.exposure import Exposure
from f4x_ros.core.observe.free_space import hidden, seen_through
from f4x_ros.core.observe.views import View, make_view
from f4x_ros.core.perception import Perception

NOW_S, FRAME_S = 10.0, 0.1
QUICK = {
    "mapping.bodies": False,  # without them, what moves is mapped anew in each frame
    "features.extractor": "color",
    "mapping.iterations": 2,
    "mapping.keyframe_iterations": 4,
}


def gaussians(births_s: list[float], seen_s: list[float], apart_m: float = 0.01) -> GaussianSet:
    """A row of Gaussians, a centimetre apart."""
    found = GaussianSet(present_columns(4), "cpu")
    means = torch.zeros(len(births_s), 3)
    means[:, 0] = apart_m * torch.arange(len(births_s))
    times = {"birth_s": births_s, "seen_s": seen_s}
    found.append({"means": means} | {k: torch.tensor(v).double() for k, v in times.items()})
    return found


@pytest.mark.parametrize(
    ("birth_s", "seen_s", "goes"),
    [
        (9.0, 9.5, True),  # came, went on
        (9.0, 9.85, False),  # in sight a moment ago
        (8.0, 9.5, False),  # stood there for long enough
        (-math.inf, 9.5, False),  # always there
    ],
)
def test_what_came_and_went_out_of_sight_goes(birth_s: float, seen_s: float, goes: bool) -> None:
    found = passed_on(gaussians([birth_s] * 6, [seen_s] * 6), NOW_S, FRAME_S, 0.1)
    assert found.tolist() == [goes] * 6


def test_rare_frames_and_the_option_make_it_wait() -> None:
    mover = gaussians([9.0] * 6, [9.5] * 6)
    assert passed_on(mover, NOW_S, FRAME_S, 0.4).all()
    assert not passed_on(mover, NOW_S, FRAME_S, 0.6).any()
    assert not passed_on(mover, NOW_S, 0.3, 0.1).any()


def test_noise_within_what_stands_and_single_points_stay() -> None:
    births = [-math.inf] * 5 + [9.0]
    assert not passed_on(gaussians(births, [9.5] * 6), NOW_S, FRAME_S, 0.1).any()
    assert not passed_on(gaussians([9.0] * 6, [9.5] * 6, apart_m=1.0), NOW_S, FRAME_S, 0.1).any()


def test_an_empty_field_has_nothing_that_goes() -> None:
    assert len(passed_on(gaussians([], []), NOW_S, FRAME_S, 0.1)) == 0


def first_view() -> View:
    """A wall at 2 m, two squares before it."""
    exposure = Exposure.neutral(torch.device("cpu"), learn=False)
    return make_view(BoxWorld()(0), 0.0, MappingConfig(), torch.device("cpu"), exposure)


def test_hidden_is_what_lies_behind_the_measured_surface() -> None:
    points = torch.tensor([
        [0.0, 0.0, 2.5],  # behind the wall
        [0.0, 0.0, 2.01],  # on it
        [0.0, 0.0, 1.0],  # before it
        [-0.4, 0.0, 1.8],  # between the red square and the wall
        [-0.25, 0.0, 1.65],  # at the square's edge, which both it and the wall are near
        [5.0, 0.0, 2.5],  # out of the picture
        [0.0, 0.0, -1.0],  # behind the camera
    ])  # fmt: skip
    margin = torch.full((len(points),), 0.02)
    assert hidden(first_view(), points, margin, 0.025).tolist() == [
        True, False, False, True, False, False, False,
    ]  # fmt: skip


def test_without_a_reading_nothing_is_hidden() -> None:
    view = first_view()
    view.depth[:] = 0
    assert not hidden(view, torch.tensor([[0.0, 0.0, 2.5]]), torch.zeros(1), 0.025).any()


def test_an_edge_excuses_only_what_is_not_judged_at_edges() -> None:
    edge = torch.tensor([[-0.248 * 1.2 / 1.6, 0.0, 1.2]])  # a pixel beside the red square, nearer
    view, margin = first_view(), torch.zeros(1)
    view.depth[view.depth < 1.9] = 1.1  # now the square is before it, the wall behind
    assert not seen_through(view, edge, margin, 0.025).any()
    assert seen_through(view, edge, margin, 0.025, at_edges=True).all()


def places_of_red(approaching: BoxWorld, frames: int, **options: object) -> torch.Tensor:
    """Distances (m) of the red Gaussians from the camera, after some frames."""
    perception = Perception(Config.from_dotted(QUICK | options))
    for index in range(frames):
        perception.process(approaching(index))
    return red_of(perception)[:, 2]


def red_of(perception: Perception) -> torch.Tensor:
    """Places [K, 3] of the red Gaussians that are there now."""
    present = perception._memory.field.present
    red = (present["colors"][:, 0] > 0.5) & (present["colors"][:, 1] < 0.3)
    return present["means"][red & (present.opacities > 0.3)]


def test_a_thing_that_comes_nearer_leaves_no_trail() -> None:
    world = BoxWorld({"red": lambda i: (0.0, 0.0, 1.9 - 0.06 * i)}, speed_m=0.0)
    now_m = 1.9 - 0.06 * 15
    trail = places_of_red(world, 16)
    kept = places_of_red(world, 16, **{"mapping.unseen_mover_s": 60.0})
    assert (trail < now_m + 0.05).sum() > 20
    # Where it was at first it was not seen to come to: that stays, as what is always there does.
    on_the_way = [((z > now_m + 0.4) & (z < 1.7)).sum() for z in (trail, kept)]
    assert on_the_way[0] <= 0.15 * on_the_way[1]
    assert on_the_way[1] > 20


def test_a_thing_that_came_and_stood_stays_when_something_hides_it() -> None:
    world = BoxWorld(
        {
            "red": lambda i: (max(-0.4, 0.8 - 0.15 * i), 0.0, 1.6),  # there from frame 8 on
            "blue": lambda i: (-0.3 if i >= 28 else 2.0, 0.0, 1.2),
        },
        speed_m=0.0,
    )
    assert CAMERA.width == 96
    assert STEP_NS == 100_000_000  # it stands for two seconds, and is hidden for one
    assert (places_of_red(world, 38) - 1.6).abs().lt(0.05).sum() > 20


def of_pieces(ids: list[int], births_s: list[float]) -> GaussianSet:
    """Gaussians seen a moment ago, of some pieces."""
    rows = dict(gaussians(births_s, [NOW_S - 0.01] * len(ids)).items())
    present = GaussianSet(present_columns(4), "cpu")
    present.append(rows | {"piece_ids": torch.tensor(ids)})
    return present


def noted(present: GaussianSet, gone: list[int]) -> list[bool]:
    share = gone_beside(present, torch.tensor(gone, dtype=torch.int32))
    note_moving_things(present, share, NOW_S, FRAME_S)
    return on_its_way(present, FRAME_S).tolist()


def test_a_thing_that_comes_at_one_end_moves_as_a_whole() -> None:
    came = [9.9] * 3 + [-math.inf] * 9
    present = of_pieces([1] * 12 + [2] * 12, came + [-math.inf] * 12)
    assert noted(present, []) == [True] * 12 + [False] * 12


def test_a_thing_of_which_a_part_is_gone_moves_as_a_whole() -> None:
    pieces = [1] * 11 + [2] * 15
    assert noted(of_pieces(pieces, [-math.inf] * 26), [1] * 4) == [True] * 11 + [False] * 15


def test_little_change_and_what_has_no_piece_yet_tell_nothing() -> None:
    births = [9.9] * 2 + [-math.inf] * 18 + [9.9] * 6 + [-math.inf] * 6
    present = of_pieces([1] * 20 + [0] * 12, births)
    assert noted(present, [0] * 20) == [birth == 9.9 for birth in births]


def test_a_thing_that_moved_comes_to_rest() -> None:
    present = of_pieces([1] * 12, [9.9] * 3 + [-math.inf] * 9)
    for frame in range(20):  # in sight and still for two seconds
        present["seen_s"][:] = NOW_S + frame * FRAME_S
        note_moving_things(present, torch.zeros(12), NOW_S + frame * FRAME_S, FRAME_S)
    assert not on_its_way(present, FRAME_S).any()


def test_with_rare_frames_things_need_longer_to_rest() -> None:
    came = gaussians([5.0] * 6, [NOW_S] * 6)
    assert not on_its_way(came, FRAME_S).any()
    assert on_its_way(came, 4.0).all()


def test_a_thing_that_came_and_stood_stays_where_pieces_are_made_too() -> None:
    world = BoxWorld(
        {
            "red": lambda i: (max(-0.4, 0.8 - 0.15 * i), 0.0, 1.6),
            "blue": lambda i: (-0.3 if i >= 38 else 2.0, 0.0, 1.2),
        },
        speed_m=0.0,
    )
    perception = Perception(Config.from_dotted(QUICK))
    perception._memory.grouper = Grouper(5)
    counts = []
    for index in range(48):
        perception.process(world(index))
        counts.append(len(red_of(perception)))
    assert counts[-1] > 0.8 * counts[37] > 16


def test_a_loaded_map_goes_on_with_what_moves(tmp_path: Path) -> None:
    world = BoxWorld({"red": lambda i: (-0.5 + 0.05 * i, 0.0, 1.6)}, speed_m=0.0)
    perception = Perception(Config.from_dotted(QUICK))
    for index in range(12):
        perception.process(world(index))
    perception.save(tmp_path / "map.f4x")
    loaded = Perception.load(tmp_path / "map.f4x")
    past = len(loaded._memory.field.past)
    later = replace(world(11), stamp_ns=world(14).stamp_ns)
    loaded.process(later)
    assert len(loaded._memory.field.past) <= past + 3


def test_what_a_panning_camera_leaves_behind_within_a_second_stays() -> None:
    world = BoxWorld({"red": still(-0.4, 0.0, 1.6)}, speed_m=0.08)
    perception = Perception(Config.from_dotted(QUICK))
    for index in range(5):
        perception.process(world(index))
    before = len(red_of(perception))
    for index in range(5, 30):
        perception.process(world(index))
    assert not world.mask(29, "red").any()
    assert len(red_of(perception)) >= 0.9 * before > 20
