# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rviz_check import displays, problems

# what the node publishes for people to look at
PUBLISHED = {
    "/perception/overlay": "sensor_msgs/msg/Image",
    "/perception/moving": "sensor_msgs/msg/Image",
    "/perception/cloud": "sensor_msgs/msg/PointCloud2",
    "/perception/map_cloud": "sensor_msgs/msg/PointCloud2",
    "/perception/markers": "visualization_msgs/msg/MarkerArray",
    "/perception/odometry": "nav_msgs/msg/Odometry",
}


@pytest.fixture
def config(root: Path) -> Path:
    return root / "config" / "perception.rviz"


def test_rviz_understands_every_word_and_finds_every_topic(config: Path) -> None:
    assert problems(config, PUBLISHED) == []


def test_everything_made_to_look_at_is_shown(config: Path) -> None:
    text = config.read_text()
    assert [topic for topic in PUBLISHED if f"Value: {topic}\n" not in text] == []


def test_rviz_asks_for_the_quality_of_service_that_the_node_offers(config: Path) -> None:
    pytest.importorskip("rclpy", reason="no ROS 2 here")
    from f4x_ros.ros import odometry_publisher
    from f4x_ros.ros.outputs import _TOPICS

    offered = {f"/perception/{name}": qos for name, (_, qos) in _TOPICS.items()}
    offered["/perception/odometry"] = odometry_publisher.QOS
    shown = [
        d["Topic"]
        for d in displays(yaml.safe_load(config.read_text())["Visualization Manager"]["Displays"])
        if "Topic" in d
    ]
    assert shown
    for topic in shown:
        qos = offered[topic["Value"]]
        assert topic["Reliability Policy"].upper().replace(" ", "_") == qos.reliability.name
        # whoever asks for the past gets nothing where none is kept, and misses it in the other case
        durability = topic["Durability Policy"].upper().replace(" ", "_")
        kept = "TRANSIENT_LOCAL" if qos.durability.name == "TRANSIENT_LOCAL" else "VOLATILE"
        assert durability == kept


@pytest.mark.parametrize(
    "right, wrong, named",
    [
        ("rviz_default_plugins/MarkerArray", "rviz_default_plugins/Markers", "unknown class"),
        ("Size (Pixels)", "Pixel Size", "unknown property 'Pixel Size'"),
        ("Reliability Policy: Reliable", "Reliability Policy: reliable", "Reliability Policy"),
        ("/perception/cloud", "/perception/clouds", "/perception/clouds is None"),
        ("Fixed Frame: map", "Fixed Frame: /map", "Fixed Frame"),
        ("rviz_default_plugins/Orbit", "rviz_default_plugins/Spin", "Spin"),
    ],
)
def test_the_check_names_what_is_wrong(
    config: Path, tmp_path: Path, right: str, wrong: str, named: str
) -> None:
    broken = tmp_path / "broken.rviz"
    broken.write_text(config.read_text().replace(right, wrong))
    assert any(named in problem for problem in problems(broken, PUBLISHED))
