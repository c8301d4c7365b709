# SPDX-License-Identifier: Apache-2.0
"""The node without a localisation: odometry out, a transform that fights nobody, lost and found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from odometry_room import CAMERA as ROOM_CAMERA
from odometry_room import OdometryRoom, error_m, pose_at
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import FRAME_ID, QUICK, Robot, Running, eventually, running, stamps
from tf2_msgs.msg import TFMessage

from f4x_ros.core.data import Frame, Pose, inverse
from f4x_ros.core.motion.odometry import START
from f4x_ros.msg import TrackArray
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import (
    camera_info_msg,
    header,
    pose_from_msg,
    pose_from_transform,
    stamp_ns,
    transform_msg,
)
from f4x_ros.ros.images import image_msg
from f4x_ros.ros.node import PerceptionNode

ROOM = OdometryRoom(noise=1.0)
# The camera's place on a robot: 0.2 m before its middle, 0.5 m up, looking forward.
T_BASE_CAMERA = START.copy()
T_BASE_CAMERA[:3, 3] = 0.2, 0.0, 0.5


@pytest.fixture(autouse=True)
def quick_ears(monkeypatch: pytest.MonkeyPatch) -> None:
    """/tf is not listened to for seconds first, except where a test asks for it."""
    monkeypatch.setattr("f4x_ros.ros.own_transform.LISTEN_S", 0.0)


def walk(index: int) -> Pose:
    """Where the camera is in the room."""
    return pose_at(0.02 * index, 0.003 * index, 0.01 * index, 1.5 * index)


def moved_by(index: int) -> Pose:
    """The camera's pose in that of the first frame."""
    return inverse(walk(0)) @ walk(index)


class Eye:
    """A camera in the room, and others that speak on TF."""

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._still = robot.node.create_publisher(TFMessage, "/tf_static", latched)
        self.heard: list[Any] = []
        self._ear = None

    def show(self, frame: Frame) -> int:
        def head() -> Any:
            return header(frame.stamp_ns, FRAME_ID)

        self.robot.info.publish(camera_info_msg(ROOM_CAMERA, head()))
        self.robot.depth.publish(image_msg(frame.depth, "32FC1", head()))
        self.robot.image.publish(image_msg(frame.rgb, "rgb8", head()))
        return frame.stamp_ns

    def say_still(self, parent: str, child: str, T_parent_child: Pose) -> None:
        self._still.publish(TFMessage(transforms=[transform_msg(T_parent_child, 0, parent, child)]))

    def say(self, parent: str, child: str, ns: int, T_parent_child: Pose) -> None:
        self.robot.tf.publish(
            TFMessage(transforms=[transform_msg(T_parent_child, ns, parent, child)])
        )


@pytest.fixture
def eye(robot: Robot) -> Eye:
    return Eye(robot)


def odometry_of(client: PerceptionClient, eye: Eye, **parameters: Any) -> Any:
    # (frames are shown at once: as many wait as there are)
    return running(
        client, pose_source="odometry", mapping__resolution=160, queue_size=40, **parameters
    )


def started(run: Running, eye: Eye) -> dict[str, list[Any]]:
    run.client.start()
    eye.robot.wait_until_heard()
    return run.hear(odometry=Odometry, tracks=TrackArray)


def tf_heard(run: Running) -> list[Any]:
    """Transforms on /tf from now on."""
    found: list[Any] = []
    run._subscriptions["/tf"] = run.client.node.create_subscription(
        TFMessage, "/tf", lambda message: found.extend(message.transforms), 100
    )
    eventually(lambda: run._subscriptions["/tf"].get_publisher_count() >= 2)
    publishers = [p for p in run.node.publishers if p.topic == "/tf"]
    eventually(lambda: all(p.get_subscription_count() >= 2 for p in publishers))
    return found


def path(messages: list[Any]) -> list[Pose]:
    return [pose_from_msg(message.pose.pose) for message in messages]


def matrix(flat: Any) -> NDArray[np.float64]:
    return np.asarray(flat, np.float64).reshape(6, 6)


def test_a_camera_without_a_localisation_is_followed_and_mapped(
    client: PerceptionClient, eye: Eye
) -> None:
    with odometry_of(client, eye, map_frame="odom") as run:
        heard = started(run, eye)
        sent = [eye.show(ROOM.frame(i, walk(i))) for i in range(8)]
        eventually(lambda: len(heard["tracks"]) == 8)
        assert stamps(heard["odometry"]) == sent
        for i, (message, pose) in enumerate(
            zip(heard["odometry"], path(heard["odometry"]), strict=True)
        ):
            assert message.header.frame_id == "odom"
            assert message.child_frame_id == FRAME_ID
            assert error_m(pose, START @ moved_by(i)) < 0.01
        assert heard["tracks"][-1].header.frame_id == "odom"
        # 2 cm and 1.5 degrees in a tenth of a second; z of the camera is turned about its y
        twist = heard["odometry"][-1].twist
        between = inverse(walk(6)) @ walk(7)
        velocity = [twist.twist.linear.x, twist.twist.linear.y, twist.twist.linear.z]
        np.testing.assert_allclose(velocity, 10 * between[:3, 3], atol=0.06)
        assert twist.twist.angular.y == pytest.approx(np.radians(15), abs=0.05)
        assert heard["odometry"][0].twist.covariance[0] > 1e3  # nothing is known of it yet
        assert 0 < matrix(twist.covariance)[0, 0] < 1
        unsure = [np.trace(matrix(m.pose.covariance)[:3, :3]) for m in heard["odometry"]]
        assert 0 < unsure[0] < unsure[-1] < 0.05**2
        values = run.client.values()
        assert values["pose_source"] == "odometry"
        assert values["odometry_state"] == "tracking"
        assert values["odometry_tf"] == "none"
        assert float(values["odometry_inliers"]) > 0.8
        assert float(values["odometry_state_since"]) == pytest.approx(sent[0] / 1e9, abs=1e-3)


def test_the_pose_of_the_base_is_published_and_its_transform(
    client: PerceptionClient, eye: Eye
) -> None:
    frames = {"odometry__base_frame": "base", "odometry__publish_tf": "map_to_base"}
    with odometry_of(client, eye, **frames) as run:
        heard = started(run, eye)
        transforms = tf_heard(run)
        eye.say_still("base", FRAME_ID, T_BASE_CAMERA)
        sent = [eye.show(ROOM.frame(i, walk(i))) for i in range(5)]
        eventually(lambda: len(heard["odometry"]) == 5)
        for i, pose in enumerate(path(heard["odometry"])):
            true = (
                T_BASE_CAMERA @ moved_by(i) @ inverse(T_BASE_CAMERA)
            )  # the map begins at the base
            assert error_m(pose, true) < 0.01
            assert heard["odometry"][i].child_frame_id == "base"
        eventually(lambda: len(transforms) >= 5)
        assert [stamp_ns(t.header.stamp) for t in transforms] == sent
        assert {(t.header.frame_id, t.child_frame_id) for t in transforms} == {("map", "base")}
        for transform, pose in zip(transforms, path(heard["odometry"]), strict=True):
            np.testing.assert_allclose(pose_from_transform(transform.transform), pose, atol=1e-9)
        assert run.client.values()["odometry_tf"] == "map -> base"


def test_odometry_of_wheels_is_placed_in_the_map(client: PerceptionClient, eye: Eye) -> None:
    with odometry_of(client, eye, odometry__publish_tf="map_to_odom") as run:
        heard = started(run, eye)
        transforms = tf_heard(run)
        slipped = np.eye(4)
        slipped[0, 3] = 0.3  # what the wheels believe is 0.3 m off
        for i in range(4):
            frame = ROOM.frame(i, walk(i))
            eye.say("odom", FRAME_ID, frame.stamp_ns, slipped @ START @ moved_by(i))
            eye.show(frame)
        eventually(lambda: len(heard["odometry"]) == 4)
        eventually(lambda: sum(t.header.frame_id == "map" for t in transforms) == 4)
        own = [t for t in transforms if t.header.frame_id == "map"]
        assert {t.child_frame_id for t in own} == {"odom"}
        for transform, message in zip(own, heard["odometry"], strict=True):
            pose = pose_from_transform(transform.transform)
            np.testing.assert_allclose(pose @ slipped, np.eye(4), atol=0.01)
            ahead = stamp_ns(transform.header.stamp) - stamp_ns(message.header.stamp)
            assert ahead == 200_000_000


def test_it_stops_when_somebody_else_says_where_the_camera_is(
    client: PerceptionClient, eye: Eye
) -> None:
    with odometry_of(client, eye, odometry__publish_tf="map_to_camera") as run:
        heard = started(run, eye)
        transforms = tf_heard(run)
        eye.show(ROOM.frame(0, walk(0)))
        eventually(lambda: len(transforms) == 1)
        frame = ROOM.frame(1, walk(1))
        eye.say("map", FRAME_ID, frame.stamp_ns, walk(9))
        run.says("own_tf", "somebody else (one of /robot) says where 'eye' is: in 'map'")
        eye.show(frame)
        eye.show(ROOM.frame(2, walk(2)))
        eventually(lambda: len(heard["odometry"]) == 3)  # which fights nobody
        assert len(transforms) == 2
        assert run.client.values()["odometry_tf"] == "stopped"


def test_a_camera_that_is_part_of_a_robot_gets_no_second_parent(
    client: PerceptionClient, eye: Eye
) -> None:
    with odometry_of(client, eye, odometry__publish_tf="map_to_camera") as run:
        heard = started(run, eye)
        transforms = tf_heard(run)
        eye.say_still("base", FRAME_ID, T_BASE_CAMERA)
        eventually(lambda: run.node._session._poses[""].transforms.parents_of(FRAME_ID) == ["base"])
        eye.show(ROOM.frame(0, walk(0)))
        eventually(lambda: len(heard["odometry"]) == 1)
        run.says("own_tf", "in 'base'", "set odometry.base_frame", "map_to_base")
        assert not transforms


def test_it_listens_before_it_speaks(
    client: PerceptionClient, eye: Eye, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("f4x_ros.ros.own_transform.LISTEN_S", 1e9)
    with odometry_of(client, eye, odometry__publish_tf="map_to_camera") as run:
        heard = started(run, eye)
        transforms = tf_heard(run)
        eye.show(ROOM.frame(0, walk(0)))
        eventually(lambda: len(heard["tracks"]) == 1)
        assert run.client.values()["odometry_tf"] == "not yet"
        assert not transforms


def test_a_lost_camera_has_no_odometry_until_it_is_found(
    client: PerceptionClient, eye: Eye
) -> None:
    with odometry_of(client, eye, odometry__publish_tf="map_to_camera") as run:
        heard = started(run, eye)
        transforms = tf_heard(run)
        seen = [eye.show(ROOM.frame(i, walk(i))) for i in range(6)]
        dark = [eye.show(ROOM.black(i)) for i in range(6, 12)]
        lost = run.counted("dropped.frames_of_a_lost_camera", 4)
        assert lost == 4  # two frames are still predicted
        since = f"{dark[2] / 1e9:.3f}"
        eventually(lambda: "frames: 4" in run.client.values().get("problem.lost", ""))
        values = run.client.values()
        assert f"since {since}" in values["problem.lost"]
        assert "no odometry and no transform" in values["problem.lost"]
        assert values["odometry_state"] == "lost"
        assert values["first_dropped.frames_of_a_lost_camera"] == since
        assert stamps(heard["odometry"]) == seen + dark[:2]
        sure, guessed = (matrix(heard["odometry"][i].pose.covariance) for i in (5, 7))
        assert np.trace(guessed) > 4 * np.trace(sure)
        again = eye.show(ROOM.frame(12, walk(2)))
        eventually(lambda: len(heard["odometry"]) == 9)
        assert stamps(heard["odometry"])[-1] == again
        assert error_m(path(heard["odometry"])[-1], START @ moved_by(2)) < 0.02
        assert run.counted("odometry_relocalised") == 1
        eventually(lambda: run.client.values()["odometry_state"] != "lost")
        assert "problem.lost" not in run.client.values()
        assert [stamp_ns(t.header.stamp) for t in transforms] == stamps(heard["odometry"])


def test_it_waits_for_a_first_picture_that_shows_something(
    client: PerceptionClient, eye: Eye
) -> None:
    with odometry_of(client, eye) as run:
        heard = started(run, eye)
        eye.show(ROOM.black(0))
        eventually(lambda: "cannot begin" in run.client.values().get("problem.lost", ""))
        ns = eye.show(ROOM.frame(1, walk(1)))
        eventually(lambda: stamps(heard["odometry"]) == [ns])
        np.testing.assert_allclose(path(heard["odometry"])[0], START, atol=1e-9)


def test_a_looping_bag_begins_again_at_the_origin(client: PerceptionClient, eye: Eye) -> None:
    with odometry_of(client, eye, odometry__publish_tf="map_to_camera") as run:
        heard = started(run, eye)
        for i in (50, 51, 52, 5, 6):
            eye.show(ROOM.frame(i, walk(i)))
        eventually(lambda: len(heard["odometry"]) == 5)
        poses = path(heard["odometry"])
        np.testing.assert_allclose(poses[3], START, atol=1e-9)
        assert error_m(poses[4], START @ inverse(walk(5)) @ walk(6)) < 0.01
        run.says("time:", "a new map begins")


def test_frames_are_followed_while_another_one_is_mapped(
    client: PerceptionClient, eye: Eye
) -> None:
    slow = {"frames": "newest", "odometry__rate_hz": 0.0, "mapping__iterations": 40}
    with odometry_of(client, eye, **slow) as run:
        heard = started(run, eye)
        sent = [eye.show(ROOM.frame(i, walk(i))) for i in range(8)]
        eventually(lambda: len(heard["odometry"]) == 8)
        assert stamps(heard["odometry"]) == sent
        for i, pose in enumerate(path(heard["odometry"])):
            assert error_m(pose, START @ moved_by(i)) < 0.01
        eventually(lambda: stamps(heard["tracks"])[-1:] == sent[-1:])
        superseded = run.counted("dropped.superseded")
        assert run.counted("processed", 8 - superseded) == 8 - superseded


def test_a_frame_waits_for_the_base_and_goes_without_it(client: PerceptionClient, eye: Eye) -> None:
    late = {"transform_timeout_s": 0.2, "odometry__base_frame": "base"}
    with odometry_of(client, eye, **late) as run:
        heard = started(run, eye)
        eye.show(ROOM.frame(0, walk(0)))
        run.says("transform", "no transform 'base' -> 'eye'")
        assert run.counted("dropped.images_without_pose") == 1
        eye.say_still("base", FRAME_ID, T_BASE_CAMERA)
        ns = eye.show(ROOM.frame(1, walk(1)))
        eventually(lambda: stamps(heard["odometry"]) == [ns])
        np.testing.assert_allclose(path(heard["odometry"])[0], np.eye(4), atol=1e-9)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"pose_source": "topic"}, "parameter 'pose_source' is 'topic', expected 'odometry' or"),
        ({"odometry.publish_tf": "map_to_base"}, "the name of the base in odometry.base_frame"),
        (
            {"odometry.publish_tf": "map_to_camera", "odometry.base_frame": "base"},
            "expected none, map_to_base or map_to_odom",
        ),
        (
            {"odometry.publish_tf": "map_to_odom", "odometry.odom_frame": "map"},
            "'odometry.odom_frame' is 'map', expected another frame than map_frame",
        ),
        ({"odometry.publish_tf": "map_to_odom", "odometry.odom_frame": ""}, "for map_to_odom"),
    ],
)
def test_parameters_that_do_not_go_together_are_named(
    client: PerceptionClient, given: dict[str, Any], said: str
) -> None:
    values = {**QUICK, "pose.source": "odometry", **given}
    node = PerceptionNode(parameter_overrides=[Parameter(n, value=v) for n, v in values.items()])
    try:
        node.trigger_configure()
        assert said in dict(node.health.problems())["configuration"]
    finally:
        node.destroy_node()
