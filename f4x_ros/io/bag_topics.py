# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are the colour image, its calibration, its depth and its pose."""

from __future__ import annotations

from dataclasses import dataclass

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_storage import BagStorage
from f4x_ros.io.ros_images import COLOR_ENCODINGS, DEPTH_ENCODINGS, is_depth_format

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
POSE_STAMPED = "geometry_msgs/msg/PoseStamped"
TF = "tf2_msgs/msg/TFMessage"

#: Value of the option ``pose`` that stands for /tf and /tf_static.
TF_POSE = "tf"


@dataclass(frozen=True)
class Topics:
    """The topics chosen; an empty name stands for none."""

    image: str
    camera_info: str
    depth: str
    pose: str  # a PoseStamped topic, `TF_POSE`, or empty


def choose_topics(
    bag: BagStorage,
    image: str | None,
    camera_info: str | None,
    depth: str | None,
    pose: str | None,
) -> Topics:
    """Check the names given and find the others by their types and encodings.

    None asks to find a topic, an empty name forgoes it. Raises ValueError naming the topic wanted
    and those there are, also where several would do.
    """
    kinds = (IMAGE, COMPRESSED)
    if image is None or depth is None:
        colors, depths = _image_topics(bag)
    chosen = _only(bag, "image", colors) if image is None else _named(bag, "image", image, kinds)
    if not chosen:
        raise missing(bag, "image", " or ".join(kinds))
    if depth is None:
        found = _only(bag, "depth", depths)
    else:
        found = _named(bag, "depth", depth, kinds)
    return Topics(
        image=chosen,
        camera_info=_camera_info(bag, chosen, camera_info),
        depth=found,
        pose=_pose(bag, pose),
    )


def missing(bag: BagStorage, wanted: str, kind: str) -> BadInputError:
    """The error for a topic that is not there."""
    there = ", ".join(f"{name} ({kind})" for name, kind in sorted(bag.topics.items())) or "none"
    return BadInputError(
        f"{bag.path}: no topic for {wanted}, expected {kind}; topics there: {there}"
    )


def _named(bag: BagStorage, option: str, name: str, kinds: tuple[str, ...]) -> str:
    if not name:
        return ""
    if bag.topics.get(name) not in kinds:
        raise missing(bag, f"{option} {name!r}", " or ".join(kinds))
    return name


def _only(bag: BagStorage, option: str, candidates: list[str]) -> str:
    """The one candidate; the compressed copy of a raw topic does not count as another."""
    candidates = [c for c in candidates if c.rsplit("/", 1)[0] not in candidates]
    if len(candidates) > 1:
        raise BadInputError(
            f"{bag.path}: {len(candidates)} topics could be the {option}: {sorted(candidates)}, "
            f"expected one to be named, e.g. {option}={sorted(candidates)[0]!r}"
        )
    return candidates[0] if candidates else ""


def _image_topics(bag: BagStorage) -> tuple[list[str], list[str]]:
    """Topics of colour and of depth images, told apart by their first message."""
    colors, depths = [], []
    for topic, kind in bag.topics.items():
        if kind not in (IMAGE, COMPRESSED) or not (entries := bag.index(topic)):
            continue
        first = bag.message(topic, entries[0])
        if kind == IMAGE:
            is_color = first.encoding in COLOR_ENCODINGS
            is_depth = first.encoding in DEPTH_ENCODINGS
        else:
            is_depth = is_depth_format(first.format)
            is_color = not is_depth
        if is_color:
            colors.append(topic)
        elif is_depth:
            depths.append(topic)
    return colors, depths


def _camera_info(bag: BagStorage, image: str, name: str | None) -> str:
    """The calibration beside the image topic, or the only one there is."""
    if name is not None:
        chosen = _named(bag, "camera_info", name, (CAMERA_INFO,))
    else:
        base = image.removesuffix("/compressed").rsplit("/", 1)[0]
        beside = f"{base}/camera_info"
        infos = [topic for topic, kind in bag.topics.items() if kind == CAMERA_INFO]
        chosen = beside if beside in infos else _only(bag, "camera_info", infos)
    if not chosen:
        raise missing(bag, f"camera_info of {image}", CAMERA_INFO)
    return chosen


def _pose(bag: BagStorage, name: str | None) -> str:
    if name is not None and name != TF_POSE:
        return _named(bag, "pose", name, (POSE_STAMPED,))
    if TF in bag.topics.values():
        return TF_POSE
    if name == TF_POSE:
        raise missing(bag, "transforms", TF)
    return _only(bag, "pose", [t for t, kind in bag.topics.items() if kind == POSE_STAMPED])
