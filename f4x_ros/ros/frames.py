# SPDX-License-Identifier: Apache-2.0
"""From an image, its calibration and its depth to a `Frame`; and from stamps to a sense of time."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image

from f4x_ros.core.data import Frame, Pose
from f4x_ros.core.errors import BadInputError, F4xError
from f4x_ros.io.rectify import Rectifier
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.images import depth_from_image_msg, rgb_from_image

_NS = 1_000_000_000
_LATE_IN_A_ROW = 5
"""So many frames from the past are no disorder of the network: time has jumped."""


class BadFrameError(BadInputError):
    """A message that cannot be used. `kind` is one of `diagnostics.KINDS`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class FrameBuilder:
    """Decodes, rectifies and checks. The maps of a distorted camera are computed once."""

    def __init__(self, *, map_frame: str, camera_frame: str, rectified: bool) -> None:
        self._map_frame, self._camera_frame, self._rectified = map_frame, camera_frame, rectified
        self._calibration: tuple[object, ...] | None = None
        self._rectifier: Rectifier | None = None

    def frame_id(self, image: Image) -> str:
        """Name of the optical frame: the parameter `camera_frame`, or what the image says."""
        name = self._camera_frame or image.header.frame_id
        if not name:
            raise BadFrameError(
                "image", "image has an empty header.frame_id; set it, or 'camera_frame'"
            )
        return name

    def build(self, image: Image, info: CameraInfo, depth: Image, T_map_camera: Pose) -> Frame:
        """A frame with the stamp of the image.

        Raises:
            BadFrameError: names the topic, the value and what was expected.
        """
        frame_id = self.frame_id(image)
        rectifier = self._rectify(info)
        try:
            rgb = rgb_from_image(image)
        except F4xError as error:
            raise BadFrameError("image", str(error)) from error
        try:
            metres = depth_from_image_msg(depth)
        except F4xError as error:
            raise BadFrameError("depth", str(error)) from error
        _check_sizes(rectifier, rgb, metres)
        try:
            return Frame(
                stamp_ns=stamp_ns(image.header.stamp),
                rgb=rectifier.color(rgb),
                camera=rectifier.camera,
                depth=rectifier.depth(metres),
                T_map_camera=T_map_camera,
                frame_id=frame_id,
                map_frame=self._map_frame,
            )
        except F4xError as error:
            kinds = {"T_map_camera": "pose", "stamp_ns": "time"}
            kind = next((k for word, k in kinds.items() if word in str(error)), "depth")
            raise BadFrameError(kind, str(error)) from error

    def _rectify(self, info: CameraInfo) -> Rectifier:
        calibration = (
            info.width,
            info.height,
            info.distortion_model,
            tuple(info.k),
            tuple(info.p),
            tuple(info.d),
        )
        if self._rectifier is None or calibration != self._calibration:
            try:
                self._rectifier = Rectifier(info, rectified=self._rectified, where="camera_info")
            except F4xError as error:
                raise BadFrameError("camera_info", str(error)) from error
            self._calibration = calibration
        return self._rectifier


def _check_sizes(rectifier: Rectifier, rgb: NDArray[np.uint8], depth: NDArray[np.float32]) -> None:
    size = (rectifier.camera.height, rectifier.camera.width)
    if rgb.shape[:2] != size:
        raise BadFrameError(
            "camera_info",
            f"camera_info is for {size[1]}x{size[0]} pixels, expected the size of the image, "
            f"{rgb.shape[1]}x{rgb.shape[0]}",
        )
    if depth.shape != size:
        raise BadFrameError(
            "depth",
            f"depth/image is {depth.shape[1]}x{depth.shape[0]}, expected {size[1]}x{size[0]} as "
            "the image: register depth to the colour camera",
        )


class StampOrder:
    """Tells frames in order from late ones and from a jump back in time (a looping bag)."""

    def __init__(self, jump_s: float) -> None:
        self._jump_ns = int(jump_s * _NS)
        self._last: int | None = None
        self._late = 0

    def check(self, ns: int) -> Literal["next", "late", "jump"]:
        """Judge the next stamp. After "jump" the caller calls `restart` if it starts anew."""
        if self._last is None or ns > self._last:
            self._last, self._late = ns, 0
            return "next"
        self._late += 1
        if self._last - ns > self._jump_ns or self._late > _LATE_IN_A_ROW:
            return "jump"
        return "late"

    def behind_s(self, ns: int) -> float:
        """How far a stamp lies before the newest one."""
        return 0.0 if self._last is None else (self._last - ns) / _NS

    def restart(self, ns: int) -> None:
        """Take this stamp for the first."""
        self._last, self._late = ns, 0
