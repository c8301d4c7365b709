# SPDX-License-Identifier: Apache-2.0
"""Topics as drivers offer them: latched, compressed, of another type, beside another camera."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import CAMERA, FRAME_ID, Robot, Running, eventually, frame, running
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from f4x_ros.core.data import Pose
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import camera_info_msg, header, pose_msg, transform_msg
from f4x_ros.ros.images import image_msg

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def driver(client: PerceptionClient) -> Iterator[Node]:
    context = Context()  # another process: in one, a topic can have one type only
    rclpy.init(context=context)
    made = Node("driver", context=context)
    yield made
    made.destroy_node()
    rclpy.shutdown(context=context)


def heard(*publishers: Any) -> None:
    eventually(lambda: all(p.get_subscription_count() for p in publishers))


def other_topics(space: str) -> dict[str, str]:
    """So that one test does not hear the publishers of another."""
    names = ("image", "camera_info", "depth/image")
    return {name: f"{space}/{name}" for name in names}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_calibration_that_is_sent_once_is_received(
    client: PerceptionClient, driver: Node, when: str
) -> None:
    topics = other_topics(f"latched_{when}")
    robot = Robot(topics=topics)
    # (the robot's own publisher of that topic is silent, as that of another driver may be)
    info = driver.create_publisher(CameraInfo, topics["camera_info"], LATCHED)
    message = camera_info_msg(CAMERA, header(frame(0).stamp_ns, FRAME_ID))
    if when == "before":
        info.publish(message)
    try:
        with running(client, remap=topics) as run:
            run.client.start()
            robot.wait_until_heard()
            if when == "after":
                heard(info)
                info.publish(message)
            for i in range(3):
                robot.send(i, info=None)
            run.counted("processed", 3)
            assert run.client.values()["received.camera_info"] == "1"
    finally:
        robot.close()


def test_a_compressed_image_on_the_topic_is_read(client: PerceptionClient, driver: Node) -> None:
    topics = other_topics("compressed")
    image = driver.create_publisher(CompressedImage, topics["image"], 10)
    depth = driver.create_publisher(CompressedImage, topics["depth/image"], 10)
    info = driver.create_publisher(CameraInfo, topics["camera_info"], 10)
    tf = driver.create_publisher(TFMessage, "/tf", 100)
    with running(client, remap=topics) as run:
        run.client.start()
        heard(image, depth, info, tf)
        made = frame(0)
        assert made.depth is not None
        assert made.T_map_camera is not None
        head = header(made.stamp_ns, FRAME_ID)
        tf.publish(TFMessage(transforms=[transform_msg(np.eye(4), made.stamp_ns, "map", FRAME_ID)]))
        info.publish(camera_info_msg(CAMERA, head))
        millimetres = (made.depth * 1000).round().astype(np.uint16)
        depth.publish(CompressedImage(header=head, format="16UC1; png", data=png(millimetres)))
        image.publish(CompressedImage(header=head, format="png", data=png(made.rgb[..., ::-1])))
        run.counted("processed")


def test_a_topic_that_is_published_under_the_name_of_its_transport_is_named(
    client: PerceptionClient, driver: Node
) -> None:
    topics = other_topics("transport")
    image = driver.create_publisher(CompressedImage, "transport/image/compressed", 10)
    with running(client, remap=topics) as run:
        run.client.start()
        said = run.says("topic:", "/transport/camera_info")
        hint = "(but '/transport/image/compressed': remap 'image' to that)"
        assert f"nobody publishes '/transport/image' {hint}" in said
        assert said.count("(but ") == 1
    driver.destroy_publisher(image)


def png(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def test_a_topic_of_another_type_is_named_with_both(client: PerceptionClient, driver: Node) -> None:
    topics = other_topics("other_type")
    cloud = driver.create_publisher(PointCloud2, topics["depth/image"], 10)
    with running(client, remap=topics) as run:
        run.client.start()
        eventually(lambda: "problem.type" in run.client.values())
        said = run.client.values()["problem.type"]
        assert "'/other_type/depth/image' has type sensor_msgs/msg/PointCloud2" in said
        assert "(from /driver), expected sensor_msgs/msg/Image or" in said
        driver.destroy_publisher(cloud)
        eventually(lambda: "problem.type" not in run.client.values())


def test_two_cameras_on_one_topic_are_said(client: PerceptionClient, driver: Node) -> None:
    topics = other_topics("crowded")
    robot = Robot(topics=topics)
    other = driver.create_publisher(Image, topics["image"], 10)
    try:
        with running(client, remap=topics) as run:
            run.client.start()
            robot.wait_until_heard()
            robot.send(0)
            run.counted("processed")
            run.says("publishers: '/crowded/image' has 2 publishers: /driver, /robot;")
            driver.destroy_publisher(other)
            eventually(lambda: "problem.publishers" not in run.client.values())
    finally:
        robot.close()


def test_a_topic_of_another_type_in_the_own_process_is_named_too(client: PerceptionClient) -> None:
    topics = other_topics("own_process")
    neighbour = Node("neighbour")
    cloud = neighbour.create_publisher(PointCloud2, topics["image"], 10)
    try:
        with running(client, remap=topics) as run:
            run.client.start()
            eventually(lambda: "problem.type" in run.client.values())
            said = run.client.values()["problem.type"]
            assert "'/own_process/image' has type sensor_msgs/msg/PointCloud2" in said
            assert "(from /neighbour), expected sensor_msgs/msg/Image or" in said
            neighbour.destroy_publisher(cloud)
            robot = Robot(topics=topics)
            try:
                robot.wait_until_heard()
                robot.send(0)
                run.counted("processed")
            finally:
                robot.close()
    finally:
        neighbour.destroy_node()


# --- depth of another camera ----------------------------------------------------------------------

BESIDE: Pose = np.eye(4)
BESIDE[0, 3] = 0.05


def from_beside(message: Image) -> None:
    """The wall, 2 m away, as a camera 5 cm to the right sees it."""
    pixels = np.full((48, 64), 2.0, np.float32)
    made = image_msg(pixels, "32FC1", Header())
    message.header.frame_id = "depth_eye"
    message.data = made.data


def test_depth_of_another_camera_is_registered_or_refused_with_both_frames(
    client: PerceptionClient, driver: Node
) -> None:
    topics = other_topics("beside")
    robot = Robot(topics=topics)
    info = driver.create_publisher(CameraInfo, "beside/depth/camera_info", LATCHED)
    info.publish(camera_info_msg(CAMERA, header(frame(0).stamp_ns, "depth_eye")))
    still = driver.create_publisher(TFMessage, "/tf_static", LATCHED)
    try:
        with running(client, remap=topics, transform_timeout_s=2.0) as run:
            run.client.start()
            robot.wait_until_heard()
            run.counted("received.depth/camera_info")
            robot.send(0, depth=from_beside)
            run.says("depth:", "frame 'depth_eye'", "the colour camera 'eye'", "/tf_static")
            run.counted("dropped.depth_not_registered")
            heard(still)
            still.publish(TFMessage(transforms=[transform_msg(BESIDE, 0, FRAME_ID, "depth_eye")]))
            number = iter(range(1, 1000))

            def one_is_mapped() -> bool:  # the transform takes its time
                robot.send(next(number), depth=from_beside)
                return int(run.client.values()["processed"]) > 0

            eventually(one_is_mapped)
    finally:
        robot.close()


# --- stamps and poses -----------------------------------------------------------------------------


def test_header_stamps_of_zero_become_times_of_receipt_and_that_is_said(
    client: PerceptionClient,
) -> None:
    def unstamped(message: Any) -> None:
        message.header.stamp.sec = message.header.stamp.nanosec = 0

    topics = other_topics("unstamped")
    robot = Robot(topics=topics)
    still = robot.node.create_publisher(TFMessage, "/tf_static", LATCHED)
    still.publish(TFMessage(transforms=[transform_msg(np.eye(4), 0, "map", FRAME_ID)]))
    try:
        with running(client, remap=topics, sync__slop_s=1.0) as run:
            run.client.start()
            robot.wait_until_heard()
            for i in range(3):
                robot.send(i, image=unstamped, info=unstamped, depth=unstamped, tf=False)
            run.counted("stamps_replaced", 9)
            said = run.client.values()["problem.stamps"]
            assert "'/unstamped/" in said
            assert "header stamps of zero" in said
            run.counted("processed")
    finally:
        robot.close()


def odometry() -> Odometry:
    message = Odometry(child_frame_id="base")
    message.pose.pose = pose_msg(np.eye(4))
    return message


def with_covariance() -> PoseWithCovarianceStamped:
    message = PoseWithCovarianceStamped()
    message.pose.pose = pose_msg(np.eye(4))
    return message


def plain_transform() -> TransformStamped:
    return transform_msg(np.eye(4), 0, "map", "base")


@pytest.mark.parametrize("make", [odometry, with_covariance, plain_transform])
def test_poses_of_other_types_are_read(client: PerceptionClient, driver: Node, make: Any) -> None:
    space = f"poses_{make.__name__}"
    topics = {**other_topics(space), "pose": f"{space}/pose"}
    robot = Robot(topics=topics)
    message = make()
    message.header = header(frame(0).stamp_ns, "map")
    poses = driver.create_publisher(type(message), topics["pose"], 10)
    still = driver.create_publisher(TFMessage, "/tf_static", LATCHED)
    still.publish(TFMessage(transforms=[transform_msg(BESIDE, 0, "base", FRAME_ID)]))
    try:
        with running(client, remap=topics, pose_source="topic") as run:
            run.client.start()
            robot.wait_until_heard()
            heard(poses)
            poses.publish(message)
            robot.send(0, tf=False)
            run.counted("processed")
            moved = 0.0 if make is with_covariance else 0.05  # that of the base, or the camera's
            assert last_pose(run)[0, 3] == pytest.approx(moved)
            wrong = make()
            wrong.header = header(frame(1).stamp_ns, "odom")
            poses.publish(wrong)
            run.says("pose: pose is in frame 'odom', expected 'map'")
    finally:
        robot.close()


def last_pose(run: Running) -> Pose:
    session = run.node._session
    assert session is not None
    return session._perception.viewpoint()[1]
