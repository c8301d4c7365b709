# SPDX-License-Identifier: Apache-2.0
"""Where cameras are mounted, told as text: for robots and recordings whose TF does not say it."""

from __future__ import annotations

from typing import NamedTuple

from f4x_ros.core.base.limits import is_frame_name
from f4x_ros.core.data import Pose
from f4x_ros.core.data.poses import from_quaternion
from f4x_ros.core.errors import BadInputError, shown
from f4x_ros.io.transforms import plain_frame

_EXPECTED = "expected 'PARENT CHILD X Y Z QX QY QZ QW', frames, metres, a quaternion"


class Extrinsic(NamedTuple):
    """Where a frame is in another one, for ever."""

    parent: str
    child: str
    T_parent_child: Pose


def read_extrinsic(text: str, what: str = "extrinsics") -> Extrinsic:
    """The meaning of "base_link left_optical 0.1 0 0.3 -0.5 0.5 -0.5 0.5".

    Raises:
        BadInputError: it is no transform; has its value and what was expected.
    """
    words = text.replace(",", " ").split()
    said = f"{what} has {shown(text)}"
    if len(words) != 9:
        raise BadInputError(f"{said}, {len(words)} words, {_EXPECTED}")
    parent, child = (plain_frame(word) for word in words[:2])
    if not (is_frame_name(parent) and is_frame_name(child)) or parent == child:
        raise BadInputError(f"{said}, expected two different names of frames first")
    try:
        numbers = [float(word) for word in words[2:]]
        pose = from_quaternion(numbers[:3], numbers[3:])
    except ValueError as error:
        raise BadInputError(f"{said}: {error}; {_EXPECTED}") from error
    return Extrinsic(parent, child, pose)
