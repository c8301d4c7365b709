# SPDX-License-Identifier: Apache-2.0
"""Check an RViz configuration without RViz.

The tables list what the sources of rviz (rviz_default_plugins of 2024) create: display classes,
their properties, the type of message each takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

COMMON = {"Class", "Name", "Enabled", "Value", "Topic"}
POINTS = {
    *("Selectable", "Style", "Size (m)", "Size (Pixels)", "Alpha", "Decay Time", "Axis"),
    *("Position Transformer", "Color Transformer", "Autocompute Value Bounds", "Min Value"),
    *("Max Value", "Use Fixed Frame", "Color", "Channel Name", "Use rainbow", "Invert Rainbow"),
    *("Min Color", "Max Color", "Autocompute Intensity Bounds", "Min Intensity", "Max Intensity"),
}
DISPLAYS: dict[str, tuple[str | None, set[str]]] = {
    "Grid": (
        None,
        {
            *("Reference Frame", "Plane Cell Count", "Normal Cell Count", "Cell Size", "Plane"),
            *("Line Style", "Color", "Alpha", "Offset"),
        },
    ),
    "TF": (
        None,
        {
            *("Show Names", "Show Axes", "Show Arrows", "Marker Scale", "Update Interval"),
            *("Frame Timeout", "Frames", "Tree", "Filter (whitelist)", "Filter (blacklist)"),
        },
    ),
    "Image": (
        "sensor_msgs/msg/Image",
        {"Normalize Range", "Min Value", "Max Value", "Median window"},
    ),
    "PointCloud2": ("sensor_msgs/msg/PointCloud2", POINTS),
    "Odometry": (
        "nav_msgs/msg/Odometry",
        {"Position Tolerance", "Angle Tolerance", "Keep", "Shape", "Covariance"},
    ),
    "MarkerArray": ("visualization_msgs/msg/MarkerArray", {"Namespaces"}),
}
TOOLS = {"Interact", "MoveCamera", "Select", "FocusCamera", "Measure", "PublishPoint"}
VIEWS = {"Orbit", "XYOrbit", "FPS", "TopDownOrtho", "ThirdPersonFollower"}
TOPIC: dict[str, set[str] | None] = {
    "Reliability Policy": {"Reliable", "Best Effort", "System Default"},
    "Durability Policy": {"Volatile", "Transient Local", "System Default"},
    "History Policy": {"Keep Last", "Keep All", "System Default"},
    "Depth": None,
    "Filter size": None,
    "Value": None,
}


def problems(path: Path, published: Mapping[str, str]) -> list[str]:
    """Return what RViz would ignore or show nothing for.

    Args:
        path: the .rviz file.
        published: message type of each topic that exists, by its absolute name.
    """
    manager = yaml.safe_load(path.read_text(encoding="utf-8"))["Visualization Manager"]
    frame = manager["Global Options"]["Fixed Frame"]
    found = [] if frame and not frame.startswith("/") else [f"Fixed Frame: {frame!r}"]
    for display in displays(manager["Displays"]):
        found += [f"{display['Name']}: {p}" for p in display_problems(display, published)]
    plugins = {f"tool {tool['Class']}": TOOLS for tool in manager["Tools"]}
    plugins[f"view {manager['Views']['Current']['Class']}"] = VIEWS
    found += [name for name, known in plugins.items() if name.partition("/")[2] not in known]
    return found


def displays(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield all displays, those in groups, too."""
    for item in items:
        if item["Class"] == "rviz_common/Group":
            yield from displays(item["Displays"])
        else:
            yield item


def display_problems(display: dict[str, Any], published: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with one display."""
    library, _, kind = display["Class"].partition("/")
    if library != "rviz_default_plugins" or kind not in DISPLAYS:
        yield f"unknown class {display['Class']}"
        return
    message_type, properties = DISPLAYS[kind]
    for name in sorted(display.keys() - properties - COMMON):
        yield f"unknown property {name!r}"
    if message_type is None:
        return
    topic = display["Topic"]
    for name, value in topic.items():
        words = TOPIC.get(name, set())
        if words is not None and value not in words:
            yield f"Topic / {name}: {value!r}"
    if published.get(topic["Value"]) != message_type:
        yield f"{topic['Value']} is {published.get(topic['Value'])}, shown as {message_type}"
