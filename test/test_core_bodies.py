# SPDX-License-Identifier: Apache-2.0
"""What moves is carried: found, aligned, hidden, stopped, and where it was is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from turning_box import CAMERA, STEP_NS, BoxRoom, at

from f4x_ros.core.config import Config
from f4x_ros.core.data import Pose, TrackState, inverse
from f4x_ros.core.motion.bodies import Body, BodyState
from f4x_ros.core.perception import Perception

QUICK = {
    "features.extractor": "color",
    "mapping.resolution": CAMERA.width,
    "mapping.iterations": 2,
    "mapping.keyframe_iterations": 4,
}
STEP_S = STEP_NS / 1e9


def filmed(
    room: BoxRoom, frames: int, prompts: tuple[str, ...] = (), **options: object
) -> Perception:
    perception = Perception(Config.from_dotted(QUICK | options), prompts)
    for index in range(frames):
        perception.process(room(index))
    return perception


def bodies(perception: Perception, state: BodyState) -> list[Body]:
    return [one for one in perception._memory.bodies.known if one.state is state]


def the_mover(perception: Perception) -> Body:
    (body,) = bodies(perception, BodyState.MOVING)
    return body


def errors(
    perception: Perception, body: int, box: Callable[[int], Pose], since: int, until: int
) -> tuple[float, float]:
    """By how much its motion between two frames is wrong: metres of the box's middle, radians."""
    paths = perception._memory.field.paths
    found = paths.at(body, until * STEP_S) @ inverse(paths.at(body, since * STEP_S))
    true = box(until) @ inverse(box(since))
    middle = np.append(box(since)[:3, 3], 1)
    turn = found[:3, :3].T @ true[:3, :3]
    angle = float(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return float(np.linalg.norm((found - true) @ middle)), angle


def sliding(index: int) -> Pose:
    """0.3 m/s to the right."""
    return at(-0.5 + 0.3 * STEP_S * index, 2.0, 0.2, 0.4)


def driving(index: int) -> Pose:
    """Along an arc, turning at 0.5 rad/s."""
    t = STEP_S * index
    return at(-0.4 + 0.25 * t, 2.0 - 0.1 * t, 0.2, 0.3 + 0.5 * t)


def spinning(index: int) -> Pose:
    """On the spot, at 0.5 rad/s."""
    return at(0.0, 2.0, 0.2, 0.5 * STEP_S * index)


@pytest.mark.parametrize("box", [sliding, driving, spinning])
def test_what_moves_is_one_body_whose_motion_is_that_of_the_thing(
    box: Callable[[int], Pose],
) -> None:
    perception = filmed(BoxRoom(box), 30)
    body = the_mover(perception)
    off_m, off_rad = errors(perception, body.id, box, 15, 29)
    assert off_m < 0.02
    assert off_rad < np.radians(4)
    t = 29
    velocity = (box(t + 1)[:3, 3] - box(t - 1)[:3, 3]) / (2 * STEP_S)
    assert np.linalg.norm(body.filter.velocity_at(box(t)[:3, 3]) - velocity) < 0.06
    spin = {sliding: 0.0, driving: 0.5, spinning: 0.5}[box]
    assert abs(body.filter.twist[5] - spin) < 0.1


def test_the_moving_mask_is_the_whole_thing() -> None:
    room = BoxRoom(driving)
    perception = filmed(room, 24)
    moving = perception.process(room(24)).moving
    assert moving is not None
    said, true = moving >= 0.5, room.mask(24)
    assert (said & true).sum() / (said | true).sum() > 0.8


def test_its_gaussians_go_with_it_instead_of_dying() -> None:
    carried = filmed(BoxRoom(sliding), 30)
    anew = filmed(BoxRoom(sliding), 30, **{"mapping.bodies": False})
    body = the_mover(carried)
    assert int((carried._memory.field.present["body_ids"] == body.id).sum()) > 50
    deaths = [len(one._memory.field.past) for one in (carried, anew)]
    assert deaths[0] < 0.6 * deaths[1]


def test_its_picture_is_sharper_than_if_it_were_mapped_anew() -> None:
    room = BoxRoom(driving)
    true, where = room(29).rgb.astype(float), room.mask(29)
    off = []
    for options in ({}, {"mapping.bodies": False}):
        perception = filmed(room, 29, **options)
        seen = perception.process(room(29)).color
        assert seen is not None
        off.append(float(np.square(seen - true)[where].mean()))
    assert off[0] < 0.7 * off[1]


def test_the_past_shows_it_where_it_was() -> None:
    room = BoxRoom(driving)
    perception = filmed(room, 30)
    for index in (12, 20):
        frame, where = room(index), room.mask(index)
        then = perception.render(CAMERA, room.pose(index), frame.stamp_ns)
        assert frame.depth is not None
        near = np.abs(then.depth - frame.depth) < 0.1
        assert near[where].mean() > 0.85
        assert near[room.mask(29) & ~where].mean() > 0.8  # and it is not yet where it is now


def test_nothing_moves_where_nothing_moves() -> None:
    for room in (BoxRoom(lambda _: at(0.0, 2.0, 0.2, 0.4), 0.02), BoxRoom(None, 0.03)):
        perception = filmed(room, 24)
        assert not bodies(perception, BodyState.MOVING)
        moving = perception.process(room(24)).moving
        assert moving is not None
        assert (moving >= 0.5).mean() < 0.002


def test_what_stops_rests_and_its_gaussians_stay() -> None:
    def stopping(index: int) -> Pose:
        return sliding(min(index, 20))

    perception = filmed(BoxRoom(stopping), 45)
    assert not perception._memory.bodies.moving
    assert bodies(perception, BodyState.RESTING)
    off_m, off_rad = errors(
        perception, bodies(perception, BodyState.RESTING)[0].id, stopping, 20, 44
    )
    assert off_m < 0.015
    assert off_rad < np.radians(3)


def test_what_goes_behind_something_is_predicted_and_found_again() -> None:
    def passing(index: int) -> Pose:
        return at(-0.9 + 0.045 * index, 2.2, 0.3, 0.3)

    room = BoxRoom(passing, 0.0, post=True)
    perception = Perception(Config.from_dotted(QUICK))
    seen: dict[int, tuple[int, BodyState, float]] = {}
    for index in range(42):
        perception.process(room(index))
        for one in perception._memory.bodies.known:
            if one.moving:
                spread = float(np.trace(one.filter.covariance[:3, :3]))
                seen[index] = one.id, one.state, spread
    hidden = [index for index, (_, state, _) in seen.items() if state is BodyState.HIDDEN]
    assert len(hidden) >= 3
    assert seen[hidden[-1]][2] > 2 * seen[hidden[0] - 1][2]
    assert seen[hidden[0] - 1][0] == seen[41][0]
    assert seen[41][1] is BodyState.MOVING


def test_a_track_has_the_turn_and_twist_of_its_body() -> None:
    perception = filmed(BoxRoom(driving), 30, ("red thing",))
    tracks = [one for one in perception.process(BoxRoom(driving)(30)).tracks if one.moving]
    (track,) = [one for one in tracks if one.state is TrackState.CONFIRMED]
    assert abs(track.angular_velocity[2] - 0.5) < 0.1
    assert np.sqrt(track.twist_covariance[5, 5]) < 0.9
    then = next(
        one
        for one in perception._memory.tracker.tracks_at(BoxRoom(driving)(16).stamp_ns)
        if one.id == track.id
    )
    turned = 2 * np.arccos(min(abs(float(track.orientation @ then.orientation)), 1.0))
    assert abs(turned - 0.5 * 14 * STEP_S) < 0.08
    truth = driving(30)[:3, 3]
    assert np.linalg.norm(track.position - truth) < 0.08


def test_a_saved_map_knows_where_it_was(tmp_path: Path) -> None:
    room = BoxRoom(driving)
    perception = filmed(room, 26)
    path = tmp_path / "map.f4x"
    perception.save(path)
    again = Perception.load(path)
    for index in (15, 22):
        views = [
            one.render(CAMERA, room.pose(index), room(index).stamp_ns)
            for one in (perception, again)
        ]
        assert np.abs(views[0].depth - views[1].depth).max() < 1e-3
