# SPDX-License-Identifier: Apache-2.0
"""DAVIS folders become colour frames with true masks, and what does not fit is named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from f4x_ros.core.config import Config
from f4x_ros.core.errors import BadSampleError
from f4x_ros.core.perception import Perception
from f4x_ros.io import START_NS
from f4x_ros.io.davis import DavisFolder
from f4x_ros.sim import open_source

DAVIS = Path(__file__).resolve().parents[2] / "shared" / "data" / "davis"
SIZE = (12, 20)  # height, width


def mask_of(k: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[2:6, k : k + 4] = 255
    return mask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"images/{k:05d}.jpg"), np.full((*SIZE, 3), 40 * k, np.uint8))
        cv2.imwrite(str(tmp_path / f"masks/{k:05d}.png"), mask_of(k))
    return tmp_path


def opened(folder: Path) -> DavisFolder:
    source = open_source(folder)
    assert isinstance(source, DavisFolder)
    return source


def test_frames_have_colour_stamps_at_24_hz_and_neither_depth_nor_pose(folder: Path) -> None:
    source = opened(folder)
    assert len(source) == 3
    for k, frame in enumerate(source):
        assert frame.rgb == pytest.approx(40 * k, abs=2)
        assert frame.depth is None
        assert frame.T_map_camera is None
        assert frame.stamp_ns == START_NS + round(k * 1e9 / 24)
    assert np.diff(open_source(folder, rate_hz=10).stamps_ns).tolist() == [100_000_000] * 2


def test_the_nominal_camera_is_60_degrees_wide(folder: Path) -> None:
    camera = opened(folder)[0].camera
    rays = camera.pixel_rays()[6]
    half_pixel = 0.5 / camera.fx
    wide = 2 * np.arctan(rays[-1, 0] + half_pixel)
    assert np.rad2deg(wide) == pytest.approx(60, abs=1e-3)
    assert (camera.fx, camera.cx, camera.cy) == (camera.fy, 10.0, 6.0)


def test_masks_are_those_of_the_frame(folder: Path) -> None:
    source = opened(folder)
    for k in range(3):
        mask = source.moving_mask(k)
        assert mask.dtype == bool
        assert np.array_equal(mask, mask_of(k) > 0)
    assert np.array_equal(source.moving_mask(-1), source.moving_mask(2))
    with pytest.raises(IndexError, match="frame 3"):
        source.moving_mask(3)


def test_a_missing_mask_is_named(folder: Path) -> None:
    (folder / "masks/00001.png").unlink()
    with pytest.raises(ValueError, match=r"masks: 2 masks whose names do not match the 3"):
        open_source(folder)


def test_names_without_leading_zeros_are_in_their_order(folder: Path) -> None:
    for name, suffix in (("images", "jpg"), ("masks", "png")):
        for k in range(3):
            (folder / f"{name}/{k:05d}.{suffix}").rename(folder / f"{name}/{k + 9}.{suffix}")
    source = opened(folder)
    for k, frame in enumerate(source):
        assert frame.rgb == pytest.approx(40 * k, abs=2)
        assert np.array_equal(source.moving_mask(k), mask_of(k) > 0)


@pytest.mark.parametrize("broken", ["size", "cut"])
def test_a_bad_picture_costs_its_frame(folder: Path, broken: str) -> None:
    path = folder / "images/00001.jpg"
    if broken == "size":
        cv2.imwrite(str(path), np.zeros((5, 7, 3), np.uint8))
    else:
        path.write_bytes(path.read_bytes()[:-40])
    source = opened(folder)
    assert len([source[0], source[2]]) == 2
    with pytest.raises(
        BadSampleError, match=r"00001\.jpg: (7x5 pixels, expected 20x12|not a whole)"
    ):
        source[1]


def test_a_folder_without_images_is_refused(folder: Path) -> None:
    for path in (*folder.glob("images/*"), *folder.glob("masks/*")):
        path.unlink()
    with pytest.raises(ValueError, match=r"images: expected JPEG or PNG images, found none"):
        open_source(folder)


@pytest.mark.parametrize("broken", ["ids", "colour", "text"])
def test_a_mask_of_another_kind_is_named(folder: Path, broken: str) -> None:
    path = folder / "masks/00001.png"
    if broken == "ids":
        cv2.imwrite(str(path), mask_of(1) // 255 * 3)
    elif broken == "colour":
        cv2.imwrite(str(path), np.zeros((*SIZE, 3), np.uint8))
    else:
        path.write_text("not a picture")
    with pytest.raises(ValueError, match=r"00001\.png: .*expected"):
        opened(folder).moving_mask(1)


def test_a_folder_with_intrinsics_is_an_rgbd_folder(folder: Path) -> None:
    np.savetxt(folder / "K.txt", [[20, 0, 9.5], [0, 20, 5.5], [0, 0, 1]])
    assert type(open_source(folder)).__name__ == "RgbdFolder"
    with pytest.raises(ValueError, match=r"no K\.txt"):
        DavisFolder(folder)


def test_frames_that_cannot_be_mapped_say_so(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"depth|pose|T_map_camera"):
        Perception(Config.from_dotted({"features.extractor": "color"})).process(opened(folder)[0])


@pytest.mark.skipif(not DAVIS.is_dir(), reason="the real recordings are not at hand")
@pytest.mark.parametrize("name", ["camel", "car-roundabout", "cows", "dog", "parkour"])
def test_real_sequences_open(name: str) -> None:
    source = opened(DAVIS / name)
    frame, mask = source[-1], source.moving_mask(-1)
    assert frame.rgb.shape == (480, 854, 3)
    assert mask.shape == (480, 854)
    assert 0.005 < mask.mean() < 0.5
