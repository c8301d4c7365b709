# SPDX-License-Identifier: Apache-2.0
"""Time of a running node: rates, jumps, transforms that come later."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ros_harness import (
    Robot,
    Running,
    eventually,
    running,
    stamps,
)
from sensor_msgs.msg import Image

from f4x_ros.msg import LabelMap, TrackArray
from f4x_ros.ros.client import PerceptionClient


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


def test_a_report_says_how_many_frames_are_of_a_map_that_was_given_up(
    client: PerceptionClient, robot: Robot, tmp_path: Path
) -> None:
    parameters = {"report.dir": str(tmp_path / "out"), "on_time_jump": "reset"}
    with running(client, **parameters) as run:
        run.client.start()
        robot.wait_until_heard()
        heard = run.hear(tracks=TrackArray)
        for count, i in enumerate((90, 91, 92, 5, 6), 1):
            robot.send(i)
            eventually(lambda: len(heard["tracks"]) == count)  # noqa: B023 (called at once)
        run.client.change_state("deactivate")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["frames"], report["frames_there"]) == (5, 5)
    assert report["left_out"] == {"frames_of_earlier_maps": 3}


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
