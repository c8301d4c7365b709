# SPDX-License-Identifier: Apache-2.0
"""Places seen again: the graph of poses, what is recognised, and what is not believed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from odometry_room import CAMERA, OdometryRoom, error_m, pose_at

from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.core.data.poses import rotation_angle_rad
from f4x_ros.core.motion.odometry import Odometry
from f4x_ros.core.motion.odometry.keyframes import OdometryKeyframes
from f4x_ros.core.motion.odometry.loops import LoopCloser
from f4x_ros.core.motion.odometry.pose_graph import Edge, optimised

ROOM = OdometryRoom(noise=1.0)
TURN_DEG = 9.0  # a step


def on_circle(index: int) -> Pose:
    """A camera that looks outwards and goes around once in 40 steps."""
    angle = np.radians(TURN_DEG * index)
    return pose_at(0.8 * np.sin(angle), 0, 0.8 * np.cos(angle) - 0.8, TURN_DEG * index)


def drifted(count: int, drift: Pose) -> list[Pose]:
    """A circle whose steps are all off by the same motion."""
    poses = [on_circle(0)]
    for i in range(1, count):
        poses.append(poses[-1] @ inverse(on_circle(i - 1)) @ on_circle(i) @ drift)
    return poses


def steps_of(poses: list[Pose]) -> list[Edge]:
    return [
        Edge(i, i + 1, inverse(a) @ b, (0.01, 0.01)) for i, (a, b) in enumerate(pairwise(poses))
    ]


def test_a_closed_circle_takes_its_drift_back_evenly() -> None:
    poses = drifted(40, pose_at(0, 0.004, 0, 0.25))
    loop = Edge(0, 39, inverse(on_circle(0)) @ on_circle(39), (0.001, 0.001))
    found = optimised(poses, [*steps_of(poses), loop])
    np.testing.assert_array_equal(found[0], poses[0])
    before = max(error_m(pose, on_circle(i)) for i, pose in enumerate(poses))
    after = max(error_m(pose, on_circle(i)) for i, pose in enumerate(found))
    assert before > 0.1
    assert after < 0.2 * before
    assert error_m(found[-1], on_circle(39)) < 0.005


def test_poses_that_agree_with_everything_stay() -> None:
    poses = [on_circle(i) for i in range(6)]
    loop = Edge(0, 5, inverse(poses[0]) @ poses[5], (0.001, 0.001))
    for one, other in zip(optimised(poses, [*steps_of(poses), loop]), poses, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    assert len(optimised(poses[:1], [])) == 1


@pytest.fixture(scope="module")
def around() -> tuple[Odometry, list[bool], list[Pose | None]]:
    """Once around with a camera whose calibration is 2 % off, so that a full turn is not one."""
    odometry, closed, poses = Odometry(), [], []
    wrong = PinholeCamera(CAMERA.width, CAMERA.height, 1.02 * 140, 1.02 * 140, 80, 60)
    for i in range(42):
        frame = ROOM.frame(i, on_circle(i), rate_hz=5, given=None if i else on_circle(0))
        found = odometry.track(replace(frame, camera=wrong))
        closed.append(found.loop_closed)
        poses.append(found.T_map_camera)
    return odometry, closed, poses


def test_once_around_is_closed(around: tuple[Odometry, list[bool], list[Pose | None]]) -> None:
    _, closed, poses = around
    first = closed.index(True)
    assert 34 <= first <= 41
    before, after = (
        rotation_angle_rad(pose, on_circle(i))
        for i in (first - 1, first)
        if (pose := poses[i]) is not None
    )
    assert before > np.radians(0.8)
    assert after < np.radians(0.35)


def test_what_lies_between_is_corrected_with_what_it_shows(
    around: tuple[Odometry, list[bool], list[Pose | None]],
) -> None:
    odometry, _, poses = around
    kept = odometry._keyframes.kept
    for i, pose in enumerate(poses[:30]):
        assert pose is not None
        near = [one for one in kept if np.array_equal(one.T_map_camera, pose)]
        assert i < 3 or not near  # all moved but the first, which stays
    for one in kept:  # samples lie where the keyframe's own corners say
        there = one.features.points[one.features.points[:, 2] > 0]
        there = there @ one.T_map_camera[:3, :3].T + one.T_map_camera[:3, 3]
        gaps = np.linalg.norm(there[:, None] - one.samples[1].points[None], axis=-1).min(1)
        assert np.median(gaps) < 0.06
    unsure = [np.trace(one.covariance) for one in kept]
    assert max(unsure[1:-1]) > 3 * unsure[-1]  # surest at both ends


def test_a_place_that_cannot_be_there_is_not_believed() -> None:
    odometry = Odometry()
    for i in range(3):
        odometry.track(ROOM.frame(i, on_circle(i), given=None if i else on_circle(0)))
    template = odometry._keyframes.last
    keyframes = OdometryKeyframes(100)
    for i in range(20):
        keyframes.add(replace(template, T_map_camera=pose_at(0.2 * i)))
    before = [one.T_map_camera for one in keyframes.kept]
    assert not LoopCloser().close(keyframes, lambda place: pose_at(0.2 * 19 - 2.0))
    assert all(a is one.T_map_camera for a, one in zip(before, keyframes.kept, strict=True))
    assert LoopCloser().close(keyframes, lambda place: pose_at(0.2 * 19 - 0.1))
    assert keyframes.last.T_map_camera[0, 3] == pytest.approx(3.7, abs=0.02)
