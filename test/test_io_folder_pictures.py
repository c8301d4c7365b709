# SPDX-License-Identifier: Apache-2.0
"""Pictures of an RGB-D folder: turned, cut off, of several sizes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from folder_files import SIZE, depth_units, picture, write_rgbd

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.sim import open_source


@pytest.fixture
def rgbd(tmp_path: Path) -> Path:
    return write_rgbd(tmp_path)


# --- pictures -------------------------------------------------------------------------------------


def turned_jpeg(pixels: np.ndarray, orientation: int) -> bytes:
    """A JPEG whose EXIF says how the camera was held."""
    data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0"
    tiff += bytes([orientation, 0, 0, 0]) + bytes(4)
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


def write_turned(rgbd: Path, orientation: int) -> np.ndarray:
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[:4, :6] = 255
    for path in list((rgbd / "images").iterdir()):
        path.unlink()
        path.with_suffix(".jpg").write_bytes(turned_jpeg(pixels, orientation))
    return pixels


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_pixels_are_taken_as_stored_like_those_of_depth(rgbd: Path, orientation: int) -> None:
    pixels = write_turned(rgbd, orientation)
    assert cv2.imread(str(rgbd / "images/00000.jpg"))[0, 0].max() < 20  # others turn it
    source = open_source(rgbd)
    assert np.abs(source[0].rgb.astype(int) - pixels).max() < 20
    assert "00000.jpg says that it is to be turned" in source.remarks[0]


def test_a_calibration_of_the_turned_picture_is_an_error(rgbd: Path) -> None:
    write_turned(rgbd, 6)
    np.savetxt(rgbd / "K.txt", [[20.0, 0, 5.5], [0, 21.0, 7.5], [0, 0, 1]])
    with pytest.raises(ValueError, match=r"K.txt: its principal point is that of the turned"):
        open_source(rgbd)


def test_depth_that_was_turned_is_an_error(rgbd: Path) -> None:
    for k in range(3):
        cv2.imwrite(str(rgbd / f"depth/{k:05}.png"), np.rot90(depth_units(k)))
    with pytest.raises(ValueError, match=r"depth: 12x16 pixels, images/ has 16x12; expected depth"):
        open_source(rgbd)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_that_was_cut_off_costs_its_frame(rgbd: Path, suffix: str) -> None:
    data = cv2.imencode(suffix, picture(1))[1].tobytes()
    (rgbd / "images/00001.png").unlink()
    (rgbd / f"images/00001{suffix}").write_bytes(data[: len(data) * 2 // 3])
    source = open_source(rgbd)
    source[2]
    with pytest.raises(BadSampleError, match=f"00001{suffix}: not a whole image"):
        source[1]


@pytest.mark.parametrize("first", [True, False])
def test_most_pictures_say_which_size_is_meant(rgbd: Path, first: bool) -> None:
    odd = 0 if first else 2
    cv2.imwrite(str(rgbd / f"images/{odd:05}.png"), np.zeros((9, 9, 3), np.uint8))
    source = open_source(rgbd)
    with pytest.raises(BadSampleError, match=f"{odd:05}.png: 9x9 pixels, expected 16x12"):
        source[odd]
    assert source[1].rgb.shape == (*SIZE, 3)


def test_depth_of_which_none_can_be_used_is_an_error_at_once(rgbd: Path) -> None:
    for k in range(3):
        cv2.imwrite(str(rgbd / f"depth/{k:05}.png"), np.zeros(SIZE, np.uint8))
    with pytest.raises(BadInputError, match=r"00000.png: depth image of type uint8 .*uint16") as e:
        open_source(rgbd)
    assert not isinstance(e.value, BadSampleError)
    for path in (rgbd / "depth").iterdir():
        path.unlink()
    (rgbd / "depth/0.npy").write_bytes(b"x")
    with pytest.raises(BadInputError, match=r"depth: expected 16-bit PNG .*none; .* such as 0.npy"):
        open_source(rgbd)
