# SPDX-License-Identifier: Apache-2.0
"""Depth of another camera brought to the colour camera; whether it has to be, and from which lens.

The bag reader and the live node both decide by what stands here, so that a recording gives the same
frames offline and through topics.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, check_pose
from f4x_ros.core.errors import BadInputError

#: No reading is spread over more pixels per side: it would lie almost within the colour camera.
_MAX_SPAN_PX = 24
#: Two calibrations whose pixels of a view differ by less than this are the same [px].
_SAME_PX = 0.5
#: Two frames nearer than this, and turned by less than this, are one [m, sine].
_SAME_PLACE = 1e-4

_BENT_WITHOUT_COEFFICIENTS = ("equidistant", "fisheye")
_RECTIFIED = re.compile(r"(?<![a-z])(rect|rectified|undistorted)(?![a-z])")
_REGISTERED = re.compile(r"(?<![a-z])(registered|aligned)(?![a-z])")


def named_rectified(topic: str) -> bool:
    """True if a topic calls its images rectified: a word "rect", as in `image_rect_color`."""
    return bool(_RECTIFIED.search(topic.lower()))


def depth_lens(topic: str, info: Any | None) -> Literal["none", "own", "color"]:
    """Through which lens depth was seen; the one rule of reader and node.

    Its own calibration (a message-like CameraInfo, None = it has none) without distortion says
    "none": it is rectified already. Else a topic that is named rectified says "none" too. What is
    left is undistorted with its "own" calibration or, where it has none, like the "color" images.
    """
    if info is not None and not _bends(info):
        return "none"
    if named_rectified(topic):
        return "none"
    return "color" if info is None else "own"


def _bends(info: Any) -> bool:
    model = getattr(info, "distortion_model", "")
    return model in _BENT_WITHOUT_COEFFICIENTS or bool(np.any(np.asarray(info.d, np.float64)))


def same_frame(one: str, other: str) -> bool:
    """True if two names of frames mean the same: a leading slash means nothing, empty is any."""
    one, other = one.lstrip("/"), other.lstrip("/")
    return not one or not other or one == other


def same_view(one: PinholeCamera, other: PinholeCamera) -> bool:
    """True if each pixel of one camera looks where that of the other does, within half a pixel."""
    if one.shape != other.shape:
        return False
    corners = np.array([[0.0, 0, 1], [one.width, one.height, 1]])
    moved = corners @ (other.K @ np.linalg.inv(one.K)).T
    return bool(np.abs(moved - corners).max() <= _SAME_PX)


class DepthRegistration:
    """Depth of one pinhole camera as another one, at another place, sees it.

    Each reading is spread over the pixels of the colour camera that its own pixel covers there, so
    there are no holes where the colour camera has more pixels; of several readings on one pixel the
    nearest counts. What only the depth camera saw is hidden, what it did not see stays empty.
    """

    def __init__(self, depth: PinholeCamera, color: PinholeCamera, T_color_depth: Pose) -> None:
        """Both cameras rectified; ``T_color_depth`` [4, 4] metres, optical frames.

        Raises:
            ValueError: the transform is not rigid.
        """
        self._depth, self._color = depth, color
        T = check_pose("T_color_depth", T_color_depth)
        # A reading z of a pixel lies at (z a + b) / z': with K, once for all readings.
        a = depth.pixel_rays().reshape(-1, 3) @ (color.K @ T[:3, :3]).T
        b = color.K @ T[:3, 3]
        # Half the size of a depth pixel there, per unit of z / z', in columns and in rows.
        steps = color.K @ T[:3, :3] @ np.diag([0.5 / depth.fx, 0.5 / depth.fy, 0.0])
        with np.errstate(divide="ignore", invalid="ignore"):
            far = a[:, :2] / a[:, 2:]
        half = sum(np.abs(steps[:2, k] - far * steps[2, k]) for k in (0, 1))
        self._a = [np.ascontiguousarray(row, np.float32) for row in a.T]
        self._b = [np.float32(value) for value in b]
        self._half = [np.ascontiguousarray(row, np.float32) for row in half.T]

    def apply(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Depth ``[Hd, Wd]`` metres (0 or not finite = no reading) as ``[Hc, Wc]``, 0 = none.

        Raises:
            ValueError: another size than the depth camera's.
        """
        if depth.shape != self._depth.shape:
            raise BadInputError(
                f"depth is {_size(depth.shape)}, expected {_size(self._depth.shape)} as its "
                "camera_info says"
            )
        z, left, right, top, bottom = self._covered(np.asarray(depth, np.float32).reshape(-1))
        out = np.full(self._color.width * self._color.height, np.inf, np.float32)
        seen = np.flatnonzero((left < right) & (top < bottom))
        np.minimum.at(out, self._places(top, left, seen), z.take(seen))
        # Most readings cover one pixel where both cameras have about as many.
        columns, rows = right - left, bottom - top
        several = np.flatnonzero(((columns > 1) | (rows > 1)) & (columns > 0) & (rows > 0))
        first = self._places(top, left, several)
        z, columns, rows = z.take(several), columns.take(several), rows.take(several)
        for row in range(int(rows.max(initial=0))):
            for column in range(int(columns.max(initial=0))):
                if row or column:
                    at = np.flatnonzero((rows > row) & (columns > column))
                    shifted = first[at] + (row * self._color.width + column)
                    np.minimum.at(out, shifted, z[at])
        out[np.isinf(out)] = 0
        return out.reshape(self._color.shape)

    def _places(
        self, rows: NDArray[np.float32], columns: NDArray[np.float32], some: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """Indices of pixels."""
        at = rows.take(some).astype(np.int32) * np.int32(self._color.width)
        at += columns.take(some).astype(np.int32)
        return at.astype(np.intp)

    def _covered(self, z: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Of each reading: its z there, and columns and rows it covers, from and to (exclusive).

        What is not seen covers no column; what is no number compares as false.
        """
        with np.errstate(all="ignore"):
            z_there = z * self._a[2] + self._b[2]
            inverse = np.float32(1) / z_there
            scale = z * inverse
            bounds: list[NDArray[np.float32]] = []
            for axis, size in ((0, self._color.width), (1, self._color.height)):
                centre = (z * self._a[axis] + self._b[axis]) * inverse - np.float32(0.5)
                half = np.minimum(self._half[axis] * scale, np.float32(_MAX_SPAN_PX / 2))
                bounds.append(np.clip(np.ceil(centre - half), 0, size))
                bounds.append(np.clip(np.ceil(centre + half), 0, size))
        seen = (z > 0) & (z_there > 0) & (z_there < np.inf)
        bounds[1] *= seen
        return z_there, *bounds


class DepthToColor:
    """Depth images of one topic as the colour camera sees them.

    Decides from frames, calibrations and sizes whether they are registered already, have to be, or
    must be refused, and again when one of these changes.

    Attributes:
        remarks: what was decided, in sentences; one for each decision that is worth knowing.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._key: tuple[Any, ...] | None = None
        self._registration: DepthRegistration | None = None
        self.remarks: list[str] = []

    def apply(
        self,
        depth: NDArray[np.float32],
        *,
        depth_frame: str,
        depth_camera: PinholeCamera | None,
        color_frame: str,
        color_camera: PinholeCamera,
        T_color_depth: Pose | None,
    ) -> NDArray[np.float32]:
        """Depth ``[Hc, Wc]`` metres from rectified depth ``[Hd, Wd]``, 0 = no reading.

        Args:
            depth: metres, already undistorted.
            depth_frame: frame_id of the depth image.
            depth_camera: its own calibration, rectified; None where it has none.
            color_frame: frame_id of the colour image.
            color_camera: the rectified colour camera.
            T_color_depth: the depth frame in the colour frame, [4, 4]; None where nothing tells.
                Only asked for where `same_frame` is false.

        Raises:
            ValueError: depth is of another camera and cannot be registered; names both frames.
        """
        place = None if T_color_depth is None else T_color_depth.tobytes()
        key = (depth.shape, depth_frame, depth_camera, color_frame, color_camera, place)
        if key != self._key:
            self._registration = self._decided(
                depth.shape, depth_frame, depth_camera, color_frame, color_camera, T_color_depth
            )
            self._key = key
        return depth if self._registration is None else self._registration.apply(depth)

    def _decided(
        self,
        shape: tuple[int, ...],
        depth_frame: str,
        depth_camera: PinholeCamera | None,
        color_frame: str,
        color_camera: PinholeCamera,
        T_color_depth: Pose | None,
    ) -> DepthRegistration | None:
        same_place = same_frame(depth_frame, color_frame)
        if T_color_depth is not None and not same_place:
            same_place = bool(np.abs(T_color_depth - np.eye(4)).max() < _SAME_PLACE)
        fits = shape == color_camera.shape and (
            depth_camera is None or same_view(depth_camera, color_camera)
        )
        if same_place and fits:
            return None
        who = f"topic {self._topic}: depth of frame {depth_frame!r} ({_size(shape)})"
        color = f"the colour camera {color_frame!r} ({_size(color_camera.shape)})"
        if fits and T_color_depth is None and _REGISTERED.search(self._topic.lower()):
            self._remark(f"{who} is taken as registered to {color}, as the topic's name says")
            return None
        if depth_camera is None:
            raise BadInputError(
                f"{who} is not that of {color} and has no camera_info beside it, expected one, or "
                "depth registered to the colour camera"
            )
        if not same_place and T_color_depth is None:
            raise BadInputError(
                f"{who} is not that of {color}: expected a transform between the two frames in "
                "/tf or /tf_static, or depth registered to the colour camera"
            )
        self._remark(f"{who} is registered to {color}")
        T = np.eye(4) if same_place or T_color_depth is None else T_color_depth
        return DepthRegistration(depth_camera, color_camera, T)

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
