# SPDX-License-Identifier: Apache-2.0
"""Depth in the other byte order than its message says is refused; what is right never is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from f4x_ros.core.errors import BadInputError
from f4x_ros.io.ros_images import depth_from_image

ENCODINGS = {"<u2": "16UC1", "<f4": "32FC1", "<f8": "64FC1", "<i2": "16SC1"}


def message(pixels: np.ndarray, *, big: bool, said: bool) -> Any:
    stored = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    height, width = pixels.shape
    return SimpleNamespace(
        height=height, width=width, encoding=ENCODINGS[pixels.dtype.newbyteorder("<").str],
        step=width * pixels.itemsize, is_bigendian=int(said), data=stored.tobytes(),
    )  # fmt: skip


def room(kind: str) -> np.ndarray:
    """A wall at an angle before it, noise, a jump and holes."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((60, 80))
    meters = 1.2 + 0.01 * columns + 0.004 * rows + rng.normal(0, 0.003, (60, 80))
    meters[20:40, 30:50] = 0.7
    meters[rng.random((60, 80)) < 0.3] = 0
    return (meters * (1 if "f" in kind else 1000)).astype(kind)


@pytest.mark.parametrize("kind", ["u2", "i2", "f4", "f8"])
@pytest.mark.parametrize("big", [False, True])
def test_the_order_that_is_said_is_read_and_the_other_is_refused(kind: str, big: bool) -> None:
    pixels = room(kind)
    scale = 1 if "f" in kind else 1000
    read = depth_from_image(message(pixels, big=big, said=big), "topic /depth")
    assert read == pytest.approx(pixels / scale, abs=1e-6)
    with pytest.raises(
        BadInputError, match=rf"/depth.*is_bigendian is {int(not big)}, expected {int(big)}"
    ):
        depth_from_image(message(pixels, big=big, said=not big), "topic /depth")


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((60, 80), 1000, np.uint16),  # one distance
        np.random.default_rng(1).integers(1, 65535, (60, 80)).astype(np.uint16),  # noise
        (np.indices((60, 80))[1] * 500 + 300).astype(np.uint16),  # steps of half a metre
        np.zeros((60, 80), np.uint16),
        np.full((60, 80), np.nan, np.float32),
        np.full((60, 80), np.inf, np.float32),
        np.full((60, 80), 3000, np.float32),  # millimetres
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_does_not_tell_is_read_as_it_says(pixels: np.ndarray) -> None:
    depth_from_image(message(pixels, big=False, said=False), "topic /depth")
