# SPDX-License-Identifier: Apache-2.0
"""Which map is asked, when and from where, on the command line."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.data import Pose


MOMENT = "seconds since the first frame, negative: before the last one"
"""What a moment is, for people; `since_first` reads it."""


def add_map_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the map."""
    parser.add_argument("map", help="a file map.f4x, as left by `f4x run` and `f4x demo`")


def add_moment_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--stamp` and `--view`."""
    parser.add_argument(
        "--stamp", default="0", metavar="SECONDS",
        help="time of the answer: ROS time, or negative: so long before the last frame",
    )  # fmt: skip
    parser.add_argument(
        "--view", metavar="x,y,z,tx,ty,tz",
        help="look from x,y,z at tx,ty,tz, metres in the map frame (default: as the camera did)",
    )  # fmt: skip


def view_of(text: str | None) -> Pose | None:
    """`T_map_camera` [4, 4] of a camera at a place that looks at another, its down down."""
    if text is None:
        return None
    import numpy as np

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or not np.isfinite(numbers).all():
        raise BadInputError(f"--view is '{text}', expected x,y,z,tx,ty,tz in metres")
    eye, target = np.array(numbers[:3]), np.array(numbers[3:])
    ahead = target - eye
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-6:
        raise BadInputError(f"--view is '{text}', expected no view straight up or down")
    ahead, right = ahead / np.linalg.norm(ahead), right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(ahead, right), ahead], axis=1)
    pose[:3, 3] = eye
    return pose


def nanoseconds(text: str, name: str = "--stamp") -> int:
    """Seconds as text to whole nanoseconds, exactly; ValueError with a name for others."""
    try:
        return int(Decimal(text) * 1_000_000_000)
    except (InvalidOperation, ValueError, OverflowError):
        raise BadInputError(f"{name} is '{text}', expected seconds") from None


def since_first(text: str, span_ns: tuple[int, int], name: str) -> int:
    """The stamp of a moment: seconds since the first frame, or negative before the last one.

    ROS time is taken as it is, too.

    Raises:
        ValueError: it is no number, or no moment of the span of stamps; has the name.
    """
    first, last = span_ns
    given = nanoseconds(text, name)
    stamp = given if given >= first > 0 else (last if given < 0 else first) + given
    if not first <= stamp <= last:
        raise BadInputError(
            f"{name} is {text}, expected 0 to {(last - first) / 1e9:.3f} s since the first frame "
            "(or negative: before the last one)"
        )
    return stamp
