# SPDX-License-Identifier: Apache-2.0
"""`sensor_msgs/Image` to arrays and back: by cv_bridge where it works, else by numpy.

Both ways give the same arrays (a test compares them). The encodings and their checks are those of
`f4x_ros.io.ros_images`, so a bag and a live topic are read alike.
"""

from __future__ import annotations

import array
import logging
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.ros_images import (
    COLOR_ENCODINGS,
    DEPTH_ENCODINGS,
    color_from_image,
    depth_from_image,
)

# Encodings the node publishes: shape without height and width, and type of an element.
_PUBLISHED: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
    "rgb8": ((3,), np.uint8),
    "mono8": ((), np.uint8),
    "mono16": ((), np.uint16),
    "16UC1": ((), np.uint16),
    "32FC1": ((), np.float32),
}


def rgb_from_image(message: Image, where: str = "image") -> NDArray[np.uint8]:
    """Colour [H, W, 3] uint8 RGB of rgb8, bgr8, rgba8, bgra8 or mono8.

    Raises:
        ValueError: another encoding, no pixels, or less data than rows; names `where`.
    """
    bridge = working_cv_bridge()
    if bridge is None or message.encoding not in COLOR_ENCODINGS:
        return color_from_image(message, where)
    # cv_bridge has no words for what is wrong: the numpy path says it.
    decoded = _by_cv_bridge(bridge, message, "rgb8")
    return color_from_image(message, where) if decoded is None else decoded


def depth_from_image_msg(message: Image, where: str = "depth/image") -> NDArray[np.float32]:
    """Depth [H, W] float32 metres, 0 = no reading, of 16UC1 (millimetres) or 32FC1 (metres).

    NaN and infinite readings become 0 (REP-117, REP-118).

    Raises:
        ValueError: another encoding, no pixels, less data than rows, or 16UC1 that cannot be
            millimetres; names `where`.
    """
    bridge = working_cv_bridge()
    decoded = None
    if bridge is not None and message.encoding in DEPTH_ENCODINGS:
        decoded = _by_cv_bridge(bridge, message, "passthrough")
    if decoded is None:
        depth = depth_from_image(message, where)
    elif decoded.dtype == np.uint16:
        depth = decoded.astype(np.float32) / np.float32(1000)
    else:
        depth = np.where(np.isfinite(decoded), decoded, 0).astype(np.float32)
    if message.encoding == "16UC1":
        _check_millimetres(depth, where)
    return depth


def image_msg(pixels: NDArray[Any], encoding: str, header: Header) -> Image:
    """An Image of what the node publishes.

    rgb8 [H, W, 3] and mono8 [H, W] are uint8, mono16 and 16UC1 [H, W] uint16, 32FC1 [H, W] float32.

    Raises:
        ValueError: the array does not have the shape and type of the encoding.
    """
    if encoding not in _PUBLISHED:
        raise BadInputError(f"encoding is '{encoding}', expected one of {', '.join(_PUBLISHED)}")
    tail, kind = _PUBLISHED[encoding]
    if pixels.ndim != 2 + len(tail) or pixels.shape[2:] != tail or pixels.dtype != kind:
        raise BadInputError(
            f"{encoding} image of shape {pixels.shape} and type {pixels.dtype}, expected "
            f"(H, W{''.join(f', {n}' for n in tail)}) {np.dtype(kind)}"
        )
    height, width = pixels.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding)
    message.step = width * pixels.itemsize * int(np.prod(tail, dtype=int))
    message.is_bigendian = 0
    message.data = byte_array(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False))
    return message


def mono8_of_probability(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A probability 0..1 as grey 0..255, rounded; 0.5 and more are 128 and more."""
    return np.rint(probability * 255).astype(np.uint8)


def probability_of_mono8(message: Image) -> NDArray[np.float32]:
    """The probability [H, W] float32 of a `mono8_of_probability` image, within 1/510."""
    pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    return pixels[:, : message.width].astype(np.float32) / np.float32(255)


def byte_array(values: NDArray[Any]) -> array.array[int]:
    """The bytes of an array for a message's `data`.

    Messages take an `array.array` as it is (0.04 ms for 640x480); any other type is checked byte by
    byte (57 ms and more).
    """
    data = array.array("B", bytes(1)) * values.nbytes
    if values.nbytes:
        np.frombuffer(data, np.uint8)[:] = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    return data


@lru_cache(maxsize=1)
def working_cv_bridge() -> Any | None:
    """A `cv_bridge.CvBridge` that survived a round trip; None where there is none.

    An import proves little: its compiled half fails only when it is called, for instance when it
    was built against another NumPy.
    """
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    message = image_msg(pixels, "rgb8", Header())
    message.encoding = "bgr8"
    try:
        from cv_bridge import CvBridge

        bridge = CvBridge()
        works = np.array_equal(bridge.imgmsg_to_cv2(message, "rgb8"), pixels[..., ::-1])
    except ImportError:
        return None
    except Exception as error:  # whatever a broken binary raises
        logging.getLogger(__name__).warning("cv_bridge does not work, numpy is used: %s", error)
        return None
    return bridge if works else None


def _by_cv_bridge(bridge: Any, message: Image, encoding: str) -> NDArray[Any] | None:
    """The decoded image; None where cv_bridge does not take it."""
    try:
        decoded = np.array(bridge.imgmsg_to_cv2(message, encoding))
    except Exception:  # CvBridgeError, TypeError, cv2.error, ... by version
        return None
    return decoded if decoded.size else None


def _check_millimetres(depth: NDArray[np.float32], where: str) -> None:
    """Refuse whole metres in an encoding of millimetres: no camera looks at 5 cm and less only."""
    farthest = float(depth.max())
    if 0 < farthest < 0.05:
        raise BadInputError(
            f"{where}: 16UC1 whose largest value is {farthest * 1000:.0f}, expected millimetres "
            "(REP-118): is it in metres?"
        )
