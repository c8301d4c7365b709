# SPDX-License-Identifier: Apache-2.0
"""The one door without poses: what is mapped, what is refused, what is left out while lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from box_world import BoxWorld
from odometry_room import OdometryRoom, error_m, pose_at

from f4x_ros.core.config import Config
from f4x_ros.core.data import Pose
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.core.motion.odometry import START, TrackingState
from f4x_ros.core.perception import Perception
from f4x_ros.core.world.camera_pose import LOST

QUICK = {"features.extractor": "color", "mapping.iterations": 1, "mapping.keyframe_iterations": 1}
ODOMETRY = Config.from_dotted(QUICK | {"pose.source": "odometry"})
ROOM = OdometryRoom(noise=1.0)


def walk(index: int) -> Pose:
    return pose_at(0.02 * index, turn_deg=1.5 * index)


def test_frames_without_poses_are_mapped_where_the_first_one_says() -> None:
    perception = Perception(ODOMETRY)
    percepts = [
        perception.process(ROOM.frame(i, walk(i), given=None if i else walk(0))) for i in range(8)
    ]
    for i, percept in enumerate(percepts):
        assert error_m(percept.T_map_camera, walk(i)) < 0.01
    assert perception.camera_pose is not None
    assert perception.camera_pose.state is TrackingState.TRACKING
    assert perception.gaussians > 0


def test_without_any_pose_the_map_begins_at_its_origin() -> None:
    percept = Perception(ODOMETRY).process(ROOM.frame(0, walk(5)))
    np.testing.assert_array_equal(percept.T_map_camera, START)


def test_a_frame_without_a_pose_is_refused_with_the_option_that_would_do_without() -> None:
    perception = Perception(Config.from_dotted(QUICK))
    with pytest.raises(BadInputError, match=r"no pose .*pose\.source=odometry"):
        perception.process(ROOM.frame(0, walk(0)))
    assert perception.camera_pose is None


def test_frames_of_a_lost_camera_are_refused_and_not_mapped() -> None:
    perception = Perception(ODOMETRY)
    for i in range(4):
        perception.process(ROOM.frame(i, walk(i), given=None if i else walk(0)))
    mapped = perception.gaussians
    for i in range(4, 6):
        assert perception.process(ROOM.black(i)).counts["pose_only_predicted"] == 1
    for i in range(6, 10):
        with pytest.raises(BadSampleError, match="the camera is lost") as lost:
            perception.process(ROOM.black(i))
        assert lost.value.reason == LOST
    assert perception.gaussians == mapped
    again = perception.process(ROOM.frame(12, walk(2)))
    assert error_m(again.T_map_camera, walk(2)) < 0.02


def test_a_frame_may_be_followed_before_others_are_mapped() -> None:
    perception = Perception(ODOMETRY)
    perception.begin_camera_at(walk(0))
    frames = [ROOM.frame(i, walk(i)) for i in range(5)]
    ahead: list[Pose] = []

    def follow_two() -> None:
        for frame in frames[2:4]:
            found = perception.follow(frame).T_map_camera
            assert found is not None
            ahead.append(found)

    perception.process(frames[0])
    perception.process(frames[1], between=follow_two)
    assert all(error_m(a, walk(2 + i % 2)) < 0.01 for i, a in enumerate(ahead))
    percept = perception.process(frames[3])
    np.testing.assert_array_equal(percept.T_map_camera, ahead[1])
    with pytest.raises(BadInputError, match="expected more than"):
        perception.follow(frames[2])
    assert perception.process(frames[4]).T_map_camera is not None


def test_where_poses_are_given_nothing_is_followed() -> None:
    with pytest.raises(BadInputError, match=r"pose\.source is 'odometry'"):
        Perception(Config.from_dotted(QUICK)).follow(ROOM.frame(0, walk(0)))


def test_a_map_read_back_goes_on_only_from_a_frame_with_a_pose(tmp_path: Path) -> None:
    world, perception = BoxWorld(), Perception(ODOMETRY)
    perception.process(world(0))
    perception.save(tmp_path / "map.f4x")
    loaded = Perception.load(tmp_path / "map.f4x")
    with pytest.raises(BadInputError, match="read from a file"):
        loaded.process(replace(world(1), T_map_camera=None))
    percept = loaded.process(world(2))
    np.testing.assert_array_equal(percept.T_map_camera, world(2).T_map_camera)
