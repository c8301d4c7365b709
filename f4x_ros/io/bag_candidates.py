# SPDX-License-Identifier: Apache-2.0
"""What is on the image topics of a bag: told by the first message of each that can be read."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from f4x_ros.core.errors import BadSampleError
from f4x_ros.io.bag_storage import BagStorage
from f4x_ros.io.register import named_rectified
from f4x_ros.io.ros_images import (
    COLOR_ENCODINGS,
    DEPTH_ENCODINGS,
    GREY_ENCODINGS,
    is_depth_format,
)
from f4x_ros.io.transforms import plain_frame

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
IMAGE_KINDS = (IMAGE, COMPRESSED)

_TRANSPORTS = ("/compressed", "/compressedDepth")
_PNG_HEAD = struct.Struct(">8s4x4sIIBB")  # signature, name, width, height, bits, kind of colour
_TRIES = 20  # messages looked at for one that can be read

Sort = Literal["color", "grey", "depth", "unknown"]


@dataclass(frozen=True, eq=False)
class ImageTopic:
    """A topic of images, as its first message shows it."""

    name: str
    sort: Sort
    encoding: str  # of an Image, or the format of a CompressedImage
    frame_id: str  # without leading slashes
    shape: tuple[int, int] | None  # None where only decoding would tell
    count: int
    info: Any | None  # the first CameraInfo beside it
    info_topic: str  # "" = none beside it

    @property
    def folder(self) -> str:
        """The name of the camera: the topic without its last part."""
        return without_transport(self.name).rpartition("/")[0]

    @property
    def calibration(self) -> tuple[float, ...]:
        """Size and intrinsics, empty where there are none; two of one view are the same."""
        if self.info is None:
            return ()
        return (float(self.info.width), float(self.info.height), *np.asarray(self.info.k).tolist())

    @property
    def last_resort(self) -> tuple[int, bool, bool, str]:
        """Of copies of one picture the least is used: plain, not mixed of a mosaic, as it came."""
        return (
            (without_transport(self.name) != self.name)
            * (2 - ("compressedDepth" in self.encoding)),
            self.encoding.startswith("bayer"),
            named_rectified(self.name) == (self.sort != "depth"),
            self.name,
        )


def without_transport(topic: str) -> str:
    """The topic whose copy this is, or itself."""
    for suffix in _TRANSPORTS:
        topic = topic.removesuffix(suffix)
    return topic


def image_topics(bag: BagStorage) -> list[ImageTopic]:
    """All topics of images that hold a message, by name."""
    found = (look(bag, name) for name, kind in bag.topics.items() if kind in IMAGE_KINDS)
    return sorted((topic for topic in found if topic), key=lambda topic: topic.name)


def look(bag: BagStorage, name: str) -> ImageTopic | None:
    """What is on a topic of images; None if no message of it can be read."""
    message = first_message(bag, name)
    if message is None:
        return None
    info_topic = f"{without_transport(name).rpartition('/')[0]}/camera_info"
    info = first_message(bag, info_topic) if bag.topics.get(info_topic) == CAMERA_INFO else None
    shape: tuple[int, int] | None
    if bag.topics[name] == IMAGE:
        sort = _sort_of_encoding(message.encoding, name)
        encoding, shape = message.encoding, (int(message.height), int(message.width))
    else:
        sort, shape = _sort_of_format(message, name)
        encoding = message.format
    return ImageTopic(
        name=name,
        sort=sort,
        encoding=encoding,
        frame_id=plain_frame(message.header.frame_id),
        shape=shape or ((int(info.height), int(info.width)) if info else None),
        count=bag.counts[name],
        info=info,
        info_topic=info_topic if info else "",
    )


def first_message(bag: BagStorage, topic: str) -> Any | None:
    """The first of a topic that can be read; None if none of the first can be."""
    for entry in bag.index(topic)[:_TRIES]:
        try:
            return bag.message(topic, entry)
        except BadSampleError:  # counted where frames are loaded
            continue
    return None


def sort_of(kind: str, message: Any, topic: str) -> Sort:
    """What a message of an image topic, of type `kind`, is taken for."""
    if kind == IMAGE:
        return _sort_of_encoding(message.encoding, topic)
    return _sort_of_format(message, topic)[0]


def named_depth(topic: str) -> bool:
    """True if a topic calls what is on it depth, by one of its words."""
    return bool(re.search(r"(?<![a-z])depth(?![a-z])", topic.lower()))


def _named_infrared(topic: str) -> bool:
    return bool(re.search(r"(?<![a-z])(ir|infra|infrared|thermal)[0-9]?(?![a-z])", topic.lower()))


def _sort_of_encoding(encoding: str, topic: str) -> Sort:
    if encoding in GREY_ENCODINGS and encoding in DEPTH_ENCODINGS:  # 16 bits of either
        return "depth" if named_depth(topic) else "grey"
    if encoding in DEPTH_ENCODINGS:
        return "unknown" if encoding == "16UC1" and _named_infrared(topic) else "depth"
    if encoding in GREY_ENCODINGS:
        return "grey"
    return "color" if encoding in COLOR_ENCODINGS else "unknown"


def _sort_of_format(message: Any, topic: str) -> tuple[Sort, tuple[int, int] | None]:
    """By what the format says, else by the head of a PNG; other pictures are taken for colour."""
    if is_depth_format(message.format):
        return "depth", None
    head = bytes(message.data[: _PNG_HEAD.size])
    if head.startswith(b"\x89PNG") and len(head) == _PNG_HEAD.size:
        _, _, width, height, bits, kind = _PNG_HEAD.unpack(head)
        shape = (int(height), int(width))
        if kind == 0:  # grey
            return ("depth" if bits == 16 and named_depth(topic) else "grey"), shape
        return "color", shape
    original = message.format.partition(";")[0].strip()
    return ("grey" if original in GREY_ENCODINGS else "color"), None
