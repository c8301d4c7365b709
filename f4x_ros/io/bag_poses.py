# SPDX-License-Identifier: Apache-2.0
"""Where the camera of a bag is: from /tf and /tf_static, or from a topic of poses."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.base import LeftOut
from f4x_ros.core.base.limits import is_frame_name
from f4x_ros.core.data import Pose, from_quaternion
from f4x_ros.core.errors import BadInputError, BadSampleError, shown
from f4x_ros.io.bag_storage import BagStorage
from f4x_ros.io.bag_topics import FLAGS, POSE_STAMPED, TF, TF_POSE, missing, several
from f4x_ros.io.extrinsics import Extrinsic
from f4x_ros.io.pairing import nearest_stamps
from f4x_ros.io.parents import FIXED_FRAMES
from f4x_ros.io.transforms import (
    MAX_GAP_NS,
    PoseTrack,
    TransformTree,
    plain_frame,
)

_WITH_COVARIANCE = "geometry_msgs/msg/PoseWithCovarianceStamped"
_ODOMETRY = "nav_msgs/msg/Odometry"
_TRANSFORM = "geometry_msgs/msg/TransformStamped"
#: Types of topics that are read as poses.
POSE_KINDS = (POSE_STAMPED, _WITH_COVARIANCE, _ODOMETRY, _TRANSFORM)

#: Where somebody shall go, or is taken to start: never where the camera is.
_WISHED = re.compile(r"goal|target|way_?point|initial_?pose|setpoint|desired|clicked|destin")
#: Where the body of a robot is, which is not where its camera is.
_BODY = re.compile(r"(?<![a-z])(amcl|robot|base)(?![a-z])")

_Sample = tuple[int, list[float], list[float]]  # stamp, position, quaternion xyzw
_Samples = dict[tuple[str, str], list[_Sample]]  # by parent and child


def is_wished(topic: str) -> bool:
    """True if the name of a topic says that its poses are wished or guessed, no camera's."""
    return bool(_WISHED.search(topic.lower()))


class BagPoses:
    """Poses of the camera by time, and how other frames stand to it.

    Attributes:
        topic: the topic of poses, `TF_POSE`, or "" where the bag tells none.
        map_frame: the fixed frame of the poses.
    """

    def __init__(
        self,
        bag: BagStorage,
        camera_frame: str,
        stamps_ns: NDArray[np.int64],
        *,
        pose: str | None,
        map_frame: str | None,
        slop_ns: int,
        left_out: LeftOut,
        remarks: list[str],
        extrinsics: Sequence[Extrinsic] = (),
    ) -> None:
        """Read all transforms, and choose what tells the camera's pose.

        Args:
            bag: the recording.
            camera_frame: the optical frame of the colour images.
            stamps_ns: ``[N]`` int64, when there are images.
            pose: a topic, `TF_POSE`, "" for none; None chooses.
            map_frame: the fixed frame; None takes the best of `FIXED_FRAMES` there is.
            slop_ns: how long any pose holds.
            left_out: counts samples that are none.
            remarks: takes what was chosen and what is doubtful.
            extrinsics: transforms that stand beside those of the bag, and win.

        Raises:
            ValueError: nothing tells the pose surely; names what could.
        """
        self._bag, self._camera, self._slop_ns = bag, plain_frame(camera_frame), slop_ns
        self._left_out, self._remarks = left_out, remarks
        self._fixed = (plain_frame(map_frame),) if map_frame else FIXED_FRAMES
        self._resent: dict[str, str] = {}  # by child, what to say of static ones that changed
        self._moving, self._static = self._read_transforms()
        for one in extrinsics:
            self._moving.pop((one.parent, one.child), None)
            self._static[one.parent, one.child] = one.T_parent_child
        self._tree = self._poses = TransformTree(self._moving, self._static, self._fixed)
        self.topic, self.map_frame = "", self._fixed[0]
        found = next((n for n in self._fixed if self._tree.connected(n, self._camera)), None)
        if pose == "":
            return
        if pose == TF_POSE and TF not in bag.topics.values():
            raise missing(bag, "transforms", TF)
        if pose not in (None, TF_POSE):
            assert pose is not None
            self._use_topic(pose)
        elif found is not None and TF in bag.topics.values():
            self.topic, self.map_frame = TF_POSE, found
        elif pose is None and (chosen := self._only_topic(stamps_ns)):
            self._use_topic(chosen)
            self._remark(
                f"no transform joins the camera {self._camera!r} to a fixed frame: topic {chosen} "
                f"is taken for its pose in {self.map_frame!r}"
            )
        elif TF in bag.topics.values():
            raise self._no_transform(stamps_ns)
        else:
            self._remark(
                f"{bag.path}: no transforms ({TF}) and no topic of poses "
                f"({', '.join(POSE_KINDS)}): its frames have no pose"
            )
        remarks.extend(self._poses.remarks(self.map_frame, self._camera))
        way = self._poses.way(self.map_frame, self._camera)
        remarks.extend(self._resent[name] for name in way if name in self._resent)

    def covers(self, stamp_ns: int) -> bool:
        """True if `at` has an answer, or nothing was asked for."""
        return not self.topic or self._poses.covers(self.map_frame, self._camera, stamp_ns)

    def lacking(self, stamp_ns: int) -> str:
        """Which transform is not known then, in words."""
        return self._poses.lacking(self.map_frame, self._camera, stamp_ns)

    def at(self, stamp_ns: int) -> Pose | None:
        """``T_map_camera`` at a time; None where it is not known."""
        if not self.topic:
            return None
        return self._poses.lookup(self.map_frame, self._camera, stamp_ns)

    def beside_camera(self, frame: str, stamp_ns: int) -> Pose | None:
        """``T_camera_frame`` at a time, from transforms alone; None where it is not known."""
        return self._tree.lookup(self._camera, frame, stamp_ns)

    def _read_transforms(self) -> tuple[dict[tuple[str, str], PoseTrack], dict[Any, Pose]]:
        moving: _Samples = defaultdict(list)
        still: _Samples = defaultdict(list)
        for topic in (t for t, kind in self._bag.topics.items() if kind == TF):
            into = still if topic.endswith("tf_static") else moving
            zeros = 0
            for log_ns, message in self._messages(topic, "transforms_unreadable"):
                for t in message.transforms:
                    edge = (plain_frame(t.header.frame_id), plain_frame(t.child_frame_id))
                    if not all(map(is_frame_name, edge)) or edge[0] == edge[1]:
                        self._left_out.add("transforms_unusable", 1, log_ns)
                        names = f"{shown(edge[0])} -> {shown(edge[1])}"
                        self._remark(f"topic {topic}: transform {names} is none")
                        continue
                    stamp = _stamp(t.header)
                    zeros += not stamp and into is moving
                    into[edge].append(
                        _sample(stamp or log_ns, t.transform.translation, t.transform.rotation)
                    )
            if zeros:
                self._remark(
                    f"topic {topic}: {zeros} transforms have a stamp of zero, the time of "
                    "recording is taken"
                )
        static: dict[tuple[str, str], Pose] = {}
        for edge, samples in still.items():
            values: set[bytes] = set()
            for _, position, quaternion in samples:
                try:
                    static[edge] = from_quaternion(position, quaternion)
                except BadInputError:
                    continue  # counted below
                values.add(static[edge].tobytes())
            if len(values) > 1:
                self._resent[edge[1]] = (
                    f"static transform {edge[0]!r} -> {edge[1]!r} was sent with {len(values)} "
                    "values; the last is used throughout"
                )
            self._track(edge, samples)
        return {edge: self._track(edge, samples) for edge, samples in moving.items()}, static

    def _track(self, edge: tuple[str, str], samples: list[_Sample], topic: str = "") -> PoseTrack:
        stamps, positions, quaternions = zip(*samples, strict=True)
        track = PoseTrack(stamps, positions, quaternions, slop_ns=self._slop_ns)
        bad = len(track.rejected_ns)
        if bad:
            reason = "poses_unusable" if topic else "transforms_unusable"
            self._left_out.add(reason, bad, int(track.rejected_ns[0]))
            self._remark(
                f"{f'topic {topic}: ' if topic else ''}transform {edge[0]!r} -> {edge[1]!r}: {bad} "
                f"of {len(samples)} samples left out, first at {track.rejected_ns[0] / 1e9:.3f} s: "
                "not finite, or a quaternion of length zero"
            )
        return track

    def _use_topic(self, topic: str) -> None:
        """Poses of a topic: one more transform, which takes the place of others of its frame."""
        kind = self._bag.topics.get(topic)
        if kind not in POSE_KINDS:
            known = " or ".join(POSE_KINDS)
            raise missing(self._bag, f"pose {topic!r} ({FLAGS['pose']})", known)
        samples: _Samples = defaultdict(list)
        zeros = 0
        for log_ns, message in self._messages(topic, "poses_unreadable"):
            stamp = _stamp(message.header)
            zeros += not stamp
            parent = plain_frame(message.header.frame_id) or self._fixed[0]
            child, position, quaternion = _parts(kind, message)
            edge = (parent, plain_frame(child) or self._camera)
            samples[edge].append(_sample(stamp or log_ns, position, quaternion))
        if not samples:
            raise BadInputError(f"{self._bag.path}: topic {topic} holds no message")
        if zeros:
            self._remark(
                f"topic {topic}: {zeros} poses have a stamp of zero, the time of recording is taken"
            )
        edge = max(samples, key=lambda e: len(samples[e]))
        for other in samples.keys() - {edge}:
            self._left_out.add("poses_of_other_frames", len(samples[other]), samples[other][0][0])
            self._remark(
                f"topic {topic}: {len(samples[other])} poses of {other[1]!r} in {other[0]!r} are "
                f"left out, the others are of {edge[1]!r} in {edge[0]!r}"
            )
        others = {e: t for e, t in self._moving.items() if e[1] != edge[1]}
        still = {e: t for e, t in self._static.items() if e[1] != edge[1]}
        track = self._track(edge, samples[edge], topic)
        self._poses = TransformTree({**others, edge: track}, still, self._fixed)
        self.topic = topic
        self.map_frame = self._fixed[0] if len(self._fixed) == 1 else edge[0]
        for frame, what in ((self._camera, "the camera"), (self.map_frame, "the fixed frame")):
            if not self._poses.connected(edge[0], frame):
                raise BadInputError(
                    f"{self._bag.path}: topic {topic} ({FLAGS['pose']}) gives {edge[1]!r} in "
                    f"{edge[0]!r}, and no transform joins it to {what} {frame!r}; frames there: "
                    f"{self._poses.frames()}"
                )
        if edge[1] != self._camera:
            self._remark(
                f"topic {topic} gives poses of {edge[1]!r}; the transforms from there to "
                f"{self._camera!r} are added"
            )

    def _only_topic(self, stamps_ns: NDArray[np.int64]) -> str:
        """The one topic that can be the camera's pose; "" if there is no topic of poses at all."""
        could = [t for t, k in self._bag.topics.items() if k in POSE_KINDS and self._bag.counts[t]]
        doubts = {topic: self._doubt(topic, stamps_ns) for topic in could}
        sure = [topic for topic, doubt in doubts.items() if not doubt]
        if len(sure) == 1:
            if len(could) > 1:
                others = ", ".join(f"{t} ({d})" for t, d in sorted(doubts.items()) if d)
                self._remark(f"pose is {sure[0]}, not {others} ({FLAGS['pose']} names another)")
            return sure[0]
        if sure:
            raise several(self._bag, "pose", sure)
        if could and TF not in self._bag.topics.values():
            raise BadInputError(
                f"{self._bag.path}: no topic is surely the camera's pose, {_listed(doubts)}; "
                f"expected one to be named, e.g. pose={min(could)!r} ({FLAGS['pose']} "
                f"{min(could)}), or pose='' to go without"
            )
        return ""

    def _doubt(self, topic: str, stamps_ns: NDArray[np.int64]) -> str:
        """Why a topic is not taken for the camera's pose by itself; "" if it is."""
        kind = self._bag.topics[topic]
        if is_wished(topic):
            return "named like a goal or a first guess"
        if kind in (POSE_STAMPED, _WITH_COVARIANCE) and _BODY.search(topic.lower()):
            return "named like the pose of a robot's body"
        if kind in (_ODOMETRY, _TRANSFORM):
            first = next((m for _, m in self._messages(topic, "", limit=1)), None)
            child = plain_frame(first.child_frame_id) if first else ""
            if child and not self._tree.connected(child, self._camera):
                return f"of {child!r}, which no transform joins to the camera {self._camera!r}"
        entries, stamps, _ = self._bag.stamped(topic, "", LeftOut(), [])
        near = nearest_stamps(stamps_ns, stamps)
        if not entries:
            return "no message that can be read"
        share = float((np.abs(stamps[near] - stamps_ns) <= MAX_GAP_NS // 2).mean())
        if share < 0.5:
            return f"{len(entries)} messages, near {share:.0%} of {len(stamps_ns)} images"
        return ""

    def _no_transform(self, stamps_ns: NDArray[np.int64]) -> BadInputError:
        could = {
            t: self._doubt(t, stamps_ns) for t, k in self._bag.topics.items() if k in POSE_KINDS
        }
        return BadInputError(
            f"{self._bag.path}: no transform from {self._camera!r} to "
            f"{' or '.join(repr(n) for n in self._fixed)}; frames there: {self._tree.frames()}, "
            f"{_listed(could)} ({FLAGS['map_frame']} names another fixed frame, {FLAGS['pose']} a "
            "topic of poses, pose='' forgoes poses)"
        )

    def _messages(
        self, topic: str, reason: str, limit: int | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Record time and message of all that can be read; the others are counted."""
        for entry in self._bag.index(topic)[:limit]:
            try:
                message = self._bag.message(topic, entry)
            except BadSampleError:
                if reason:
                    self._left_out.add(reason, 1, entry.log_ns)
                continue
            yield entry.log_ns, message

    def _remark(self, text: str) -> None:
        if text not in self._remarks:
            self._remarks.append(text)


def _listed(doubts: dict[str, str]) -> str:
    if not doubts:
        return f"no topic of poses ({', '.join(POSE_KINDS)})"
    listed = ", ".join(f"{t}{f' ({d})' if d else ''}" for t, d in sorted(doubts.items()))
    return f"topics of poses: {listed}"


def _parts(kind: str, message: Any) -> tuple[str, Any, Any]:
    """Frame whose pose it is ("" = not said), position and quaternion."""
    if kind == _TRANSFORM:
        return message.child_frame_id, message.transform.translation, message.transform.rotation
    if kind == POSE_STAMPED:
        return "", message.pose.position, message.pose.orientation
    inner = message.pose.pose
    child = message.child_frame_id if kind == _ODOMETRY else ""
    return child, inner.position, inner.orientation


def _stamp(header: Any) -> int:
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def _sample(stamp_ns: int, p: Any, q: Any) -> _Sample:
    return stamp_ns, [p.x, p.y, p.z], [q.x, q.y, q.z, q.w]
