# SPDX-License-Identifier: Apache-2.0
"""Parameters that do not fit: the node lives and names them; the camera ends and names them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.parameter import Parameter
from ros_harness import QUICK, ros_client

from f4x_ros.core.errors import BadInputError
from f4x_ros.ros import camera
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.node import PerceptionNode
from f4x_ros.ros.options import Option, checked


@pytest.fixture(scope="module", autouse=True)
def client() -> Iterator[PerceptionClient]:
    with ros_client() as made:
        yield made


def overrides(**given: Any) -> list[Parameter[Any]]:
    return [Parameter(name, value=value) for name, value in given.items()]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Warnings of every node."""
    said: list[str] = []
    logger = type(rclpy.logging.get_logger("test"))
    monkeypatch.setattr(logger, "warning", lambda self, text, **_: said.append(text))
    return said


def problem(**given: Any) -> str:
    """What is said about a node with these parameters; '' if it can be activated."""
    node = PerceptionNode(parameter_overrides=overrides(**{**QUICK, **given}))
    try:
        node.trigger_configure()
        if node.diagnostics.status().values[0].value == "inactive":
            node.trigger_activate()
        kinds = ("configuration", "activation")
        return "; ".join(text for kind, text in node.health.problems() if kind in kinds)
    finally:
        node.destroy_node()


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("report.holdout_every", 1, "expected 0 (all frames are mapped) or at least 2"),
        ("report.holdout_every", -1, "expected a whole number of at least 0"),
        ("mapping.resolution", 2**40, "expected a whole number from 32 to 16384"),
        ("mapping.resolution", "wide", "expected a whole number from 32 to 16384"),
        ("mapping.max_depth_m", 1e299, "expected a number from 0.1 to 1000000"),
        ("field.max_bytes", 2**43, "the memory of this machine"),
        ("field.max_bytes", 7, "expected a whole number"),
        ("queue_size", 2**62, "expected a whole number from 1 to 10000"),
        ("masks.rate_hz", 1e-300, "expected 0 (every frame) or at least"),
        ("masks.rate_hz", float("nan"), "expected a number of at least 0"),
        ("diagnostics.rate_hz", "fast", "expected a number from 0.1 to 100"),
        ("diagnostics.rate_hz", True, "expected a number from 0.1 to 100"),
        ("image_rectified", "yes", "expected true or false"),
        ("pose_source", "gps", "expected one of tf, topic, odometry"),
        ("odometry.publish_tf", "map_to_camera", "expected 'none': with pose_source: tf the node"),
        ("odometry.publish_tf", "odom", "expected one of none, map_to_camera, map_to_base, map_to"),
        ("odometry.base_frame", "map", "expected another frame than map_frame"),
        ("odometry.base_frame", "b" * 256, "expected the name of a frame, 255 letters at most"),
        ("map_frame", "/", "expected the name of a frame"),
        ("map_frame", "m" * 100_000, "(100002 letters), expected the name of a frame"),
        ("map_frame", "m" * 256, "expected the name of a frame, 255 letters at most"),
        ("report.source", "s" * 256, "expected a line of 255 letters at most"),
        ("report.source", "two\nlines", "expected a line of 255 letters at most"),
        ("thresholds", [2.0], "expected a list of numbers from 0 to 1"),
        ("thresholds", "half", "expected a list of numbers from 0 to 1"),
        ("prompts", 7, "expected a list of texts"),
        ("prompts", [1.5], "expected a list of texts"),
        ("report.dir", "/proc/nobody/can", "expected a folder that can be written"),
        ("report.dir", "x" * 5000, "expected a folder that can be written (File name too long)"),
        ("map.dir", "/proc/nobody/can", "expected a folder that can be written"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_was_expected(
    name: str, value: Any, expected: str
) -> None:
    text = problem(**{name: value})
    assert text.startswith(f"parameter '{name}' is ")
    assert expected in text
    assert len(text) < 500


@pytest.mark.parametrize("name", ["report.dir", "map.dir"])
def test_a_folder_that_is_a_file_is_named(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for value in (file, file / "below"):
        text = problem(**{name: str(value)})
        assert text.startswith(f"parameter '{name}' is '{value}', expected a folder")
        assert f"{file} is a file" in text
    assert problem(**{name: str(tmp_path / "new" / "folder")}) == ""


def test_prompts_may_be_one_text_with_commas() -> None:
    node = PerceptionNode(
        parameter_overrides=overrides(**{**QUICK, "prompts": " red , blue thing"})
    )
    try:
        node.trigger_configure()
        assert node._session is not None
        assert node._session._perception.prompts == ("red", "blue thing")
    finally:
        node.destroy_node()


def test_a_value_is_refused_when_it_is_set_and_a_good_one_repairs_the_node() -> None:
    node = PerceptionNode(parameter_overrides=overrides(**{**QUICK, "queue_size": 0}))
    try:
        (refused,) = node.set_parameters([Parameter("thresholds", value=[3.0])])
        assert not refused.successful
        assert refused.reason.startswith("parameter 'thresholds' is [3.0], expected")
        node.trigger_configure()
        assert node._session is None
        node.set_parameters([Parameter("queue_size", value=3)])
        node.trigger_configure()
        assert node._session is not None
    finally:
        node.destroy_node()


def test_a_misspelt_parameter_of_the_node_is_named_with_the_one_that_is_meant(
    logged: list[str],
) -> None:
    node = PerceptionNode(parameter_overrides=overrides(**{"mapping.resolutoin": 64}))
    node.destroy_node()
    said = "parameter 'mapping.resolutoin' is unknown (is it 'mapping.resolution'?)"
    assert [text for text in logged if text.startswith(said)]


@pytest.mark.parametrize(
    "given, words",
    [
        ({"rate": 5.0}, "parameter 'rate' is unknown (is it 'rate_hz'?), expected one of source,"),
        ({"zzz": 5.0}, "parameter 'zzz' is unknown, expected one of source,"),
        ({"rate_hz": "fast"}, "parameter 'rate_hz' is 'fast', expected a number of at least 0"),
        ({"rate_hz": -1.0}, "parameter 'rate_hz' is -1.0, expected a number of at least 0"),
        ({"loop": "yes"}, "parameter 'loop' is 'yes', expected true or false"),
        ({"stamps": "old"}, "parameter 'stamps' is 'old', expected one of original, now"),
        ({"source": 7}, "parameter 'source' is 7, expected text"),
        ({"pace_topic": "no topic"}, "parameter 'pace_topic' is 'no topic', expected the name"),
    ],
)
def test_a_parameter_of_the_camera_that_does_not_fit_is_refused(
    given: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        camera.CameraNode(parameter_overrides=overrides(**{"source": "demo", **given}))
    assert str(caught.value).startswith(words)


def test_stamps_of_a_clock_that_does_not_run_are_refused() -> None:
    given = {"source": "demo:32x24:2", "stamps": "now", "use_sim_time": True, "wait_timeout_s": 0.2}
    node = camera.CameraNode(parameter_overrides=overrides(**given))
    try:
        with pytest.raises(BadInputError, match=r"nobody published /clock within 0\.2 s"):
            node.run()
    finally:
        node.close()


@pytest.mark.parametrize(
    "default, value, typed",
    [(1.0, 2, 2.0), ([""], (), []), ([0.0], [1], [1.0]), ("", "7", "7"), (3, 4, 4)],
)
def test_what_means_the_same_is_taken(default: Any, value: Any, typed: Any) -> None:
    found = checked(Option("x", default, ""), value)
    assert found == typed
    assert type(found) is type(typed)


@pytest.mark.parametrize("default, value", [(1, True), (1, 2.0), (1.0, True), (True, 1), ("", 1)])
def test_what_means_something_else_is_not(default: Any, value: Any) -> None:
    with pytest.raises(BadInputError, match="parameter 'x' is"):
        checked(Option("x", default, ""), value)
