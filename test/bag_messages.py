# SPDX-License-Identifier: Apache-2.0
"""Messages and small bags made by hand, for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from f4x_ros.io.bag_storage import typestore
from f4x_ros.io.bag_topics import CAMERA_INFO, COMPRESSED, IMAGE, POSE_STAMPED, TF

SECOND = 1_000_000_000
START = 1_600_000_000 * SECOND
HEIGHT, WIDTH = 6, 8

Message = tuple[str, str, int, Any]  # topic, type, record time, message


def make(kind: str, **fields: Any) -> Any:
    return typestore().types[kind](**fields)


def header(stamp_ns: int, frame: str = "camera_optical") -> Any:
    seconds, nanoseconds = divmod(stamp_ns, SECOND)
    stamp = make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return make("std_msgs/msg/Header", stamp=stamp, frame_id=frame)


def image(stamp: int, encoding: str, pixels: np.ndarray, frame: str = "camera_optical") -> Any:
    data = np.ascontiguousarray(pixels)
    return make(
        IMAGE,
        header=header(stamp, frame),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(data.dtype.byteorder == ">"),
        step=data.strides[0],
        data=data.reshape(-1).view(np.uint8),
    )


def compressed(stamp: int, format_: str, data: bytes) -> Any:
    return make(
        COMPRESSED, header=header(stamp), format=format_, data=np.frombuffer(data, np.uint8)
    )


def info(stamp: int, **other: Any) -> Any:
    fields = {
        "distortion_model": "plumb_bob",
        "d": np.zeros(5),
        "k": np.array([10.0, 0, 3.5, 0, 11, 2.5, 0, 0, 1]),
        "p": np.array([10.0, 0, 3.5, 0, 0, 11, 2.5, 0, 0, 0, 1, 0]),
        **other,
    }
    roi = make(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0,
        y_offset=0,
        height=0,
        width=0,
        do_rectify=False,
    )
    return make(
        CAMERA_INFO,
        header=header(stamp),
        height=HEIGHT,
        width=WIDTH,
        r=np.eye(3).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=roi,
        **fields,
    )


def vector(kind: str, *values: float) -> Any:
    return make(f"geometry_msgs/msg/{kind}", **dict(zip("xyzw", values, strict=False)))


def transform(stamp: int, parent: str, child: str, x: float) -> Any:
    inner = make(
        "geometry_msgs/msg/Transform",
        translation=vector("Vector3", x, 0.0, 0.0),
        rotation=vector("Quaternion", 0.0, 0.0, 0.0, 1.0),
    )
    stamped = make(
        "geometry_msgs/msg/TransformStamped",
        header=header(stamp, parent),
        child_frame_id=child,
        transform=inner,
    )
    return make(TF, transforms=[stamped])


def pose(stamp: int, x: float, frame: str = "map") -> Any:
    inner = make(
        "geometry_msgs/msg/Pose",
        position=vector("Point", x, 0.0, 0.0),
        orientation=vector("Quaternion", 0.0, 0.0, 0.0, 1.0),
    )
    return make(POSE_STAMPED, header=header(stamp, frame), pose=inner)


def write(
    path: Path,
    messages: list[Message],
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode | None = None,
    change: Callable[[str, int, bytes], bytes] = lambda _, __, data: data,
) -> Path:
    """A bag folder; `change(topic, record time, data)` spoils the bytes of messages."""
    writer = Writer(path, version=8, storage_plugin=storage)
    if compression is not None:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections: dict[str, Any] = {}
        for topic, kind, at, message in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=typestore())
            data = change(topic, at, bytes(typestore().serialize_cdr(message, kind)))
            writer.write(connections[topic], at, data)
    return path


def stamp_of(k: int) -> int:
    return START + k * SECOND // 10


def rgb(k: int) -> np.ndarray:
    return np.random.default_rng(k).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def depth(k: int) -> np.ndarray:
    return np.random.default_rng(k + 50).integers(500, 3000, (HEIGHT, WIDTH)).astype(np.uint16)


def recording(frames: int = 3) -> list[Message]:
    """Colour, depth and calibration; messages arrive later than their stamps say, depth last."""
    out: list[Message] = []
    for k in range(frames):
        at = stamp_of(k)
        out += [
            ("/cam/color/camera_info", CAMERA_INFO, at + 1_000_000, info(at)),
            ("/cam/color/image_raw", IMAGE, at + 7_000_000, image(at, "rgb8", rgb(k))),
            ("/cam/depth/image_rect_raw", IMAGE, at + 90_000_000, image(at, "16UC1", depth(k))),
        ]
    return out


def with_tf(messages: list[Message], frames: int = 3) -> list[Message]:
    static = transform(START, "base", "camera_optical", 0.5)
    moving = [
        (
            "/tf",
            TF,
            stamp_of(k) - SECOND // 20,
            transform(stamp_of(k) - SECOND // 20, "map", "base", k),
        )
        for k in range(frames + 1)
    ]
    return [("/tf_static", TF, START - SECOND, static), *moving, *messages]


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()
