# SPDX-License-Identifier: Apache-2.0
"""Tracks at past moments: as they were then, and not there when they were not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from box_world import CAMERA, START_NS, STEP_NS, BoxWorld, still
from test_core_clicks import middle
from test_core_tracker import QUICK, Clock, driving, found, snapshot_of

from f4x_ros.core.ask.naming import as_track
from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.config import TracksConfig
from f4x_ros.core.data.track import Track, TrackState
from f4x_ros.core.motion.kalman import PositionFilter
from f4x_ros.core.objects.components import Component
from f4x_ros.core.objects.history import History
from f4x_ros.core.objects.target import Target
from f4x_ros.core.objects.tracker import Tracker
from f4x_ros.core.perception import Perception


def stamp(frame: float) -> int:
    return START_NS + round(frame * STEP_NS)


# --- the tracker -----------------------------------------------------------------------------


def wandering(frames: int) -> tuple[Clock, list[tuple[Track, ...]]]:
    """A box that drives, rests, hides and drives on, with noise; and all that was said of it."""
    rng = np.random.default_rng(3)
    clock, number, x, said = Clock(), 0, 0.0, []
    for index in range(frames):
        drives, hidden = index % 60 < 25, 40 <= index % 60 < 50
        x += 0.05 * drives
        place = (x + rng.normal(0, 0.004), 0.0, 1.0)
        one = found(place, number, seen=not hidden, born=0.5 * drives)
        size = one.component.size + rng.normal(0, 0.006, 3)
        one = replace(one, component=replace(one.component, size=size))
        (number,) = clock(one)
        said.append(clock.tracker.tracks())
    return clock, said


def same(ours: Track, theirs: Track) -> bool:
    """Whether two tracks are the same within what the history may leave out."""
    exact = ("id", "label", "state", "moving", "first_seen_ns", "last_seen_ns")
    sigmas = [np.log(np.diag(one.pose_covariance)) / 2 for one in (ours, theirs)]
    return (
        all(getattr(ours, name) == getattr(theirs, name) for name in exact)
        and np.allclose(ours.position, theirs.position, atol=0.011)
        and np.allclose(ours.velocity, theirs.velocity, atol=0.051)
        and np.allclose(ours.size, theirs.size, atol=0.025)
        and np.allclose(*sigmas, atol=0.21)
    )


def test_at_every_frame_of_the_past_tracks_are_as_they_were_said_to_be() -> None:
    clock, said = wandering(180)
    assert {t.state for tracks in said for t in tracks} >= {
        TrackState.TENTATIVE, TrackState.CONFIRMED, TrackState.OCCLUDED,
    }  # fmt: skip
    assert {t.moving for tracks in said for t in tracks} == {False, True}
    for index, (then,) in enumerate(said):
        (track,) = clock.tracker.tracks_at(stamp(index + 1))
        assert same(track, then), index


def test_between_frames_a_mover_is_between_its_places() -> None:
    clock, _ = driving(20)
    places = [clock.tracker.tracks_at(stamp(15 + i / 10))[0].position[0] for i in range(11)]
    assert np.allclose(np.diff(places), 0.005, atol=0.002)


def test_between_frames_a_thing_is_what_it_was_at_the_last_one() -> None:
    clock, number = driving(10)
    clock(found((0.45, 0, 1), number))  # stands
    assert clock.tracker.tracks_at(stamp(10.9))[0].moving
    assert not clock.tracker.tracks_at(stamp(11))[0].moving


def test_before_it_began_a_track_is_not_there() -> None:
    clock = Clock()
    for _ in range(5):
        clock()
    clock(found((0, 0, 1)))
    assert clock.tracker.tracks_at(stamp(5.9)) == ()
    assert [t.id for t in clock.tracker.tracks_at(stamp(6))] == [1]


def test_a_lost_track_is_there_until_it_was_lost_and_not_from_then_on() -> None:
    clock, number = driving()
    while clock.track.state != TrackState.LOST:
        clock()
    lost = clock.frame
    clock(found((3, 0, 1)))
    before, at = clock.tracker.tracks_at(stamp(lost - 0.5)), clock.tracker.tracks_at(stamp(lost))
    assert [(t.id, t.state) for t in before] == [(number, TrackState.OCCLUDED)]
    assert at == ()
    assert clock.tracker.tracks_at(stamp(7))[0].moving


def test_a_track_whose_prompt_is_no_longer_asked_ends_with_the_last_frame() -> None:
    clock, number = driving()
    clock.tracker.keep_labels(["blue"])
    clock()
    assert [t.id for t in clock.tracker.tracks_at(stamp(10))] == [number]
    assert clock.tracker.tracks_at(stamp(11)) == ()


def test_what_rests_costs_next_to_nothing_however_long() -> None:
    clock, number = Clock(), 0
    rng = np.random.default_rng(0)
    for _ in range(3000):
        (number,) = clock(found((rng.normal(0, 0.003), 0, 1), number))
    resting = len(clock.tracker._history)
    assert resting < 20
    for _ in range(3000):
        clock(found((0, 0, 1), number, seen=False))
    assert len(clock.tracker._history) < resting + 30
    assert clock.tracker.tracks_at(stamp(1500))[0].last_seen_ns == stamp(1500)
    assert clock.tracker.tracks_at(stamp(4500))[0].last_seen_ns == stamp(3000)


def test_the_filter_of_a_position_knows_no_axis_by_another() -> None:
    # A history keeps the diagonal only
    one = PositionFilter(np.zeros(3), 0.1)
    rng = np.random.default_rng(1)
    for index in range(30):
        one.predict(0.1, moving=index % 2 == 0)
        one.correct(rng.normal(size=3), 0.05)
        one.loosen(np.abs(rng.normal(size=3)))
        if index % 3 == 0:
            one.rest()
        if index % 5 == 0:
            one.release()
    for block in (one.covariance[:3, :3], one.covariance[3:, 3:]):
        assert np.array_equal(block, np.diag(np.diag(block)))


# --- its bound ---------------------------------------------------------------------------------


def jittery(number: int, index: int) -> Target:
    """A state that no interpolation replaces."""
    position = PositionFilter(np.array([index % 2, 0.0, 1.0]), 0.1)
    return Target(number, "red", position, np.full(3, 0.2), 0.9, stamp(0), stamp(index))


def test_states_are_bounded_and_it_is_said_which_moments_are_forgotten() -> None:
    history = History(max_states=100)
    for index in range(500):
        number = 1 + index // 50
        if number > 1:
            history.end([number - 1], stamp(index - index % 50))
        history.note([jittery(number, index)], stamp(index))
        assert len(history) <= 100
    assert history.forgotten == 500 - len(history)
    oldest = round((history.since_ns - START_NS) / STEP_NS)
    assert 400 <= oldest < 420
    assert not history.knows(stamp(oldest - 1))
    assert history.at(stamp(oldest - 1)) == ()
    for index in range(oldest, 500):
        assert history.knows(stamp(index))
        (track,) = history.at(stamp(index))
        assert track.id == 1 + index // 50
        assert track.position[0] == index % 2


def test_a_resting_track_outlives_what_is_forgotten_before_it() -> None:
    history = History(max_states=100)
    rests = jittery(1, 0)
    for index in range(500):
        history.note([rests, jittery(2, index)], stamp(index))
    assert history.forgotten > 0
    assert [t.id for t in history.at(history.since_ns)] == [1, 2]


# --- on disk -----------------------------------------------------------------------------------


def reloaded(tracker: Tracker) -> Tracker:
    other = Tracker(TracksConfig())
    other.load_state(tracker.state())
    return other


def test_a_loaded_tracker_knows_the_past_and_goes_on() -> None:
    clock, said = wandering(90)
    clock.tracker.keep_labels(())
    other = reloaded(clock.tracker)
    for index, (then,) in enumerate(said):
        (track,) = other.tracks_at(stamp(index + 1))
        assert same(track, then), index
    clock.tracker = other
    (number,) = clock(found((0, 0, 1)))
    assert number == 2
    assert [t.id for t in other.tracks_at(stamp(91))] == [2]
    assert [t.id for t in other.tracks_at(stamp(90))] == [1]


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("life_states", lambda a: a + 1, "states, expected"),
        ("life_id", lambda a: a + 7, "next_id is 3, expected more than 9"),
        ("life_id", lambda a: a * 0 + 1, "twice"),
        ("state_stamp_ns", lambda a: a[::-1], "not in the order of time"),
        ("state_values", lambda a: a * np.nan, "not finite"),
        ("state_state", lambda a: a + 9, "not a valid TrackState"),
    ],
)
def test_a_history_that_cannot_be_is_refused(name, change, words) -> None:
    clock, number = driving()
    clock(found((0.45, 0, 1), number), found((3, 0, 1)))
    state = clock.tracker.state()
    state[name] = change(state[name])
    with pytest.raises(ValueError, match=words):
        Tracker(TracksConfig()).load_state(state)


# --- answers -------------------------------------------------------------------------------------

GOES, STANDS, ENDS = 4, 16, 24  # frames in which the red square sets off, stops, and the last


def red(index: int) -> tuple[float, float, float]:
    """0.5 m/s along x for a while."""
    return (-0.4 + 0.05 * min(max(index - GOES, 0), STANDS - GOES), -0.2, 1.6)


WORLD = BoxWorld({"red": red, "blue": still(0.35, 0.2, 1.5)}, speed_m=0.0)


@pytest.fixture(scope="module")
def perception() -> Perception:
    """Red is asked for from the first frame on, blue from the eighth."""
    perception = Perception(QUICK, ("red thing",))
    for index in range(ENDS + 1):
        if index == 8:
            perception.set_prompts(("red thing", "blue thing"))
        perception.process(WORLD(index))
    return perception


def test_an_answer_about_the_past_has_the_state_of_then(perception: Perception) -> None:
    (now,) = perception.query("red thing").tracks
    assert not now.moving
    for frame, moving in ((2, False), (10, True), (12.5, True), (22, False)):
        (then,) = perception.query("red thing", stamp_ns=stamp(frame)).tracks
        assert (then.id, then.moving) == (now.id, moving), frame
        assert np.allclose(then.velocity, (0.5 * moving, 0, 0), atol=0.12), frame
        assert np.allclose(then.position, place(frame), atol=0.05), frame
        assert then.last_seen_ns <= stamp(frame)
        assert then.state == TrackState.CONFIRMED


def place(frame: float) -> np.ndarray:
    """Where red is, also between frames."""
    low = int(frame)
    return np.array(red(low)) + (frame - low) * (np.array(red(low + 1)) - np.array(red(low)))


def test_a_click_into_the_past_has_the_state_of_then(perception: Perception) -> None:
    (now,) = perception.query("red thing").tracks
    click = middle(WORLD.mask(10, "red"))
    found_then = perception.segment([click], stamp_ns=stamp(10))
    (then,) = found_then.tracks
    assert (then.id, then.label, then.moving) == (now.id, "red thing", True)
    assert set(found_then.cloud.object) == {now.id}


def test_marks_carried_in_the_past_have_the_state_of_then(perception: Perception) -> None:
    click = middle(WORLD.mask(10, "red"))
    result = perception.transfer("red thing", points={"tip": click}, stamp_ns=stamp(10))
    assert result.source.track.moving
    assert not perception.transfer(
        "red thing", points={"tip": middle(WORLD.mask(ENDS, "red"))}
    ).source.track.moving


def test_what_was_not_followed_then_has_no_id_and_it_is_said(perception: Perception) -> None:
    (now,) = perception.query("blue thing").tracks
    then = perception.query("blue thing", stamp_ns=stamp(4))
    (track,) = then.tracks
    assert then.present
    assert (track.id, track.moving) == (0, False)
    assert f"not followed then: track {now.id}" in then.message
    assert set(then.cloud.object) == {0}
    later = perception.query("blue thing", stamp_ns=stamp(12))
    assert [t.id for t in later.tracks] == [now.id]
    assert set(later.cloud.object) == {now.id}
    assert "not followed" not in later.message


def test_what_is_followed_no_longer_has_its_id_of_then(
    perception: Perception, tmp_path: Path
) -> None:
    ids = {text: perception.query(f"{text} thing").tracks[0].id for text in ("red", "blue")}
    perception.save(tmp_path / "map")
    other = Perception.load(tmp_path / "map")
    other.set_prompts(("green thing",))
    other.save(tmp_path / "again")
    for map_now in (other, Perception.load(tmp_path / "again")):
        for text, track_id in ids.items():
            assert [t.id for t in map_now.query(f"{text} thing").tracks] == [0]
            then = map_now.query(f"{text} thing", stamp_ns=stamp(12))
            assert [(t.id, t.moving) for t in then.tracks] == [(track_id, text == "red")]
            assert set(then.cloud.object) == {track_id}


def test_a_thing_that_is_followed_anew_is_in_the_past_what_it_was_then(
    perception: Perception, tmp_path: Path
) -> None:
    old = perception.query("blue thing").tracks[0].id
    perception.save(tmp_path / "map")
    other = Perception.load(tmp_path / "map")
    other.set_prompts(("red thing",))
    other.process(WORLD(ENDS + 1))
    other.set_prompts(("red thing", "blue thing"))
    other.process(WORLD(ENDS + 2))
    (now,) = other.query("blue thing").tracks
    assert now.id > old
    (then,) = other.query("blue thing", stamp_ns=stamp(12)).tracks
    assert then.id == old


def test_of_a_time_that_is_forgotten_nothing_is_said(perception: Perception, monkeypatch) -> None:
    monkeypatch.setattr(perception._memory.tracker._history, "since_ns", stamp(13))
    then = perception.query("red thing", stamp_ns=stamp(12))
    assert [t.id for t in then.tracks] == [0]
    assert "what was followed then is forgotten" in then.message


def scene_of(ids: list[int], tracks: list[Track], *, past: bool = True) -> QueryScene:
    """A row of Gaussians from x = 0 on, 2 cm apart, at y = z = 1."""
    return QueryScene(
        snapshot_of(ids, 0.0),
        tuple(tracks),
        stamp(5),
        0.5,
        CAMERA,
        np.eye(4),
        "camera",
        "map",
        past,
    )


def track_at(number: int, x: float, length: float) -> Track:
    target = jittery(number, 0)
    target.filter = PositionFilter(np.array([x, 1.0, 1.0]), 0.01)
    target.size = np.array([length, 0.0, 0.0])
    return target.track()


ROW = Component(np.arange(20), np.array([0.19, 1.0, 1.0]), np.array([0.38, 0.0, 0.0]), 0.9)


@pytest.mark.parametrize(
    "carried, tracks, expected",
    [
        ([1] * 20, [track_at(1, 0.2, 0.4)], 1),
        ([1] * 20, [track_at(1, 0.2, 0.1)], 1),  # by its matter, though most was not seen then
        ([1] * 20, [track_at(1, 1.2, 0.4)], 0),  # its track was elsewhere then
        ([1] * 20, [track_at(1, 1.2, 0.4), track_at(2, 0.2, 0.4)], 2),
        ([9] * 20, [track_at(2, 0.2, 0.4)], 2),  # 9 came later
        ([9] * 20, [track_at(2, 0.2, 0.1)], 0),  # a thing on it, in it or of it
        ([9] * 20, [track_at(2, 0.2, 1.0)], 0),
        ([0] * 20, [track_at(2, 0.5, 0.4)], 0),
        ([0] * 20, [track_at(2, 0.2, 0.4), track_at(3, 0.21, 0.4)], 2),
        ([1] * 11 + [9] * 9, [track_at(1, 0.2, 0.4), track_at(2, 0.19, 0.38)], 1),
    ],
)
def test_an_object_of_the_past_is_the_track_of_then_by_its_matter_or_its_place(
    carried, tracks, expected
) -> None:
    assert as_track(ROW, scene_of(carried, tracks), "red").id == expected


def test_an_object_of_now_is_the_track_it_is_of_and_no_other() -> None:
    here = [track_at(2, 0.2, 0.4)]
    assert as_track(ROW, scene_of([0] * 20, here, past=False), "red").id == 0
    assert as_track(ROW, scene_of([2] * 20, here, past=False), "red").id == 2
