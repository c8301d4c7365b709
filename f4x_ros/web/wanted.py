# SPDX-License-Identifier: Apache-2.0
"""What a page sends, checked: every message names the value and what was expected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from f4x_ros.core.base.limits import MAX_CLICKS, check_length
from f4x_ros.core.data import PinholeCamera, Pose, check_pose
from f4x_ros.core.errors import BadInputError

MAX_SIDE_PX = 1280
"""Of a view that is drawn for a page."""


def number(
    wanted: Mapping[str, Any], name: str, low: float = -math.inf, high: float = math.inf
) -> float:
    """A number within limits."""
    value = wanted.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadInputError(f"{name} is {value!r:.80}, expected a number")
    if not low <= value <= high:
        raise BadInputError(f"{name} is {value:g}, expected {low:g} to {high:g}")
    return float(value)


def text(wanted: Mapping[str, Any], name: str, most: int) -> str:
    """Some text that is not blank."""
    value = wanted.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadInputError(f"{name} is {value!r:.80}, expected text")
    check_length(name, value, most)
    return value.strip()


def stamp_ns(wanted: Mapping[str, Any], span_ns: tuple[int, int]) -> int:
    """`at`, seconds since the first frame, as a stamp; 0, the present, where it is null.

    Moments beyond the last frame are the present.
    """
    if wanted.get("at") is None:
        return 0
    first, last = span_ns
    stamp = first + round(number(wanted, "at", 0.0, 1e9) * 1e9)
    return 0 if stamp >= last else stamp


def view(wanted: Mapping[str, Any]) -> tuple[PinholeCamera, Pose]:
    """`view`: width, height (px), fov_y (degrees) and T_map_camera (16 numbers, row by row)."""
    given = wanted.get("view")
    if not isinstance(given, dict):
        raise BadInputError(f"view is {given!r:.80}, expected width, height, fov_y, T_map_camera")
    width, height = (int(number(given, name, 16, MAX_SIDE_PX)) for name in ("width", "height"))
    fov = math.radians(number(given, "fov_y", 5, 150))
    focal = height / 2 / math.tan(fov / 2)
    pose = numbers(given, "T_map_camera", 16).reshape(4, 4)
    camera = PinholeCamera(width, height, focal, focal, width / 2, height / 2)
    return camera, check_pose("T_map_camera", pose)


def numbers(wanted: Mapping[str, Any], name: str, count: int) -> Pose:
    """So many numbers."""
    value = wanted.get(name)
    if not isinstance(value, list) or len(value) != count or not all(map(_is_number, value)):
        raise BadInputError(f"{name} is {value!r:.80}, expected {count} numbers")
    return np.array(value, np.float64)


def clicks(wanted: Mapping[str, Any], camera: PinholeCamera) -> tuple[Pose, list[int]]:
    """`clicks`, [x, y, 1 or 0] each with x and y as shares of the view: pixels and labels."""
    given = wanted.get("clicks")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_CLICKS:
        raise BadInputError(f"clicks is {given!r:.80}, expected 1 to {MAX_CLICKS} of x, y, label")
    rows = [numbers({"click": one}, "click", 3) for one in given]
    places = np.array([row[:2] for row in rows])
    if (places < 0).any() or (places > 1).any():
        raise BadInputError(f"clicks is {given!r:.80}, expected x and y within 0 to 1")
    size = np.array([camera.width, camera.height])
    pixels = np.clip(places * size, 0.5, size - 0.5)
    return pixels, [int(row[2]) for row in rows]


def texts(wanted: Mapping[str, Any], name: str, most: int, letters: int) -> list[str]:
    """Different texts, at least one."""
    given: Sequence[Any] | Any = wanted.get(name)
    if not isinstance(given, list) or not 1 <= len(given) <= most:
        raise BadInputError(f"{name} is {given!r:.80}, expected 1 to {most} texts")
    return list(dict.fromkeys(text({name: one}, name, letters) for one in given))


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
