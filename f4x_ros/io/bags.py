# SPDX-License-Identifier: Apache-2.0
"""ROS 2 bags (MCAP and SQLite) as sources of frames, read through ``rosbags`` without ROS."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, PinholeCamera
from f4x_ros.core.errors import BadInputError, BadSampleError, shown
from f4x_ros.io.bag_calibrations import BagCalibrations
from f4x_ros.io.bag_candidates import CAMERA_INFO, COMPRESSED, IMAGE_KINDS
from f4x_ros.io.bag_pairs import paired_images
from f4x_ros.io.bag_poses import BagPoses
from f4x_ros.io.bag_stereo import RightTopics, stereo_topics
from f4x_ros.io.bag_storage import BagStorage, Entry
from f4x_ros.io.bag_topics import FLAGS, TF, TF_POSE, choose_topics
from f4x_ros.io.extrinsics import read_extrinsic
from f4x_ros.io.rectify import Rectifier
from f4x_ros.io.register import DepthToColor, depth_lens, named_rectified, same_frame
from f4x_ros.io.ros_images import (
    UNNAMED_ENCODINGS,
    color_from_compressed,
    color_from_image,
    depth_from_compressed,
    depth_from_image,
)
from f4x_ros.io.source import Source
from f4x_ros.io.speed import speed_remark
from f4x_ros.io.stereo import StereoPair, calibration_key
from f4x_ros.io.transforms import plain_frame

_BAG_SUFFIXES = (".mcap", ".db3")
_PART = re.compile(r"(.+)_\d+")
#: Frames tried, from the start and then spread over the bag, before it is said that none is good.
_TRIES_AT_START, _TRIES_SPREAD = 10, 40


def is_bag(path: Path) -> bool:
    """True for a ``.mcap`` or ``.db3`` file and for a folder with a bag's ``metadata.yaml``.

    A folder that lost it is one too if it holds the parts of one split bag: `name_0.mcap`,
    `name_1.mcap`, ...
    """
    if not path.is_dir():
        return path.is_file() and path.suffix in _BAG_SUFFIXES
    if (path / "metadata.yaml").is_file():
        return True
    files = [file for file in path.iterdir() if file.suffix in _BAG_SUFFIXES]
    parts = [_PART.fullmatch(file.stem) for file in files]
    return len(files) > 1 and len({part and part[1] for part in parts} - {None}) == 1 and all(parts)


class _Read(NamedTuple):
    """A message as read."""

    frame_id: str
    pixels: NDArray[Any]


class BagSource(Source):
    """Frames of a bag: images with the calibration, depth and pose that belong to them.

    Topics are chosen by type, encoding, frame and calibration (`remarks` says which and why); name
    them where several would do. Images are put in the order of their stamps and paired with depth
    within ``slop_s``. Poses come from /tf and /tf_static (from the image's frame to ``map_frame``)
    or from a topic of poses; between samples they are interpolated, see `transforms.tolerance`.
    Images whose depth or pose is missing are left out; what was not used is in ``left_out``. A bag
    without depth or without any pose gives frames without.

    Distorted images are rectified with the calibration nearest in time. Depth of another camera is
    registered to the colour camera with both calibrations and the transform between them.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        image: str | None = None,
        camera_info: str | None = None,
        depth: str | None = None,
        pose: str | None = None,
        map_frame: str | None = None,
        slop_s: float = 0.02,
        camera: str = "",
        stereo: bool = False,
        extrinsics: Sequence[str] = (),
    ) -> None:
        """Index the bag, and decode one frame of it to see that it can be read.

        Args:
            path: bag folder, or a ``.mcap`` or ``.db3`` file.
            image: topic of `Image` or `CompressedImage` in colour; None finds it.
            camera_info: topic of its `CameraInfo`; None takes the one beside the image.
            depth: topic of depth images; None finds it, "" forgoes depth.
            pose: a topic of poses (`bag_poses.POSE_KINDS`), or "tf"; None finds it, "" forgoes
                poses.
            map_frame: fixed frame of the poses; None takes map, odom or world.
            slop_s: how far apart the stamps of things that belong together may be, seconds.
            camera: of several, its name: only topics that have it as a part are taken for it, as
                /front/image; "" = all.
            stereo: depth comes of the left and the right image of a pair, see `stereo`; ``image``
                names the left one, ``depth`` is not used.
            extrinsics: transforms that the bag lacks, see `read_extrinsic`.

        Raises:
            ValueError: not a bag, a topic or frame is missing or could be one of several, or no
                frame can be read; names it and what is there.
        """
        if not slop_s >= 0:
            raise BadInputError(f"slop_s is {slop_s!r}, expected >= 0 seconds")
        self._slop_ns = int(slop_s * 1e9)
        self._extrinsics = [read_extrinsic(text) for text in extrinsics]
        self._bag = BagStorage(Path(path))
        try:
            super().__init__(Path(path).stem, np.zeros(0, np.int64))
            self._only(camera)
            self._right: RightTopics | None = None
            if stereo:
                self._right = stereo_topics(self._bag, image)
                image, depth = self._right.left, ""
            self._pair: tuple[tuple[object, ...], StereoPair] | None = None
            self._open(image, camera_info, depth, pose, map_frame)
        except BaseException:
            self._bag.close()
            raise

    def _only(self, camera: str) -> None:
        """Forget the pictures and calibrations of other cameras."""
        self._named = bool(camera)
        if not camera:
            return
        pictures = {
            t for t, kind in self._bag.topics.items() if kind in (CAMERA_INFO, *IMAGE_KINDS)
        }
        own = {topic for topic in pictures if camera in topic.split("/")}
        if not own:
            raise BadInputError(
                f"{self._bag.path}: no topic of pictures has the camera's name {shown(camera)} as "
                f"a part, expected one such as /{camera}/image; there are "
                f"{', '.join(sorted(pictures)) or 'none'}"
            )
        for topic in pictures - own:
            del self._bag.topics[topic], self._bag.counts[topic]

    def _open(
        self,
        image: str | None,
        camera_info: str | None,
        depth: str | None,
        pose: str | None,
        map_frame: str | None,
    ) -> None:
        path = self._bag.path
        topics = choose_topics(self._bag, image, camera_info, depth)
        self.remarks.extend(topics.remarks)
        right = self._right
        if depth is None and not topics.depth:
            self._remark(f"{path}: no topic of depth images: its frames have no depth")
        self._depth_to_color = DepthToColor(topics.depth)
        self._infos = BagCalibrations(
            self._bag,
            topics.camera_info,
            rectified=named_rectified(topics.image),
            left_out=self.left_out,
        )
        self._depth_infos = None
        if topics.depth_info:
            self._depth_infos = BagCalibrations(
                self._bag,
                topics.depth_info,
                rectified=named_rectified(topics.depth),
                left_out=self.left_out,
            )
        elif right is not None:
            self._depth_infos = BagCalibrations(
                self._bag,
                right.camera_info,
                rectified=named_rectified(right.image),
                left_out=self.left_out,
            )
        images, depths, stamps = paired_images(
            self._bag,
            topics.image,
            topics.depth if right is None else right.image,
            self._slop_ns,
            self.left_out,
            self.remarks,
            partner="depth" if right is None else "right",
        )
        info, _ = self._infos.at(int(stamps[0]))
        named = topics.frame_id or plain_frame(info.header.frame_id)
        self._frame_id = named or "camera"
        try:
            self._poses = BagPoses(
                self._bag,
                self._frame_id,
                stamps,
                pose=pose,
                map_frame=map_frame,
                slop_ns=self._slop_ns,
                left_out=self.left_out,
                remarks=self.remarks,
                extrinsics=self._extrinsics,
            )
        except BadInputError as error:
            if named:
                raise
            raise BadInputError(
                f"{path}: {topics.image} and {topics.camera_info} have an empty header.frame_id, "
                f"expected the camera's frame ('camera' was tried: {error})"
            ) from error
        self.map_frame = self._poses.map_frame
        self.topics = topics.with_pose(self._poses.topic)
        posed = np.array([self._poses.covers(int(stamp)) for stamp in stamps], bool)
        if not posed.any():
            raise BadInputError(
                f"{path}: none of {len(stamps)} images has a pose ({self.topics.pose}) at its "
                f"time, {stamps[0] / 1e9:.3f} to {stamps[-1] / 1e9:.3f} s: "
                f"{self._poses.lacking(int(stamps[0]))}"
            )
        self._images = [images[i] for i in np.flatnonzero(posed)]
        self._depths = [depths[i] for i in np.flatnonzero(posed)] if depths else []
        self.stamps_ns = stamps[posed]
        if not posed.all():
            lost = int((~posed).sum())
            first = int(stamps[~posed][0])
            self.left_out.add("images_without_pose", lost, first)
            self._remark(
                f"{lost} of {len(stamps)} images have no pose, the first at {first / 1e9:.3f} s: "
                f"{self._poses.lacking(first)}"
            )
        if not self._poses.topic:
            self.left_out.add("frames_without_pose", len(self))
        self.remarks += speed_remark(
            self.stamps_ns, lambda k: self._poses.at(int(self.stamps_ns[k]))
        )
        if not self._named:  # (of several cameras, nobody knows alone)
            self.left_out.add("messages_on_other_topics", self._other_messages())
        self._see_one_frame()
        self.left_out.extend(self._bag.left_out)
        self.remarks[:0] = self._bag.remarks

    @property
    def right(self) -> str:
        """The topic of the right images of a stereo pair; "" = it is none."""
        return self._right.image if self._right is not None else ""

    def close(self) -> None:
        self._bag.close()

    def load(self, index: int) -> Frame:
        stamp = int(self.stamps_ns[index])
        try:
            _, rectifier = self._infos.at(stamp)
        except BadInputError as error:
            raise BadSampleError("images_without_calibration", str(error)) from error
        image = self._decoded(self.topics.image, self._images[index], depth=False)
        if self._right is not None:
            pair = self._stereo(stamp)
            right = self._decoded(self._right.image, self._depths[index], depth=False)
            rectifier, color = pair.left, pair.color(image.pixels)
            depth = pair.depth(image.pixels, right.pixels)
        else:
            color = rectifier.color(image.pixels)
            depth = self._depth(index, rectifier) if self._depths else None
        try:
            return Frame(
                stamp_ns=stamp,
                rgb=color,
                camera=rectifier.camera,
                depth=depth,
                T_map_camera=self._poses.at(stamp),
                frame_id=self._frame_id,
                map_frame=self.map_frame,
                observed=rectifier.observed,
            )
        except BadInputError as error:
            topics = " and ".join(filter(None, (self.topics.image, self.topics.depth)))
            raise BadSampleError(
                "frames_unusable", f"{self._bag.path} topics {topics}: {error}"
            ) from error

    def _stereo(self, stamp_ns: int) -> StereoPair:
        """The pair as it is calibrated at a time, made once for equal calibrations."""
        assert self._right is not None
        assert self._depth_infos is not None
        try:
            left, right = (infos.at(stamp_ns)[0] for infos in (self._infos, self._depth_infos))
            key = (*calibration_key(left), *calibration_key(right))
            if self._pair is None or self._pair[0] != key:
                names = self.topics.image, self._right.image
                made = StereoPair(
                    left,
                    right,
                    rectified=all(named_rectified(name) for name in names),
                    where_left=f"{self._bag.path} topic {self.topics.camera_info}",
                    where_right=f"{self._bag.path} topic {self._right.camera_info}",
                )
                self._pair = key, made
        except BadInputError as error:
            raise BadSampleError("images_without_calibration", str(error)) from error
        return self._pair[1]

    def _depth(self, index: int, rectifier: Rectifier) -> NDArray[np.float32]:
        """Depth ``[H, W]`` metres as the rectified colour camera sees it."""
        stamp = int(self.stamps_ns[index])
        frame_id, depth = self._decoded(self.topics.depth, self._depths[index], depth=True)
        info, own, camera = None, None, None
        if self._depth_infos is not None:
            try:
                info, own = self._depth_infos.at(stamp)
            except BadInputError as error:
                raise BadSampleError("depth_without_calibration", str(error)) from error
            camera = own.camera
        lens = depth_lens(self.topics.depth, info)
        if own is not None and lens == "own":
            depth = own.depth(depth)
        elif lens == "color" and depth.shape == rectifier.camera.shape:
            depth = rectifier.depth(depth)
        return self._registered(stamp, depth, frame_id, camera, rectifier.camera)

    def _registered(
        self,
        stamp_ns: int,
        depth: NDArray[np.float32],
        frame_id: str,
        camera: PinholeCamera | None,
        color_camera: PinholeCamera,
    ) -> NDArray[np.float32]:
        place = None
        if not same_frame(frame_id, self._frame_id):
            place = self._poses.beside_camera(frame_id, stamp_ns)
        try:
            return self._depth_to_color.apply(
                depth,
                depth_frame=frame_id,
                depth_camera=camera,
                color_frame=self._frame_id,
                color_camera=color_camera,
                T_color_depth=place,
            )
        except BadInputError as error:
            raise BadSampleError(
                "depth_not_registered",
                f"{self._bag.path}: {error} ({FLAGS['depth']} names another)",
            ) from error

    def _decoded(self, topic: str, entry: Entry, *, depth: bool) -> _Read:
        where = f"{self._bag.path} topic {topic}"
        compressed = self._bag.topics[topic] == COMPRESSED
        try:
            message = self._bag.message(topic, entry)
            if depth:
                read = depth_from_compressed if compressed else depth_from_image
                return _Read(plain_frame(message.header.frame_id), read(message, where))
            decode = color_from_compressed if compressed else color_from_image
            if not compressed and message.encoding in UNNAMED_ENCODINGS:
                self._remark(
                    f"topic {topic}: encoding {message.encoding} does not say the order of its "
                    "channels: blue, green, red are taken, as OpenCV stores them"
                )
            return _Read(plain_frame(message.header.frame_id), decode(message, where))
        except BadInputError as error:
            reason = "depth_unreadable" if depth else "images_unreadable"
            raise BadSampleError(reason, str(error)) from error

    def _see_one_frame(self) -> None:
        """Say at once, and not for each frame, what is wrong with all of them."""
        count = len(self)
        spread = np.linspace(0, count - 1, min(_TRIES_SPREAD, count)).astype(int)
        first: BadSampleError | None = None
        for index in dict.fromkeys([*range(min(_TRIES_AT_START, count)), *spread.tolist()]):
            try:
                self.load(index)
                break
            except BadSampleError as error:
                first = first or error
        else:
            assert first is not None
            raise BadInputError(str(first)) from first
        for text in (
            *self._infos.remarks,
            *(self._depth_infos.remarks if self._depth_infos else ()),
            *self._depth_to_color.remarks,
        ):
            self._remark(text)

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)

    def _other_messages(self) -> int:
        topics = self.topics
        used = {topics.image, topics.camera_info, topics.depth, topics.depth_info, topics.pose}
        used |= set(self._right or ())
        if topics.pose == TF_POSE:
            used |= {topic for topic, kind in self._bag.topics.items() if kind == TF}
        return sum(count for topic, count in self._bag.counts.items() if topic not in used)
