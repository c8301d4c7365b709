# SPDX-License-Identifier: Apache-2.0
"""Every encoding becomes the same array, and what is none is named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bag_messages import HEIGHT, WIDTH, depth, image, rgb

from f4x_ros.io.ros_images import color_from_image, depth_from_image

COLOR = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)


@pytest.mark.parametrize(
    "encoding, pixels, expected",
    [
        ("rgb8", COLOR[..., :3], COLOR[..., :3]),
        ("bgr8", COLOR[..., 2::-1], COLOR[..., :3]),
        ("rgba8", COLOR, COLOR[..., :3]),
        ("bgra8", COLOR[..., [2, 1, 0, 3]], COLOR[..., :3]),
        ("mono8", COLOR[..., 0], np.repeat(COLOR[..., :1], 3, -1)),
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
    for encoding, pixels in (("16UC1", millimetres), ("32FC1", metres)):
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
        ({"encoding": "bayer_rggb8"}, "here: encoding 'bayer_rggb8', expected one of .*'rgb8'"),
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
