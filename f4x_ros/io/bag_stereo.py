# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag are a stereo pair."""

from __future__ import annotations

import re
from typing import NamedTuple

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_candidates import CAMERA_INFO, IMAGE_KINDS, ImageTopic, image_topics, look
from f4x_ros.io.bag_storage import BagStorage

_LEFT = re.compile(r"(?<![a-z])left(?![a-z])")


class RightTopics(NamedTuple):
    """The left image, and what is the right one's."""

    left: str
    image: str
    camera_info: str


def right_of(topic: str) -> str:
    """The topic of the right camera, named as that of the left one; "" where it has no name so."""
    return _LEFT.sub("right", topic) if _LEFT.search(topic) else ""


def stereo_topics(bag: BagStorage, left: str | None) -> RightTopics:
    """The pair of a bag: the left image as given, or the only one that has a right one beside.

    Of copies of one picture the plain one is taken.

    Raises:
        BadInputError: there is no pair, or there are several; says which topics there are.
    """
    if left is None:
        left = _found(bag).name
    right = right_of(left)
    if bag.topics.get(right) not in IMAGE_KINDS:
        raise BadInputError(
            f"{bag.path}: topic {left} has no right one beside it, expected {right or 'left'!r} "
            "in its name's place: a pair is named alike, /left/image_raw and /right/image_raw"
        )
    seen = look(bag, right)
    if seen is None:
        raise BadInputError(f"{bag.path}: topic {right} holds no message that can be read")
    if not seen.info_topic:
        raise BadInputError(
            f"{bag.path}: topic {right} has no {CAMERA_INFO} beside it, expected "
            f"{right.rpartition('/')[0]}/camera_info"
        )
    return RightTopics(left, right, seen.info_topic)


def _found(bag: BagStorage) -> ImageTopic:
    pictures = [one for one in image_topics(bag) if one.sort in ("color", "grey")]
    names = {one.name for one in pictures}
    lefts = [one for one in pictures if right_of(one.name) in names]
    if not lefts:
        raise BadInputError(
            f"{bag.path}: no stereo pair, expected topics such as /left/image_raw and "
            f"/right/image_raw; pictures there: {', '.join(sorted(names)) or 'none'}"
        )
    folders = sorted({one.folder for one in lefts})
    if len(folders) > 1:
        raise BadInputError(
            f"{bag.path}: {len(folders)} stereo pairs, under {folders}, expected the left image "
            "to be named (--image-topic), or --cameras"
        )
    return min(lefts, key=lambda one: one.last_resort)
