# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are the colour image, its calibration and its depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_candidates import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    IMAGE_KINDS,
    ImageTopic,
    first_message,
    image_topics,
    look,
    named_depth,
    without_transport,
)
from f4x_ros.io.bag_storage import BagStorage
from f4x_ros.io.ros_images import COLOR_ENCODINGS, DEPTH_ENCODINGS
from f4x_ros.io.transforms import plain_frame

__all__ = ["CAMERA_INFO", "COMPRESSED", "IMAGE", "POSE_STAMPED", "TF", "TF_POSE", "Topics"]

POSE_STAMPED = "geometry_msgs/msg/PoseStamped"
TF = "tf2_msgs/msg/TFMessage"

#: Value of the option ``pose`` that stands for /tf and /tf_static.
TF_POSE = "tf"

#: The command's flag for each option of `BagSource`.
FLAGS = {
    "image": "--image-topic",
    "camera_info": "--info-topic",
    "depth": "--depth-topic",
    "pose": "--pose-topic",
    "map_frame": "--fixed-frame",
}

_Pair = tuple[ImageTopic, ImageTopic | None]


@dataclass(frozen=True)
class Topics:
    """The topics chosen; an empty name stands for none."""

    image: str
    camera_info: str
    depth: str
    depth_info: str  # calibration of the depth images themselves
    frame_id: str  # of the image, without leading slashes
    pose: str = ""  # a topic of poses, `TF_POSE`, or empty
    remarks: list[str] = field(default_factory=list)  # what was chosen of several, and why

    def with_pose(self, topic: str) -> Topics:
        """The same with the topic of poses that was chosen."""
        return replace(self, pose=topic)


def choose_topics(
    bag: BagStorage, image: str | None, camera_info: str | None, depth: str | None
) -> Topics:
    """Check the names given and find the others by their types, encodings, frames and calibrations.

    None asks to find a topic, an empty name forgoes it. Raises ValueError naming the topic wanted
    and those there are, also where several would do and nothing tells which is meant.
    """
    there = image_topics(bag) if image is None or depth is None else []
    if image is None:
        colors = _without_copies([t for t in there if t.sort in ("color", "grey")])
    else:
        colors = [_named_image(bag, "image", image)] if image else []
    if not colors:
        raise missing(bag, "image", " or ".join(IMAGE_KINDS), _unread(bag, there))
    depths: Sequence[ImageTopic | None]
    if depth is None:
        depths = _without_copies([t for t in there if t.sort == "depth" and t.name != image])
    else:
        depths = [_named_image(bag, "depth", depth)] if depth else []
    remarks = [
        f"topic {t.name} is not used: encoding {t.encoding!r} is not read as an image"
        for t in there
        if t.sort == "unknown"
    ]
    unread = [t for t in there if t.sort == "unknown" and named_depth(t.name)]
    if depth is None and not depths and unread:
        raise BadInputError(
            f"{bag.path}: topic {unread[0].name} has the encoding {unread[0].encoding!r}, expected "
            f"one of {[*DEPTH_ENCODINGS]} for depth; depth='' ({FLAGS['depth']} '') goes without"
        )
    color, chosen = _fitting(bag, [(c, d) for c in colors for d in depths or [None]], remarks)
    return Topics(
        image=color.name,
        camera_info=_camera_info(bag, color, camera_info, remarks),
        depth=chosen.name if chosen else "",
        depth_info=_depth_info(bag, color, chosen) if chosen else "",
        frame_id=color.frame_id,
        remarks=remarks,
    )


def missing(bag: BagStorage, wanted: str, kind: str, note: str = "") -> BadInputError:
    """The error for a topic that is not there."""
    there = ", ".join(f"{name} ({kind})" for name, kind in sorted(bag.topics.items())) or "none"
    return BadInputError(
        f"{bag.path}: no topic for {wanted}, expected {kind}; topics there: {there}{note}"
    )


def several(bag: BagStorage, option: str, names: Sequence[str]) -> BadInputError:
    """The error for topics that all could be meant."""
    names = sorted(names)
    return BadInputError(
        f"{bag.path}: {len(names)} topics could be the {option}: {names}, expected one to be "
        f"named, e.g. {option}={names[0]!r} ({FLAGS[option]} {names[0]})"
    )


def _named_image(bag: BagStorage, option: str, name: str) -> ImageTopic:
    if bag.topics.get(name) not in IMAGE_KINDS:
        raise missing(bag, f"{option} {name!r} ({FLAGS[option]})", " or ".join(IMAGE_KINDS))
    found = look(bag, name)
    if found is None:
        raise BadInputError(
            f"{bag.path}: topic {name} ({FLAGS[option]}) holds no message that can be read"
        )
    return found


def _unread(bag: BagStorage, there: Sequence[ImageTopic]) -> str:
    """Why topics of images are none of those that could be meant, as a note on an error."""
    note = ""
    unknown = [f"{t.name} ({t.encoding!r})" for t in there if t.sort == "unknown"]
    if unknown:
        read = list(COLOR_ENCODINGS)
        note += f"; encodings that are not read: {', '.join(unknown)}; read are {read}"
    known = {topic.name for topic in there}
    empty = [t for t, kind in bag.topics.items() if kind in IMAGE_KINDS and t not in known]
    if empty:
        note += f"; without a message that can be read: {', '.join(sorted(empty))}"
    return "; ".join([note, *bag.remarks])


def _without_copies(topics: list[ImageTopic]) -> list[ImageTopic]:
    """Without the compressed copies of raw topics that are there too."""
    names = {topic.name for topic in topics}
    return [t for t in topics if t.name == without_transport(t.name) or _raw(t.name) not in names]


def _raw(name: str) -> str:
    return without_transport(name)


def _fitting(bag: BagStorage, pairs: list[_Pair], remarks: list[str]) -> _Pair:
    """The one pair of colour and depth that fits; each criterion counts where some meet it."""
    offered = pairs
    for _, meets in _CRITERIA:
        kept = [pair for pair in pairs if meets(*pair)]
        pairs = kept or pairs
    nearest = max(_shared(*pair) for pair in pairs)
    pairs = [pair for pair in pairs if _shared(*pair) == nearest]
    color = _one_picture(bag, "image", [c for c, _ in pairs])
    depth = _one_picture(bag, "depth", [d for c, d in pairs if c is color and d])
    if len(offered) > 1:
        remarks.extend(_chosen("image", color, {c for c, _ in offered}, offered, (color, depth)))
        beside = [(c, d) for c, d in offered if c is color]
        remarks.extend(_chosen("depth", depth, {d for _, d in beside if d}, beside, (color, depth)))
    assert color is not None  # there is one pair at least
    return color, depth


def _chosen(
    option: str,
    chosen: ImageTopic | None,
    offered: set[ImageTopic],
    pairs: list[_Pair],
    pair: tuple[ImageTopic | None, ImageTopic | None],
) -> list[str]:
    """The remark on what was chosen of several: what holds of it and not of the others."""
    if chosen is None or len(offered) < 2 or pair[0] is None:
        return []
    others = ", ".join(sorted(topic.name for topic in offered if topic is not chosen))
    reasons = [
        why
        for why, meets in _CRITERIA
        if meets(pair[0], pair[1]) and not all(meets(*other) for other in pairs)
    ]
    if any(_shared(*other) < _shared(pair[0], pair[1]) for other in pairs):
        reasons.append("both are named alike")
    why = ", ".join(reasons) or "it is the plain one of copies of one picture"
    return [f"{option} is {chosen.name}, not {others}: {why} ({FLAGS[option]} names another)"]


def _one_picture(bag: BagStorage, option: str, topics: list[ImageTopic]) -> ImageTopic | None:
    """The one topic, or the best of those that show the same picture; None of none."""
    names = {topic.name for topic in topics}
    if len({(topic.folder, topic.frame_id) for topic in topics}) > 1:
        raise several(bag, option, list(names))
    return min(topics, key=lambda topic: topic.last_resort, default=None)


def _shared(color: ImageTopic, depth: ImageTopic | None) -> int:
    """How many parts the names of two topics have in common, from the front."""
    if depth is None:
        return 0
    parts = zip(color.folder.split("/"), depth.folder.split("/"), strict=False)
    same = [one == other for one, other in parts]
    return same.index(False) if False in same else len(same)


def _same_frame(color: ImageTopic, depth: ImageTopic | None) -> bool:
    return depth is not None and color.frame_id == depth.frame_id != ""


def _same_calibration(color: ImageTopic, depth: ImageTopic | None) -> bool:
    return depth is not None and color.calibration == depth.calibration != ()


def _same_size(color: ImageTopic, depth: ImageTopic | None) -> bool:
    return depth is not None and color.shape == depth.shape


def _same_rate(color: ImageTopic, depth: ImageTopic | None) -> bool:
    return depth is not None and 2 * min(color.count, depth.count) >= max(color.count, depth.count)


_CRITERIA: list[tuple[str, Callable[[ImageTopic, ImageTopic | None], bool]]] = [
    ("it is in colour", lambda color, _: color.sort == "color"),
    ("it has a camera_info", lambda color, _: color.info is not None),
    ("image and depth have the same frame_id", _same_frame),
    ("the same camera_info", _same_calibration),
    ("the same size", _same_size),
    ("about the same rate", _same_rate),
]


def _camera_info(bag: BagStorage, image: ImageTopic, name: str | None, remarks: list[str]) -> str:
    """The calibration beside the image topic, the one of its frame, or the only one there is."""
    infos = [topic for topic, kind in bag.topics.items() if kind == CAMERA_INFO]
    if name is not None:
        if name not in infos:
            raise missing(bag, f"camera_info {name!r} ({FLAGS['camera_info']})", CAMERA_INFO)
        return name
    if image.info_topic:
        return image.info_topic
    of_frame = [topic for topic in infos if _frame_of(bag, topic) == image.frame_id]
    candidates = of_frame or infos
    if len(candidates) > 1:
        raise several(bag, "camera_info", candidates)
    if not candidates:
        raise missing(bag, f"camera_info of {image.name}", CAMERA_INFO)
    if len(infos) > 1:
        remarks.append(f"camera_info is {candidates[0]}: its frame_id is that of {image.name}")
    return candidates[0]


def _depth_info(bag: BagStorage, color: ImageTopic, depth: ImageTopic) -> str:
    """The calibration beside the depth topic, or the one of its frame if that is not colour's."""
    if depth.info_topic or depth.frame_id == color.frame_id:
        return depth.info_topic
    infos = [topic for topic, kind in bag.topics.items() if kind == CAMERA_INFO]
    of_frame = [topic for topic in infos if _frame_of(bag, topic) == depth.frame_id]
    return of_frame[0] if len(of_frame) == 1 else ""


def _frame_of(bag: BagStorage, topic: str) -> str | None:
    message = first_message(bag, topic)
    return None if message is None else plain_frame(message.header.frame_id)
