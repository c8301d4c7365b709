# SPDX-License-Identifier: Apache-2.0
"""A small world, a robot that films it over real topics, and a node that is run in a thread."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from f4x_ros.cli.processes import free_domain_id
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.poses import Pose
from f4x_ros.ros import inputs
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import camera_info_msg, header, pose_msg, stamp_ns, transform_msg
from f4x_ros.ros.diagnostics import FOR_EVER_S, Health
from f4x_ros.ros.images import image_msg
from f4x_ros.ros.node import PerceptionNode

CAMERA = PinholeCamera(64, 48, 60.0, 60.0, 32.0, 24.0)
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
FRAME_ID = "eye"
PATIENCE_S = 300.0  # waiting ends when the thing happens; this is when it never will

# The smallest budget that still maps: the tests are about topics, not about the map.
QUICK: dict[str, Any] = {
    "frames": "all",
    "features.extractor": "color",
    "prompts": ["red"],
    "mapping.iterations": 1,
    "mapping.resolution": 64,
    "diagnostics.rate_hz": 10.0,
    "transform_timeout_s": 60.0,
}
_nodes: list[PerceptionNode] = []  # that run in this process


RED = (210, 20, 20)


def frame(i: int, box_x_m: float = 0.0) -> Frame:
    """A red box 1.5 m away before a grey wall 2 m away; the camera moves 1 cm to the right."""
    pose = np.eye(4)
    pose[0, 3] = 0.01 * i
    rays = CAMERA.pixel_rays()
    at_box = rays * 1.5 + pose[:3, 3]
    box = (np.abs(at_box[..., :2] - [box_x_m, 0]) < 0.25).all(-1)
    depth = np.where(box, 1.5, 2.0).astype(np.float32)
    at_wall = rays * 2.0 + pose[:3, 3]
    checks = (np.floor(at_wall[..., 0] * 5) + np.floor(at_wall[..., 1] * 5)) % 2
    rgb = np.where(box[..., None], RED, (110 + 40 * checks)[..., None]).astype(np.uint8)
    return Frame(START_NS + i * STEP_NS, rgb, CAMERA, depth, pose, FRAME_ID, "map")


def driving_box(i: int) -> Frame:
    """The same, but the box drives to the right, 4 cm a frame."""
    return frame(i, -0.4 + 0.04 * i)


def write_recording(folder: Path, frames: int) -> Path:
    """The small world as an RGB-D folder."""
    poses = []
    for name in ("images", "depth"):
        (folder / name).mkdir()
    for i in range(frames):
        made = frame(i)
        assert made.depth is not None
        assert made.T_map_camera is not None
        cv2.imwrite(str(folder / "images" / f"{i:03}.png"), made.rgb[..., ::-1])
        millimetres = (made.depth * 1000).round().astype(np.uint16)
        cv2.imwrite(str(folder / "depth" / f"{i:03}.png"), millimetres)
        poses.append(made.T_map_camera.reshape(-1))
    np.savetxt(folder / "poses.txt", poses)
    np.savetxt(folder / "K.txt", CAMERA.to_opencv_K())
    return folder


class Robot:
    """Publishes frames of the small world, whole or spoilt."""

    def __init__(
        self, image_qos: QoSProfile | int = 10, topics: dict[str, str] | None = None
    ) -> None:
        self.node = Node("robot")
        name = {t: t for t in ("image", "camera_info", "depth/image")} | (topics or {})
        self.image = self.node.create_publisher(Image, name["image"], image_qos)
        self.info = self.node.create_publisher(CameraInfo, name["camera_info"], 10)
        self.depth = self.node.create_publisher(Image, name["depth/image"], 10)
        self.pose = self.node.create_publisher(PoseStamped, "pose", 10)
        self.tf = self.node.create_publisher(TFMessage, "/tf", 100)

    def wait_until_heard(self) -> None:
        """Until publishers and subscriptions have found each other, in both directions."""
        publishers = (self.image, self.info, self.depth, self.tf)
        topics = {publisher.topic_name for publisher in publishers}

        def heard() -> bool:
            ears = [s for node in _nodes for s in node.subscriptions if s.topic_name in topics]
            hearing = {ear.topic_name for ear in ears if ear.get_publisher_count()}
            # (one of the two ears for what may be latched hears latching publishers only)
            return all(p.get_subscription_count() for p in publishers) and hearing >= {
                ear.topic_name for ear in ears
            }

        eventually(heard)

    def send(
        self,
        i: int,
        *,
        image: Callable[[Image], None] = lambda message: None,
        info: Callable[[CameraInfo], None] | None = lambda message: None,
        depth: Callable[[Image], None] = lambda message: None,
        tf: bool = True,
        scene: Callable[[int], Frame] = frame,
    ) -> int:
        """Publish frame i, each message changed by its function; return the stamp."""
        made = scene(i)

        def head() -> Header:
            return header(made.stamp_ns, FRAME_ID)

        if tf:
            self.send_tf(made.T_map_camera, made.stamp_ns)
        if info is not None:
            info_msg = camera_info_msg(CAMERA, head())
            info(info_msg)
            self.info.publish(info_msg)
        depth_msg = image_msg(made.depth, "32FC1", head())
        depth(depth_msg)
        self.depth.publish(depth_msg)
        image_message = image_msg(made.rgb, "rgb8", head())
        image(image_message)
        self.image.publish(image_message)
        return made.stamp_ns

    def send_tf(self, pose: Pose | None, ns: int, parent: str = "map") -> None:
        assert pose is not None
        self.tf.publish(TFMessage(transforms=[transform_msg(pose, ns, parent, FRAME_ID)]))

    def send_pose(self, i: int, frame_id: str = "map") -> None:
        made = frame(i)
        assert made.T_map_camera is not None
        message = PoseStamped(header=header(made.stamp_ns, frame_id))
        message.pose = pose_msg(made.T_map_camera)
        self.pose.publish(message)

    def close(self) -> None:
        self.node.destroy_node()


class Running:
    """A node spinning in a thread, and a client that talks to it as another process would."""

    def __init__(self, node: PerceptionNode, client: PerceptionClient) -> None:
        self.node, self.client = node, client
        self._subscriptions: dict[str, Any] = {}

    def hear(self, **topics: Any) -> dict[str, list[Any]]:
        """Collect the messages of private topics from now on, by name."""
        heard: dict[str, list[Any]] = {name: [] for name in topics}
        for name, kind in topics.items():
            latched = name in ("cloud", "labels")
            self._subscriptions[name] = self.client.subscribe(
                kind, f"~/{name}", heard[name].append, latched=latched
            )
        eventually(lambda: all(self._matched(name) for name in topics))
        return heard

    def _matched(self, name: str) -> bool:
        topic = f"/perception/{name}"
        publishers = [p for p in self.node.publishers if p.topic == topic]
        seen = self._subscriptions[name].get_publisher_count() > 0
        return seen and all(p.get_subscription_count() for p in publishers)

    def close(self) -> None:
        for subscription in self._subscriptions.values():
            self.client.node.destroy_subscription(subscription)

    def says(self, *words: str) -> str:
        """Wait until the message of the diagnostics has all the words."""

        def there() -> bool:
            status = self.client.status
            return status is not None and all(word in status.message for word in words)

        try:
            eventually(there)
        except TimeoutError:
            raise AssertionError(f"{words} not in {self.client.status}") from None
        assert self.client.status is not None
        return str(self.client.status.message)

    def counted(self, key: str, at_least: int = 1) -> int:
        """Wait until a counter of the diagnostics has a value."""
        with contextlib.suppress(TimeoutError):
            eventually(lambda: int(self.client.values().get(key, 0)) >= at_least)
        value = int(self.client.values().get(key, 0))
        assert value >= at_least, self.client.values()
        return value


@contextlib.contextmanager
def running(
    client: PerceptionClient, remap: dict[str, str] | None = None, **parameters: Any
) -> Iterator[Running]:
    """A node with the quick settings and these, where a dot in a name may be written __."""
    given = {**QUICK, **{name.replace("__", "."): value for name, value in parameters.items()}}
    overrides = [Parameter(name, value=value) for name, value in given.items() if value is not None]
    rules = [f"{a}:={b}" for a, b in (remap or {}).items()]
    arguments = ["--ros-args", *(word for rule in rules for word in ("-r", rule))]
    node = PerceptionNode(parameter_overrides=overrides, cli_args=arguments)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin, name="test-spin")
    thread.start()
    _nodes.append(node)
    client.status = None
    run = Running(node, client)
    try:
        yield run
    finally:
        run.close()
        executor.shutdown()
        thread.join()
        _nodes.remove(node)
        node.destroy_node()
        del node, executor, run.node
        gc.collect()  # rclpy's nodes are in cycles: until then the graph has a second of this name


def stamps(messages: list[Any]) -> list[int]:
    """Their stamps in nanoseconds."""
    return [stamp_ns(message.header.stamp) for message in messages]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something holds, however slow the machine."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE_S:g} s")
        time.sleep(0.01)


class PatientClient(PerceptionClient):
    """Waits longer for an answer than a user would."""

    def state(self, timeout_s: float = PATIENCE_S) -> str:
        return super().state(max(timeout_s, PATIENCE_S))

    def _call(self, service: str, request: Any, timeout_s: float) -> Any:
        return super()._call(service, request, max(timeout_s, PATIENCE_S))


@contextlib.contextmanager
def ros_client(transports: str | None = "UDPv4") -> Iterator[PerceptionClient]:
    """rclpy and one client for many nodes.

    Over UDP: with shared memory, participants of Fast DDS sometimes find each other only at the
    next announcement, after 3 s. None takes what our executables take.

    What is wrong stays in the diagnostics until it is solved, and silence is no problem: else a
    test would have to look, and to send, within seconds.
    """
    with pytest.MonkeyPatch.context() as patch:
        if transports is not None:
            patch.setenv("FASTDDS_BUILTIN_TRANSPORTS", transports)
        # (the one of conftest.py may be in use by now)
        patch.setenv("ROS_DOMAIN_ID", str(free_domain_id()))
        patch.setitem(Health.problem.__kwdefaults__, "hold_s", FOR_EVER_S)
        patch.setattr(inputs, "_SILENT_S", FOR_EVER_S)
        rclpy.init()
        try:
            with PatientClient() as client:
                yield client
        finally:
            rclpy.try_shutdown()
