# SPDX-License-Identifier: Apache-2.0
"""Writing any source of frames as a ROS 2 bag, without ROS."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer

from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame, PinholeCamera, Pose, to_quaternion
from f4x_ros.core.errors import BadInputError, BadSampleError, F4xError
from f4x_ros.io.bag_storage import typestore
from f4x_ros.io.bag_topics import CAMERA_INFO, IMAGE, TF

IMAGE_TOPIC = "/camera/image_raw"
INFO_TOPIC = "/camera/camera_info"
DEPTH_TOPIC = "/camera/depth/image_rect_raw"
TF_TOPIC = "/tf"

_SUFFIXES = {"mcap": ".mcap", "sqlite3": ".db3"}
# Version 8 of the bag format is read by Humble and everything later.
_BAG_VERSION: Literal[8] = 8


class WrittenBag(NamedTuple):
    """What `write_bag` has written.

    Attributes:
        path: a file or a folder.
        frames: so many.
        lost: frames of the source that could not be read, by reason.
        why: by reason, what the first error said.
    """

    path: Path
    frames: int
    lost: LeftOut
    why: dict[str, str]


def write_bag(
    source: Any,
    path: str | Path,
    storage: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WrittenBag:
    """Write all frames of a source to a bag; one that cannot be read costs itself.

    Topics: ``/camera/image_raw`` (rgb8), ``/camera/camera_info``, ``/camera/depth/image_rect_raw``
    (16UC1 millimetres where they hold the depth exactly, else 32FC1 metres with NaN for no
    reading) and ``/tf`` (map frame to optical frame). Messages are recorded at their stamps.
    Reading the bag back gives the same frames.

    Args:
        source: frames to write, as given by `open_source`.
        path: where to; with suffix ``.mcap`` or ``.db3`` a single file, else a bag folder.
        storage: "mcap" or "sqlite3"; default what the suffix says, else mcap.
        progress: called with (frames done, frames in all) after each frame.

    Raises:
        ValueError: an option does not fit, the source has no frames or none that can be read, or
            ``path`` exists.
        OSError: the bag cannot be written, e.g. the disk is full. Nothing is left behind.
    """
    path = Path(path)
    storage = _checked(path, storage)
    if not len(source):
        raise BadInputError(f"source {source.name!r} has no frames, expected at least one")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place under another name, then renamed: the bag is there whole or not.
    work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        folder = work / path.stem
        written, lost, why = _write_frames(source, folder, storage, progress)
        single = path.suffix == _SUFFIXES[storage]
        finished = folder / f"{folder.name}{path.suffix}" if single else folder
        os.replace(finished, path)
    except sqlite3.OperationalError as error:
        # SQLite does not say errno; it fails here for want of space or of permission only.
        raise OSError(errno.ENOSPC, f"cannot write the bag ({error})", str(path)) from error
    except OSError as error:
        raise OSError(error.errno, f"cannot write the bag ({error.strerror})", str(path)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return WrittenBag(path, written, lost, why)


def _checked(path: Path, storage: str | None) -> str:
    """The storage to use; raises ValueError for what cannot be."""
    by_suffix = {suffix: name for name, suffix in _SUFFIXES.items()}.get(path.suffix)
    chosen = storage or by_suffix or "mcap"
    if chosen not in _SUFFIXES:
        raise BadInputError(f"storage is {storage!r}, expected one of {sorted(_SUFFIXES)}")
    if by_suffix not in (None, chosen):
        raise BadInputError(
            f"storage is {storage!r}, expected {by_suffix!r} for a file {path.name}"
        )
    if path.exists():
        raise BadInputError(f"{path} exists already, expected a new name")
    return chosen


def _write_frames(
    source: Any, folder: Path, storage: str, progress: Callable[[int, int], None] | None
) -> tuple[int, LeftOut, dict[str, str]]:
    """Frames written, those that could not be read, and why, see `WrittenBag`."""
    lost, why = LeftOut(), dict[str, str]()
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    with Writer(folder, version=_BAG_VERSION, storage_plugin=plugin) as writer:
        connections: dict[str, Connection] = {}

        def put(topic: str, kind: str, stamp_ns: int, message: Any) -> None:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=typestore())
            data = typestore().serialize_cdr(message, kind)
            writer.write(connections[topic], stamp_ns, data)

        for number in range(len(source)):
            frame = _read(source, number, lost, why)
            if frame is not None:
                _put_frame(put, frame)
            if progress is not None:
                progress(number + 1, len(source))
    count = len(source) - sum(lost.counts.values())
    if not count:
        raise BadInputError(
            f"source {source.name!r}: none of {len(source)} frames can be read "
            f"(the first: {next(iter(why.values()))})"
        )
    return count, lost, why


def _read(source: Any, number: int, lost: LeftOut, why: dict[str, str]) -> Frame | None:
    """One frame; one that cannot be read is counted in `lost`."""
    try:
        frame: Frame = source[number]
    except (F4xError, OSError) as error:
        reason = error.reason if isinstance(error, BadSampleError) else "frames_unreadable"
        stamps = getattr(source, "stamps_ns", None)
        lost.add(reason, 1, None if stamps is None else int(stamps[number]))
        why.setdefault(reason, str(error))
        return None
    return frame


def _put_frame(put: Callable[[str, str, int, Any], None], frame: Frame) -> None:
    """One frame; of several cameras, each has topics of its own name."""
    stamp = frame.stamp_ns
    own = f"/{frame.camera_name}" if frame.camera_name else ""
    if frame.T_map_camera is not None:
        put(TF_TOPIC, TF, stamp, _transform(frame, frame.T_map_camera))
    put(own + INFO_TOPIC, CAMERA_INFO, stamp, _camera_info(frame))
    put(own + IMAGE_TOPIC, IMAGE, stamp, _image(frame, "rgb8", frame.rgb))
    if frame.depth is not None:
        put(own + DEPTH_TOPIC, IMAGE, stamp, _depth(frame, frame.depth))


def _new(kind: str, **fields: Any) -> Any:
    return typestore().types[kind](**fields)


def _header(frame_id: str, stamp_ns: int) -> Any:
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    stamp = _new("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return _new("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


def _image(frame: Frame, encoding: str, pixels: NDArray[Any]) -> Any:
    height, width = pixels.shape[:2]
    data = np.ascontiguousarray(pixels).view(np.uint8).reshape(-1)
    return _new(
        IMAGE,
        header=_header(frame.frame_id, frame.stamp_ns),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=data.size // height,
        data=data,
    )


def _depth(frame: Frame, depth: NDArray[np.float32]) -> Any:
    millimetres = np.clip(np.round(depth * 1000), 0, 65535).astype("<u2")
    if np.array_equal(millimetres.astype(np.float32) / np.float32(1000), depth):
        return _image(frame, "16UC1", millimetres)
    return _image(frame, "32FC1", np.where(depth == 0, np.nan, depth).astype("<f4"))


def _camera_info(frame: Frame) -> Any:
    camera: PinholeCamera = frame.camera
    K = camera.to_opencv_K()
    roi = _new(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False,
    )  # fmt: skip
    return _new(
        CAMERA_INFO,
        header=_header(frame.frame_id, frame.stamp_ns),
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=K.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack([K, np.zeros((3, 1))]).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=roi,
    )


def _transform(frame: Frame, T_map_camera: Pose) -> Any:
    x, y, z = T_map_camera[:3, 3].tolist()
    qx, qy, qz, qw = to_quaternion(T_map_camera).tolist()
    transform = _new(
        "geometry_msgs/msg/Transform",
        translation=_new("geometry_msgs/msg/Vector3", x=x, y=y, z=z),
        rotation=_new("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw),
    )
    stamped = _new(
        "geometry_msgs/msg/TransformStamped",
        header=_header(frame.map_frame, frame.stamp_ns),
        child_frame_id=frame.frame_id,
        transform=transform,
    )
    return _new(TF, transforms=[stamped])
