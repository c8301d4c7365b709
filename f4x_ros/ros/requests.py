# SPDX-License-Identifier: Apache-2.0
"""What a request of a service asks for, checked before any work is done for it.

Sizes first, then numbers; each error names the field, its value and what was expected. The limits
are those of `core.base.limits`, which the comments of `srv` state.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from f4x_ros.core.ask.likeness import check_example_size, reduced
from f4x_ros.core.ask.prompts import check_prompts, check_threshold
from f4x_ros.core.base.limits import (
    MAX_CLICKS,
    MAX_COORDINATE_M,
    MAX_PROMPT_LETTERS,
    MAX_QUATERNION,
    check_frame_name,
    check_length,
)
from f4x_ros.core.errors import BadInputError, shown
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.srv import Query, Segment, SetPrompts

EXAMPLE_ENCODINGS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}
"""Encodings of an example, and their channels."""

_NS = 1_000_000_000


class Asked(NamedTuple):
    """A question, but for its view.

    Attributes:
        example: [h, w, 3] uint8 RGB, already reduced; None = none.
        stamp_ns: the moment asked about, 0 = the latest.
    """

    example: NDArray[np.uint8] | None
    stamp_ns: int


class Clicked(NamedTuple):
    """Clicks and a box in pixels of the view.

    Attributes:
        points: x, y.
        labels: one for each, or none.
        box: x0, y0, x1, y1; None = none.
        stamp_ns: the moment asked about, 0 = the latest.
    """

    points: list[tuple[float, float]]
    labels: list[int]
    box: tuple[int, int, int, int] | None
    stamp_ns: int


def read_query(request: Query.Request) -> Asked:
    """A question; ValueError says what is wrong with it."""
    check_length("prompt", request.prompt, MAX_PROMPT_LETTERS)
    check_threshold(request.threshold)
    ns = read_moment(request.stamp, "stamp")
    check_view(request.view)
    example = read_example(request.example) if len(request.example.data) else None
    return Asked(example, ns)


def read_segment(request: Segment.Request) -> Clicked:
    """Clicks; ValueError says what is wrong with them (where they are is checked by the map)."""
    for name, given in (("points", request.points), ("labels", request.labels)):
        if len(given) > MAX_CLICKS:
            raise BadInputError(f"there are {len(given)} {name}, expected at most {MAX_CLICKS}")
    ns = read_moment(request.stamp, "stamp")
    check_view(request.view)
    at = request.box
    box = None
    if at.width and at.height:
        box = (at.x_offset, at.y_offset, at.x_offset + at.width, at.y_offset + at.height)
    points = [(point.x, point.y) for point in request.points]
    return Clicked(points, list(request.labels), box, ns)


def read_prompts(request: SetPrompts.Request) -> tuple[list[str], list[float]]:
    """Standing prompts and their thresholds; ValueError says what is wrong with them."""
    prompts, thresholds = request.prompts, request.thresholds
    check_prompts(prompts)
    if len(thresholds) not in (0, len(prompts)):
        raise BadInputError(
            f"there are {len(thresholds)} thresholds for {len(prompts)} prompts, expected one for "
            "each, or none"
        )
    return list(prompts), list(thresholds)


def check_view(view: PoseStamped) -> None:
    """ValueError for a viewpoint that is none: its frame's name, its stamp or its coordinates."""
    if not view.header.frame_id:
        return
    check_frame_name("view.header.frame_id", view.header.frame_id)
    read_moment(view.header.stamp, "view.header.stamp")
    at, q = view.pose.position, view.pose.orientation
    for axis, value in (("x", at.x), ("y", at.y), ("z", at.z)):
        if not abs(value) <= MAX_COORDINATE_M:  # (NaN is refused, too)
            raise BadInputError(
                f"view.pose.position.{axis} is {value:g}, expected within {MAX_COORDINATE_M:g} m"
            )
    length = math.hypot(q.x, q.y, q.z, q.w)
    if not 1 / MAX_QUATERNION <= length <= MAX_QUATERNION:  # (NaN is refused, too)
        raise BadInputError(
            f"view.pose.orientation is {q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}, expected a quaternion "
            f"of finite numbers, not all 0, of a length up to {MAX_QUATERNION:g}"
        )


def read_example(message: Image) -> NDArray[np.uint8]:
    """A picture [h, w, 3] uint8 RGB of at most 640 pixels on its longer side.

    A larger one is reduced without a copy of it.

    Raises:
        ValueError: an encoding, a size or a length of data that is not as expected.
    """
    channels = EXAMPLE_ENCODINGS.get(message.encoding)
    if channels is None:
        raise BadInputError(
            f"example.encoding is {shown(message.encoding)}, expected one of "
            f"{', '.join(EXAMPLE_ENCODINGS)}"
        )
    width, height, step = message.width, message.height, message.step
    check_example_size(width, height)
    row, size = width * channels, len(message.data)
    if not (step >= row and step * (height - 1) + row <= size <= step * height):
        raise BadInputError(
            f"example has {size} bytes in rows of {step}, expected {height} rows of at least {row} "
            f"for {width}x{height} {message.encoding}"
        )
    data = np.frombuffer(message.data, np.uint8)
    pixels = np.lib.stride_tricks.as_strided(
        data, (height, width, channels), (step, channels, 1), writeable=False
    )
    return _rgb(reduced(pixels), message.encoding)


def _rgb(pixels: NDArray[np.uint8], encoding: str) -> NDArray[np.uint8]:
    """Colours [h, w, 3] in their order, from [h, w, C] or, of one channel, [h, w]."""
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    rgb = pixels[..., 2::-1] if encoding.startswith("bgr") else pixels[..., :3]
    return np.array(rgb)  # (one of its own, as the message may be read only)


def read_moment(stamp: Time, name: str) -> int:
    """Nanoseconds of a stamp, 0 = none was given; ValueError for one that is none, with `name`."""
    if not (stamp.sec >= 0 and stamp.nanosec < _NS):
        raise BadInputError(
            f"{name} is {stamp.sec} s and {stamp.nanosec} ns, expected 0 or more seconds and less "
            f"than {_NS} ns"
        )
    return stamp_ns(stamp)
