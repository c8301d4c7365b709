# SPDX-License-Identifier: Apache-2.0
"""Tracks of things that move, hide, leave and come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from box_world import START_NS, STEP_NS, BoxWorld, still

from f4x_ros.core.config import Config, TracksConfig
from f4x_ros.core.data.track import Track, TrackState
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
