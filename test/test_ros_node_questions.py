# SPDX-License-Identifier: Apache-2.0
"""Questions, viewpoints and prompts of a running node."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from ros_harness import (
    FRAME_ID,
    PATIENCE_S,
    Robot,
    Running,
    eventually,
    running,
)
from sensor_msgs.msg import Image

from f4x_ros.msg import LabelMap
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import stamp_ns


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
