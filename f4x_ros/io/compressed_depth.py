# SPDX-License-Identifier: Apache-2.0
"""Compressed pictures to pixels.

Depth in the forms that ``compressed_depth_image_transport`` writes: PNG and RVL, of millimetres and
of quantised metres.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_DEPTH_HEAD = struct.Struct("<iff")  # kind of quantisation, and its two parameters
_RVL_HEAD = struct.Struct("<ii")  # columns and rows
_MOST_PIXELS = 1 << 27
_END_WITHIN = 64  # bytes that some writers put behind the end


def decoded(message: Any, flags: int, where: str) -> NDArray[Any]:
    """Pixels of a ``sensor_msgs/CompressedImage`` by OpenCV; ValueError if it is no whole one."""
    return _picture(bytes(message.data), flags, f"{where}: format {message.format!r}")


def pixels_from_compressed(message: Any, where: str) -> NDArray[Any]:
    """Depth of a CompressedImage: ``[H, W]`` uint16 millimetres, or float metres (NaN = none).

    Raises:
        ValueError: no depth in it, or damaged; names the format.
    """
    data, what = bytes(message.data), f"{where}: format {message.format!r}"
    kind, _, rest = message.format.partition(";")
    head = _depth_head(data)
    if head is None and "compressedDepth" in rest:
        raise BadInputError(f"{what}: {len(data)} bytes, expected a head and PNG or RVL in it")
    if head is None:
        pixels = _picture(data, cv2.IMREAD_UNCHANGED, what)
    else:
        body = data[_DEPTH_HEAD.size :]
        is_png = body.startswith(_PNG)
        pixels = _picture(body, cv2.IMREAD_UNCHANGED, what) if is_png else _rvl(body, what)
        if kind.strip() == "32FC1":
            return _metres_of_quantised(pixels, head[1], head[2])
    is_metres = pixels.dtype in (np.float32, np.float64)
    if pixels.ndim != 2 or (pixels.dtype != np.uint16 and not is_metres):
        raise BadInputError(
            f"{what}: a picture of {pixels.dtype} {list(pixels.shape)}, expected one channel of "
            "16 bits in millimetres (PNG, RVL, TIFF) or of metres (TIFF)"
        )
    return pixels


def _picture(data: bytes, flags: int, what: str) -> NDArray[Any]:
    tail = data[-_END_WITHIN:]
    if (data.startswith(_JPEG) and _JPEG_END not in tail) or (
        data.startswith(_PNG) and b"IEND" not in tail
    ):  # OpenCV would fill the rest with grey or black
        raise BadInputError(f"{what}: ends within the picture ({len(data)} bytes)")
    pixels: NDArray[Any] | None = None
    if data:
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:  # by its kind of damage OpenCV raises or returns nothing
            pixels = None
    if pixels is None:
        raise BadInputError(f"{what}: {len(data)} bytes that are no picture, expected JPEG or PNG")
    return pixels


def _depth_head(data: bytes) -> tuple[int, float, float] | None:
    """What the transport puts before the picture; None for a bare picture."""
    if len(data) < _DEPTH_HEAD.size or data.startswith((_PNG, _JPEG, b"II*\0", b"MM\0*")):
        return None
    kind, first, second = _DEPTH_HEAD.unpack_from(data)
    return int(kind), float(first), float(second)


def _metres_of_quantised(pixels: NDArray[Any], a: float, b: float) -> NDArray[np.float32]:
    """The transport stores a / z + b in 16 bits; 0 is no reading."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.float32(a) / (pixels.astype(np.float32) - np.float32(b))
    return np.where(pixels > 0, z, np.float32(np.nan)).astype(np.float32)


def _rvl(data: bytes, what: str) -> NDArray[np.uint16]:
    """RVL (Wilson 2017): runs of zeros and of differences, in groups of three bits and a flag."""
    if len(data) < _RVL_HEAD.size:
        raise BadInputError(f"{what}: {len(data)} bytes, expected PNG or RVL")
    width, height = _RVL_HEAD.unpack_from(data)
    if min(width, height) < 1 or width * height > _MOST_PIXELS:
        raise BadInputError(f"{what}: RVL of {width}x{height} pixels, expected at least 1x1")
    values = _rvl_values(data[_RVL_HEAD.size :])
    places: list[tuple[int, int, int]] = []  # of each run: its first value, first pixel, length
    at = pixel = 0
    while pixel < width * height:
        if at + 1 >= len(values):
            raise BadInputError(f"{what}: ends at pixel {pixel} of {width}x{height}")
        zeros, others = int(values[at]), int(values[at + 1])
        pixel, at = pixel + zeros, at + 2
        if pixel + others > width * height or at + others > len(values) or zeros + others == 0:
            raise BadInputError(f"{what}: damaged at pixel {pixel} of {width}x{height}")
        places.append((at, pixel, others))
        pixel, at = pixel + others, at + others
    out = np.zeros(width * height, np.uint16)
    zigzag = np.concatenate([values[a : a + n] for a, _, n in places])
    depth = np.cumsum((zigzag >> 1) ^ -(zigzag & 1))  # each is the difference to the one before
    done = 0
    for _, pixel, count in places:
        out[pixel : pixel + count] = depth[done : done + count]
        done += count
    return out.reshape(height, width)


def _rvl_values(data: bytes) -> NDArray[np.int64]:
    """All numbers: half bytes from the top of each word, the low ones first, 8 = goes on."""
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
    halves = (words[:, None] >> np.arange(28, -4, -4, dtype=np.uint32)).reshape(-1) & 15
    ends = np.flatnonzero(halves < 8)
    if not ends.size:
        return np.zeros(0, np.int64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    halves = halves[: ends[-1] + 1].astype(np.int64)
    within = np.arange(len(halves)) - np.repeat(starts, ends - starts + 1)
    shifted = (halves & 7) << np.minimum(3 * within, 60)
    return np.asarray(np.add.reduceat(shifted, starts), np.int64)
