# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from ros_harness import (
    CAMERA,
    FRAME_ID,
    PATIENCE_S,
    RED,
    Robot,
    Running,
    driving_box,
    eventually,
    ros_client,
    running,
    stamps,
)
from sensor_msgs.msg import Image, PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from f4x_ros.core.data.percept import Outputs
from f4x_ros.msg import LabelMap, TrackArray
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.images import probability_of_mono8
from f4x_ros.ros.pointcloud import cloud_from_msg


@pytest.fixture(scope="module")
def client() -> Iterator[PerceptionClient]:
    with ros_client() as made:
        yield made


@pytest.fixture
def robot(client: PerceptionClient) -> Iterator[Robot]:
    made = Robot()
    yield made
    made.close()


@pytest.fixture
def active(client: PerceptionClient, robot: Robot) -> Iterator[Running]:
    """A node with its robot connected, ready for frames."""
    with running(client) as run:
        run.client.start()
        robot.wait_until_heard()
        yield run


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


def test_a_query_is_answered_and_the_executor_stays_live(active: Running, robot: Robot) -> None:
    sent = [robot.send(i) for i in range(4)]
    active.counted("processed", 4)
    answer = active.client.query("red", want_cloud=True)
    assert answer.success, answer.message
    assert answer.present
    assert answer.encoder == "color"
    assert 0 < answer.threshold <= answer.score <= 1
    mask = np.frombuffer(answer.mask.data, "<f4").reshape(48, 64)
    assert answer.mask.encoding == "32FC1"
    assert answer.mask.header.frame_id == FRAME_ID
    assert mask[24, 32] > 0.5 > mask[2, 2]
    assert stamp_ns(answer.cloud.header.stamp) == sent[-1]
    assert answer.cloud.width > 0
    assert answer.tracks[0].label == "red"
    position = answer.tracks[0].pose.pose.position
    np.testing.assert_allclose([position.x, position.y, position.z], [0, 0, 1.5], atol=0.15)


def test_timers_run_while_a_query_waits(
    active: Running, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from f4x_ros.core.perception import Perception

    robot.send(0)
    active.counted("processed")
    release = threading.Event()
    original = Perception.query

    def slow(self: Any, *args: Any, **options: Any) -> Any:
        release.wait(PATIENCE_S)
        return original(self, *args, **options)

    monkeypatch.setattr(Perception, "query", slow)
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 9:  # never, if the handler blocked
            release.set()

    timer = active.node.create_timer(0.02, tick)
    assert active.client.query("red").success
    active.node.destroy_timer(timer)
    assert release.is_set()


def test_a_view_in_another_frame_goes_through_tf(active: Running, robot: Robot) -> None:
    for i in range(3):
        robot.send(i)
    active.counted("processed", 3)
    view = PoseStamped()
    view.header.frame_id = FRAME_ID
    view.pose.orientation.w = 1.0
    view.pose.position.x = 10.0  # far to the right of the camera: the box is out of sight
    answer = active.client.query("red", view=view)
    assert answer.success, answer.message
    assert answer.mask.header.frame_id == FRAME_ID
    assert np.frombuffer(answer.mask.data, "<f4").max() < 0.5
    view.pose.position.x = 0.0
    assert np.frombuffer(active.client.query("red", view=view).mask.data, "<f4").max() > 0.5
    view.header.frame_id = "gripper"
    refused = active.client.query("red", view=view)
    assert not refused.success
    assert "'gripper'" in refused.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "red", "threshold": 7.0}, "threshold"),
        ({"prompt": "red", "threshold": float("nan")}, "threshold"),
    ],
)
def test_a_bad_question_is_refused_with_its_reason(
    active: Running, robot: Robot, fields: dict[str, Any], words: str
) -> None:
    robot.send(0)
    active.counted("processed")
    answer = active.client.query(**fields)
    assert not answer.success
    assert words in answer.message


def test_questions_before_configuring_and_before_frames_are_refused(
    client: PerceptionClient,
) -> None:
    with running(client) as run:
        assert "unconfigured" in run.client.query("red").message
        assert "unconfigured" in run.client.set_prompts(["red"]).message
        run.client.change_state("configure")
        answer = run.client.query("red")
        assert not answer.success
        assert answer.message


def test_prompts_can_be_changed_all_or_nothing(active: Running, robot: Robot) -> None:
    heard = active.hear(masks=Image, labels=LabelMap)
    answer = active.client.set_prompts(["grey", "red"])
    assert answer.success, answer.message
    assert answer.labels.prompts == ["grey", "red"]
    assert list(answer.labels.ids) == [1, 2]
    assert len(answer.labels.thresholds) == 2
    for i in range(3):
        robot.send(i)
    eventually(lambda: len(heard["masks"]) == 3)
    assert np.frombuffer(heard["masks"][-1].data, "<u2").reshape(48, 64)[24, 32] == 2
    refused = active.client.set_prompts(["red", ""])
    assert not refused.success
    assert refused.labels.prompts == ["grey", "red"]
    active.says("prompts:")
    eventually(lambda: [m.prompts for m in heard["labels"]][-1:] == [["grey", "red"]])


def test_rates_are_kept(client: PerceptionClient, robot: Robot) -> None:
    with running(client, tracks__rate_hz=5.0) as run:
        run.client.start()
        robot.wait_until_heard()
        heard = run.hear(tracks=TrackArray, masks=Image)
        sent = [robot.send(i) for i in range(6)]  # 10 Hz
        eventually(lambda: len(heard["masks"]) == 6)
        assert stamps(heard["tracks"]) == sent[::2]


def test_a_looping_bag_starts_a_new_map(active: Running, robot: Robot) -> None:
    heard = active.hear(tracks=TrackArray)
    for i in (90, 91, 92):
        robot.send(i)
    eventually(lambda: len(heard["tracks"]) == 3)
    robot.send(5)
    eventually(lambda: len(heard["tracks"]) == 4)
    active.counted("time_jumps")
    active.says("time:", "went back by 8.7", "a new map begins")


def test_labels_are_in_force_again_from_the_first_frame_after_a_jump(
    active: Running, robot: Robot
) -> None:
    heard = active.hear(tracks=TrackArray, labels=LabelMap)
    sent = []
    for i in (90, 91, 5, 6):
        sent.append(robot.send(i))
        eventually(lambda: stamps(heard["tracks"]) == sent)
    eventually(lambda: stamps(heard["labels"])[-1:] == sent[2:3])
    assert stamps(heard["labels"])[-2:] == [sent[0], sent[2]]
    assert heard["labels"][-1].prompts == ["red"]


def test_track_ids_are_not_given_out_again_after_cleanup_and_configure(
    client: PerceptionClient, robot: Robot
) -> None:
    seen: list[set[int]] = []
    with running(client) as run:
        for _ in range(3):
            client.change_state("configure")
            client.change_state("activate")
            robot.wait_until_heard()
            heard = run.hear(tracks=TrackArray)
            ns = [robot.send(i) for i in range(3)]
            eventually(lambda: stamps(heard["tracks"]) == ns)  # noqa: B023 (called at once)
            seen.append({t.id for message in heard["tracks"] for t in message.tracks})
            client.change_state("deactivate")
            client.change_state("cleanup")
    assert all(seen)
    assert max(seen[0]) < min(seen[1])
    assert max(seen[1]) < min(seen[2])


def test_time_jumps_can_be_ignored_instead(client: PerceptionClient, robot: Robot) -> None:
    with running(client, on_time_jump="ignore_frames") as run:
        run.client.start()
        robot.wait_until_heard()
        for i in (90, 5, 6, 91):
            robot.send(i)
        run.counted("processed", 2)
        assert run.counted("dropped.late", 2) == 2


def test_a_frame_waits_for_its_transform(active: Running, robot: Robot) -> None:
    heard = active.hear(tracks=TrackArray)
    ns = robot.send(0, tf=False)
    robot.send_tf(np.eye(4), ns - 50_000_000)
    robot.send_tf(np.eye(4), ns + 50_000_000)
    eventually(lambda: stamps(heard["tracks"]) == [ns])
    assert active.client.values()["dropped.images_without_pose"] == "0"


def test_the_pose_can_come_from_a_topic(client: PerceptionClient, robot: Robot) -> None:
    with running(client, pose_source="topic") as run:
        run.client.start()
        robot.wait_until_heard()
        eventually(lambda: robot.pose.get_subscription_count() > 0)
        heard = run.hear(tracks=TrackArray)
        robot.send_pose(0)
        ns = robot.send(0, tf=False)
        eventually(lambda: stamps(heard["tracks"]) == [ns])
        robot.send_pose(1, frame_id="odom")
        run.says("pose is in frame 'odom', expected 'map'")


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


def test_a_report_is_left_when_it_is_deactivated(
    client: PerceptionClient, robot: Robot, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    with running(client, report__dir=str(folder), report__holdout_every=3) as run:
        run.client.start()
        robot.wait_until_heard()
        for i in range(7):
            robot.send(i)
        run.counted("processed", 7)
        robot.send(6)  # late
        run.counted("dropped.late")
        run.client.change_state("deactivate")
    report = json.loads((folder / "report.json").read_text())
    assert (report["frames"], report["frames_heldout"], report["frames_dropped"]) == (7, 2, 0)
    assert report["left_out"] == {"late": 1}
    assert report["psnr_heldout_db"] > 10
    assert (folder / "map.ply").exists()


def test_each_report_says_what_was_left_out_while_it_was_open(
    client: PerceptionClient, robot: Robot, tmp_path: Path
) -> None:
    def late(message: Image) -> None:
        message.header.stamp.nanosec += 40_000_000

    with running(client, report__dir=str(tmp_path)) as run:
        client.change_state("configure")
        for first, lonely in ((0, 2), (100, 0)):
            client.change_state("activate")
            robot.wait_until_heard()
            for i in range(3):
                robot.send(first + i)
            run.counted("processed", 3 if first == 0 else 6)
            for i in range(lonely):
                robot.send(first + 3 + i, depth=late)
            for topic in ("image", "depth/image"):
                run.counted(f"received.{topic}", 5 if first == 0 else 8)
            client.change_state("deactivate")
            report = json.loads((tmp_path / "report.json").read_text())
            assert report["frames_dropped"] == 0  # (a reader of recordings leaves them out, too)
            if lonely:  # one of the depth images was still waiting for an image
                assert report["left_out"] == {"images_without_depth": 2, "depth_without_image": 2}
            else:
                assert report["left_out"] == {}


def test_a_folder_that_cannot_be_written_is_named(
    client: PerceptionClient, robot: Robot, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with running(client, report__dir=str(tmp_path / "file" / "report")) as run:
        with pytest.raises(RuntimeError, match=r"cannot configure: .*'report.dir' is .*is a file"):
            run.client.change_state("configure")
        assert run.client.state() == "unconfigured"


def test_a_disk_that_fills_up_ends_the_report_and_not_the_map(
    client: PerceptionClient, robot: Robot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from f4x_ros.eval.subjects.run_recorder import RunRecorder

    def full(self: Any, frame: Any, **options: Any) -> Any:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr(RunRecorder, "process", full)
    with running(client, report__dir=str(tmp_path / "report")) as run:
        run.client.start()
        robot.wait_until_heard()
        robot.send(0)
        run.counted("dropped.failed")
        robot.send(1)
        run.counted("processed")
        assert "No space left" in run.client.values()["problem.report"]
    assert list((tmp_path / "report").iterdir()) == []
