# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import launch_standins as standins
import pytest

from f4x_ros.cli import main as cli
from f4x_ros.cli.prompts import DEMO, EXAMPLES

Start = Callable[..., dict[str, Any]]
LAUNCH_FILE = Path(__file__).resolve().parents[1] / "launch" / "perception.launch.py"


@pytest.fixture
def entities(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    standins.install(monkeypatch)
    return standins.describe(LAUNCH_FILE).args[0]


@pytest.fixture
def declared(entities: list[Any]) -> dict[str, Any]:
    return {e.args[0]: e for e in entities if e.kind == "DeclareLaunchArgument"}


@pytest.fixture
def defaults(declared: dict[str, Any]) -> dict[str, str]:
    return {n: standins.evaluate(e.kwargs["default_value"], {}) for n, e in declared.items()}


def starter(entities: list[Any]) -> Start:
    """What is started with some arguments, by name."""
    (function,) = (e.kwargs["function"] for e in entities if e.kind == "OpaqueFunction")
    known = {
        e.args[0]: standins.evaluate(e.kwargs["default_value"], {})
        for e in entities
        if e.kind == "DeclareLaunchArgument"
    }

    def start(**given: str) -> dict[str, Any]:
        assert given.keys() <= known.keys()
        made = function(standins.Context({**known, **given}))
        return {e.kwargs.get("name", "words"): e for e in made}

    return start


@pytest.fixture
def start(entities: list[Any]) -> Start:
    return starter(entities)


EVERYTHING = {"camera": "demo", "rviz": "true"}


def parameters(node: Any, arguments: dict[str, str]) -> dict[str, Any]:
    """Those given beside the file."""
    found: dict[str, Any] = {}
    for part in node.kwargs["parameters"]:
        if isinstance(part, dict):
            found |= {name: standins.evaluate(value, arguments) for name, value in part.items()}
    return found


def test_every_argument_is_described(declared: dict[str, Any]) -> None:
    asked = {"params_file", "namespace", "use_sim_time", "rviz", "autostart", "camera", "log_level"}
    asked |= {"prompts", "prompts_file", "extractor", "loop", "pose_source", "map_frame"}
    assert asked <= declared.keys()
    assert [n for n, e in declared.items() if len(e.kwargs.get("description", "")) < 10] == []


def test_every_argument_is_used_and_every_used_one_declared(
    entities: list[Any], declared: dict[str, Any], defaults: dict[str, str]
) -> None:
    (function,) = (e.kwargs["function"] for e in entities if e.kind == "OpaqueFunction")
    context = standins.Context({**defaults, **EVERYTHING})
    made = function(context)
    used = {e.args[0] for e in standins.walk(made) if e.kind == "LaunchConfiguration"}
    assert used | context.launch_configurations.names == declared.keys()


def test_only_the_node_starts_by_default(start: Start) -> None:
    assert start().keys() == {"perception"}


def test_camera_and_rviz_start_when_asked_for(start: Start) -> None:
    assert start(**EVERYTHING).keys() == {"perception", "camera", "rviz2", "words"}


def test_cameras_have_the_topics_under_their_names(start: Start) -> None:
    made = start(cameras="front, left", image_topic="color/image_raw", camera="demo")
    for node in (made["perception"], made["camera"]):
        topics = dict(node.kwargs["remappings"])
        assert topics["front/image"] == "front/color/image_raw"
        assert topics["left/depth/image"] == "left/depth/image"
        assert "image" not in topics
    assert parameters(made["perception"], {})["cameras"] == "front, left"
    with pytest.raises(RuntimeError, match="expected the part after the camera's name"):
        start(cameras="front", image_topic="/front/color/image_raw")


def test_a_pair_has_the_calibrations_beside_its_images(start: Start) -> None:
    made = start(stereo="true", left_topic="/zed/left/image_raw")["perception"]
    topics = dict(made.kwargs["remappings"])
    assert topics["left/image"] == "/zed/left/image_raw"
    assert topics["left/camera_info"] == "/zed/left/camera_info"
    assert topics["right/camera_info"] == "right/camera_info"
    assert "depth/image" not in topics
    assert parameters(made, {})["stereo"] is True


def test_the_page_is_where_f4x_view_would_show_it(start: Start, defaults: dict[str, str]) -> None:
    options = cli.parser().parse_args(["view", "map.f4x"])
    assert parameters(start(web="true")["perception"], defaults)["web.port"] == options.port
    assert "web.port" not in parameters(start()["perception"], defaults)


def test_without_rviz_on_the_machine_the_rest_starts_and_words_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    standins.install(monkeypatch, packages=())
    made = starter(standins.describe(LAUNCH_FILE).args[0])(rviz="true")
    assert made.keys() == {"perception", "words"}
    assert "rviz2 is not installed" in made["words"].kwargs["msg"]


def test_the_demo_looks_for_what_is_in_it_and_says_so(
    start: Start, defaults: dict[str, str]
) -> None:
    made = start(camera="demo")
    given = parameters(made["perception"], defaults)
    assert given["prompts"].split(", ") == list(DEMO["embedded"])
    assert given["prompts"] in made["words"].kwargs["msg"]
    other = parameters(start(camera="demo", extractor="color")["perception"], defaults)
    assert other["prompts"].split(", ") == list(DEMO["color"])
    assert other["features.extractor"] == "color"


def test_a_recording_is_asked_for_what_is_in_any_room(
    start: Start, defaults: dict[str, str]
) -> None:
    made = start(camera="/some/bag", extractor="color")
    assert parameters(made["perception"], defaults)["prompts"].split(", ") == list(
        EXAMPLES["color"]
    )


def test_an_extractor_that_names_things_of_itself_is_left_to_it(
    start: Start, defaults: dict[str, str]
) -> None:
    """The default of the parameter: "auto"."""
    assert "prompts" not in parameters(start(camera="/some/bag")["perception"], defaults)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"camera": "demo", "prompts_file": "mine.txt"},
        {"camera": "demo", "params_file": "mine.yaml"},
        {"camera": "demo", "extractor": "dinov2"},
    ],
)
def test_nothing_is_looked_for_that_is_another_file_s_to_say(
    start: Start, defaults: dict[str, str], said: dict[str, str]
) -> None:
    made = start(**said)
    assert "prompts" not in parameters(made["perception"], defaults)
    assert "words" not in made


def test_prompts_that_are_given_reach_the_node_as_text(
    start: Start, defaults: dict[str, str]
) -> None:
    made = start(camera="demo", prompts="children's toy, 7", report_dir="7")
    given = parameters(made["perception"], defaults)
    assert given["prompts"] == "children's toy, 7"
    assert given["report.dir"] == "7"
    assert "words" not in made


def test_what_is_not_given_is_left_to_the_file(start: Start, defaults: dict[str, str]) -> None:
    given = parameters(start()["perception"], defaults)
    assert given.keys() == {"use_sim_time", "autostart"}
    assert start(params_file="mine.yaml")["perception"].kwargs["parameters"][0] == "mine.yaml"


def test_the_camera_goes_on_unless_told_not_to(start: Start, defaults: dict[str, str]) -> None:
    forever = parameters(start(camera="demo")["camera"], defaults)
    once = parameters(start(camera="demo", loop="False")["camera"], defaults)
    # with the stamps of the recording, each round would begin with a jump back in time
    assert (forever["loop"], forever["stamps"]) == (True, "now")
    assert (once["loop"], once["stamps"]) == (False, "original")


def test_a_camera_for_odometry_keeps_its_poses_to_itself(
    start: Start, defaults: dict[str, str]
) -> None:
    given = {"pose_source": "odometry", "base_frame": "base_link", "publish_tf": "map_to_base"}
    made = start(camera="demo", **given)
    of_node = parameters(made["perception"], defaults)
    assert of_node["pose_source"] == "odometry"
    assert of_node["odometry.base_frame"] == "base_link"
    assert of_node["odometry.publish_tf"] == "map_to_base"
    assert parameters(made["camera"], defaults)["publish_tf"] is False
    usual = start(camera="demo")
    assert parameters(usual["camera"], defaults)["publish_tf"] is True
    assert "odometry.publish_tf" not in parameters(usual["perception"], defaults)


def test_the_executables_and_files_exist(
    root: Path, start: Start, defaults: dict[str, str]
) -> None:
    nodes = [n for n in start(**EVERYTHING).values() if "package" in n.kwargs]
    ours = [n.kwargs["executable"] for n in nodes if n.kwargs["package"] == "f4x_ros"]
    assert sorted(ours) == ["camera", "perception"]
    assert [name for name in ours if not (root / "scripts" / name).exists()] == []
    assert (root / defaults["params_file"].removeprefix("share:f4x_ros/")).exists()
    assert (root / defaults["rviz_config"].removeprefix("share:f4x_ros/")).exists()


def test_the_node_is_a_lifecycle_node_that_starts_itself_unless_told_not_to(
    start: Start, defaults: dict[str, str]
) -> None:
    node = start()["perception"]
    assert node.kind == "LifecycleNode"
    assert parameters(node, defaults)["autostart"] is True
    assert parameters(start(autostart="false")["perception"], defaults)["autostart"] is False
    assert "namespace" in node.kwargs  # LifecycleNode asks for it in Humble


def test_tf_follows_the_namespace_everywhere(start: Start) -> None:
    made = start(**EVERYTHING, prompts="mug", namespace="robot")
    assert len(made) == 3
    for node in made.values():
        assert node.kwargs["namespace"] == "robot"
        assert ("/tf", "tf") in node.kwargs["remappings"]
        assert ("/tf_static", "tf_static") in node.kwargs["remappings"]


def test_camera_and_node_meet_on_the_same_topics(start: Start) -> None:
    made = start(camera="demo", image_topic="/a", camera_info_topic="/b", depth_topic="/c")
    published = {"image": "/a", "camera_info": "/b", "depth/image": "/c"}
    of_camera = dict(made["camera"].kwargs["remappings"])
    of_node = dict(made["perception"].kwargs["remappings"])
    assert published.items() <= of_camera.items()
    assert {**published, "pose": "pose"}.items() <= of_node.items()


def test_the_executables_know_the_parameters_they_are_given(
    start: Start, defaults: dict[str, str]
) -> None:
    pytest.importorskip("rclpy", reason="no ROS 2 here")
    from f4x_ros.core.config import Config
    from f4x_ros.ros import camera as camera_node
    from f4x_ros.ros.parameters import OPTIONS

    texts = ("prompts", "prompts_file", "extractor", "pose_source", "map_frame", "report_dir")
    made = start(camera="demo", **dict.fromkeys(texts, "x"))
    known = {o.name for o in OPTIONS} | {p.name for p in Config.parameters()}
    given = parameters(made["perception"], defaults).keys() - {"use_sim_time"}
    assert len(given) == len(texts) + 1
    assert given <= known
    of_camera = parameters(made["camera"], defaults).keys() - {"use_sim_time"}
    assert of_camera <= {o.name for o in camera_node.OPTIONS}


def test_an_unknown_keyword_is_caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    standins.install(monkeypatch)
    broken = tmp_path / "broken.launch.py"
    broken.write_text(LAUNCH_FILE.read_text().replace("remappings=", "remapings="))
    with pytest.raises(TypeError, match="remapings"):
        starter(standins.describe(broken).args[0])()


def test_the_real_launch_ros_resolves_it() -> None:
    pytest.importorskip("launch_ros", reason="launch_ros comes with a ROS installation only")
    from launch import LaunchService

    description = standins.describe(LAUNCH_FILE)
    context = LaunchService(argv=[], noninteractive=True).context
    for entity in description.entities:
        if type(entity).__name__ == "DeclareLaunchArgument":
            entity.visit(context)
    context.launch_configurations["camera"] = "demo"
    (function,) = (e for e in description.entities if type(e).__name__ == "OpaqueFunction")
    made = function.execute(context)
    assert len(made) == 3
    for entity in made[1:]:
        # resolves the executable, the parameter file and the remappings
        entity._perform_substitutions(context)
