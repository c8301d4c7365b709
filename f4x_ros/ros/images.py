# SPDX-License-Identifier: Apache-2.0
"""Images of topics to arrays and back.

What is read, and how, is in `f4x_ros.io.ros_images`, so that a bag and a live topic are read alike
(cv_bridge, of a ROS installation, knows fewer encodings and has no words for what is wrong).
"""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.ros_images import (
    color_from_compressed,
    color_from_image,
    depth_from_compressed,
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


def rgb_from_image(message: Image | CompressedImage, where: str = "image") -> NDArray[np.uint8]:
    """Colour [H, W, 3] uint8 RGB of an image, raw or compressed.

    Raises:
        ValueError: an encoding that is not read, no pixels, less data than rows, or a picture that
            cannot be decoded; names `where`.
    """
    if isinstance(message, CompressedImage):
        return color_from_compressed(message, where)
    return color_from_image(message, where)


def depth_from_image_msg(
    message: Image | CompressedImage, where: str = "depth/image"
) -> NDArray[np.float32]:
    """Depth [H, W] float32 metres, 0 = no reading, of an image, raw or compressed.

    Whole numbers are millimetres, others metres; NaN, infinite and negative readings become 0
    (REP-117, REP-118).

    Raises:
        ValueError: as `rgb_from_image`, or whole numbers that cannot be millimetres.
    """
    if isinstance(message, CompressedImage):
        return depth_from_compressed(message, where)
    return depth_from_image(message, where)


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
