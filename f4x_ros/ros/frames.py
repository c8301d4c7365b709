# SPDX-License-Identifier: Apache-2.0
"""From an image, its calibration and its depth to a `Frame`; and from stamps to a sense of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from f4x_ros.core.base.limits import check_frame_name
from f4x_ros.core.data import Frame, Pose
from f4x_ros.core.errors import BadSampleError, F4xError
from f4x_ros.io.rectify import Rectifier
from f4x_ros.io.register import DepthToColor, depth_lens, named_rectified
from f4x_ros.io.ros_images import UNNAMED_ENCODINGS
from f4x_ros.io.stereo import StereoPair, calibration_key
from f4x_ros.io.transforms import plain_frame
from f4x_ros.ros.channels import IMAGE, INFO, RIGHT, RIGHT_INFO, Channels
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.images import depth_from_image_msg, rgb_from_image

_NS = 1_000_000_000
_BAD_CALIBRATIONS = 200
"""So many in a row that cannot be used are not passed over."""
_LATE_IN_A_ROW = 5
"""So many frames from the past are no disorder of the network: time has jumped."""


class BadFrameError(BadSampleError):
    """A message that cannot be used.

    Attributes:
        kind: one of `diagnostics.KINDS`.
    """

    def __init__(self, kind: str, reason: str, text: str) -> None:
        super().__init__(reason, text)
        self.kind = kind


class _Calibrations:
    """Rectifiers of the calibrations of one topic, made anew when a calibration changes.

    One that cannot be used is left out, and the last one that could be stays in force for as many
    as the reader of bags passes over.
    """

    def __init__(
        self,
        where: str,
        *,
        rectified: bool,
        on_bad: Callable[[int, str], None],
        on_remark: Callable[[str], None],
    ) -> None:
        self._where, self._rectified = where, rectified
        self._on_bad, self._on_remark = on_bad, on_remark
        self._made: tuple[tuple[object, ...], Rectifier] | None = None
        self._bad_ns: int | None = None  # stamp of the last one that could not be used
        self._bad_in_a_row = 0

    def of(self, info: CameraInfo) -> Rectifier:
        """Raises ValueError if it cannot be used, and none before it could."""
        key = calibration_key(info)
        if self._made is not None and key == self._made[0]:
            self._bad_in_a_row = 0
            return self._made[1]
        try:
            made = Rectifier(info, rectified=self._rectified, where=f"topic {self._where}")
        except F4xError as error:
            ns = stamp_ns(info.header.stamp)
            if ns != self._bad_ns:
                self._bad_ns = ns
                self._bad_in_a_row += 1
                self._on_bad(ns, str(error))
            if self._made is None or self._bad_in_a_row >= _BAD_CALIBRATIONS:
                raise
            return self._made[1]
        self._made, self._bad_in_a_row = (key, made), 0
        for text in made.remarks:
            self._on_remark(text)
        return made


class FrameBuilder:
    """Decodes, rectifies, registers and checks, as the reader of bags does.

    What a calibration needs is computed once.

    Args:
        map_frame: fixed frame.
        camera_frame: optical frame of the images; "" = frame_id of the image.
        rectified: the images are rectified already.
        names: full names of the topics by their roles, for people, and as they tell of images that
            are rectified or registered; None = the roles of `channels`.
        on_remark: told what was taken to mean what, in sentences, each once.
        on_bad_calibration: told stamp and text of each calibration that cannot be used.
        channels: what frames are made of.
    """

    def __init__(
        self,
        *,
        map_frame: str,
        camera_frame: str,
        rectified: bool,
        names: Mapping[str, str] | None = None,
        on_remark: Callable[[str], None] = lambda text: None,
        on_bad_calibration: Callable[[int, str], None] = lambda ns, text: None,
        channels: Channels | None = None,
    ) -> None:
        channels = channels or Channels()
        self._channels, self._rectified = channels, rectified
        self._map_frame, self._camera_frame = plain_frame(map_frame), plain_frame(camera_frame)
        self._names = {role: channels.topic(role) for role in channels.roles} | dict(names or {})
        self._on_remark, self._remarks = on_remark, set[str]()
        self._color = _Calibrations(
            self._names["camera_info"],
            rectified=rectified or named_rectified(self._names["image"]),
            on_bad=on_bad_calibration,
            on_remark=self._remark,
        )
        self._depth = _Calibrations(
            self._names[channels.partner_info],
            rectified=named_rectified(self._names[channels.partner]),
            on_bad=on_bad_calibration,
            on_remark=self._remark,
        )
        self._to_color = DepthToColor(self._names[channels.partner])
        self._pair: tuple[tuple[object, ...], StereoPair] | None = None

    def frame_id(self, image: Image | CompressedImage) -> str:
        """Name of the optical frame: the parameter `camera_frame`, or what the image says.

        Raises:
            BadFrameError: it says nothing, or what can be no name of a frame.
        """
        if self._camera_frame:
            return self._camera_frame
        with _bad("image", "images_without_frame"):
            check_frame_name(f"{self._names['image']} header.frame_id", image.header.frame_id)
        name: str = plain_frame(image.header.frame_id)
        if not name:
            raise BadFrameError(
                "image",
                "images_without_frame",
                f"{self._names['image']} has an empty header.frame_id; set it, or 'camera_frame'",
            )
        return name

    def depth_frame(self, image: Image | CompressedImage, depth: Image | CompressedImage) -> str:
        """Name of the frame of depth: that of the image where both messages name the same.

        Depth of a stereo pair is of the left camera, that of the image.

        Raises:
            BadFrameError: it can be no name of a frame.
        """
        if self._channels.stereo:
            return self.frame_id(image)
        with _bad("depth", "depth_unreadable"):
            check_frame_name(f"{self._names['depth/image']} header.frame_id", depth.header.frame_id)
        name = plain_frame(depth.header.frame_id)
        return self.frame_id(image) if name == plain_frame(image.header.frame_id) else name

    def build(
        self,
        image: Image | CompressedImage,
        info: CameraInfo,
        depth: Image | CompressedImage,
        T_map_camera: Pose | None,
        *,
        depth_info: CameraInfo | None = None,
        T_color_depth: Pose | None = None,
    ) -> Frame:
        """A frame with the stamp of the image.

        Args:
            image: colour.
            info: its calibration.
            depth: of the same camera, or of another one.
            T_map_camera: of the colour camera, [4, 4]; None = it is to be estimated.
            depth_info: calibration of depth; None = nobody publishes one.
            T_color_depth: the frame of depth in that of the image, [4, 4]; None = the same, or not
                known.

        Raises:
            BadFrameError: names the topic, the value and what was expected.
        """
        frame_id = self.frame_id(image)
        with _bad("camera_info", "images_without_calibration"):
            rectifier = self._color.of(info)
        rgb = self._decoded(image, IMAGE)
        with _bad("camera_info", "images_of_other_size"):
            rgb = rectifier.color(rgb)
        frames = (frame_id, self.depth_frame(image, depth))
        metres = self._depth_of(depth, depth_info, rectifier, frames, T_color_depth)
        return self._made(image, rgb, metres, rectifier, T_map_camera)

    def build_pair(
        self,
        image: Image | CompressedImage,
        info: CameraInfo,
        right: Image | CompressedImage,
        right_info: CameraInfo,
        T_map_camera: Pose | None,
    ) -> Frame:
        """A frame of the left camera with depth by matching a stereo pair.

        Arguments are those of `build`, with the right image and its calibration.

        Raises:
            BadFrameError: names the topic, the value and what was expected.
        """
        with _bad("camera_info", "images_without_calibration"):
            pair = self._stereo(info, right_info)
        pictures = self._decoded(image, IMAGE), self._decoded(right, RIGHT)
        with _bad("camera_info", "images_of_other_size"):
            rgb = pair.color(pictures[0])
        try:
            metres = pair.depth(*pictures)
        except BadSampleError as error:
            raise BadFrameError("stereo", error.reason, str(error)) from error
        return self._made(image, rgb, metres, pair.left, T_map_camera)

    def _stereo(self, left: CameraInfo, right: CameraInfo) -> StereoPair:
        """The pair of two calibrations, made anew when one of them changes."""
        key = (*calibration_key(left), *calibration_key(right))
        if self._pair is None or self._pair[0] != key:
            topics = self._names[IMAGE], self._names[RIGHT]
            made = StereoPair(
                left,
                right,
                rectified=self._rectified or all(named_rectified(topic) for topic in topics),
                where_left=f"topic {self._names[INFO]}",
                where_right=f"topic {self._names[RIGHT_INFO]}",
            )
            self._pair = key, made
            for text in made.remarks:
                self._remark(text)
        return self._pair[1]

    def _decoded(self, image: Image | CompressedImage, role: str) -> NDArray[np.uint8]:
        with _bad("image", "images_unreadable"):
            rgb = rgb_from_image(image, self._names[role])
        if isinstance(image, Image) and image.encoding in UNNAMED_ENCODINGS:
            self._remark(
                f"topic {self._names[role]}: encoding {image.encoding} does not say the order "
                "of its channels: blue, green, red are taken, as OpenCV stores them"
            )
        return rgb

    def _made(
        self,
        image: Image | CompressedImage,
        rgb: NDArray[np.uint8],
        metres: NDArray[np.float32],
        rectifier: Rectifier,
        T_map_camera: Pose | None,
    ) -> Frame:
        try:
            return Frame(
                stamp_ns=stamp_ns(image.header.stamp),
                rgb=rgb,
                camera=rectifier.camera,
                depth=metres,
                T_map_camera=T_map_camera,
                frame_id=self.frame_id(image),
                map_frame=self._map_frame,
                observed=rectifier.observed,
                camera_name=self._channels.camera,
            )
        except F4xError as error:
            kinds = {"T_map_camera": "pose", "stamp_ns": "time"}
            kind = next((k for word, k in kinds.items() if word in str(error)), "depth")
            raise BadFrameError(kind, "frames_unusable", str(error)) from error

    def _depth_of(
        self,
        message: Image | CompressedImage,
        info: CameraInfo | None,
        color: Rectifier,
        frames: tuple[str, str],
        T_color_depth: Pose | None,
    ) -> NDArray[np.float32]:
        """Depth [H, W] metres of the rectified colour camera; `frames` are of colour and depth."""
        topic, own = self._names["depth/image"], None
        with _bad("depth", "depth_unreadable"):
            metres = depth_from_image_msg(message, topic)
        if info is not None:
            with _bad("camera_info", "depth_without_calibration"):
                own = self._depth.of(info)
        lens = depth_lens(topic, info)
        with _bad("depth", "depth_of_other_size"):
            if lens == "own" and own is not None:
                metres = own.depth(metres)
            elif lens == "color" and metres.shape == color.camera.shape:
                metres = color.depth(metres)
        with _bad("depth", "depth_not_registered"):
            metres = self._to_color.apply(
                metres,
                depth_frame=frames[1],
                depth_camera=None if own is None else own.camera,
                color_frame=frames[0],
                color_camera=color.camera,
                T_color_depth=T_color_depth,
            )
        for text in self._to_color.remarks:
            self._remark(text)
        return metres

    def _remark(self, text: str) -> None:
        if text not in self._remarks:
            self._remarks.add(text)
            self._on_remark(text)


@contextmanager
def _bad(kind: str, reason: str) -> Iterator[None]:
    """What is wrong within belongs to a kind of problem, and is left out for a reason."""
    try:
        yield
    except F4xError as error:
        raise BadFrameError(kind, reason, str(error)) from error


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
