# SPDX-License-Identifier: Apache-2.0
"""Several cameras make one field; what is a camera's own stays its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from box_world import STEP_NS, BoxWorld, iou, still

from f4x_ros.core.config import Config
from f4x_ros.core.data import Frame, TrackState
from f4x_ros.core.errors import BadInputError, UnsupportedError
from f4x_ros.core.perception import Perception

_ASIDE = 60  # frames by which the left camera is farther along the path of the box world: 0.6 m
_QUICK = {"features.extractor": "color", "mapping.iterations": 4, "mapping.resolution": 96}
Place = Callable[[int], tuple[float, float, float]]


def perception(prompts: tuple[str, ...] = (), **options: object) -> Perception:
    given = {**_QUICK, **{name.replace("__", "."): value for name, value in options.items()}}
    return Perception(Config.from_dotted(given), prompts, cameras=("front", "left"))


class Rig:
    """Two cameras side by side that slide along before the box world."""

    def __init__(self, late_ns: int = 0, **squares: Place) -> None:
        """The left one's stamps are later by `late_ns`."""
        self._late_ns = late_ns
        places = squares or {"red": still(-0.4, 0.0, 1.6), "blue": still(0.9, 0.1, 1.5)}
        self._front = BoxWorld(places)

        def later(place: Place) -> Place:
            return lambda index: place(index - _ASIDE)

        self._left = BoxWorld({name: later(place) for name, place in places.items()})

    def front(self, index: int) -> Frame:
        return replace(self._front(index), camera_name="front", frame_id="front_eye")

    def left(self, index: int) -> Frame:
        made = self._left(index + _ASIDE)
        stamp_ns = made.stamp_ns - _ASIDE * STEP_NS + self._late_ns
        return replace(made, camera_name="left", frame_id="left_eye", stamp_ns=stamp_ns)

    def mask(self, index: int, name: str, color: str) -> np.ndarray:
        world, at = (self._front, index) if name == "front" else (self._left, index + _ASIDE)
        return world.mask(at, color)


def test_two_cameras_of_the_same_stamps_make_one_field_with_masks_for_both() -> None:
    rig, both = Rig(), perception(("red thing", "blue thing"))
    percepts = [both.process(make(i)) for i in range(8) for make in (rig.front, rig.left)]
    front, left = percepts[-2:]
    assert both.cameras == ("front", "left")
    assert (front.camera_name, left.camera_name) == ("front", "left")
    assert (front.frame_id, left.frame_id) == ("front_eye", "left_eye")
    assert front.stamp_ns == left.stamp_ns
    for percept, name in ((front, "front"), (left, "left")):
        assert percept.labels is not None
        for number, color in enumerate(("red", "blue")):
            truth = rig.mask(7, name, color)
            if truth.sum() > 100:
                assert iou(percept.labels == number + 1, truth) > 0.7, (name, color)
    assert {t.label for t in left.tracks} == {"red thing", "blue thing"}
    assert len(left.tracks) == 2  # of one thing there is one track, whoever sees it


def test_one_field_has_what_both_see_once() -> None:
    rig = Rig()
    alone = perception()
    for i in range(6):
        alone.process(rig.front(i))
    both = perception()
    for i in range(6):
        both.process(rig.front(i))
        both.process(replace(rig.front(i), camera_name="left"))  # the same view
    assert both.gaussians < 1.2 * alone.gaussians


def test_a_question_is_asked_from_the_named_camera_or_the_first() -> None:
    rig, both = Rig(), perception()
    both.process(rig.left(0))  # came first, and is second by name
    for i in range(1, 6):
        both.process(rig.front(i))
        both.process(rig.left(i))
    unnamed, left = both.query("red thing"), both.query("red thing", camera_name="left")
    assert (unnamed.frame_id, left.frame_id) == ("front_eye", "left_eye")
    for answer, name in ((unnamed, "front"), (left, "left")):
        truth = rig.mask(5, name, "red")
        assert (answer.mask[truth] >= answer.threshold).mean() > 0.7 if truth.any() else True
    y, x = np.argwhere(rig.mask(5, "left", "blue")).mean(0)
    clicked = both.segment([(x + 0.5, y + 0.5)], camera_name="left")
    assert iou(clicked.mask >= clicked.threshold, rig.mask(5, "left", "blue")) > 0.7
    assert not np.array_equal(both.viewpoint()[1], both.viewpoint(camera_name="left")[1])
    with pytest.raises(BadInputError, match="camera is 'rear', expected one of 'front', 'left'"):
        both.query("red thing", camera_name="rear")


def test_time_does_not_go_back_over_all_cameras_and_grows_for_each() -> None:
    rig, both = Rig(), perception()
    both.process(rig.front(3))
    with pytest.raises(BadInputError, match=r"of camera 'left', expected at least \d+ of 'front'"):
        both.process(rig.left(2))
    both.process(rig.left(3))
    with pytest.raises(BadInputError, match="expected more than"):
        both.process(rig.front(3))
    both.process(rig.left(4))


def test_what_one_camera_sees_is_in_sight_while_the_other_looks_elsewhere() -> None:
    rig = Rig(late_ns=STEP_NS // 2, blue=still(1.28, 0.1, 1.5))  # out of the front one's picture
    both = perception(("blue thing",))
    states = []
    for i in range(10):
        assert not rig.mask(i, "front", "blue").any()
        for make in (rig.front, rig.left):
            states += [track.state for track in both.process(make(i)).tracks]
    confirmed = states.index(TrackState.CONFIRMED)
    assert set(states[confirmed:]) == {TrackState.CONFIRMED}
    assert len(both.lives) == 1
    assert len(both.lives[0]) < 12  # (a history that flickers would keep every state)


def test_a_camera_that_went_silent_leaves_the_others_alone() -> None:
    rig, both = Rig(blue=still(1.28, 0.1, 1.5)), perception(("blue thing",))
    for i in range(6):
        both.process(rig.front(i))
        both.process(rig.left(i))
    for i in range(6, 30):  # 2.4 s without the left one
        percept = both.process(rig.front(i))
    assert {track.state for track in percept.tracks} == {TrackState.OCCLUDED}
    both.process(rig.left(30))
    assert {t.state for t in both.process(rig.left(31)).tracks} == {TrackState.CONFIRMED}


def test_a_mover_is_followed_by_the_camera_that_sees_it() -> None:
    def drive(index: int) -> tuple[float, float, float]:
        return (0.6 + 0.03 * index, 0.0, 1.5)

    rig = Rig(late_ns=STEP_NS // 2, red=drive)
    both = perception(("red thing",), mapping__iterations=6)
    for i in range(16):
        front, left = both.process(rig.front(i)), both.process(rig.left(i))
    for percept in (front, left):
        (track,) = percept.tracks
        assert track.moving
        assert track.velocity[0] == pytest.approx(0.3, abs=0.12)
    assert left.moving is not None
    truth = rig.mask(15, "left", "red")
    assert (left.moving[truth] > 0.5).mean() > 0.6


def test_each_camera_has_an_exposure_of_its_own() -> None:
    rig = Rig()

    def dark(frame: Frame) -> Frame:
        return replace(frame, rgb=(frame.rgb * 0.7).astype(np.uint8))

    both = perception(mapping__iterations=12)
    for i in range(24):
        both.process(rig.front(i))
        both.process(dark(rig.left(i)))
    for name, frame in (("front", rig.front(23)), ("left", dark(rig.left(23)))):
        assert frame.T_map_camera is not None
        seen = both.render(frame.camera, frame.T_map_camera, frame.stamp_ns, camera_name=name)
        assert np.median(seen.color) == pytest.approx(np.median(frame.rgb), abs=9), name


def test_cameras_that_stand_still_make_a_keyframe_each() -> None:
    both, rig = perception(), Rig()
    keyframes = 0
    for i in range(6):
        for frame in (rig.front(0), rig.left(0)):
            stamp_ns = rig.front(i).stamp_ns
            keyframes += both.process(replace(frame, stamp_ns=stamp_ns)).counts["keyframe"]
    assert keyframes == 2


def test_features_are_extracted_for_every_camera() -> None:
    rig, both = Rig(), perception(("blue thing",), features__every=2)
    for i in range(8):
        both.process(rig.front(i))
        percept = both.process(rig.left(i))
    assert percept.labels is not None
    assert iou(percept.labels == 1, rig.mask(7, "left", "blue")) > 0.7


def test_a_map_of_several_cameras_is_read_back(tmp_path: Path) -> None:
    rig, both = Rig(), perception(("red thing",))
    for i in range(6):
        both.process(rig.front(i))
        both.process(rig.left(i))
    both.save(tmp_path / "map.f4x")
    read = Perception.load(tmp_path / "map.f4x")
    assert read.cameras == both.cameras
    assert read.span_ns == both.span_ns
    for name in ("", "front", "left"):
        before = both.query("red thing", camera_name=name, stamp_ns=rig.front(3).stamp_ns)
        after = read.query("red thing", camera_name=name, stamp_ns=rig.front(3).stamp_ns)
        np.testing.assert_allclose(after.mask, before.mask, atol=1e-6)
        assert after.frame_id == before.frame_id
    read.process(rig.left(6))  # and goes on


def test_odometry_refuses_a_second_camera_by_name() -> None:
    rig = Rig()
    one = perception(pose__source="odometry")
    one.process(rig.front(0))
    with pytest.raises(UnsupportedError, match="camera 'left', expected one of 'front'"):
        one.process(rig.left(0))
