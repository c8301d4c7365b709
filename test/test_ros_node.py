# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
from rclpy.executors import SingleThreadedExecutor
from ros_harness import (
    CAMERA,
    FRAME_ID,
    RED,
    Robot,
    Running,
    driving_box,
    eventually,
    running,
    stamps,
)
from sensor_msgs.msg import Image, PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from f4x_ros.core.data.percept import Outputs
from f4x_ros.msg import LabelMap, TrackArray
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.images import probability_of_mono8
from f4x_ros.ros.pointcloud import cloud_from_msg


def test_it_goes_up_and_down_twice_and_leaves_nothing(
    client: PerceptionClient, robot: Robot
) -> None:
    with running(client) as run:
        node = run.node
        client.state()

        def held() -> tuple[int, int, int, int]:
            publishers, timers = len(list(node.publishers)), len(list(node.timers))
            return publishers, len(list(node.subscriptions)), timers, threading.active_count()

        before = held()
        for first in (0, 100):
            client.change_state("configure")
            assert client.state() == "inactive"
            client.change_state("activate")
            robot.wait_until_heard()
            robot.send(first)
            run.counted("processed", 1 if first == 0 else 2)
            client.change_state("deactivate")
            client.change_state("cleanup")
            assert client.state() == "unconfigured"
            assert held() == before
    assert not [t.name for t in threading.enumerate() if t.name == "f4x-worker"]


def test_the_collector_does_not_walk_over_what_lives_on_while_it_is_configured(
    client: PerceptionClient,
) -> None:
    with running(client):
        before = gc.get_freeze_count()
        client.change_state("configure")
        assert gc.get_freeze_count() > before
        client.change_state("cleanup")
        assert gc.get_freeze_count() <= before


def test_all_outputs_of_a_frame_have_its_stamp(active: Running, robot: Robot) -> None:
    heard = active.hear(
        masks=Image,
        moving=Image,
        overlay=Image,
        tracks=TrackArray,
        markers=MarkerArray,
        cloud=PointCloud2,
        map_cloud=PointCloud2,
        labels=LabelMap,
    )
    sent = [robot.send(i) for i in range(5)]
    every_frame = ("masks", "moving", "overlay", "cloud", "markers", "tracks")
    eventually(lambda: all(len(heard[n]) == 5 for n in every_frame))
    eventually(lambda: stamps(heard["labels"])[-1:] == sent[:1])
    for name in ("masks", "moving", "overlay", "tracks", "cloud"):
        assert stamps(heard[name]) == sent, name
    masks, overlay = heard["masks"][-1], heard["overlay"][-1]
    assert (masks.encoding, masks.width, masks.height) == ("mono16", CAMERA.width, CAMERA.height)
    assert (overlay.encoding, overlay.header.frame_id) == ("rgb8", FRAME_ID)
    moving = heard["moving"][-1]
    assert (moving.encoding, moving.width, moving.height) == ("mono8", CAMERA.width, CAMERA.height)
    assert masks.header.frame_id == moving.header.frame_id == FRAME_ID
    assert {heard[n][-1].header.frame_id for n in ("tracks", "cloud", "map_cloud")} == {"map"}
    assert stamps(heard["map_cloud"]) == sent[:1]  # 0.5 Hz of stamps
    assert heard["map_cloud"][0].width >= heard["cloud"][0].width > 0
    labels = np.frombuffer(masks.data, "<u2").reshape(48, 64)
    assert labels[24, 32] == 1  # the red box is the prompt
    assert labels[2, 2] == 0  # the wall is not
    assert 1 in cloud_from_msg(heard["cloud"][-1]).label
    tracks = heard["tracks"][-1].tracks
    assert [t.label for t in tracks] == ["red"]
    shown = {(m.ns, m.action) for m in heard["markers"][-1].markers}
    assert shown == {("boxes", Marker.ADD), ("names", Marker.ADD), ("trails", Marker.ADD)}
    assert heard["labels"][-1].prompts == ["red"]


def test_what_nobody_subscribed_to_is_not_computed(
    active: Running, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from f4x_ros.core.perception import Perception

    asked = []
    original = Perception.process

    def process(self: Any, frame: Any, outputs: Any = None, **options: Any) -> Any:
        asked.append(outputs)
        return original(self, frame, outputs, **options)

    monkeypatch.setattr(Perception, "process", process)
    robot.send(0)
    active.counted("processed")
    heard = active.hear(tracks=TrackArray)
    robot.send(1)
    eventually(lambda: len(heard["tracks"]) == 1)
    heard |= active.hear(moving=Image)
    robot.send(2)
    eventually(lambda: len(heard["moving"]) == 1)
    heard |= active.hear(masks=Image)
    robot.send(3)
    eventually(lambda: len(heard["masks"]) == 1)
    assert asked == [
        Outputs(masks=False, cloud=False, tracks=False, moving=False),
        Outputs(masks=False, cloud=False, tracks=True, moving=False),
        Outputs(masks=False, cloud=False, tracks=True, moving=True),
        Outputs(masks=False, cloud=False, tracks=True, moving=True, labels=True),
    ]


def test_what_moves_is_white_and_the_rest_black(client: PerceptionClient, robot: Robot) -> None:
    with running(client, **{"mapping.keyframe_iterations": 4, "mapping.iterations": 2}) as run:
        run.client.start()
        robot.wait_until_heard()
        heard = run.hear(moving=Image)
        for i in range(14):
            ns = robot.send(i, scene=driving_box)
            eventually(lambda: ns in stamps(heard["moving"]))  # noqa: B023 (called at once)
    seen = probability_of_mono8(heard["moving"][-1])
    box = (driving_box(13).rgb == RED).all(-1)
    assert seen[box].mean() > 0.7
    assert seen[~box].mean() < 0.05


def test_a_node_that_is_shut_down_in_full_work_ends_its_thread(
    client: PerceptionClient, robot: Robot
) -> None:
    with running(client) as run:
        run.client.start()
        robot.wait_until_heard()
        for i in range(5):
            robot.send(i)
    assert not [t.name for t in threading.enumerate() if t.name == "f4x-worker"]


def test_two_nodes_in_one_process_do_not_disturb_each_other(
    client: PerceptionClient, robot: Robot
) -> None:
    from f4x_ros.ros.node import PerceptionNode

    with running(client) as run:
        second = PerceptionNode(namespace="second")
        executor = SingleThreadedExecutor()
        executor.add_node(second)
        second.trigger_configure()
        run.client.start()
        robot.wait_until_heard()
        robot.send(0)
        run.counted("processed")
        executor.shutdown()
        second.destroy_node()
