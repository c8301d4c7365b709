# SPDX-License-Identifier: Apache-2.0
"""ROS 2 bags (MCAP and SQLite) as sources of frames, read through ``rosbags`` without ROS."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame, Pose, from_quaternion
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.bag_storage import BagStorage, Entry
from f4x_ros.io.bag_topics import COMPRESSED, TF, TF_POSE, choose_topics
from f4x_ros.io.pairing import nearest_stamps, pair_stamps
from f4x_ros.io.rectify import Rectifier
from f4x_ros.io.ros_images import (
    color_from_compressed,
    color_from_image,
    depth_from_compressed,
    depth_from_image,
)
from f4x_ros.io.source import Source
from f4x_ros.io.transforms import PoseTrack, TransformTree

_MAP_FRAMES = ("map", "odom", "world")
_BAG_SUFFIXES = (".mcap", ".db3")


def is_bag(path: Path) -> bool:
    """True for a ``.mcap`` or ``.db3`` file and for a folder with a bag's ``metadata.yaml``."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file()
    return path.is_file() and path.suffix in _BAG_SUFFIXES


class BagSource(Source):
    """Frames of a bag: images with the calibration, depth and pose that belong to them.

    Topics are found by type and encoding; name them where several would do. Images are put in the
    order of their stamps and paired with depth within ``slop_s``. Poses come from /tf and
    /tf_static (from the image's frame to ``map_frame``) or from a ``PoseStamped`` topic that gives
    the optical frame in the map; between samples they are interpolated. Images whose depth or pose
    is missing are left out; what was not used is in ``left_out``. A bag without depth or without
    any pose gives frames without.

    Distorted images are rectified with the calibration nearest in time.
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
    ) -> None:
        """Index the bag without decoding it.

        Args:
            path: bag folder, or a ``.mcap`` or ``.db3`` file.
            image: topic of `Image` or `CompressedImage` in colour; None finds it.
            camera_info: topic of its `CameraInfo`; None takes the one beside the image.
            depth: topic of depth images registered to the colour image; "" forgoes depth.
            pose: a `PoseStamped` topic, or "tf"; "" forgoes poses.
            map_frame: fixed frame in /tf; None takes map, odom or world.
            slop_s: how far apart the stamps of things that belong together may be, seconds.

        Raises:
            ValueError: not a bag, or a topic or frame is missing; names it and what is there.
        """
        if not slop_s >= 0:
            raise BadInputError(f"slop_s is {slop_s!r}, expected >= 0 seconds")
        self._slop_ns = int(slop_s * 1e9)
        self._bag = BagStorage(Path(path))
        try:
            self.topics = choose_topics(self._bag, image, camera_info, depth, pose)
            self._infos = self._bag.index(self.topics.camera_info)
            if not self._infos:
                raise BadInputError(f"{path}: topic {self.topics.camera_info} holds no message")
            images, depths, stamps, counts = self._paired()
            first = self._bag.message(self.topics.image, images[0])
            self._frame_id = first.header.frame_id or "camera"
            self._poses: PoseTrack | TransformTree | None = None
            self.map_frame = map_frame or _MAP_FRAMES[0]
            self._open_poses(map_frame)
            posed = self._has_pose(stamps)
            if not posed.any():
                raise BadInputError(
                    f"{path}: none of {len(stamps)} images has a pose "
                    f"({self.topics.pose}) at its time, expected samples around their stamps"
                )
        except BaseException:
            self._bag.close()
            raise
        self._images = [images[i] for i in np.flatnonzero(posed)]
        self._depths = [depths[i] for i in np.flatnonzero(posed)] if depths else []
        super().__init__(Path(path).stem, stamps[posed])
        self._info_of = nearest_stamps(self.stamps_ns, self._bag.stamps(self._infos))
        self._rectifiers: dict[tuple[Any, ...], Rectifier] = {}
        counts["images_without_pose"] = int((~posed).sum())
        counts["frames_without_pose"] = len(self) if self._poses is None else 0
        self.left_out = LeftOut(counts | {"messages_on_other_topics": self._other_messages()})

    def close(self) -> None:
        self._bag.close()

    def load(self, index: int) -> Frame:
        stamp = int(self.stamps_ns[index])
        rectifier = self._rectifier(int(self._info_of[index]))
        image = self._decoded(self.topics.image, self._images[index], depth=False)
        depth = None
        if self._depths:
            depth = self._decoded(self.topics.depth, self._depths[index], depth=True)
            if "rect" not in self.topics.depth and depth.shape == image.shape[:2]:
                depth = rectifier.depth(depth)
        return Frame(
            stamp_ns=stamp,
            rgb=rectifier.color(image),
            camera=rectifier.camera,
            depth=depth,
            T_map_camera=self._pose_at(stamp),
            frame_id=self._frame_id,
            map_frame=self.map_frame,
            observed=rectifier.observed,
        )

    def _decoded(self, topic: str, entry: Entry, *, depth: bool) -> NDArray[Any]:
        message = self._bag.message(topic, entry)
        where = f"{self._bag.path} topic {topic}"
        if self._bag.topics[topic] == COMPRESSED:
            decode = depth_from_compressed if depth else color_from_compressed
        else:
            decode = depth_from_image if depth else color_from_image
        return decode(message, where)

    def _rectifier(self, number: int) -> Rectifier:
        """For the calibration message of that number; made once for equal calibrations."""
        topic = self.topics.camera_info
        info = self._bag.message(topic, self._infos[number])
        key = (info.width, info.height, info.distortion_model, *info.k, *info.p, *info.d)
        if key not in self._rectifiers:
            self._rectifiers[key] = Rectifier(
                info,
                rectified="rect" in self.topics.image,
                where=f"{self._bag.path} topic {topic}",
            )
        return self._rectifiers[key]

    def _paired(self) -> tuple[list[Entry], list[Entry], NDArray[np.int64], dict[str, int]]:
        """Images in the order of their stamps, their depth images, and what was left over."""
        images = self._bag.index(self.topics.image)
        if not images:
            raise BadInputError(f"{self._bag.path}: topic {self.topics.image} holds no message")
        stamps, first = np.unique(self._bag.stamps(images), return_index=True)
        counts = {"images_with_repeated_stamp": len(images) - len(stamps)}
        images = [images[i] for i in first]
        if not self.topics.depth:
            return images, [], stamps, counts
        depths = self._bag.index(self.topics.depth)
        index = pair_stamps(stamps, self._bag.stamps(depths), self._slop_ns)
        paired = np.flatnonzero(index >= 0)
        if not paired.size:
            raise BadInputError(
                f"{self._bag.path}: none of {len(images)} images on {self.topics.image} has a "
                f"depth image on {self.topics.depth} within {self._slop_ns / 1e9:g} s"
            )
        counts["images_without_depth"] = len(images) - paired.size
        counts["depth_without_image"] = len(depths) - paired.size
        return (
            [images[i] for i in paired],
            [depths[index[i]] for i in paired],
            stamps[paired],
            counts,
        )

    def _open_poses(self, map_frame: str | None) -> None:
        if self.topics.pose == TF_POSE:
            tree = self._read_transforms()
            names = (map_frame,) if map_frame else _MAP_FRAMES
            fixed = next((n for n in names if tree.connected(n, self._frame_id)), None)
            if fixed is None:
                raise BadInputError(
                    f"{self._bag.path}: no transform from {self._frame_id!r} to "
                    f"{' or '.join(repr(n) for n in names)}; frames there: {tree.frames()} "
                    "(pose='' forgoes poses)"
                )
            self._poses, self.map_frame = tree, fixed
        elif self.topics.pose:
            self._poses, self.map_frame = self._read_pose_topic()

    def _has_pose(self, stamps: NDArray[np.int64]) -> NDArray[np.bool_]:
        poses = self._poses
        if poses is None:
            return np.ones(len(stamps), bool)
        if isinstance(poses, PoseTrack):
            return np.array([poses.covers(int(s)) for s in stamps])
        return np.array([poses.covers(self.map_frame, self._frame_id, int(s)) for s in stamps])

    def _pose_at(self, stamp_ns: int) -> Pose | None:
        if isinstance(self._poses, TransformTree):
            return self._poses.lookup(self.map_frame, self._frame_id, stamp_ns)
        return None if self._poses is None else self._poses.at(stamp_ns)

    def _read_pose_topic(self) -> tuple[PoseTrack, str]:
        topic = self.topics.pose
        entries = self._bag.index(topic)
        messages = [self._bag.message(topic, entry) for entry in entries]
        if not messages:
            raise BadInputError(f"{self._bag.path}: topic {topic} holds no message")
        samples = [_sample(m.header, m.pose.position, m.pose.orientation) for m in messages]
        return _track(samples, self._slop_ns), messages[0].header.frame_id or self.map_frame

    def _read_transforms(self) -> TransformTree:
        moving: dict[tuple[str, str], list[_Sample]] = defaultdict(list)
        static: dict[tuple[str, str], Pose] = {}
        for topic in (t for t, kind in self._bag.topics.items() if kind == TF):
            for entry in self._bag.index(topic):
                for t in self._bag.message(topic, entry).transforms:
                    edge = (t.header.frame_id.lstrip("/"), t.child_frame_id.lstrip("/"))
                    sample = _sample(t.header, t.transform.translation, t.transform.rotation)
                    if topic.endswith("tf_static"):
                        static[edge] = from_quaternion(sample[1], sample[2])
                    else:
                        moving[edge].append(sample)
        tracks = {edge: _track(samples, self._slop_ns) for edge, samples in moving.items()}
        return TransformTree(tracks, static)

    def _other_messages(self) -> int:
        used = {self.topics.image, self.topics.camera_info, self.topics.depth, self.topics.pose}
        if self.topics.pose == TF_POSE:
            used |= {topic for topic, kind in self._bag.topics.items() if kind == TF}
        return sum(count for topic, count in self._bag.counts.items() if topic not in used)


_Sample = tuple[int, list[float], list[float]]  # stamp, position, quaternion xyzw


def _sample(header: Any, p: Any, q: Any) -> _Sample:
    stamp = int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
    return stamp, [p.x, p.y, p.z], [q.x, q.y, q.z, q.w]


def _track(samples: list[_Sample], slop_ns: int) -> PoseTrack:
    stamps, positions, quaternions = zip(*samples, strict=True)
    return PoseTrack(stamps, positions, quaternions, slop_ns=slop_ns)
