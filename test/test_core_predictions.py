# SPDX-License-Identifier: Apache-2.0
"""Predictions against motion that is simulated exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fabricated import track
from scipy.spatial.transform import Rotation

from f4x_ros.core.config import TracksConfig
from f4x_ros.core.data import MotionModel, Track, TrackState
from f4x_ros.core.motion import predict
from f4x_ros.core.motion.predict import Turn, carried_on, turn_of
from f4x_ros.core.objects import AHEAD_S, Component, Tracker, predictions
from f4x_ros.core.objects.tracker import Detection

STEP_NS = 33_333_333


@pytest.fixture(autouse=True)
def goes_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated things do not stop, so that truth is exact."""
    monkeypatch.setattr(predict, "_TURN_MEMORY_S", 1e6)
    monkeypatch.setattr(predict, "_WAY_MEMORY_S", 1e6)
    monkeypatch.setattr(predict, "_UP_MEMORY_S", 1e6)


def mover(**changes: Any) -> Track:
    return track(1, "robot", (1.0, 2.0, 0.3), moving=True, **changes)


def circle(rate: float, radius: float, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Place and velocity on a circle about (0, 0, 0.5)."""
    a = rate * t
    place = np.array([radius * np.cos(a), radius * np.sin(a), 0.5])
    return place, rate * radius * np.array([-np.sin(a), np.cos(a), 0.0])


def test_what_rests_stays_where_it_is() -> None:
    still = track(1, "mug", (1.0, 2.0, 0.3))
    model, (soon, late) = carried_on(still, (0.5, 2.0), None)
    assert model is MotionModel.RESTS
    np.testing.assert_array_equal(late.position, still.position)
    assert np.trace(late.pose_covariance) > np.trace(soon.pose_covariance)


def test_what_moved_a_moment_ago_may_go_on() -> None:
    still = track(1, "mug", (1.0, 2.0, 0.3))
    (rests,), (halts,) = (carried_on(still, (2.0,), halts=one)[1] for one in (False, True))
    np.testing.assert_array_equal(halts.position, rests.position)
    assert halts.pose_covariance[0, 0] > 2 * rests.pose_covariance[0, 0]


def test_motion_fades_and_what_goes_up_soonest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    thing = mover(velocity=np.array([1.0, 0.0, 1.0]))
    _, (then,) = carried_on(thing, (2.0,))
    assert 1.4 < then.position[0] - thing.position[0] < 2.0
    assert 0.1 < then.position[2] - thing.position[2] < 0.5
    assert 0 < then.velocity[2] < then.velocity[0] < 1


def test_without_a_turn_it_goes_straight_and_turns_as_it_turns() -> None:
    spin = np.array([0.0, 0.0, 0.8])
    known = np.diag([1e-4] * 3 + [0.01] * 3)
    thing = mover(velocity=np.array([0.5, -0.2, 0.1]), angular_velocity=spin, pose_covariance=known)
    model, (then,) = carried_on(thing, (1.5,), None)
    assert model is MotionModel.CONSTANT_TWIST
    np.testing.assert_allclose(then.position, [1.75, 1.7, 0.45], rtol=1e-5)
    assert Rotation.from_quat(then.orientation).magnitude() == pytest.approx(1.2)
    assert then.pose_covariance[5, 5] > known[5, 5]


@pytest.mark.parametrize("rate", [0.9, -1.4])
def test_a_coordinated_turn_stays_on_its_circle(rate: float) -> None:
    place, velocity = circle(rate, 0.8, 0.3)
    thing = replace(mover(velocity=velocity), position=place)
    model, ahead = carried_on(thing, AHEAD_S, Turn(rate, 0.05))
    assert model is MotionModel.COORDINATED_TURN
    for seconds, then in zip(AHEAD_S, ahead, strict=True):
        true_place, true_velocity = circle(rate, 0.8, 0.3 + seconds)
        np.testing.assert_allclose(then.position, true_place, atol=1e-4)
        np.testing.assert_allclose(then.velocity, true_velocity, atol=1e-4)


def test_the_turn_rate_is_found_in_noisy_velocities_and_not_in_straight_ones() -> None:
    rng = np.random.default_rng(3)
    seconds = np.linspace(-0.8, 0, 13)
    curved = np.array([circle(1.1, 0.8, t)[1] for t in seconds])
    found = turn_of(seconds, curved + rng.normal(0, 0.03, curved.shape), 0.03)
    assert found is not None
    assert found.rate == pytest.approx(1.1, abs=4 * found.sigma)
    assert found.sigma < 0.3
    straight = np.tile([0.6, 0.3, 0.0], (13, 1)) + rng.normal(0, 0.03, (13, 3))
    assert turn_of(seconds, straight, 0.03) is None
    assert turn_of(seconds, np.zeros((13, 3)), 0.03) is None  # (what rests has no heading)


def test_a_tracker_that_sees_a_circle_predicts_a_turn() -> None:
    tracker = Tracker(TracksConfig())
    for index in range(90):
        place, _ = circle(1.2, 0.6, index / 30)
        component = Component(np.arange(30), place, np.full(3, 0.2), 0.9)
        ids = np.full(30, min(index, 1))
        tracker.update(
            [Detection("robot", component, ids, 1.0, index * STEP_NS, 0.5)], index * STEP_NS
        )
    (one,) = predictions(tracker.tracks(), tracker.lives, 89 * STEP_NS)
    assert one.model is MotionModel.COORDINATED_TURN
    assert one.turn_rate_radps == pytest.approx(1.2, abs=0.25)
    (straight,) = predictions(tracker.tracks(), (), 89 * STEP_NS)
    assert straight.model is MotionModel.CONSTANT_TWIST
    for seconds, turned, went in zip(AHEAD_S[:2], one.ahead, straight.ahead, strict=False):
        true_place, _ = circle(1.2, 0.6, 89 / 30 + seconds)
        error = np.linalg.norm(turned.position - true_place)
        assert error < 0.15 * 2 * seconds
        assert error < np.linalg.norm(went.position - true_place)


def test_covariances_hold_what_the_velocity_does_not_know() -> None:
    """Errors drawn from the covariance of now are inside of the covariance of then."""
    rng = np.random.default_rng(5)
    sigma = 0.2
    twist = np.diag([sigma**2] * 3 + [1.0] * 3)
    inside = []
    for _ in range(300):
        true_velocity = np.array([0.6, 0.2, 0.0])
        said = mover(velocity=true_velocity + rng.normal(0, sigma, 3), twist_covariance=twist)
        (then,) = carried_on(said, (1.0,), None)[1]
        error = then.position - (said.position + true_velocity)
        inside.append(error @ np.linalg.solve(then.pose_covariance[:3, :3], error) < 7.81)
    assert np.mean(inside) >= 0.93  # 95 % of chi squared with 3 degrees of freedom are below


def test_covariances_are_symmetric_positive_and_never_shrink() -> None:
    for turn in (None, Turn(1.3, 0.3)):
        thing = mover(velocity=np.array([0.4, 0.7, -0.3]))
        _, ahead = carried_on(thing, (0.0, 0.5, 1.0, 2.0, 10.0), turn)
        for matrix in (one.pose_covariance for one in ahead):
            np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
            assert np.linalg.eigvalsh(matrix).min() > 0
        sizes = [np.linalg.det(one.pose_covariance[:3, :3]) for one in ahead]
        assert sizes == sorted(sizes)


def test_what_is_lost_is_left_out_and_seconds_are_checked() -> None:
    tracks = [track(2, "mug", (0, 0, 0)), track(1, "cup", (0, 0, 0), state=TrackState.LOST)]
    assert [one.track.id for one in predictions(tracks, (), 0)] == [2]
    for wrong in ((1.0, 0.5), (-0.1,), (11.0,), (float("nan"),), (1.0, 1.0)):
        with pytest.raises(ValueError, match="ahead_s is"):
            predictions(tracks, (), 0, wrong)
