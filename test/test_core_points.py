# SPDX-License-Identifier: Apache-2.0
"""Points of surfaces through time, point maps and scene flow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from test_core_bodies import QUICK, STEP_S, driving, filmed
from turning_box import CAMERA, START_NS, STEP_NS, BoxRoom, at

from f4x_ros.core.base import limits
from f4x_ros.core.data import Pose, inverse
from f4x_ros.core.errors import BadInputError, NotReadyError
from f4x_ros.core.perception import Perception

FRAMES = 30
ROOM = BoxRoom(driving)


def crossing(index: int) -> Pose:
    """0.6 m/s to the right, past the middle of the room."""
    return at(-1.0 + 0.6 * STEP_S * index, 2.0, 0.2, 0.4)


def stamp(index: int) -> int:
    return START_NS + STEP_NS * index


@pytest.fixture(scope="module")
def seen() -> Perception:
    return filmed(ROOM, FRAMES)


def pixels_of(mask: NDArray[np.bool_], count: int) -> NDArray[np.float64]:
    """Columns and rows [N, 2] of pixels well inside of a mask."""
    inner = mask.copy()
    for axis in (0, 1):
        for way in (-3, 3):
            inner &= np.roll(mask, way, axis)
    found = np.argwhere(inner)[:, ::-1] + 0.5
    return found[:: max(1, len(found) // count)][:count]


def test_points_on_what_moves_go_with_it_and_others_rest(seen: Perception) -> None:
    start, end = 14, FRAMES - 1
    on_box, on_wall = pixels_of(ROOM.mask(start), 20), pixels_of(~ROOM.mask(start), 20)
    found = seen.follow_points(
        np.concatenate([on_box, on_wall]), stamp_ns=stamp(start),
        stamps_ns=[stamp(start), stamp(22), stamp(end)],
    )  # fmt: skip
    assert found.positions.shape == (3, len(on_box) + len(on_wall), 3)
    assert (found.bodies[: len(on_box)] > 0).mean() > 0.9
    assert (found.bodies[len(on_box) :] == 0).mean() > 0.9
    for row, index in ((1, 22), (2, end)):
        motion = driving(index) @ inverse(driving(start))
        first = found.positions[0]
        went = first @ motion[:3, :3].T + motion[:3, 3]
        off = np.linalg.norm(found.positions[row] - np.where(
            np.arange(len(first))[:, None] < len(on_box), went, first), axis=1)  # fmt: skip
        assert np.percentile(off, 90) < 0.03


def test_they_are_followed_back_in_time_too(seen: Perception) -> None:
    pixels = pixels_of(ROOM.mask(FRAMES - 1), 10)
    found = seen.follow_points(pixels, stamps_ns=[stamp(15), 0], want_visible=False)
    motion = driving(15) @ inverse(driving(FRAMES - 1))
    went = found.positions[1] @ motion[:3, :3].T + motion[:3, 3]
    assert np.median(np.linalg.norm(found.positions[0] - went, axis=1)) < 0.03
    assert found.visible is None
    assert found.stamps_ns == (stamp(15), stamp(FRAMES - 1))


def test_what_goes_behind_a_post_is_followed_and_said_to_be_hidden() -> None:
    start, end = 6, 34
    room = BoxRoom(crossing, post=True)
    seen = filmed(room, end)
    pixels = pixels_of(room.mask(start), 30)
    found = seen.follow_points(
        pixels, stamp_ns=stamp(start), stamps_ns=[stamp(k) for k in range(start, end)]
    )
    assert found.visible is not None
    # The truth of what is in sight: the point is where the drawn depth of the frame is.
    agree, hidden = [], 0
    for row, index in enumerate(range(start, end)):
        motion = crossing(index) @ inverse(crossing(start))
        true = found.positions[0] @ motion[:3, :3].T + motion[:3, 3]
        local = (true - room.pose(index)[:3, 3]) @ room.pose(index)[:3, :3]
        columns, rows = np.floor(CAMERA.project(local)).astype(int).T
        depth = room(index).depth
        assert depth is not None
        shows = np.abs(depth[rows, columns] - local[:, 2]) < 0.04
        agree.append((found.visible[row] == shows).mean())
        hidden += int((~shows).sum())
    assert hidden > 100
    assert np.mean(agree) > 0.85


def test_the_answer_is_the_same_from_a_saved_map(seen: Perception, tmp_path: Path) -> None:
    seen.save(tmp_path / "map.f4x")
    again = Perception.load(tmp_path / "map.f4x")
    pixels, stamps = pixels_of(ROOM.mask(20), 8), [stamp(25)]
    here, there = (
        one.follow_points(pixels, stamp_ns=stamp(20), stamps_ns=stamps) for one in (seen, again)
    )
    assert np.abs(here.positions - there.positions).max() < 2e-3
    assert (here.bodies == there.bodies).all()


def test_scene_flow_is_how_fast_what_a_pixel_shows_goes(seen: Perception) -> None:
    index = 20
    shown = seen.show(stamp(index), want_labels=False, want_velocity=True)
    assert shown.velocity is not None
    points = shown.points()
    box, wall = (
        tuple(np.floor(pixels_of(mask, 200)).astype(int).T[::-1])
        for mask in (ROOM.mask(index), ~ROOM.mask(index))
    )
    motion = driving(index + 1) @ inverse(driving(index - 1))
    where = points[box].astype(np.float64)
    true = (where @ motion[:3, :3].T + motion[:3, 3] - where) / (2 * STEP_S)
    assert np.median(np.linalg.norm(shown.velocity[box] - true, axis=1)) < 0.06
    assert np.median(np.linalg.norm(shown.velocity[wall], axis=1)) < 0.01


def test_a_point_map_is_the_depth_in_the_map_frame(seen: Perception) -> None:
    shown = seen.show(stamp(10), want_labels=False)
    assert shown.velocity is None
    points = shown.points()
    there = shown.depth > 0
    local = (points[there] - shown.T_map_camera[:3, 3]) @ shown.T_map_camera[:3, :3]
    assert np.abs(local[:, 2] - shown.depth[there]).max() < 1e-4
    assert np.isnan(points[~there]).all()
    frame = ROOM(10)
    assert frame.depth is not None
    assert np.median(np.abs(shown.depth - frame.depth)[there]) < 0.01


def test_moments_are_those_of_the_frames_or_every_step(seen: Perception) -> None:
    assert seen.moments() == [stamp(k) for k in range(FRAMES)]
    some = seen.moments(stamp(3), stamp(9), 0.1)
    assert some[0] == stamp(3)
    assert np.diff(some).tolist() == [100_000_000] * (len(some) - 1)
    assert some[-1] <= stamp(9) < some[-1] + 100_000_000


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, "expected one of pixels and points"),
        ({"pixels": [[1.0, 1.0]], "points": [[0.0, 0, 0]]}, "expected one of pixels and points"),
        ({"pixels": [[500.0, 1.0]]}, "outside of the picture"),
        ({"pixels": [[float("nan"), 1.0]]}, "outside of the picture"),
        ({"pixels": [1.0, 2.0]}, "expected [N, 2]"),
        ({"points": [[0.0, float("inf"), 0.0]]}, "not finite"),
        ({"points": np.zeros((limits.MAX_POINTS + 1, 3))}, f"1 to {limits.MAX_POINTS}"),
        ({"points": [[0.0, 0, 0]], "stamps_ns": []}, "0 moments"),
        ({"points": [[0.0, 0, 0]], "stamps_ns": [5]}, "outside of what the field remembers"),
        (
            {"points": [[0.0, 0, 0]], "stamps_ns": [0] * (limits.MAX_POINT_PICTURES + 1)},
            f"1 to {limits.MAX_POINT_PICTURES}",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(
    seen: Perception, given: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInputError) as error:
        seen.follow_points(**({"stamps_ns": [0]} | given))  # type: ignore[arg-type]
    assert said in str(error.value)


@pytest.mark.parametrize(
    "given, said",
    [
        ((stamp(9), stamp(3)), "no moment before since"),
        ((0, 0, float("nan")), "step is nan"),
        ((0, 0, 1e-3), "at most 1000"),
        ((5,), "outside of what the field remembers"),
    ],
)
def test_no_moments_of_what_is_no_span(
    seen: Perception, given: tuple[float, ...], said: str
) -> None:
    with pytest.raises(BadInputError) as error:
        seen.moments(*given)  # type: ignore[arg-type]
    assert said in str(error.value)


def test_without_a_frame_there_is_nothing_to_follow() -> None:
    from f4x_ros.core.config import Config

    fresh = Perception(Config.from_dotted(QUICK))
    with pytest.raises(NotReadyError):
        fresh.follow_points(points=[[0.0, 0.0, 0.0]], stamps_ns=[0])
    with pytest.raises(NotReadyError):
        fresh.moments()
