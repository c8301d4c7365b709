# SPDX-License-Identifier: Apache-2.0
"""Every encoding becomes the same array, and what is none is named."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from bag_messages import HEIGHT, WIDTH, compressed, depth, image, png, rgb

from f4x_ros.io.ros_images import (
    color_from_compressed,
    color_from_image,
    depth_from_compressed,
    depth_from_image,
    is_depth_format,
)

COLOR = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)


@pytest.mark.parametrize(
    "encoding, pixels, expected",
    [
        ("rgb8", COLOR[..., :3], COLOR[..., :3]),
        ("bgr8", COLOR[..., 2::-1], COLOR[..., :3]),
        ("rgba8", COLOR, COLOR[..., :3]),
        ("bgra8", COLOR[..., [2, 1, 0, 3]], COLOR[..., :3]),
        ("mono8", COLOR[..., 0], np.repeat(COLOR[..., :1], 3, -1)),
        ("8UC1", COLOR[..., 0], np.repeat(COLOR[..., :1], 3, -1)),
        ("8UC3", COLOR[..., 2::-1], COLOR[..., :3]),
        ("8UC4", COLOR[..., [2, 1, 0, 3]], COLOR[..., :3]),
        ("mono16", COLOR[..., 0].astype("<u2") * 256, np.repeat(COLOR[..., :1], 3, -1)),
        ("mono16", COLOR[..., 0].astype(">u2") * 256 + 9, np.repeat(COLOR[..., :1], 3, -1)),
        ("16UC3", COLOR[..., 2::-1].astype("<u2") * 256, COLOR[..., :3]),
        ("16UC4", COLOR[..., [2, 1, 0, 3]].astype(">u2") * 256, COLOR[..., :3]),
        ("rgb16", COLOR[..., :3].astype(">u2") * 256, COLOR[..., :3]),
        ("bgra16", COLOR[..., [2, 1, 0, 3]].astype("<u2") * 256, COLOR[..., :3]),
    ],
)
def test_colour_encodings_become_rgb(
    encoding: str, pixels: np.ndarray, expected: np.ndarray
) -> None:
    assert np.array_equal(color_from_image(image(0, encoding, pixels), "here"), expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_depth_encodings_become_metres(order: str) -> None:
    millimetres = depth(1).astype(f"{order}u2")
    metres = (depth(1) / 1000).astype(f"{order}f4")
    metres[0, :3] = [np.nan, np.inf, -np.inf]
    for encoding, pixels in (
        ("16UC1", millimetres),
        ("mono16", millimetres),
        ("16SC1", millimetres.astype(f"{order}i2")),
        ("64FC1", metres.astype(f"{order}f8")),
        ("32FC1", metres),
    ):
        out = depth_from_image(image(0, encoding, pixels), "here")
        assert out.dtype == np.dtype(np.float32)
        assert out.ravel()[3:] == pytest.approx(depth(1).ravel()[3:] / 1000)
    assert out[0, :3].tolist() == [0, 0, 0]  # REP-117: no reading


def test_padding_at_the_ends_of_rows_is_skipped() -> None:
    padded = np.zeros((HEIGHT, WIDTH * 3 + 5), np.uint8)
    padded[:, : WIDTH * 3] = rgb(4).reshape(HEIGHT, -1)
    message = image(0, "rgb8", rgb(4))
    message.step, message.data = WIDTH * 3 + 5, padded.reshape(-1)
    assert np.array_equal(color_from_image(message, "here"), rgb(4))
    message.data = message.data[:-5]  # some drivers leave out the last row's padding
    assert np.array_equal(color_from_image(message, "here"), rgb(4))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"encoding": "yuv411"}, "here: encoding 'yuv411', expected one of .*'rgb8'"),
        ({"height": 0}, "here: image of 8x0 pixels"),
        ({"step": 3}, "here: 144 bytes in rows of 3, expected 6 rows of at least 24"),
        ({"height": 7}, "here: 144 bytes in rows of 24, expected 7 rows"),
    ],
)
def test_an_image_that_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    made = image(0, "rgb8", rgb(0))
    fields = {name: getattr(made, name) for name in made.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        color_from_image(SimpleNamespace(**{**fields, **changes}), "here")
    with pytest.raises(ValueError, match=r"encoding 'rgb8', expected one of .*'16UC1'"):
        depth_from_image(made, "here")


@pytest.mark.parametrize(
    "kind, first, second",
    [("uyvy", 1, 0), ("yuv422", 1, 0), ("yuyv", 0, 1), ("yuv422_yuy2", 0, 1)],
)
def test_two_pixels_share_a_colour_in_either_order(kind: str, first: int, second: int) -> None:
    """BT.601: Y 81, U 90, V 240 is red; brightness is the first byte of a pixel or the second."""
    pixels = np.zeros((HEIGHT, WIDTH, 2), np.uint8)
    pixels[..., first] = 81
    pixels[:, 0::2, second], pixels[:, 1::2, second] = 90, 240
    out = color_from_image(image(0, kind, pixels), "here")
    assert np.abs(out.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("kind, order", [("nv12", (90, 240)), ("nv21", (240, 90))])
@pytest.mark.parametrize("counted", [HEIGHT, HEIGHT * 3 // 2])
def test_planes_of_brightness_and_colour_are_joined(
    kind: str, order: tuple[int, int], counted: int
) -> None:
    pixels = np.full((HEIGHT * 3 // 2, WIDTH), 81, np.uint8)
    pixels[HEIGHT:, 0::2], pixels[HEIGHT:, 1::2] = order
    message = image(0, kind, pixels)
    message.height = counted
    out = color_from_image(message, "here")
    assert out.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(out.astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("bits, scale", [(8, 1), (16, 256)])
@pytest.mark.parametrize(
    "name, colors", [("rggb", "rggb"), ("bggr", "bggr"), ("gbrg", "gbrg"), ("grbg", "grbg")]
)
def test_a_mosaic_of_colours_becomes_a_picture(
    name: str, colors: str, bits: int, scale: int
) -> None:
    values = {"r": 200, "g": 100, "b": 30}
    kind = np.uint8 if bits == 8 else np.uint16
    mosaic = np.zeros((HEIGHT, WIDTH), kind)
    for place, color in zip([(0, 0), (0, 1), (1, 0), (1, 1)], colors, strict=True):
        mosaic[place[0] :: 2, place[1] :: 2] = values[color] * scale
    out = color_from_image(image(0, f"bayer_{name}{bits}", mosaic), "here")
    assert np.abs(out[2:-2, 2:-2].astype(int) - [200, 100, 30]).max() <= 1


def test_an_odd_width_of_shared_colours_is_named() -> None:
    with pytest.raises(ValueError, match="here: image of 7x6 pixels, expected even"):
        color_from_image(image(0, "uyvy", np.zeros((HEIGHT, 7, 2), np.uint8)), "here")


@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2"])
def test_negative_depth_is_no_reading(kind: str) -> None:
    pixels = np.full((HEIGHT, WIDTH), 1500).astype(kind)
    pixels[2, 3] = -1
    encoding = {"f4": "32FC1", "f8": "64FC1", "i2": "16SC1"}[kind[1:]]
    out = depth_from_image(image(0, encoding, pixels), "here")
    assert out[2, 3] == 0
    assert (out > 0).sum() == HEIGHT * WIDTH - 1


def test_whole_metres_where_millimetres_are_expected_are_refused() -> None:
    pixels = np.full((HEIGHT, WIDTH), 3, np.uint16)
    for read in (
        lambda: depth_from_image(image(0, "mono16", pixels), "here"),
        lambda: depth_from_compressed(compressed(0, "png", png(pixels)), "here"),
    ):
        with pytest.raises(ValueError, match=r"here: .* whose largest value is 3, expected milli"):
            read()


def rvl(pixels: np.ndarray) -> bytes:
    """As the C of Wilson (2017), one number after the other."""
    nibbles: list[int] = []

    def put(value: int) -> None:
        while True:
            nibble, value = value & 7, value >> 3
            nibbles.append(nibble | (8 if value else 0))
            if not value:
                return

    flat, at, previous = pixels.reshape(-1).astype(int).tolist(), 0, 0
    while at < len(flat):
        zeros = at
        while at < len(flat) and not flat[at]:
            at += 1
        put(at - zeros)
        end = at
        while end < len(flat) and flat[end]:
            end += 1
        put(end - at)
        for value in flat[at:end]:
            delta, previous = value - previous, value
            put((delta << 1) ^ (delta >> 31))
        at = end
    nibbles += [0] * (-len(nibbles) % 8)
    words = [
        sum(n << (28 - 4 * k) for k, n in enumerate(nibbles[i : i + 8]))
        for i in range(0, len(nibbles), 8)
    ]
    return struct.pack("<ii", pixels.shape[1], pixels.shape[0]) + np.array(words, "<u4").tobytes()


def with_holes() -> np.ndarray:
    pixels = depth(1)
    pixels[0, :3] = pixels[3] = pixels[-1, -1] = 0
    pixels[4, 4] = 65534
    return pixels


HEAD = struct.pack("<iff", 0, 0.0, 0.0)


@pytest.mark.parametrize(
    "format_, data",
    [
        ("png", png(with_holes())),
        ("16UC1; png compressed ", png(with_holes())),
        ("16UC1; compressedDepth", HEAD + png(with_holes())),
        ("16UC1; compressedDepth png", HEAD + png(with_holes())),
        ("16UC1; compressedDepth rvl", HEAD + rvl(with_holes())),
        ("32FC1; tiff compressed", cv2.imencode(".tiff", with_holes() / np.float32(1000))[1]),
    ],
)
def test_compressed_depth_becomes_metres(format_: str, data: Any) -> None:
    out = depth_from_compressed(compressed(0, format_, bytes(data)), "here")
    assert out.dtype == np.float32
    assert out == pytest.approx(with_holes() / 1000, abs=1e-5)


@pytest.mark.parametrize("form, encode", [("png", png), ("rvl", rvl)])
def test_quantised_metres_are_read(form: str, encode: Any) -> None:
    """As the transport writes 32FC1: a / z + b in 16 bits, 0 = none."""
    z = with_holes() / 1000
    a, b = 100.0 * 101.0, 1 - 100.0 * 101.0 / 70.0
    with np.errstate(divide="ignore"):
        stored = np.where(z > 0, a / z + b, 0).astype(np.uint16)
    data = struct.pack("<iff", 0, a, b) + encode(stored)
    out = depth_from_compressed(compressed(0, f"32FC1; compressedDepth {form}", data), "here")
    assert ((out > 0) == (z > 0)).all()
    near = (z > 0) & (z < 10)
    assert out[near] == pytest.approx(z[near], rel=1e-3)


def test_a_long_picture_survives_rvl() -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (120, 160)).astype(np.uint16)
    pixels[np.random.default_rng(1).random(pixels.shape) < 0.3] = 0
    data = HEAD + rvl(pixels)
    out = depth_from_compressed(compressed(0, "16UC1; compressedDepth rvl", data), "here")
    assert out == pytest.approx(pixels / 1000, abs=1e-5)


@pytest.mark.parametrize(
    "format_, data, message",
    [
        ("jpeg", cv2.imencode(".jpg", rgb(0))[1].tobytes(), "a picture of uint8"),
        ("png", png(depth(0))[:-30], "format 'png': ends within the picture"),
        ("16UC1; compressedDepth png", HEAD + png(depth(0))[:-30], "ends within the picture"),
        ("16UC1; compressedDepth rvl", HEAD + rvl(depth(0))[:-20], "ends at pixel|damaged at pix"),
        ("16UC1; compressedDepth rvl", HEAD, "0 bytes, expected PNG or RVL"),
        ("16UC1; compressedDepth rvl", HEAD + bytes(40), "RVL of 0x0 pixels"),
        ("16UC1; compressedDepth", b"short", "5 bytes, expected a head"),
        ("png", b"", "no picture"),
    ],
)
def test_damaged_depth_is_named(format_: str, data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"here: format '{format_}': .*({message})|{message}"):
        depth_from_compressed(compressed(0, format_, data), "here")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_that_ends_too_early_is_no_picture(suffix: str) -> None:
    data = cv2.imencode(suffix, np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[1]
    whole = bytes(data)
    assert color_from_compressed(compressed(0, "x", whole), "here").shape == (64, 64, 3)
    with pytest.raises(ValueError, match="here: format 'x': ends within the picture"):
        color_from_compressed(compressed(0, "x", whole[: len(whole) // 2]), "here")


def test_formats_that_speak_of_depth_are_known() -> None:
    assert all(map(is_depth_format, ["16UC1; compressedDepth", "32FC1; tiff", "16UC1; png"]))
    assert not any(map(is_depth_format, ["jpeg", "rgb8; jpeg compressed bgr8", "mono16; png"]))
