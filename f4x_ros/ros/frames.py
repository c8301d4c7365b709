# SPDX-License-Identifier: Apache-2.0
"""From an image, its calibration and its depth to a `Frame`; and from stamps to a sense of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from f4x_ros.core.data import Frame, Pose
from f4x_ros.core.errors import BadSampleError, F4xError
from f4x_ros.io.rectify import Rectifier
from f4x_ros.io.register import DepthToColor, depth_lens
from f4x_ros.io.transforms import plain_frame
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.images import depth_from_image_msg, rgb_from_image

TOPICS = ("image", "camera_info", "depth/image", "depth/camera_info")
"""What a frame is made of."""

_NS = 1_000_000_000
_LATE_IN_A_ROW = 5
"""So many frames from the past are no disorder of the network: time has jumped."""

# Under which reason a frame is left out, by kind of problem; as the readers of recordings call it.
_REASONS = {
    "image": "images_unreadable",
    "depth": "depth_unreadable",
    "camera_info": "camera_info_unusable",
    "pose": "poses_unusable",
    "time": "stamps_unusable",
}


class BadFrameError(BadSampleError):
    """A message that cannot be used. `kind` is one of `diagnostics.KINDS`."""

    def __init__(self, kind: str, cause: Exception | str) -> None:
        """`cause` is the text, or the error, which may know the reason."""
        reason = cause.reason if isinstance(cause, BadSampleError) else _REASONS[kind]
        super().__init__(reason, str(cause))
        self.kind = kind


class _Lens:
    """The rectifier of a calibration, made anew when the calibration changes."""

    def __init__(self, where: str, on_remark: Callable[[str], None]) -> None:
        self._where, self._on_remark = where, on_remark
        self._key: tuple[object, ...] = ()
        self._rectifier: Rectifier | None = None

    def of(self, info: CameraInfo, *, rectified: bool) -> Rectifier:
        roi = info.roi
        key = (
            *(info.width, info.height, info.distortion_model),
            *(tuple(info.d), tuple(info.k), tuple(info.r), tuple(info.p)),
            *(info.binning_x, info.binning_y),
            *(roi.x_offset, roi.y_offset, roi.width, roi.height, rectified),
        )
        if self._rectifier is None or key != self._key:
            try:
                self._rectifier = Rectifier(info, rectified=rectified, where=self._where)
            except F4xError as error:
                raise BadFrameError("camera_info", error) from error
            self._key = key
            for text in self._rectifier.remarks:
                self._on_remark(text)
        return self._rectifier


class FrameBuilder:
    """Decodes, rectifies, registers and checks. What a calibration needs is computed once.

    Args:
        map_frame: fixed frame.
        camera_frame: optical frame of the images; "" = frame_id of the image.
        rectified: the images are rectified already.
        names: full names of the topics `image`, `camera_info`, `depth/image`, `depth/camera_info`,
            for people; that of depth may tell how it was made.
        on_remark: told what was decided about depth, in sentences.
    """

    def __init__(
        self,
        *,
        map_frame: str,
        camera_frame: str,
        rectified: bool,
        names: Mapping[str, str] | None = None,
        on_remark: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._map_frame, self._camera_frame = plain_frame(map_frame), plain_frame(camera_frame)
        self._rectified, self._on_remark = rectified, on_remark
        self._names = {name: name for name in TOPICS} | dict(names or {})
        self._color_lens = _Lens(self._names["camera_info"], on_remark)
        self._depth_lens = _Lens(self._names["depth/camera_info"], on_remark)
        self._to_color = DepthToColor(self._names["depth/image"])
        self._remarks_told = 0

    def frame_id(self, image: Image | CompressedImage) -> str:
        """Name of the optical frame: the parameter `camera_frame`, or what the image says."""
        name: str = self._camera_frame or plain_frame(image.header.frame_id)
        if not name:
            raise BadFrameError(
                "image", "image has an empty header.frame_id; set it, or 'camera_frame'"
            )
        return name

    def build(
        self,
        image: Image | CompressedImage,
        info: CameraInfo,
        depth: Image | CompressedImage,
        T_map_camera: Pose,
        *,
        depth_info: CameraInfo | None = None,
        T_color_depth: Pose | None = None,
    ) -> Frame:
        """A frame with the stamp of the image.

        Args:
            image: colour.
            info: its calibration.
            depth: of the same camera, or of another one.
            T_map_camera: of the colour camera, [4, 4].
            depth_info: calibration of depth; None = nobody publishes one.
            T_color_depth: the frame of depth in that of the image, [4, 4]; None = the same, or not
                known.

        Raises:
            BadFrameError: names the topic, the value and what was expected.
        """
        frame_id = self.frame_id(image)
        rectifier = self._color_lens.of(info, rectified=self._rectified)
        try:
            rgb = rgb_from_image(image, self._names["image"])
        except F4xError as error:
            raise BadFrameError("image", error) from error
        self._check_size(rectifier, rgb)
        metres = self._depth_of(depth, depth_info, rectifier, frame_id, T_color_depth)
        try:
            return Frame(
                stamp_ns=stamp_ns(image.header.stamp),
                rgb=rectifier.color(rgb),
                camera=rectifier.camera,
                depth=metres,
                T_map_camera=T_map_camera,
                frame_id=frame_id,
                map_frame=self._map_frame,
                observed=rectifier.observed,
            )
        except F4xError as error:
            kinds = {"T_map_camera": "pose", "stamp_ns": "time"}
            kind = next((k for word, k in kinds.items() if word in str(error)), "depth")
            raise BadFrameError(kind, error) from error

    def _depth_of(
        self,
        message: Image | CompressedImage,
        info: CameraInfo | None,
        color: Rectifier,
        color_frame: str,
        T_color_depth: Pose | None,
    ) -> NDArray[np.float32]:
        """Depth [H, W] metres of the rectified colour camera."""
        depth_topic = self._names["depth/image"]
        lens = depth_lens(depth_topic, info)
        own = None if info is None else self._depth_lens.of(info, rectified=lens == "none")
        try:
            metres = depth_from_image_msg(message, depth_topic)
            if lens == "own" and own is not None:
                metres = own.depth(metres)
            elif lens == "color" and metres.shape == color.camera.shape:
                metres = color.depth(metres)
            registered = self._to_color.apply(
                metres,
                depth_frame=message.header.frame_id,
                depth_camera=None if own is None else own.camera,
                color_frame=color_frame,
                color_camera=color.camera,
                T_color_depth=T_color_depth,
            )
        except BadFrameError:
            raise
        except F4xError as error:
            raise BadFrameError("depth", error) from error
        for text in self._to_color.remarks[self._remarks_told :]:
            self._on_remark(text)
        self._remarks_told = len(self._to_color.remarks)
        return registered

    def _check_size(self, rectifier: Rectifier, rgb: NDArray[np.uint8]) -> None:
        height, width = rectifier.camera.shape
        if rgb.shape[:2] != (height, width):
            raise BadFrameError(
                "camera_info",
                f"{self._names['camera_info']} is for {width}x{height} pixels, expected the size "
                f"of the image, {rgb.shape[1]}x{rgb.shape[0]}",
            )


class StampOrder:
    """Tells frames in order from late ones and from a jump back in time (a looping bag)."""

    def __init__(self, jump_s: float) -> None:
        self._jump_ns = int(jump_s * _NS)
        self._last: int | None = None
        self._before_leap: int | None = None  # the one before the last, if the last leapt ahead
        self._late = 0

    def check(self, ns: int) -> Literal["next", "resumed", "late", "jump"]:
        """Judge the next stamp.

        "resumed": the one before had leapt ahead alone, and time goes on from before it. After
        "jump" the caller calls `restart` if it starts anew.
        """
        if self._last is None or ns > self._last:
            leaps = self._last is not None and ns > self._last + self._jump_ns
            self._before_leap = self._last if leaps else None
            self._last, self._late = ns, 0
            return "next"
        before = self._before_leap
        if before is not None and before < ns <= before + self._jump_ns:
            self._before_leap, self._last, self._late = None, ns, 0
            return "resumed"
        self._late += 1
        if self._last - ns > self._jump_ns or self._late > _LATE_IN_A_ROW:
            return "jump"
        return "late"

    def behind_s(self, ns: int) -> float:
        """How far a stamp lies before the newest one."""
        return 0.0 if self._last is None else (self._last - ns) / _NS

    def restart(self, ns: int) -> None:
        """Take this stamp for the first."""
        self._before_leap, self._last, self._late = None, ns, 0
