# SPDX-License-Identifier: Apache-2.0
"""Stamps, poses, cameras, tracks and label maps: core types to ROS messages and back."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Quaternion, Transform, TransformStamped, Vector3
from geometry_msgs.msg import Pose as PoseMsg
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from f4x_ros.core.data import PinholeCamera, Pose, Track, TrackState, from_quaternion, to_quaternion
from f4x_ros.core.errors import BadInputError
from f4x_ros.msg import LabelMap, TrackArray
from f4x_ros.msg import Track as TrackMsg

_NS = 1_000_000_000


def stamp_ns(stamp: Time) -> int:
    """Nanoseconds of a ROS stamp."""
    return int(stamp.sec) * _NS + int(stamp.nanosec)


def stamp_msg(ns: int) -> Time:
    """ROS stamp of nanoseconds; before 1970 and after 2038 there is none (ValueError)."""
    if not 0 <= ns < 2**31 * _NS:
        raise BadInputError(f"stamp_ns is {ns}, expected 0 to {2**31 * _NS - 1}")
    return Time(sec=ns // _NS, nanosec=ns % _NS)


def header(ns: int, frame_id: str) -> Header:
    """Header from nanoseconds and the name of a frame."""
    return Header(stamp=stamp_msg(ns), frame_id=frame_id)


def pose_from_msg(message: PoseMsg) -> Pose:
    """[4, 4]; ValueError for values that are not finite and quaternions of length zero."""
    p, q = message.position, message.orientation
    return from_quaternion([p.x, p.y, p.z], [q.x, q.y, q.z, q.w])


def pose_from_transform(message: Transform) -> Pose:
    """[4, 4]; ValueError for values that are not finite and quaternions of length zero."""
    p, q = message.translation, message.rotation
    return from_quaternion([p.x, p.y, p.z], [q.x, q.y, q.z, q.w])


def pose_msg(T_a_b: Pose) -> PoseMsg:
    """Pose of b in a."""
    return PoseMsg(position=_point(T_a_b[:3, 3]), orientation=_quaternion(to_quaternion(T_a_b)))


def transform_msg(T_parent_child: Pose, ns: int, parent: str, child: str) -> TransformStamped:
    """What is broadcast on /tf."""
    message = TransformStamped(header=header(ns, parent), child_frame_id=child)
    message.transform.translation = _vector(T_parent_child[:3, 3])
    message.transform.rotation = _quaternion(to_quaternion(T_parent_child))
    return message


def camera_info_msg(camera: PinholeCamera, head: Header) -> CameraInfo:
    """Calibration of a rectified camera (no distortion)."""
    K = camera.to_opencv_K()
    projection = np.hstack([K, np.zeros((3, 1))])
    return CameraInfo(
        header=head,
        width=camera.width,
        height=camera.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=K.reshape(-1).tolist(),
        r=np.eye(3).reshape(-1).tolist(),
        p=projection.reshape(-1).tolist(),
    )


def track_msg(track: Track) -> TrackMsg:
    """One track; its frame and stamp are those of the message it goes into."""
    message = TrackMsg(
        id=track.id,
        label=track.label,
        score=float(track.score),
        state=int(track.state),
        moving=bool(track.moving),
        size=_vector(track.size),
        first_seen=stamp_msg(track.first_seen_ns),
        last_seen=stamp_msg(track.last_seen_ns),
    )
    message.pose.pose.position = _point(track.position)
    message.pose.pose.orientation = _quaternion(track.orientation)
    message.pose.covariance = _covariance(track.pose_covariance)
    message.twist.twist.linear = _vector(track.velocity)
    message.twist.twist.angular = _vector(track.angular_velocity)
    message.twist.covariance = _covariance(track.twist_covariance)
    return message


def track_from_msg(message: TrackMsg) -> Track:
    """The inverse of `track_msg`, for whoever reads `~/tracks` in Python.

    Raises:
        ValueError: a state that is none.
    """
    pose, twist = message.pose.pose, message.twist.twist
    return Track(
        id=message.id,
        label=message.label,
        score=message.score,
        state=TrackState(message.state),
        moving=message.moving,
        position=_xyz(pose.position),
        orientation=np.array([*_xyz(pose.orientation), pose.orientation.w]),
        pose_covariance=np.asarray(message.pose.covariance, np.float64).reshape(6, 6),
        velocity=_xyz(twist.linear),
        angular_velocity=_xyz(twist.angular),
        twist_covariance=np.asarray(message.twist.covariance, np.float64).reshape(6, 6),
        size=_xyz(message.size),
        first_seen_ns=stamp_ns(message.first_seen),
        last_seen_ns=stamp_ns(message.last_seen),
    )


def tracks_msg(tracks: Sequence[Track], head: Header) -> TrackArray:
    """All tracks of one moment, ascending by id."""
    ordered = sorted(tracks, key=lambda track: track.id)
    return TrackArray(header=head, tracks=[track_msg(track) for track in ordered])


def label_map_msg(
    prompts: Sequence[str], thresholds: Sequence[float], encoder: str, ns: int
) -> LabelMap:
    """What the numbers of a label image mean; `ns` is the first frame with these labels, or 0."""
    return LabelMap(
        header=header(ns, ""),
        ids=list(range(1, len(prompts) + 1)),
        prompts=list(prompts),
        thresholds=[float(t) for t in thresholds],
        encoder=encoder,
    )


def png_msg(mask: NDArray[np.float32], head: Header) -> CompressedImage:
    """A probability [H, W] in 0..1 as a grey PNG of 8 bits, 0..255; within 1/510 of it."""
    grey = np.rint(mask.clip(0, 1) * 255).astype(np.uint8)
    done, data = cv2.imencode(".png", grey)
    assert done  # any such array can be
    return CompressedImage(header=head, format="mono8; png", data=data.tobytes())


def _xyz(message: Point | Vector3 | Quaternion) -> NDArray[np.float64]:
    return np.array([message.x, message.y, message.z])


def _point(xyz: ArrayLike) -> Point:
    x, y, z = np.asarray(xyz, np.float64).tolist()
    return Point(x=x, y=y, z=z)


def _vector(xyz: ArrayLike) -> Vector3:
    x, y, z = np.asarray(xyz, np.float64).tolist()
    return Vector3(x=x, y=y, z=z)


def _quaternion(xyzw: ArrayLike) -> Quaternion:
    x, y, z, w = np.asarray(xyzw, np.float64).tolist()
    return Quaternion(x=x, y=y, z=z, w=w)


def _covariance(matrix: ArrayLike) -> list[float]:
    flat: list[float] = np.asarray(matrix, np.float64).reshape(36).tolist()
    return flat
