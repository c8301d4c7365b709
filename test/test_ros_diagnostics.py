# SPDX-License-Identifier: Apache-2.0
"""What the diagnostics say about topics, QoS and parameters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_harness import Robot, eventually, running
from sensor_msgs.msg import Image

from f4x_ros.ros import inputs
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.diagnostics import FOR_EVER_S


@pytest.fixture(scope="module")
def robot(client: PerceptionClient) -> Iterator[Robot]:
    made = Robot()
    yield made
    made.close()


def test_topics_that_nobody_publishes_are_named(client: PerceptionClient) -> None:
    with running(client, remap={"image": "nowhere/image", "depth/image": "nowhere/depth"}) as run:
        run.client.start()
        run.says("topic:", "publishes '/nowhere/image'", "publishes '/nowhere/depth'")


def test_a_camera_may_start_a_little_later(
    client: PerceptionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "_STARTING_S", FOR_EVER_S)
    topics = {"image": "soon/image", "camera_info": "soon/camera_info", "depth/image": "soon/depth"}
    with running(client, remap=topics) as run:
        run.client.start()
        assert "'/soon/image' yet" in run.says("starting: nobody publishes")
        assert run.client.status is not None
        assert run.client.status.level == DiagnosticStatus.OK
        robot = Robot(topics=topics)
        try:
            robot.wait_until_heard()
            robot.send(0)
            run.counted("processed")
            eventually(lambda: "problem.starting" not in run.client.values())
        finally:
            robot.close()


def test_images_without_calibration_are_named(client: PerceptionClient, robot: Robot) -> None:
    with running(client, remap={"camera_info": "nowhere/camera_info"}) as run:
        run.client.start()
        eventually(lambda: robot.image.get_subscription_count() > 0)
        robot.send(0)
        run.says("topic: nobody publishes '/nowhere/camera_info'")
        run.client.change_state("deactivate")
        run.counted("dropped.images_without_calibration")
        assert run.client.values()["dropped.images_without_depth"] == "0"


def test_stamps_that_never_pair_are_named(client: PerceptionClient, robot: Robot) -> None:
    def late(message: Image) -> None:
        message.header.stamp.nanosec += 40_000_000

    with running(client) as run:
        run.client.start()
        robot.wait_until_heard()
        for i in range(8):
            robot.send(i, depth=late)
        run.says("sync:", "never pair, the nearest differ by 0.040 s (parameter sync.slop_s)")
        run.counted("dropped.images_without_depth")


def test_a_missing_transform_is_named_with_its_edge(client: PerceptionClient, robot: Robot) -> None:
    with running(client, transform_timeout_s=0.3) as run:
        run.client.start()
        robot.wait_until_heard()
        robot.send(0, tf=False)
        run.counted("dropped.images_without_pose")
        run.says("transform:", "'map' -> 'eye'")
        later = itertools.count(1)

        def one_is_mapped() -> bool:  # the transform of the first may be late, too
            robot.send(next(later))
            return int(run.client.values().get("processed", 0)) > 0

        eventually(one_is_mapped)
        robot.send(next(later) + 5, tf=False)
        run.says("transform:", "'map' -> 'eye'", "after the newest")


def test_a_publisher_that_falls_silent_is_named(
    client: PerceptionClient, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "_SILENT_S", 0.5)
    with running(client) as run:
        run.client.start()
        robot.wait_until_heard()
        run.says("silent:", "nothing comes from '/image' for")


def test_a_best_effort_camera_is_heard_even_if_it_starts_later(client: PerceptionClient) -> None:
    topics = {"image": "late/image", "camera_info": "late/camera_info", "depth/image": "late/depth"}
    with running(client, remap=topics) as run:
        run.client.start()
        run.says("topic:")
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        late = Robot(qos, topics=topics)
        try:
            late.wait_until_heard()
            late.send(0)
            run.counted("processed")
        finally:
            late.close()


def test_qos_that_the_user_forced_and_that_cannot_match_is_named(client: PerceptionClient) -> None:
    topics = {"image": "forced/image"}
    forced = {"qos_overrides./forced/image.subscription.reliability": "reliable"}
    with running(client, remap=topics, **forced) as run:
        run.client.start()
        camera = Robot(
            QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT), topics=topics
        )
        try:
            run.says("qos:", "'/forced/image'", "reliability", "remove the qos_overrides")
        finally:
            camera.close()


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"prompts_file": "/no/such/file.txt"}, "'prompts_file' is '/no/such/file.txt', expected"),
        ({"prompts": ["red", "red"]}, "red"),
        ({"prompts": ["qwertyuiop"]}, "qwertyuiop"),
        ({"thresholds": [0.5, 0.5]}, "'thresholds' has 2 values, expected one for each of 1"),
        ({"thresholds": [7.0]}, "threshold"),
        ({"pose_source": "gps"}, "'pose_source' is 'gps', expected one of tf, topic"),
        ({"on_time_jump": "panic"}, "'on_time_jump' is 'panic', expected one of reset"),
        ({"queue_size": 0}, "queue_size"),
        ({"queue_size": "many"}, "queue_size"),
        ({"sync.slop_s": -1.0}, "sync.slop_s"),
        ({"field.max_bytes": 3}, "field.max_bytes"),
        ({"features.extractor": "magic"}, "magic"),
        ({"render.backend": "crayon"}, "render.backend"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_bad_parameter_fails_configuring_with_its_name(
    client: PerceptionClient, parameters: dict[str, Any], words: str
) -> None:
    with running(client, **parameters) as run:
        with pytest.raises(RuntimeError, match="cannot configure: configuration:") as raised:
            run.client.change_state("configure")
        assert words in str(raised.value)
        assert run.client.state() == "unconfigured"


def test_a_bad_parameter_can_be_repaired(client: PerceptionClient) -> None:
    with running(client, queue_size=0) as run:
        with pytest.raises(RuntimeError, match="queue_size"):
            run.client.change_state("configure")
        run.node.set_parameters([Parameter("queue_size", value=3)])
        run.client.change_state("configure")
        refused = run.node.set_parameters([Parameter("queue_size", value=4)])[0]
        assert not refused.successful
        assert "is read when the node is configured" in refused.reason
        assert run.node.get_parameter("queue_size").value == 3


def test_prompts_of_a_file_are_added(client: PerceptionClient, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("# kitchen\n\n  blue \ngreen\n")
    with running(client, prompts_file=str(file)) as run:
        run.client.change_state("configure")
        assert list(run.client.set_prompts(["red", ""]).labels.prompts) == ["red", "blue", "green"]


def test_whole_numbers_are_fine_where_decimals_are_expected(client: PerceptionClient) -> None:
    given = {"transform_timeout_s": 1, "cloud.rate_hz": 5, "thresholds": [0]}
    with running(client, **given) as run:
        run.client.change_state("configure")


def test_a_misspelt_parameter_is_named(
    client: PerceptionClient, capfd: pytest.CaptureFixture[str]
) -> None:
    with running(client, **{"field.max_byte": 7}) as run:
        run.client.state()
    assert "parameter 'field.max_byte' is unknown" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "transition", "words"),
    [
        ("qos_overrides./image.subscription.reliability", "activate", "sometimes"),
        ("qos_overrides./perception/tracks.publisher.reliability", "configure", "sometimes"),
    ],
)
def test_a_qos_override_that_is_none_fails_its_transition_and_leaves_nothing(
    client: PerceptionClient, tmp_path: Path, name: str, transition: str, words: str
) -> None:
    with running(client, **{name: words, "report.dir": str(tmp_path)}) as run:
        before = len(list(run.node.publishers))
        if transition == "activate":
            run.client.change_state("configure")
            before = len(list(run.node.publishers))
        listening = len(list(run.node.subscriptions))
        with pytest.raises(RuntimeError, match=f"cannot {transition}: .*{words}"):
            run.client.change_state(transition)
        assert len(list(run.node.publishers)) == before
        assert len(list(run.node.subscriptions)) == listening
        assert list(tmp_path.iterdir()) == []
