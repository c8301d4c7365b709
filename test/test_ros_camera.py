# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.parameter import Parameter
from ros_harness import CAMERA, PATIENCE_S, eventually, frame, stamps, write_recording
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.msg import TrackArray
from f4x_ros.ros.camera import CameraNode
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import pose_from_transform
from f4x_ros.ros.images import depth_from_image_msg, rgb_from_image
from f4x_ros.sim import open_source

FRAMES = 6
TOPICS = {"image": Image, "camera_info": CameraInfo, "depth/image": Image, "/tf": TFMessage}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("recording"), FRAMES)


@contextlib.contextmanager
def camera(**parameters: Any) -> Iterator[CameraNode]:
    node = CameraNode(parameter_overrides=[Parameter(n, value=v) for n, v in parameters.items()])
    try:
        yield node
    finally:
        node.close()


@contextlib.contextmanager
def listening(client: PerceptionClient) -> Iterator[dict[str, list[Any]]]:
    heard: dict[str, list[Any]] = {name: [] for name in TOPICS}
    made = [client.subscribe(kind, name, heard[name].append) for name, kind in TOPICS.items()]
    try:
        yield heard
    finally:
        for subscription in made:
            client.node.destroy_subscription(subscription)


@contextlib.contextmanager
def answering(client: PerceptionClient) -> Iterator[list[int]]:
    """Gives each image back on paced/tracks a moment later; how many were back as each came."""
    tracks = client.node.create_publisher(TrackArray, "paced/tracks", 10)
    back: list[int] = []
    before: list[int] = []
    camera_gone = threading.Event()

    def give_back(header: Header) -> None:
        eventually(lambda: tracks.get_subscription_count() > 0 or camera_gone.is_set())
        back.append(1)
        tracks.publish(TrackArray(header=header))

    def answer(message: Image) -> None:
        before.append(len(back))
        threading.Timer(0.05, give_back, [message.header]).start()

    subscription = client.subscribe(Image, "image", answer)
    try:
        yield before
        camera_gone.set()
        eventually(lambda: len(back) == len(before))
    finally:
        client.node.destroy_subscription(subscription)
        client.node.destroy_publisher(tracks)


PACED = {
    "rate_hz": 0.0,
    "wait_for_subscribers": 1,
    "pace_topic": "paced/tracks",
    "pace_timeout_s": PATIENCE_S,
}


def test_everything_arrives_as_it_is_in_the_recording(
    client: PerceptionClient, recording: Path
) -> None:
    with listening(client) as heard:
        with camera(source=str(recording), rate_hz=0.0, wait_for_subscribers=1) as node:
            assert node.run() == FRAMES
        eventually(lambda: all(len(messages) == FRAMES for messages in heard.values()))
    source = open_source(recording)
    expected = [int(ns) for ns in source.stamps_ns]
    for name in ("image", "camera_info", "depth/image"):
        assert stamps(heard[name]) == expected
    for i, loaded in enumerate(source):
        np.testing.assert_array_equal(rgb_from_image(heard["image"][i]), loaded.rgb)
        np.testing.assert_array_equal(depth_from_image_msg(heard["depth/image"][i]), loaded.depth)
        info = heard["camera_info"][i]
        assert PinholeCamera.from_opencv(info.k, info.width, info.height) == CAMERA
        (transform,) = heard["/tf"][i].transforms
        assert (transform.header.frame_id, transform.child_frame_id) == ("map", loaded.frame_id)
        np.testing.assert_allclose(
            pose_from_transform(transform.transform), frame(i).T_map_camera, atol=1e-9
        )


def test_a_camera_may_keep_its_poses_to_itself(client: PerceptionClient, recording: Path) -> None:
    options = {"rate_hz": 0.0, "wait_for_subscribers": 1, "publish_tf": False}
    with listening(client) as heard:
        with camera(source=str(recording), **options) as node:
            assert [p for p in node.publishers if p.topic == "/tf"] == []
            assert node.run() == FRAMES
        eventually(lambda: len(heard["image"]) == FRAMES)
    assert heard["/tf"] == []


def test_a_part_can_be_published_with_stamps_of_now(
    client: PerceptionClient, recording: Path
) -> None:
    options = {"start": 2, "count": 3, "stamps": "now", "rate_hz": 20.0, "wait_for_subscribers": 1}
    with listening(client) as heard:
        before = time.time_ns()
        with camera(source=str(recording), **options) as node:
            assert node.run() == 3
        eventually(lambda: len(heard["image"]) == 3)
        sent = stamps(heard["image"])
    assert before < sent[0] < sent[1] < sent[2] < time.time_ns()


def test_it_goes_no_faster_than_the_tracks_come_back(
    client: PerceptionClient, recording: Path
) -> None:
    with (
        listening(client),
        answering(client) as before,
        camera(source=str(recording), **PACED) as node,
    ):
        node.run()
        eventually(lambda: len(before) == FRAMES)
    assert before == list(range(FRAMES))


def test_a_loop_begins_again(client: PerceptionClient, recording: Path) -> None:
    # (paced: of images that come faster than they are read only the last ten are kept)
    with listening(client) as heard, answering(client):
        with camera(source=str(recording), loop=True, **PACED) as node:
            thread = threading.Thread(target=node.run)
            thread.start()
            eventually(lambda: len(heard["image"]) > FRAMES)
            node.stop()
            thread.join()
        found = stamps(heard["image"])
    assert found[FRAMES] == found[0]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "'source' is ''"),
        ({"source": "/no/such/recording"}, "/no/such/recording"),
        ({"start": 99}, "'start' is 99, expected less than 6 frames"),
        ({"rate_hz": -1.0}, "rate_hz"),
        ({"rate_hz": "fast"}, "rate_hz"),
        ({"loop": "yes"}, "loop"),
        ({"stamps": "never"}, "'stamps' is 'never', expected one of"),
        (
            {"wait_for_subscribers": 9, "wait_timeout_s": 0.1},
            "'wait_for_subscribers' is 9, but after 0.1 s there are",
        ),
    ],
)
@pytest.mark.usefixtures("client")
def test_what_it_cannot_do_is_named(
    recording: Path, parameters: dict[str, Any], words: str
) -> None:
    given = {"source": str(recording), **parameters} if parameters else {}
    with pytest.raises(ValueError, match=words.replace("(", r"\(")), camera(**given) as node:
        node.run()
