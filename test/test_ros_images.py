# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from f4x_ros.ros.images import (
    byte_array,
    depth_from_image_msg,
    image_msg,
    mono8_of_probability,
    probability_of_mono8,
    rgb_from_image,
)

SIDES = st.integers(1, 9)
COLORS = {"rgb8": [0, 1, 2], "bgr8": [2, 1, 0], "rgba8": [0, 1, 2], "bgra8": [2, 1, 0]}


def raw_image(pixels: np.ndarray, encoding: str, *, padding: int = 0, big: bool = False) -> Image:
    """An Image as any driver may send it: padded rows, either byte order."""
    stored = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = stored.reshape(len(pixels), -1).view(np.uint8).reshape(len(pixels), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.step, message.is_bigendian = padded.shape[1], int(big)
    message.data = byte_array(padded)
    return message


@given(SIDES, SIDES, st.sampled_from(sorted(COLORS)), st.integers(0, 5), st.data())
def test_colour_is_rgb_whatever_the_encoding_and_padding(
    height: int, width: int, encoding: str, padding: int, data: st.DataObject
) -> None:
    channels = 4 if "a" in encoding else 3
    pixels = data.draw(hnp.arrays(np.uint8, (height, width, channels)))
    rgb = rgb_from_image(raw_image(pixels, encoding, padding=padding))
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, pixels[..., COLORS[encoding]])


def test_grey_is_the_same_in_all_channels() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(
        rgb_from_image(raw_image(pixels, "mono8")), np.stack([pixels] * 3, -1)
    )


@given(SIDES, SIDES, st.integers(0, 5), st.booleans(), st.data())
def test_millimetres_become_metres(
    height: int, width: int, padding: int, big: bool, data: st.DataObject
) -> None:
    pixels = data.draw(hnp.arrays(np.uint16, (height, width)))
    pixels[0, 0] = 1000
    depth = depth_from_image_msg(raw_image(pixels, "16UC1", padding=padding, big=big))
    known = np.where(pixels == 65535, 0, pixels)  # (the largest says: farther than can be said)
    np.testing.assert_allclose(depth, known / 1000, rtol=1e-6)
    assert depth.dtype == np.float32


@given(SIDES, SIDES, st.booleans(), st.data())
def test_metres_stay_and_what_is_no_reading_becomes_zero(
    height: int, width: int, big: bool, data: st.DataObject
) -> None:
    pixels = data.draw(hnp.arrays(np.float32, (height, width)))
    depth = depth_from_image_msg(raw_image(pixels, "32FC1", big=big))
    reading = np.isfinite(pixels) & (pixels > 0)
    np.testing.assert_array_equal(depth, np.where(reading, pixels, 0))


@given(st.sampled_from(["rgb8", "mono8", "mono16", "32FC1"]), SIDES, SIDES)
def test_what_is_published_has_the_bytes_of_the_array(encoding: str, h: int, w: int) -> None:
    kinds = {"rgb8": ((3,), "u1"), "mono8": ((), "u1"), "mono16": ((), "<u2"), "32FC1": ((), "<f4")}
    tail, kind = kinds[encoding]
    pixels = np.arange(h * w * int(np.prod(tail)), dtype=kind).reshape(h, w, *tail)
    message = image_msg(pixels, encoding, Header(frame_id="camera"))
    assert (message.height, message.width, message.encoding) == (h, w, encoding)
    assert message.step * h == len(message.data) == pixels.nbytes
    back = np.frombuffer(message.data, kind).reshape(pixels.shape)
    np.testing.assert_array_equal(back, pixels)


@given(SIDES, SIDES, st.data())
def test_a_probability_survives_as_grey_and_stays_on_its_side_of_a_half(
    height: int, width: int, data: st.DataObject
) -> None:
    shares = st.floats(0, 1, width=32)
    probability = data.draw(hnp.arrays(np.float32, (height, width), elements=shares))
    back = probability_of_mono8(image_msg(mono8_of_probability(probability), "mono8", Header()))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, probability, atol=0.5 / 255 + 1e-6)
    clear = np.abs(probability - 0.5) > 1e-6
    np.testing.assert_array_equal((back >= 0.5)[clear], (probability >= 0.5)[clear])
    assert (
        probability_of_mono8(raw_image(np.full((2, 3), 255, np.uint8), "mono8", padding=2)) == 1
    ).all()


def test_a_slice_with_gaps_is_published_right() -> None:
    pixels = np.arange(60, dtype=np.uint16).reshape(6, 10)[::2, ::3]
    message = image_msg(pixels, "mono16", Header())
    np.testing.assert_array_equal(np.frombuffer(message.data, "<u2").reshape(3, 4), pixels)


@pytest.mark.parametrize("encoding", ["rgb10", "jpeg", "", "32FC3"])
def test_an_unknown_colour_encoding_is_named(encoding: str) -> None:
    message = raw_image(np.zeros((2, 2, 3), np.uint8), encoding)
    with pytest.raises(ValueError, match=rf"image: encoding '{encoding}', expected one of .*rgb8"):
        rgb_from_image(message)


def test_a_colour_image_on_the_depth_topic_is_named() -> None:
    message = raw_image(np.zeros((2, 2, 3), np.uint8), "rgb8")
    with pytest.raises(ValueError, match=r"depth/image: encoding 'rgb8', expected one of .*16UC1"):
        depth_from_image_msg(message)


def test_an_image_without_pixels_is_named() -> None:
    with pytest.raises(ValueError, match="image: image of 0x0 pixels, expected at least 1x1"):
        rgb_from_image(Image(encoding="rgb8"))


@pytest.mark.parametrize("cut", [1, 5, 12])
def test_less_data_than_rows_is_named(cut: int) -> None:
    message = raw_image(np.zeros((2, 2, 3), np.uint8), "rgb8")
    message.data = message.data[:-cut]
    with pytest.raises(ValueError, match=f"image: {12 - cut} bytes in rows of 6, expected 2 rows"):
        rgb_from_image(message)


def test_a_step_shorter_than_a_row_is_named() -> None:
    message = raw_image(np.zeros((2, 2, 3), np.uint8), "rgb8")
    message.step = 5
    with pytest.raises(ValueError, match="rows of 5, expected 2 rows of at least 6"):
        rgb_from_image(message)


def test_metres_in_an_encoding_of_millimetres_are_named() -> None:
    pixels = np.full((4, 4), 3, np.uint16)
    with pytest.raises(ValueError, match="16UC1 whose largest value is 3, expected millimetres"):
        depth_from_image_msg(raw_image(pixels, "16UC1"))


def test_no_reading_at_all_is_no_wrong_unit() -> None:
    assert not depth_from_image_msg(raw_image(np.zeros((4, 4), np.uint16), "16UC1")).any()


@pytest.mark.parametrize(
    ("pixels", "encoding"),
    [
        (np.zeros((2, 2), np.uint8), "mono16"),
        (np.zeros((2, 2, 3), np.uint16), "rgb8"),
        (np.zeros((2, 2), np.float64), "32FC1"),
        (np.zeros((2, 2), np.uint8), "jpeg"),
    ],
)
def test_an_array_that_does_not_fit_its_encoding_is_refused(
    pixels: np.ndarray, encoding: str
) -> None:
    with pytest.raises(ValueError, match="expected"):
        image_msg(pixels, encoding, Header())


# --- cv_bridge --------------------------------------------------------------------------------


def test_cv_bridge_would_give_the_same() -> None:
    cv_bridge = pytest.importorskip("cv_bridge", reason="it comes with a ROS installation only")
    bridge, rng = cv_bridge.CvBridge(), np.random.default_rng(0)
    for encoding in [*COLORS, "mono8"]:
        tail = (4 if "a" in encoding else 3,) if encoding in COLORS else ()
        message = raw_image(rng.integers(0, 200, (5, 7, *tail)).astype(np.uint8), encoding)
        theirs = bridge.imgmsg_to_cv2(message, "rgb8")
        np.testing.assert_array_equal(rgb_from_image(message), theirs)
    for encoding, kind, unit in (("16UC1", np.uint16, 1000), ("32FC1", np.float32, 1)):
        message = raw_image(rng.integers(100, 200, (5, 7)).astype(kind), encoding)
        theirs = bridge.imgmsg_to_cv2(message, "passthrough") / np.float32(unit)
        np.testing.assert_allclose(depth_from_image_msg(message), theirs)


def test_compressed_images_are_read_too() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    data = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(rgb_from_image(CompressedImage(format="png", data=data)), pixels)
    millimetres = rng.integers(500, 3000, (6, 8)).astype(np.uint16)
    data = cv2.imencode(".png", millimetres)[1].tobytes()
    depth = depth_from_image_msg(CompressedImage(format="16UC1; png", data=data))
    np.testing.assert_allclose(depth, millimetres / np.float32(1000))
    with pytest.raises(ValueError, match=r"image: .*'jpeg'"):
        rgb_from_image(CompressedImage(format="jpeg", data=data[:20]))
