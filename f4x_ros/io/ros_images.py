# SPDX-License-Identifier: Apache-2.0
"""From the bytes of ``sensor_msgs`` images to arrays. Needs no ROS, only message-like objects."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError

#: Encodings of ``sensor_msgs/Image`` that are read as colour, and their channels and order.
COLOR_ENCODINGS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}
#: Encodings that are read as depth: millimetres (REP-118) and metres.
DEPTH_ENCODINGS: dict[str, np.dtype[Any]] = {"16UC1": np.dtype("u2"), "32FC1": np.dtype("f4")}

_TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def color_from_image(message: Any, where: str) -> NDArray[np.uint8]:
    """``[H, W, 3]`` uint8 RGB of a ``sensor_msgs/Image``; raises ValueError naming its encoding."""
    channels = COLOR_ENCODINGS.get(message.encoding)
    if channels is None:
        raise _wrong_encoding(where, message.encoding, list(COLOR_ENCODINGS))
    pixels = _rows(message, np.dtype("u1"), channels, where)
    if message.encoding == "rgb8":
        return np.array(pixels)
    return _as_rgb(np.ascontiguousarray(pixels), _TO_RGB[message.encoding])


def depth_from_image(message: Any, where: str) -> NDArray[np.float32]:
    """``[H, W]`` float32 metres, 0 = no reading, of a ``sensor_msgs/Image`` (REP-117, REP-118)."""
    kind = DEPTH_ENCODINGS.get(message.encoding)
    if kind is None:
        raise _wrong_encoding(where, message.encoding, list(DEPTH_ENCODINGS))
    pixels = _rows(message, kind, 1, where)[..., 0]
    return _metres(pixels)


def color_from_compressed(message: Any, where: str) -> NDArray[np.uint8]:
    """``[H, W, 3]`` uint8 RGB of a ``sensor_msgs/CompressedImage`` (JPEG or PNG)."""
    data = np.frombuffer(message.data, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise _wrong_encoding(where, message.format, ["jpeg", "png"])
    return _as_rgb(image, cv2.COLOR_BGR2RGB)


def depth_from_compressed(message: Any, where: str) -> NDArray[np.float32]:
    """``[H, W]`` float32 metres of a CompressedImage with a 16-bit PNG in millimetres.

    ``compressed_depth_image_transport`` puts a header of 12 bytes before the PNG; it is skipped.
    Its quantised 32FC1 variant is not read.
    """
    data = bytes(message.data)
    start = data.find(_PNG_SIGNATURE, 0, 64)
    pixels = None
    if start >= 0 and not message.format.startswith("32FC1"):
        pixels = cv2.imdecode(np.frombuffer(data[start:], np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise _wrong_encoding(where, message.format, ["16UC1; png", "16UC1; compressedDepth"])
    return _metres(pixels)


def _as_rgb(image: Any, conversion: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, conversion), np.uint8)


def is_depth_format(compressed_format: str) -> bool:
    """True if the ``format`` of a CompressedImage speaks of depth."""
    return compressed_format.startswith(tuple(DEPTH_ENCODINGS)) or "Depth" in compressed_format


def _metres(pixels: NDArray[Any]) -> NDArray[np.float32]:
    if pixels.dtype.kind == "u":
        return pixels.astype(np.float32) / np.float32(1000)
    return np.where(np.isfinite(pixels), pixels, 0).astype(np.float32)


def _rows(message: Any, kind: np.dtype[Any], channels: int, where: str) -> NDArray[Any]:
    """View the data as ``[H, W, channels]``, minding padding at the ends of rows and byte order."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    if height < 1 or width < 1:
        raise BadInputError(f"{where}: image of {width}x{height} pixels, expected at least 1x1")
    row = width * channels * kind.itemsize
    data = np.frombuffer(message.data, np.uint8)
    if step < row or data.size < step * (height - 1) + row:
        raise BadInputError(
            f"{where}: {data.size} bytes in rows of {step}, expected {height} rows of at least "
            f"{row} for {width}x{height} {message.encoding}"
        )
    padded = np.zeros(step * height, np.uint8) if data.size < step * height else data
    if padded is not data:
        padded[: data.size] = data
    pixels = np.ascontiguousarray(padded[: step * height].reshape(height, step)[:, :row])
    stored = kind.newbyteorder(">" if message.is_bigendian else "<")
    return pixels.view(stored).reshape(height, width, channels)


def _wrong_encoding(where: str, encoding: str, expected: list[str]) -> BadInputError:
    return BadInputError(f"{where}: encoding {encoding!r}, expected one of {expected}")
