# SPDX-License-Identifier: Apache-2.0
"""Scores of tracks by hand, against TrackEval, and on tracks that are deliberately wrong."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from f4x_ros.eval.metrics.libraries import library
from f4x_ros.eval.metrics.track_matching import follow_matches, scored_frame, trackeval_data
from f4x_ros.eval.metrics.tracks import ObjectStates, TrackScores, track_scores

STEP_NS = 100_000_000  # 10 Hz


def objects(frame: int, positions: dict[int, object]) -> ObjectStates:
    """Objects by id at a frame of 10 Hz."""
    return ObjectStates(
        stamp_ns=frame * STEP_NS,
        ids=np.array(list(positions), np.int64),
        positions=np.array(list(positions.values()), np.float64).reshape(-1, 3),
    )


def standing(frames: int, ids: dict[int, float]) -> list[ObjectStates]:
    """Objects that stand at the given x."""
    return [objects(f, {i: (x, 0, 0) for i, x in ids.items()}) for f in range(frames)]


def crowd(frames: int = 40, count: int = 5, seed: int = 0) -> list[ObjectStates]:
    """Objects that circle and turn, 2 m apart."""
    rng = np.random.default_rng(seed)
    phase, pace = rng.uniform(0, 6, count), rng.uniform(0.5, 1.5, count)
    out = []
    for frame in range(frames):
        angle = phase + pace * frame * 0.1
        circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1) * 0.4
        tangent = np.stack([-np.sin(angle), np.cos(angle), 0 * angle], 1) * 0.4
        out.append(
            ObjectStates(
                stamp_ns=frame * STEP_NS,
                ids=np.arange(1, count + 1),
                positions=circle + np.stack([np.arange(count) * 2.0, phase * 0, phase * 0], 1),
                orientations=Rotation.from_euler("z", angle[:, None]).as_quat(),
                velocities=tangent * pace[:, None],
                sizes=np.full((count, 3), 0.2),
                moving=np.ones(count, bool),
            )
        )
    return out


def test_the_truth_itself_is_perfect() -> None:
    truth = crowd()
    got = track_scores(truth, truth)
    assert (got.hota, got.deta, got.assa, got.loca) == pytest.approx((1, 1, 1, 1))
    assert (got.mota, got.idf1, got.recall, got.precision) == pytest.approx((1, 1, 1, 1))
    assert (got.position_median_m, got.position_p95_m) == (0.0, 0.0)
    assert got.orientation_median_rad == pytest.approx(0, abs=1e-7)
    assert (got.velocity_median_mps, got.velocity_p95_mps, got.size_median_m) == (0.0, 0.0, 0.0)
    assert got.time_to_confirmation_median_s == 0.0
    assert (got.id_switches, got.fragmentations, got.never_found, got.false_tracks) == (0, 0, 0, 0)
    assert (got.objects, got.frames, got.matches) == (5, 40, 200)


def test_one_id_switch_by_hand() -> None:
    # One object, 10 frames, always found exactly; the id is 7 for six frames and 8 for four.
    truth = standing(10, {1: 0.0})
    predicted = standing(6, {7: 0.0}) + standing(10, {8: 0.0})[6:]
    got = track_scores(truth, predicted)
    assert got.id_switches == 1
    assert got.mota == pytest.approx(1 - 1 / 10)
    assert got.idf1 == pytest.approx(0.6)  # 6 right, 4 missed, 4 invented
    assert got.deta == pytest.approx(1)
    # Each match is worth matches / (true + predicted - matches) of its pair of tracks.
    assert got.assa == pytest.approx((6 * 6 / 10 + 4 * 4 / 10) / 10)
    assert got.hota == pytest.approx(math.sqrt(0.52))


def test_misses_and_inventions_by_hand() -> None:
    # Two objects for 10 frames; one is found in 8 frames, the other never; 3 phantoms of one id.
    truth = standing(10, {1: 0.0, 2: 5.0})
    phantom, found = {9: (50, 0, 0)}, {7: (0, 0, 0)}
    said = [phantom, phantom, *[found] * 7, {**found, **phantom}]
    predicted = [objects(f, positions) for f, positions in enumerate(said)]
    got = track_scores(truth, predicted)
    assert got.mota == pytest.approx(1 - (12 + 3) / 20)
    assert got.recall == pytest.approx(8 / 20)
    assert got.precision == pytest.approx(8 / 11)
    assert got.deta == pytest.approx(8 / (20 + 11 - 8))
    assert got.assa == pytest.approx(8 / 10)
    assert got.idf1 == pytest.approx(8 / (8 + (3 + 12) / 2))
    assert (got.never_found, got.false_tracks, got.id_switches) == (1, 1, 0)


def test_localisation_by_hand() -> None:
    # 0.1 m off of 0.5 m is a similarity of 0.8, which 16 of the 19 thresholds accept.
    got = track_scores(standing(10, {1: 0.0}), standing(10, {1: 0.1}))
    assert got.deta == pytest.approx(16 / 19)
    assert got.hota == pytest.approx(16 / 19)
    assert got.loca == pytest.approx((16 * 0.8 + 3 * 1) / 19)  # TrackEval: 1 where none is found
    assert got.mota == 1.0
    assert got.position_median_m == pytest.approx(0.1)
    assert track_scores(standing(10, {1: 0.0}), standing(10, {1: 0.1}), 0.2).hota < 0.6  # type: ignore[operator]
    far = track_scores(standing(10, {1: 0.0}), standing(10, {1: 0.6}))
    assert (far.hota, far.mota, far.idf1) == (0.0, -1.0, 0.0)
    assert (far.never_found, far.position_median_m) == (1, None)


def test_state_errors_by_hand() -> None:
    def frame(index: int, angle: float, offset: float, speed: float) -> ObjectStates:
        return ObjectStates(
            stamp_ns=index * STEP_NS,
            ids=np.array([1]),
            positions=np.array([[offset, 0, 0]]),
            orientations=Rotation.from_euler("z", [[angle]]).as_quat(),
            velocities=np.array([[speed, 0, 0]]),
            sizes=np.array([[0.1, 0.2, 0.3]]) + offset,
        )

    truth = [frame(i, 0.2 * i, 0.0, 1.0) for i in range(5)]
    errors = [0.0, 0.01, 0.02, 0.03, 0.04]
    predicted = [frame(i, 0.2 * i + e, e, 1 + 2 * e) for i, e in enumerate(errors)]
    got = track_scores(truth, predicted)
    assert got.position_median_m == pytest.approx(0.02)
    assert got.position_p95_m == pytest.approx(0.038)
    assert got.velocity_median_mps == pytest.approx(0.04)
    assert got.velocity_p95_mps == pytest.approx(0.076)
    assert got.size_median_m == pytest.approx(0.02)
    assert got.orientation_median_rad == pytest.approx(0.025)  # the first is no measurement


def test_a_tracker_may_choose_the_axes_of_its_objects_but_must_turn_them() -> None:
    truth = crowd()
    turned = Rotation.from_euler("xyz", [0.7, -1.0, 2.0])
    other_axes, still = [], []
    for frame in truth:
        assert frame.orientations is not None
        rotation = Rotation.from_quat(frame.orientations) * turned
        other_axes.append(replace(frame, orientations=rotation.as_quat()))
        still.append(replace(frame, orientations=np.tile([0.0, 0, 0, 1], (len(frame), 1))))
    assert track_scores(truth, other_axes).orientation_median_rad == pytest.approx(0, abs=1e-6)
    wrong = track_scores(truth, still).orientation_median_rad
    assert wrong is not None
    assert wrong > 0.5


def _swapped(frame: ObjectStates) -> ObjectStates:
    ids = frame.ids.copy()
    ids[:2] = ids[1::-1]
    return replace(frame, ids=ids) if frame.stamp_ns > 2e9 else frame


def _fresh_ids(frame: ObjectStates) -> ObjectStates:
    return replace(frame, ids=frame.ids + 100 * (frame.stamp_ns // STEP_NS))


def _shifted(frame: ObjectStates) -> ObjectStates:
    return replace(frame, positions=frame.positions + np.array([0.1, 0, 0]))


def _scaled(frame: ObjectStates) -> ObjectStates:
    return replace(frame, positions=frame.positions * 1.05)


def _late(frame: ObjectStates) -> ObjectStates:
    return replace(frame, confirmed=np.full(len(frame), frame.stamp_ns >= 1e9))


def _missing(frame: ObjectStates) -> ObjectStates:
    return frame.kept(frame.ids != 1)


def _blinking(frame: ObjectStates) -> ObjectStates:
    return frame.kept(np.full(len(frame), frame.stamp_ns // STEP_NS % 2 == 0))


def _doubled(frame: ObjectStates) -> ObjectStates:
    both = np.concatenate([frame.positions, frame.positions + np.array([0.05, 0, 0])])
    return objects(
        frame.stamp_ns // STEP_NS,
        dict(zip([*frame.ids, *(frame.ids + 50)], both, strict=True)),
    )


def _merged(frame: ObjectStates) -> ObjectStates:
    return replace(frame, positions=np.tile(frame.positions.mean(0), (len(frame), 1)))


WRONG: dict[Callable[[ObjectStates], ObjectStates], tuple[str, ...]] = {
    _swapped: ("hota", "assa", "idf1", "mota"),
    _fresh_ids: ("hota", "assa", "idf1", "mota"),
    _shifted: ("hota", "deta", "loca"),
    _scaled: ("hota", "deta", "loca"),
    _late: ("hota", "deta", "mota", "idf1", "recall"),
    _missing: ("hota", "deta", "mota", "idf1", "recall"),
    _blinking: ("hota", "deta", "assa", "mota", "idf1", "recall"),
    _doubled: ("hota", "deta", "mota", "idf1", "precision"),
    _merged: ("hota", "deta", "mota", "idf1", "recall"),
}


@pytest.mark.parametrize("spoil", WRONG)
def test_wrong_tracks_score_worse(spoil: Callable[[ObjectStates], ObjectStates]) -> None:
    truth = crowd()
    rng = np.random.default_rng(1)
    noisy = [
        replace(f, positions=f.positions + rng.normal(0, 0.005, f.positions.shape)) for f in truth
    ]
    good = track_scores(truth, noisy)
    bad = track_scores(truth, [spoil(frame) for frame in noisy])
    for name in WRONG[spoil]:
        assert getattr(bad, name) < getattr(good, name) - 0.005, name


def test_what_each_wrong_answer_is_counted_as() -> None:
    truth = crowd()

    def of(spoil: Callable[[ObjectStates], ObjectStates]) -> TrackScores:
        return track_scores(truth, [spoil(frame) for frame in truth])

    assert of(_swapped).id_switches == 2
    assert of(_fresh_ids).id_switches == 5 * 39
    assert of(_late).time_to_confirmation_median_s == pytest.approx(1.0)
    assert of(_missing).never_found == 1
    assert of(_blinking).fragmentations == 5 * 19
    assert of(_doubled).false_tracks == 5
    assert of(_shifted).position_median_m == pytest.approx(0.1)


def test_wrong_velocities_are_seen_and_those_of_moving_objects_apart() -> None:
    def frame(index: int, velocities: list[float]) -> ObjectStates:
        return ObjectStates(
            stamp_ns=index * STEP_NS,
            ids=np.array([1, 2, 3]),
            positions=np.array([[0, 0, 0], [5, 0, 0], [9, 0, 0]]) + 0.0,
            velocities=np.array([[v, 0, 0] for v in velocities]),
            moving=np.array([v > 0 for v in velocities]),
        )

    truth = [frame(i, [0, 0, 1.0]) for i in range(5)]
    still = [frame(i, [0, 0, 0.0]) for i in range(5)]
    got = track_scores(truth, still)
    assert got.velocity_median_mps == 0.0  # most objects stand
    assert got.moving is not None
    assert got.moving.velocity_median_mps == pytest.approx(1.0)
    assert got.moving.matches == 5
    assert track_scores(standing(3, {1: 0.0}), standing(3, {1: 0.0})).moving is None
    assert track_scores(still, still).moving.position_median_m is None  # type: ignore[union-attr]


def test_confirmation_is_timed_from_the_first_frame_that_counts() -> None:
    truth = standing(10, {1: 0.0, 2: 5.0, 3: 9.0})
    # 1 is found at once, 2 at frame 4 and hidden until frame 2, 3 at frame 9.
    predicted = [
        objects(f, {i: (x, 0, 0) for i, x, at in ((1, 0, 0), (2, 5, 4), (3, 9, 9)) if f >= at})
        for f in range(10)
    ]
    hidden = [{2} if f < 2 else set() for f in range(10)]
    assert track_scores(truth, predicted).time_to_confirmation_median_s == pytest.approx(0.4)
    got = track_scores(truth, predicted, ignore=hidden)
    assert got.time_to_confirmation_median_s == pytest.approx(0.2)
    assert got.never_found == 0


def test_finding_only_the_easy_half_does_not_shorten_the_time_to_confirmation() -> None:
    truth = standing(10, {1: 0.0, 2: 5.0, 3: 9.0})
    one = track_scores(truth, standing(10, {1: 0.0}))
    assert (one.time_to_confirmation_median_s, one.never_found) == (None, 2)
    two = track_scores(truth, standing(10, {1: 0.0, 2: 5.0}))
    assert (two.time_to_confirmation_median_s, two.never_found) == (0.0, 1)


def test_tentative_predictions_are_no_claims() -> None:
    truth = standing(5, {1: 0.0})
    said = [replace(f, confirmed=np.zeros(len(f), bool)) for f in standing(5, {1: 0.0, 8: 50.0})]
    got = track_scores(truth, said)
    assert (got.recall, got.precision, got.never_found, got.false_tracks) == (0.0, None, 1, 0)


def test_an_ignored_object_is_neither_missed_nor_found() -> None:
    truth = standing(10, {1: 0.0, 2: 5.0})
    with_2, without_2 = standing(10, {7: 0.0, 8: 5.0}), standing(10, {7: 0.0})
    hidden = [{2}] * 10
    assert track_scores(truth, without_2).mota == pytest.approx(0.5)
    for predicted in (with_2, without_2):
        got = track_scores(truth, predicted, ignore=hidden)
        assert (got.hota, got.mota, got.idf1) == pytest.approx((1, 1, 1))
        assert (got.objects, got.matches, got.false_tracks) == (1, 10, 0)
    # What is nowhere near it is still invented.
    phantom = standing(10, {7: 0.0, 8: 6.0})
    assert track_scores(truth, phantom, ignore=hidden).mota == pytest.approx(0)


def test_being_hidden_is_no_fragmentation_but_being_lost_is() -> None:
    truth = standing(10, {1: 0.0, 2: 5.0})
    seen = [f.kept(np.array([not 3 <= i < 6, True])) for i, f in enumerate(truth)]
    hidden = [{1} if 3 <= f < 6 else set() for f in range(10)]
    assert track_scores(truth, seen).fragmentations == 1
    assert track_scores(truth, seen, ignore=hidden).fragmentations == 0
    never_again = [f.kept(np.array([i < 3, True])) for i, f in enumerate(truth)]
    assert track_scores(truth, never_again).fragmentations == 0


def test_a_prediction_near_an_ignored_object_still_serves_the_scored_one_it_fits_better() -> None:
    truth = standing(4, {1: 0.0, 2: 0.3})
    got = track_scores(truth, standing(4, {7: 0.1}), ignore=[{2}] * 4)
    assert (got.mota, got.position_median_m) == (1.0, pytest.approx(0.1))
    got = track_scores(truth, standing(4, {7: 0.2}), ignore=[{2}] * 4)
    assert (got.recall, got.precision) == (0.0, None)


def test_an_object_hidden_for_a_while_keeps_its_id_or_pays() -> None:
    truth = standing(10, {1: 0.0})
    hidden = [{1} if 3 <= f < 6 else set() for f in range(10)]
    same = [f.kept(np.array([not hidden[i]])) for i, f in enumerate(standing(10, {7: 0.0}))]
    other = same[:6] + standing(10, {8: 0.0})[6:]
    kept, changed = (track_scores(truth, p, ignore=hidden) for p in (same, other))
    assert (kept.hota, kept.id_switches) == (pytest.approx(1), 0)
    assert changed.id_switches == 1
    assert changed.hota is not None
    assert changed.hota < 0.8


def test_objects_of_different_classes_never_match() -> None:
    truth = [replace(f, classes=np.array([4])) for f in standing(5, {1: 0.0})]
    cups = [replace(f, classes=np.array([5])) for f in standing(5, {1: 0.0})]
    assert track_scores(truth, truth).mota == 1.0
    assert track_scores(truth, cups).mota == -1.0
    assert track_scores(truth, standing(5, {1: 0.0})).mota == 1.0  # a tracker without classes


def test_nothing_at_all_one_frame_and_empty_frames() -> None:
    for none in (track_scores([], []), track_scores(standing(3, {}), standing(3, {}))):
        assert (none.hota, none.deta, none.assa, none.mota, none.idf1) == (None,) * 5
        assert (none.position_median_m, none.time_to_confirmation_median_s) == (None, None)
    blind = track_scores(standing(3, {1: 0.0}), standing(3, {}))
    assert (blind.hota, blind.deta, blind.mota, blind.idf1, blind.recall) == (0,) * 5
    assert (blind.assa, blind.loca, blind.precision, blind.never_found) == (None, None, None, 1)
    dreaming = track_scores(standing(3, {}), standing(3, {1: 0.0}))
    assert (dreaming.hota, dreaming.idf1, dreaming.precision) == (0, 0, 0)
    assert (dreaming.mota, dreaming.recall, dreaming.false_tracks) == (None, None, 1)
    one = track_scores(standing(1, {1: 0.0}), standing(1, {1: 0.1}))
    assert (one.mota, one.frames) == (1.0, 1)
    all_ignored = track_scores(standing(3, {1: 0.0}), standing(3, {1: 0.0}), ignore=[{1}] * 3)
    assert (all_ignored.hota, all_ignored.objects) == (None, 0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_our_matching_for_the_errors_is_the_one_of_trackevals_clear(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def messy(frame: int) -> ObjectStates:
        ids = rng.choice(12, rng.integers(0, 7), replace=False)
        return objects(frame, {int(i): rng.uniform(0, 1, 3) for i in ids})

    frames = [scored_frame(messy(f), messy(f), 0.8, ()) for f in range(12)]
    matches = follow_matches(frames)
    clear = library("trackeval.metrics").CLEAR({"THRESHOLD": 1e-9, "PRINT_CONFIG": False})
    theirs = clear.eval_sequence(trackeval_data(frames))
    assert len(matches) == theirs["CLR_TP"]
    last: dict[int, int] = {}
    switches = 0
    for match in matches:
        switches += last.get(match.truth_id, match.predicted_id) != match.predicted_id
        last[match.truth_id] = match.predicted_id
    assert switches == theirs["IDSW"]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_names_and_order_of_ids_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = crowd(12, 4, seed)
    noisy = [
        replace(f, positions=f.positions + rng.normal(0, 0.2, f.positions.shape)) for f in truth
    ]
    order = rng.permutation(4)
    renamed = [replace(f, ids=2**40 + 7 * f.ids).kept(order) for f in noisy]  # type: ignore[arg-type]
    first, second = track_scores(truth, noisy), track_scores(truth, renamed)
    for name in ("hota", "assa", "mota", "idf1", "position_median_m", "velocity_p95_mps"):
        assert getattr(first, name) == pytest.approx(getattr(second, name)), name


def test_nothing_is_printed_and_nothing_is_changed(capsys: pytest.CaptureFixture[str]) -> None:
    truth = crowd(5)
    before = truth[0].positions.copy()
    track_scores(truth, [_shifted(frame) for frame in truth], ignore=[{1}] * 5)
    assert capsys.readouterr() == ("", "")
    assert (truth[0].positions == before).all()
    assert len(truth[0]) == 5


def test_four_times_the_frames_are_four_times_the_work() -> None:
    def calls(frames: int) -> int:
        truth = crowd(frames, 20)
        predicted = [_shifted(frame) for frame in truth]
        count = 0

        def tick(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(tick)
        try:
            track_scores(truth, predicted)
        finally:
            sys.setprofile(None)
        return count

    calls(2)  # imports
    assert calls(240) < 4.2 * calls(60)


def test_bad_input_is_refused_by_name() -> None:
    truth = standing(3, {1: 0.0})
    with pytest.raises(ValueError, match=r"^predicted has 2 frames, expected 3"):
        track_scores(truth, truth[:2])
    with pytest.raises(ValueError, match=r"^ignore has 1 frames"):
        track_scores(truth, truth, ignore=[set()])
    with pytest.raises(ValueError, match=r"^predicted\[1\] has stamp"):
        track_scores(truth, [truth[0], truth[2], truth[1]])
    with pytest.raises(ValueError, match=r"^truth\[2\] has stamp"):
        track_scores([*truth[:2], truth[1]], [*truth[:2], truth[1]])
    with pytest.raises(ValueError, match=r"^max_distance_m is nan"):
        track_scores(truth, truth, max_distance_m=math.nan)


@pytest.mark.parametrize(
    "field, value",
    [
        ("positions", np.array([[0, math.nan, 0], [0, 0, 0]])),
        ("positions", np.zeros((2, 2))),
        ("velocities", np.array([[0, 0, 0], [math.inf, 0, 0]])),
        ("sizes", np.zeros((1, 3))),
        ("orientations", np.zeros((2, 4))),
        ("moving", np.zeros(3, bool)),
        ("ids", np.array([3, 3])),
        ("ids", np.array([1.0, 2.0])),
    ],
)
def test_bad_states_are_refused_by_name(field: str, value: np.ndarray) -> None:
    good = {"ids": np.array([1, 2]), "positions": np.zeros((2, 3))}
    with pytest.raises(ValueError, match=f"^{field} "):
        ObjectStates(0, **{**good, field: value})  # type: ignore[arg-type]
