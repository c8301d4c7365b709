# SPDX-License-Identifier: Apache-2.0
"""From the bytes of ``sensor_msgs`` images to arrays. Needs no ROS, only message-like objects."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError, shown
from f4x_ros.io.byte_order import check_byte_order
from f4x_ros.io.compressed_depth import decoded, pixels_from_compressed

_U1, _U2 = np.dtype("u1"), np.dtype("u2")

#: How many elements of which type a pixel has, and what makes RGB of it (None: it is RGB).
_COLOR: dict[str, tuple[int, np.dtype[Any], int | None]] = {
    "rgb8": (3, _U1, None),
    "bgr8": (3, _U1, cv2.COLOR_BGR2RGB),
    "rgba8": (4, _U1, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, _U1, cv2.COLOR_BGRA2RGB),
    "mono8": (1, _U1, cv2.COLOR_GRAY2RGB),
    "rgb16": (3, _U2, None),
    "bgr16": (3, _U2, cv2.COLOR_BGR2RGB),
    "rgba16": (4, _U2, cv2.COLOR_RGBA2RGB),
    "bgra16": (4, _U2, cv2.COLOR_BGRA2RGB),
    "mono16": (1, _U2, cv2.COLOR_GRAY2RGB),
    # These do not say what their channels are: as OpenCV stores them.
    "8UC1": (1, _U1, cv2.COLOR_GRAY2RGB),
    "8UC3": (3, _U1, cv2.COLOR_BGR2RGB),
    "8UC4": (4, _U1, cv2.COLOR_BGRA2RGB),
    "16UC3": (3, _U2, cv2.COLOR_BGR2RGB),
    "16UC4": (4, _U2, cv2.COLOR_BGRA2RGB),
    "bayer_rggb8": (1, _U1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": (1, _U1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": (1, _U1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": (1, _U1, cv2.COLOR_BayerGRBG2RGB),
    "bayer_rggb16": (1, _U2, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr16": (1, _U2, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg16": (1, _U2, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg16": (1, _U2, cv2.COLOR_BayerGRBG2RGB),
    "yuv422": (2, _U1, cv2.COLOR_YUV2RGB_UYVY),  # the name of UYVY in ROS
    "uyvy": (2, _U1, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, _U1, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, _U1, cv2.COLOR_YUV2RGB_YUY2),
    "nv12": (1, _U1, cv2.COLOR_YUV2RGB_NV12),
    "nv21": (1, _U1, cv2.COLOR_YUV2RGB_NV21),
}
_PLANAR = ("nv12", "nv21")

#: Encodings of ``sensor_msgs/Image`` that are read as colour, and their elements per pixel.
COLOR_ENCODINGS = {name: channels for name, (channels, _, _) in _COLOR.items()}
#: Those of them that have no colour.
GREY_ENCODINGS = ("mono8", "mono16", "8UC1")
#: Those whose channels are taken to be blue, green, red, as OpenCV stores them.
UNNAMED_ENCODINGS = ("8UC3", "8UC4", "16UC3", "16UC4")
#: Encodings that are read as depth: whole millimetres (REP-118) and metres.
DEPTH_ENCODINGS: dict[str, np.dtype[Any]] = {
    "16UC1": np.dtype("u2"),
    "mono16": np.dtype("u2"),
    "16SC1": np.dtype("i2"),
    "32FC1": np.dtype("f4"),
    "64FC1": np.dtype("f8"),
}


def color_from_image(message: Any, where: str) -> NDArray[np.uint8]:
    """``[H, W, 3]`` uint8 RGB of a ``sensor_msgs/Image``; raises ValueError naming its encoding.

    Of 16 bits the upper 8 are taken.
    """
    if message.encoding not in _COLOR:
        raise _wrong_encoding(where, message.encoding, list(COLOR_ENCODINGS))
    channels, kind, conversion = _COLOR[message.encoding]
    rows = _planar_rows(message) if message.encoding in _PLANAR else int(message.height)
    pixels = _rows(message, rows, kind, channels, where)
    if kind.itemsize > 1:
        pixels = pixels >> 8
    pixels = np.ascontiguousarray(pixels, np.uint8)
    if conversion is None:
        return pixels.copy()
    try:
        return _as_rgb(pixels, conversion)
    except cv2.error as error:  # an odd width of two pixels that share a colour
        raise BadInputError(
            f"{where}: image of {message.width}x{message.height} pixels, expected even numbers "
            f"for {message.encoding}"
        ) from error


def depth_from_image(message: Any, where: str) -> NDArray[np.float32]:
    """``[H, W]`` float32 metres, 0 = no reading, of a ``sensor_msgs/Image`` (REP-117, REP-118).

    Whole numbers are millimetres. What is not finite or below 0 is no reading.

    Raises:
        ValueError: another encoding, less data than rows, whole numbers that cannot be
            millimetres, or bytes in the other order; names ``where``.
    """
    kind = DEPTH_ENCODINGS.get(message.encoding)
    if kind is None:
        raise _wrong_encoding(where, message.encoding, list(DEPTH_ENCODINGS))
    pixels = _rows(message, int(message.height), kind, 1, where)[..., 0]
    check_byte_order(pixels, bool(message.is_bigendian), f"{where}: {message.encoding}")
    return metres(pixels, f"{where}: {message.encoding}")


def color_from_compressed(message: Any, where: str) -> NDArray[np.uint8]:
    """``[H, W, 3]`` uint8 RGB of a ``sensor_msgs/CompressedImage`` (JPEG, PNG, ...).

    Raises:
        ValueError: the data is no picture, or ends within it; names the format.
    """
    return _as_rgb(decoded(message, cv2.IMREAD_COLOR, where), cv2.COLOR_BGR2RGB)


def depth_from_compressed(message: Any, where: str) -> NDArray[np.float32]:
    """``[H, W]`` float32 metres, 0 = no reading, of a CompressedImage with depth.

    A 16-bit PNG or TIFF in millimetres, a TIFF in metres, or what
    ``compressed_depth_image_transport`` writes of 16UC1 and of 32FC1: PNG and RVL.

    Raises:
        ValueError: the data is none of these, or ends within it; names the format.
    """
    return metres(pixels_from_compressed(message, where), f"{where}: {message.format}")


def is_depth_format(compressed_format: str) -> bool:
    """True if the ``format`` of a CompressedImage speaks of depth."""
    kind = compressed_format.partition(";")[0].strip()
    return "Depth" in compressed_format or (kind in DEPTH_ENCODINGS and kind != "mono16")


def metres(pixels: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Depth ``[H, W]`` float32 metres, 0 = no reading, of millimetres (integers) or metres.

    The largest integer there is, which drivers send for what is too far, is no reading.

    Raises:
        ValueError: whole numbers of metres where millimetres are expected; begins with ``what``.
    """
    out: NDArray[np.float32]
    if pixels.dtype.kind in "ui":
        out = np.maximum(pixels, 0).astype(np.float32) / np.float32(1000)
        out[pixels == np.iinfo(pixels.dtype).max] = 0  # as large as can be written: out of range
        farthest = float(out.max(initial=0))
        if 0 < farthest < _NO_CAMERA_SO_NEAR_M:
            raise BadInputError(
                f"{what} whose largest value is {farthest * 1000:.0f}, expected millimetres "
                "(REP-118): is it in metres?"
            )
        return out
    with np.errstate(over="ignore", invalid="ignore"):
        out = pixels.astype(np.float32)
        out[~(np.isfinite(out) & (out > 0))] = 0
    return out


_NO_CAMERA_SO_NEAR_M = 0.05


def _as_rgb(image: Any, conversion: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, conversion), np.uint8)


def _planar_rows(message: Any) -> int:
    """Rows of brightness and, below them, half as many of colour; `height` counts either."""
    height = int(message.height)
    return height * 3 // 2 if len(message.data) >= int(message.step) * height * 3 // 2 else height


def _rows(
    message: Any, height: int, kind: np.dtype[Any], channels: int, where: str
) -> NDArray[Any]:
    """View the data as ``[H, W, channels]``, minding padding at the ends of rows and byte order."""
    width, step = int(message.width), int(message.step)
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
    return BadInputError(f"{where}: encoding {shown(encoding)}, expected one of {expected}")
