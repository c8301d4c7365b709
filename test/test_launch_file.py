# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import launch_standins as standins
import pytest

LAUNCH_FILE = Path(__file__).resolve().parents[1] / "launch" / "perception.launch.py"


@pytest.fixture
def entities(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    standins.install(monkeypatch)
    return standins.describe(LAUNCH_FILE).args[0]


@pytest.fixture
def declared(entities: list[Any]) -> dict[str, Any]:
    return {e.args[0]: e for e in entities if e.kind == "DeclareLaunchArgument"}


@pytest.fixture
def nodes(entities: list[Any]) -> dict[str, Any]:
    return {e.kwargs["name"]: e for e in entities if e.kind in ("Node", "LifecycleNode")}


@pytest.fixture
def defaults(declared: dict[str, Any]) -> dict[str, str]:
    return {n: standins.evaluate(e.kwargs["default_value"], {}) for n, e in declared.items()}


def started(nodes: dict[str, Any], arguments: dict[str, str]) -> set[str]:
    return {
        name
        for name, node in nodes.items()
        if standins.evaluate(node.kwargs.get("condition", True), arguments)
    }


def test_every_argument_is_described(declared: dict[str, Any]) -> None:
    asked = {"params_file", "namespace", "use_sim_time", "rviz", "autostart", "camera", "log_level"}
    assert asked <= declared.keys()
    assert [n for n, e in declared.items() if len(e.kwargs.get("description", "")) < 10] == []


def test_every_argument_is_used_and_every_used_one_declared(
    entities: list[Any], declared: dict[str, Any]
) -> None:
    used = {e.args[0] for e in standins.walk(entities) if e.kind == "LaunchConfiguration"}
    assert used == declared.keys()


def test_only_the_node_starts_by_default(nodes: dict[str, Any], defaults: dict[str, str]) -> None:
    assert started(nodes, defaults) == {"perception"}


def test_camera_and_rviz_start_when_asked_for(
    nodes: dict[str, Any], defaults: dict[str, str]
) -> None:
    arguments = {**defaults, "camera": "demo", "rviz": "true"}
    assert started(nodes, arguments) == {"perception", "camera", "rviz2"}


def test_the_executables_and_files_exist(
    root: Path, nodes: dict[str, Any], defaults: dict[str, str]
) -> None:
    ours = [n.kwargs["executable"] for n in nodes.values() if n.kwargs["package"] == "f4x_ros"]
    assert sorted(ours) == ["camera", "perception"]
    assert [name for name in ours if not (root / "scripts" / name).exists()] == []
    assert (root / defaults["params_file"].removeprefix("share:f4x_ros/")).exists()
    assert (root / defaults["rviz_config"].removeprefix("share:f4x_ros/")).exists()


def test_the_node_is_a_lifecycle_node_that_starts_itself_unless_told_not_to(
    nodes: dict[str, Any], defaults: dict[str, str]
) -> None:
    node = nodes["perception"]
    (overrides,) = (p for p in node.kwargs["parameters"] if isinstance(p, dict))
    assert node.kind == "LifecycleNode"
    assert standins.evaluate(overrides["autostart"], defaults) == "true"
    assert "namespace" in node.kwargs  # LifecycleNode asks for it in Humble


def test_tf_follows_the_namespace_everywhere(nodes: dict[str, Any]) -> None:
    for node in nodes.values():
        assert "namespace" in node.kwargs
        assert ("/tf", "tf") in node.kwargs["remappings"]
        assert ("/tf_static", "tf_static") in node.kwargs["remappings"]


def test_camera_and_node_meet_on_the_same_topics(nodes: dict[str, Any]) -> None:
    def topics(name: str) -> dict[str, str]:
        pairs = dict(nodes[name].kwargs["remappings"])
        return {k: v.args[0] for k, v in pairs.items() if isinstance(v, standins.Entity)}

    published = {
        "image": "image_topic",
        "camera_info": "camera_info_topic",
        "depth/image": "depth_topic",
    }
    assert topics("camera") == published
    assert topics("perception") == {**published, "pose": "pose_topic"}


def test_the_executables_know_the_parameters_they_are_given(nodes: dict[str, Any]) -> None:
    pytest.importorskip("rclpy", reason="no ROS 2 here")
    from f4x_ros.ros import camera, parameters

    for name, options in (("camera", camera.OPTIONS), ("perception", parameters.OPTIONS)):
        given = {k for p in nodes[name].kwargs["parameters"] if isinstance(p, dict) for k in p}
        assert given - {"use_sim_time"} <= {option.name for option in options}


def test_an_unknown_keyword_is_caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    standins.install(monkeypatch)
    broken = tmp_path / "broken.launch.py"
    broken.write_text(LAUNCH_FILE.read_text().replace("remappings=", "remapings="))
    with pytest.raises(TypeError, match="remapings"):
        standins.describe(broken)


def test_the_real_launch_ros_resolves_it() -> None:
    pytest.importorskip("launch_ros", reason="launch_ros comes with a ROS installation only")
    from launch import LaunchService

    description = standins.describe(LAUNCH_FILE)
    context = LaunchService(argv=[], noninteractive=True).context
    for entity in description.entities:
        if type(entity).__name__ == "DeclareLaunchArgument":
            entity.visit(context)
        elif entity.condition is None:
            # resolves the executable, the parameter file and the remappings
            entity._perform_substitutions(context)
