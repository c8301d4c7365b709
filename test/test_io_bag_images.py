# SPDX-License-Identifier: Apache-2.0
"""Pictures of a bag: compressed, of other encodings, through lenses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_faults import check_frames
from bag_messages import (
    HEIGHT,
    SECOND,
    START,
    WIDTH,
    compressed,
    depth,
    image,
    info,
    png,
    recording,
    rgb,
    stamp_of,
    with_tf,
    write,
)

from f4x_ros.io.bag_topics import CAMERA_INFO, COMPRESSED, IMAGE
from f4x_ros.sim import open_source


def test_compressed_colour_and_depth_are_read(tmp_path: Path) -> None:
    messages = []
    for topic, kind, at, message in with_tf(recording()):
        if topic == "/cam/color/image_raw":
            k = round((at - START) / SECOND * 10)
            data = png(rgb(k)[..., ::-1])
            stamp = stamp_of(k)
            topic, kind = f"{topic}/compressed", COMPRESSED
            message = compressed(stamp, "rgb8; png compressed bgr8", data)
        elif topic == "/cam/depth/image_rect_raw":
            k = round((at - 90_000_000 - START) / SECOND * 10)
            topic, kind = f"{topic}/compressedDepth", COMPRESSED
            message = compressed(
                stamp_of(k), "16UC1; compressedDepth png", bytes(12) + png(depth(k))
            )
        messages.append((topic, kind, at, message))
    with open_source(write(tmp_path / "bag", messages)) as source:
        check_frames(source)


def test_jpeg_is_read_as_rgb(tmp_path: Path) -> None:
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 2] = 200  # BGR
    data = cv2.imencode(".jpg", red)[1].tobytes()
    messages = [
        ("/cam/image/compressed", COMPRESSED, START, compressed(START, "jpeg", data)),
        ("/cam/camera_info", CAMERA_INFO, START, info(START)),
    ]
    with open_source(write(tmp_path / "bag", messages)) as source:
        assert np.abs(source[0].rgb.reshape(-1, 3).mean(0) - [200, 0, 0]).max() < 6


@pytest.mark.parametrize(
    "format_, data, message",
    [
        (
            "jpeg",
            b"nothing",
            "topic /cam/image/compressed: format 'jpeg': 7 bytes that are no pict",
        ),
        ("tiff", b"", "format 'tiff': 0 bytes"),
    ],
)
def test_a_compressed_image_that_cannot_be_read_is_named(
    tmp_path: Path, format_: str, data: bytes, message: str
) -> None:
    messages = [
        ("/cam/image/compressed", COMPRESSED, START, compressed(START, format_, data)),
        ("/cam/camera_info", CAMERA_INFO, START, info(START)),
    ]
    with pytest.raises(ValueError, match=message):
        open_source(write(tmp_path / "bag", messages))


def test_the_wrong_encoding_in_a_bag_names_topic_and_encoding(tmp_path: Path) -> None:
    messages = [
        (t, k, a, image(START, "yuv411", rgb(0)[..., :2]) if t == "/cam/color/image_raw" else m)
        for t, k, a, m in with_tf(recording(1))
    ]
    path = write(tmp_path / "bag", messages)
    with pytest.raises(ValueError, match="topic /cam/color/image_raw: encoding 'yuv411'"):
        open_source(path, image="/cam/color/image_raw")
    with pytest.raises(ValueError, match=r"not read: /cam/color/image_raw \('yuv411'\); read are"):
        open_source(path)


def test_distorted_images_are_rectified_once(tmp_path: Path) -> None:
    bent = info(START, d=np.array([0.2, 0.05, 0, 0, 0]))
    messages = [
        ("/cam/image_raw", IMAGE, START, image(START, "rgb8", rgb(0))),
        ("/cam/image_rect", IMAGE, START, image(START, "rgb8", rgb(0))),
        ("/cam/aligned/image_raw", IMAGE, START, image(START, "16UC1", depth(0))),
        ("/cam/camera_info", CAMERA_INFO, START, bent),
    ]
    path = write(tmp_path / "bag", messages)
    with open_source(path, image="/cam/image_raw", depth="/cam/aligned/image_raw") as source:
        expected = cv2.undistort(rgb(0), bent.k.reshape(3, 3), bent.d)
        assert np.abs(source[0].rgb.astype(int) - expected).max() <= 6  # fixed-point maps
        got = np.unique(np.round(source[0].depth * 1000))  # type: ignore[operator]
        assert set(got) <= {0, *depth(0).ravel().tolist()}  # moved, not mixed
    with open_source(path, image="/cam/image_rect", depth="") as source:
        assert np.array_equal(source[0].rgb, rgb(0))


@pytest.mark.parametrize(
    "other, message",
    [
        ({"k": np.zeros(9), "p": np.zeros(12)}, "camera_info: camera focal lengths"),
        (
            {"distortion_model": "cat_eye", "d": np.ones(5)},
            "camera_info: distortion_model 'cat_eye'",
        ),
    ],
)
def test_a_calibration_that_does_not_fit_is_named(
    tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    messages = [
        ("/cam/image_raw", IMAGE, START, image(START, "rgb8", rgb(0))),
        ("/cam/camera_info", CAMERA_INFO, START, info(START, **other)),
    ]
    with pytest.raises(ValueError, match=message):
        open_source(write(tmp_path / "bag", messages))


def test_fisheye_calibration_is_understood(tmp_path: Path) -> None:
    bent = info(START, distortion_model="equidistant", d=np.array([0.1, 0, 0, 0]))
    messages = [
        ("/cam/image_raw", IMAGE, START, image(START, "rgb8", rgb(0))),
        ("/cam/camera_info", CAMERA_INFO, START, bent),
    ]
    with open_source(write(tmp_path / "bag", messages)) as source:
        assert not np.array_equal(source[0].rgb, rgb(0))
