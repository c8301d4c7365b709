# SPDX-License-Identifier: Apache-2.0
"""Tracks of things that move, hide, leave and come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from box_world import START_NS, STEP_NS, BoxWorld, still

from f4x_ros.core.config import Config, TracksConfig
from f4x_ros.core.data.track import Track, TrackState
from f4x_ros.core.field import GaussianField, Snapshot, take_snapshot
from f4x_ros.core.field import field as field_module
from f4x_ros.core.objects import track_objects
from f4x_ros.core.objects.components import Component
from f4x_ros.core.objects.tracker import GIVEN_UP, Detection, Tracker
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)


def found(
    place: tuple[float, float, float], ids: int = 0, *, seen: bool = True, born: float = 0.0
) -> Detection:
    """A red box of 20 cm and 50 Gaussians that carry one id."""
    component = Component(np.arange(50), np.array(place), np.full(3, 0.2), 0.9)
    return Detection("red", component, np.full(50, ids), float(seen), START_NS, born)


class Clock:
    """Feeds a tracker at 10 Hz."""

    def __init__(self, config: TracksConfig | None = None) -> None:
        self.tracker, self.frame = Tracker(config or TracksConfig()), 0

    def __call__(self, *detections: Detection) -> list[int]:
        self.frame += 1
        return self.tracker.update(detections, START_NS + self.frame * STEP_NS)

    @property
    def track(self) -> Track:
        (track,) = self.tracker.tracks()
        return track


def driving(frames: int = 10) -> tuple[Clock, int]:
    """A box that drives 0.5 m/s along x."""
    clock, number = Clock(), 0
    for index in range(frames):
        (number,) = clock(found((0.05 * index, 0, 1), number, born=0.5))
    return clock, number


def test_a_mover_out_of_sight_coasts_a_second_and_then_stops() -> None:
    clock, number = driving()
    assert clock.track.moving
    assert np.allclose(clock.track.velocity, (0.5, 0, 0), atol=0.1)
    left_at, sigmas = clock.track.position[0], []
    for _ in range(9):
        clock(found((0.45, 0, 1), number, seen=False))
        sigmas.append(clock.track.pose_covariance[0, 0])
    assert clock.track.moving
    assert clock.track.position[0] > left_at + 0.3
    for _ in range(20):
        clock(found((0.45, 0, 1), number, seen=False))
        sigmas.append(clock.track.pose_covariance[0, 0])
    assert clock.track.state == TrackState.OCCLUDED
    assert not clock.track.moving
    assert np.linalg.norm(clock.track.velocity) < 0.01
    assert clock.track.position[0] < left_at + 0.9
    assert sigmas == sorted(sigmas)


def test_a_mover_that_left_is_lost_though_the_field_remembers_where_it_was() -> None:
    clock, number = driving()
    states = []
    for _ in range(60):
        (number,) = clock(found((0.45, 0, 1), number, seen=False))
        states += [t.state for t in clock.tracker.tracks()]
    assert states == [TrackState.OCCLUDED] * 50 + [TrackState.LOST]
    assert number == GIVEN_UP  # and no new track is made of what it left behind
    (again,) = clock(found((0.45, 0, 1), GIVEN_UP))
    assert again == 2  # seen there after all: an id of its own


def test_a_resting_thing_out_of_sight_is_remembered() -> None:
    clock = Clock()
    number = 0
    for index in range(300):
        (number,) = clock(found((0, 0, 1), number, seen=index < 5))
    assert clock.track.id == 1
    assert clock.track.state == TrackState.OCCLUDED
    assert clock.track.last_seen_ns == START_NS + 5 * STEP_NS
    assert np.allclose(clock.track.position, (0, 0, 1), atol=0.01)


def test_a_mover_that_comes_back_keeps_its_id_and_not_its_shadow() -> None:
    clock, number = driving()
    shadow = found((0.45, 0, 1), number, seen=False)
    for _ in range(5):
        clock(shadow)
    back = found((0.75, 0, 1), 0, born=0.5)
    assert clock(shadow, back) == [GIVEN_UP, number]
    assert clock.track.state == TrackState.CONFIRMED
    assert clock.track.position[0] > 0.65


def test_a_thing_far_from_one_that_rests_unseen_is_another() -> None:
    clock = Clock()
    number = 0
    for index in range(2000):  # so long that the filter alone would not rule it out
        (number,) = clock(found((0, 0, 1), number, seen=index < 5))
    assert clock(found((3.0, 0, 1)))[0] == 2


def test_a_lost_track_is_not_matched_again() -> None:
    clock = Clock(replace(TracksConfig(), lost_after_s=0.25))
    for _ in range(4):
        clock(found((0, 0, 1), 1 if clock.frame else 0))
    while clock.track.state != TrackState.LOST:
        clock()
    assert clock(found((0, 0, 1), 1)) == [2]


def test_what_is_in_the_map_but_not_in_view_is_dated_by_when_it_was_seen() -> None:
    clock = Clock()
    clock(found((0, 0, 1), seen=False))
    assert clock.track.first_seen_ns == clock.track.last_seen_ns == START_NS
    assert clock.track.state == TrackState.TENTATIVE


def test_a_mover_leaves_the_picture_for_good() -> None:
    squares = {"red": lambda i: (0.2 + 0.05 * i, 0.0, 1.6), "blue": still(-0.5, 0.0, 1.5)}
    world = BoxWorld(squares, speed_m=0.0)
    config = replace(QUICK, tracks=replace(QUICK.tracks, lost_after_s=1.5))
    perception = Perception(config, ("red thing", "blue thing"))
    percepts = [perception.process(world(i)) for i in range(45)]
    reds = [[t for t in p.tracks if t.label == "red thing"] for p in percepts]
    assert reds[10][0].moving
    assert TrackState.LOST in {t.state for tracks in reds for t in tracks}
    assert reds[-1] == []
    assert len({t.id for tracks in reds for t in tracks}) == 1
    blue = next(t for t in percepts[-1].tracks if t.label == "blue thing")
    assert blue.state == TrackState.CONFIRMED
    assert set(np.unique(percepts[-1].cloud.object)) <= {0, blue.id}


# --- ids of tracks that ended ------------------------------------------------------------------


def lost_mover() -> tuple[Clock, int]:
    """A clock just after the frame in which a mover that had left was given up."""
    clock, number = driving()
    while not clock.tracker.lost_ids:
        (left,) = clock(found((0.45, 0, 1), number, seen=False))
    assert left == GIVEN_UP  # in the very frame that says LOST
    return clock, number


def test_what_a_lost_track_left_behind_loses_its_id_in_the_frame_that_says_lost() -> None:
    clock, number = lost_mover()
    assert clock.tracker.lost_ids == (number,)
    clock(found((0.45, 0, 1), GIVEN_UP, seen=False))
    assert clock.tracker.lost_ids == ()
    assert clock.tracker.tracks() == ()


def test_matter_with_the_id_of_a_lost_track_is_not_taken_for_it() -> None:
    clock, number = lost_mover()
    for _ in range(3):
        assert clock(found((0.45, 0, 1), number, seen=False)) == [GIVEN_UP]
    assert clock(found((0.45, 0, 1), number)) == [number + 1]
    # nor does it take over a track that lives
    assert clock(found((0.45, 0, 1), number + 1), found((2, 0, 1), number)) == [
        number + 1, number + 2,
    ]  # fmt: skip


def test_ids_are_worth_what_their_tracks_are() -> None:
    clock, number = lost_mover()
    clock(found((2, 0, 1)), replace(found((3, 0, 1)), label="blue"))
    clock.tracker.keep_labels(["red"])
    ids = np.array([0, GIVEN_UP, number, number + 1, number + 2, 99], np.int32)
    for tracker in (clock.tracker, reloaded(clock.tracker)):
        now = tracker.ids_now(ids)
        assert now.dtype == np.int32
        assert now.tolist() == [0, GIVEN_UP, GIVEN_UP, number + 1, 0, 0]
        assert tracker.next_id == number + 3


def reloaded(tracker: Tracker) -> Tracker:
    other = Tracker(TracksConfig())
    other.load_state(tracker.state())
    return other


def test_a_lost_track_is_not_matched_after_loading() -> None:
    clock, number = lost_mover()
    clock.tracker = reloaded(clock.tracker)
    assert clock(found((0.45, 0, 1), number)) == [number + 1]


def test_a_thing_of_a_dropped_prompt_is_followed_anew_though_out_of_sight() -> None:
    clock, number = driving()
    clock.tracker.keep_labels(["blue"])
    ids = clock.tracker.ids_now(np.full(50, number))
    assert not ids.any()
    blue = replace(found((0.45, 0, 1), seen=False), label="blue", ids=ids)
    assert clock(blue) == [number + 1]


def test_a_thing_in_a_part_of_the_map_that_is_not_looked_at_is_not_lost() -> None:
    clock = Clock()
    for index in range(5):
        clock(found((0, 0, 1), min(index, 1)))
    for _ in range(100):
        clock.frame += 1
        clock.tracker.update([], START_NS + clock.frame * STEP_NS, elsewhere={1})
    assert clock.track.state == TrackState.OCCLUDED
    assert clock(found((0, 0, 1), 1)) == [1]


def snapshot_of(ids: list[int], seen_s: float) -> Snapshot:
    """A row of Gaussians 2 cm apart."""
    count = len(ids)
    field = GaussianField(4, 10**9)
    field.present.append(
        {
            "means": torch.stack([torch.arange(count) * 0.02, *torch.ones(2, count)], 1),
            "logit_opacities": torch.full((count,), 5.0),
            "object_ids": torch.tensor(ids),
            "seen_s": torch.full((count,), seen_s),
        }
    )
    return take_snapshot(field)


def test_a_part_of_the_map_is_tracked_by_itself_and_it_is_said_what_the_rest_is_to_clear() -> None:
    config = replace(TracksConfig(), min_gaussians=5, lost_after_s=0.5)
    tracker = Tracker(config)

    def step(time_s: float, ids: list[int], label: int, elsewhere: set[int]) -> list[int]:
        snapshot = snapshot_of(ids, time_s)
        labels = torch.full((len(ids),), label)
        return track_objects(
            tracker, snapshot, labels, labels.float(), ["red"], config,
            time_s=time_s, stamp_ns=round(time_s * 1e9), recent_s=0.0, elsewhere=elsewhere,
        ).tolist()  # fmt: skip

    here = [0] * 10
    for index in range(4):
        here = step(index / 10, here, 1, set())
    assert here == [1] * 10
    lost: list[int] = []
    for index in range(4, 20):  # another part, where nothing is red
        assert step(index / 10, [0] * 10, 0, {1}) == [0] * 10
        lost += tracker.lost_ids
    assert lost == []
    for index in range(20, 40):  # nothing of it is left anywhere
        step(index / 10, [0] * 10, 0, set())
        lost += tracker.lost_ids
    assert lost == [1]


def test_matter_that_kept_an_id_of_a_dropped_prompt_is_followed_anew_though_out_of_sight() -> None:
    # (as from a page that was on disk when the prompt was dropped)
    config = replace(TracksConfig(), min_gaussians=5)
    tracker = Tracker(config)

    def step(time_s: float, ids: list[int], seen_s: float) -> list[int]:
        labels = torch.ones(10)
        return track_objects(
            tracker, snapshot_of(ids, seen_s), labels, labels, ["red"], config,
            time_s=time_s, stamp_ns=round(time_s * 1e9), recent_s=0.0,
        ).tolist()  # fmt: skip

    assert step(0.0, [0] * 10, 0.0) == [1] * 10
    tracker.keep_labels(["blue"])
    assert step(0.1, [1] * 10, 0.0) == [2] * 10


def carried(perception: Perception) -> set[int]:
    """Ids on present Gaussians, those at rest included."""
    return set(perception._memory.field.whole()[0]["object_ids"].tolist())


def test_ids_are_replaced_in_the_working_set_and_at_rest() -> None:
    field = GaussianField(4, 10**9, block_m=0.1)
    ids = torch.tensor([0, 1, 2, 1, 3, GIVEN_UP])
    means = torch.rand(6, 3)
    latents = torch.rand(6, 4).half()
    field.present.append({"means": means, "object_ids": ids, "latents": latents})
    field.past.append({"means": means, "object_ids": ids, "latents": latents})
    field._put(torch.tensor([0, 0, 0, 1, 1, 1], dtype=torch.bool), torch.ones(6, dtype=torch.bool))
    before, nbytes, version = field.rest.objects.copy(), field.nbytes, field.rest.version
    field.replace_ids((), GIVEN_UP)
    field.replace_ids([2], GIVEN_UP)  # nothing at rest carries it
    assert (before, version) == (field.rest.objects, field.rest.version)
    field.replace_ids([1, 9], GIVEN_UP)
    field.replace_ids([3], 0)
    assert field.rest.version > version
    assert (field.nbytes, dict(field.rest.objects)) == (nbytes, {})
    present, past = field.whole()
    at = {tuple(place): index for index, place in enumerate(means.tolist())}
    order = [at[tuple(place)] for place in present["means"].tolist()]
    new = torch.tensor([0, GIVEN_UP, GIVEN_UP, GIVEN_UP, 0, GIVEN_UP])
    assert present["object_ids"].tolist() == new[order].tolist()
    assert torch.equal(present["latents"], latents[order])
    assert sorted(past["object_ids"].tolist()) == sorted(ids.tolist())


def test_what_is_at_rest_keeps_its_track_until_its_prompt_is_dropped(monkeypatch) -> None:
    monkeypatch.setattr(field_module, "_SPARE", 0)
    monkeypatch.setattr(field_module, "_SLACK", 1.0)
    monkeypatch.setattr(field_module, "_LOOKS", 4)
    config = replace(
        QUICK,
        tracks=replace(QUICK.tracks, lost_after_s=0.5),
        field=replace(QUICK.field, block_m=0.5),
        mapping=replace(QUICK.mapping, iterations=0, keyframe_iterations=0),
    )
    perception = Perception(config, ("red thing", "blue thing"))
    world = BoxWorld({"red": still(0.0, 0.0, 1.6), "blue": still(4.0, 0.0, 1.5)}, speed_m=0.2)
    for index in range(26):
        percept = perception.process(world(index))
    red, blue = sorted(percept.tracks, key=lambda one: one.label, reverse=True)
    assert perception._memory.field.rest.objects[red.id] > 0
    assert red.state == TrackState.OCCLUDED
    assert (percept.stamp_ns - red.last_seen_ns) / 1e9 > 0.5
    assert [t.id for t in perception.query("red thing").tracks] == [red.id]
    perception.set_prompts(["blue thing"])
    assert carried(perception) <= {0, GIVEN_UP, blue.id}
    (then,) = perception.query("red thing", stamp_ns=START_NS + 3 * STEP_NS).tracks
    assert then.id == red.id


def test_no_present_gaussian_keeps_the_id_of_a_track_that_ended(tmp_path) -> None:
    squares = {"red": lambda i: (0.2 + 0.05 * i, 0.0, 1.6), "blue": still(-0.5, 0.0, 1.5)}
    world = BoxWorld(squares, speed_m=0.0)
    config = replace(QUICK, tracks=replace(QUICK.tracks, lost_after_s=1.5))
    perception = Perception(config, ("red thing", "blue thing"))
    lost, percept = 0, perception.process(world(0))
    stays = next(t.id for t in percept.tracks if t.label == "blue thing")
    for index in range(1, 40):
        percept = perception.process(world(index))
        lost = max([lost, *(t.id for t in percept.tracks if t.state == TrackState.LOST)])
        assert not lost or lost not in carried(perception)
    assert lost
    assert stays in carried(perception)
    # the past knows it, and only the past
    stamp_ns = START_NS + 8 * STEP_NS
    perception.save(tmp_path / "map")
    for one in (perception, Perception.load(tmp_path / "map")):
        assert lost not in carried(one)
        (then,) = one.query("red thing", stamp_ns=stamp_ns).tracks
        assert (then.id, then.moving) == (lost, True)
        with pytest.raises(ValueError, match=f"expected the id of an object: {stays}"):
            one.query(like_object=lost)
        one.set_prompts(["red thing"])
        assert carried(one) <= {0, GIVEN_UP}
        one.set_prompts(["blue thing"])
        tracks = one.process(world(40)).tracks
        assert {t.id for t in tracks} == {max(lost, stays) + 1}
        one.reset()
        assert min(t.id for t in one.process(world(0)).tracks) == max(lost, stays) + 2


def test_a_file_whose_gaussians_carry_ids_without_tracks_brings_none_back(tmp_path) -> None:
    perception = Perception(QUICK, ("red thing",))
    for index in range(4):
        perception.process(BoxWorld()(index))
    ids = perception._memory.field.present["object_ids"]
    ids[ids == 0] = 77
    perception.save(tmp_path / "map")
    assert 77 not in carried(Perception.load(tmp_path / "map"))
