# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from rviz_check import problems

# what the node publishes for people to look at
PUBLISHED = {
    "/perception/overlay": "sensor_msgs/msg/Image",
    "/perception/cloud": "sensor_msgs/msg/PointCloud2",
    "/perception/markers": "visualization_msgs/msg/MarkerArray",
}


@pytest.fixture
def config(root: Path) -> Path:
    return root / "config" / "perception.rviz"


def test_rviz_understands_every_word_and_finds_every_topic(config: Path) -> None:
    assert problems(config, PUBLISHED) == []


def test_everything_made_to_look_at_is_shown(config: Path) -> None:
    text = config.read_text()
    assert [topic for topic in PUBLISHED if f"Value: {topic}\n" not in text] == []


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
