# SPDX-License-Identifier: Apache-2.0
"""Names of the files of an RGB-D folder: their order, and what belongs together."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from folder_files import depth_units, picture, write_pair, write_rgbd

from f4x_ros.io import START_NS
from f4x_ros.sim import open_source


@pytest.fixture
def rgbd(tmp_path: Path) -> Path:
    return write_rgbd(tmp_path)


# --- names and their order ------------------------------------------------------------------------


def write_frames(path: Path, names: list[str], numbers: list[int]) -> None:
    """One frame per name; colour, depth and the x of its pose tell its number."""
    for name, number in zip(names, numbers, strict=True):
        write_pair(path / f"images/{name}", path / f"depth/{name}", number)
    np.savetxt(path / "K.txt", [[20.0, 0, 7.5], [0, 21.0, 5.5], [0, 0, 1]])


def write_poses(path: Path, numbers: range) -> None:
    poses = np.tile(np.eye(4).reshape(-1), (len(numbers), 1))
    poses[:, 3] = numbers
    np.savetxt(path / "poses.txt", poses)


def seen_numbers(path: Path) -> list[float]:
    """The x of the poses, after a look at whether colour and depth are of the same frame."""
    numbers = []
    for frame in open_source(path):
        assert frame.T_map_camera is not None
        numbers.append(frame.T_map_camera[0, 3])
        assert np.array_equal(frame.rgb, picture(int(numbers[-1])))
        assert frame.depth == pytest.approx(depth_units(int(numbers[-1])) / 1000, abs=1e-6)
    return numbers


@pytest.mark.parametrize(
    "names",
    [
        [f"{k}.png" for k in range(1, 13)],
        [f"frame{k}_left.png" for k in range(95, 107)],
        [f"{k:03}.png" for k in range(12)],
        [f"run 2 - {k}.png" for k in range(12)],
        [f"17000000{k // 10:02}.{k % 10}.png" for k in range(5, 17)],
        # As Python prints stamps: without the zeros at the end of a fraction.
        [f"1700000000.{text}.png" for text in "05 1 15 2 25 3 35 4 45 5 55 6".split()],
        ["a.png", "a1.png", "a1b.png", "a2.png", "a10.png", "b.png", "b1x1.png", "b1x2.png"],
    ],
)
def test_names_are_in_the_order_in_which_people_count(tmp_path: Path, names: list[str]) -> None:
    write_frames(tmp_path, names, list(range(len(names))))
    write_poses(tmp_path, range(len(names)))
    assert seen_numbers(tmp_path) == list(range(len(names)))


def test_what_another_file_is_named_alike_belongs_together_not_what_stands_alike(
    tmp_path: Path,
) -> None:
    write_frames(tmp_path, [f"{k}.png" for k in range(12)], list(range(12)))
    write_poses(tmp_path, range(12))
    (tmp_path / "depth/3.png").unlink()
    (tmp_path / "depth/12.png").write_bytes((tmp_path / "depth/5.png").read_bytes())
    assert seen_numbers(tmp_path) == [0, 1, 2, *range(4, 12)]
    source = open_source(tmp_path)
    assert source.counts == {"images_without_depth": 1, "depth_without_image": 1}
    assert source.left_out.first_ns == {"images_without_depth": START_NS + 300_000_000}


@pytest.mark.parametrize(
    "first, gone", [(0, [7]), (0, [3, 4]), (0, [11]), (1, [3]), (1, [1]), (40, [44, 45, 47])]
)
def test_a_missing_image_does_not_shift_the_poses_of_the_others(
    tmp_path: Path, first: int, gone: list[int]
) -> None:
    numbers = [k for k in range(first, first + 12) if k not in gone]
    write_frames(tmp_path, [f"{k}.png" for k in numbers], numbers)
    write_poses(tmp_path, range(first, first + 12))
    assert seen_numbers(tmp_path) == numbers
    source = open_source(tmp_path)
    assert f"poses.txt has 12 rows for {len(numbers)} images; the numbers" in source.remarks[0]
    assert source.stamps_ns.tolist() == [START_NS + (k - first) * 100_000_000 for k in numbers]


@pytest.mark.parametrize(
    "names",
    [
        [
            f"{k}.png" for k in range(1, 12)
        ],  # 0 to 11 without the first, or 1 to 12 without the last
        [f"{k}.png" for k in range(30, 41)],
        [f"{c}.png" for c in "abcdefghijk"],
        [f"{c}1.png" for c in "abcdefghijk"],
        [f"{k * 2}.png" for k in range(11)],
    ],
)
def test_poses_that_may_belong_to_other_images_are_an_error_with_both_counts(
    tmp_path: Path, names: list[str]
) -> None:
    write_frames(tmp_path, names, list(range(11)))
    write_poses(tmp_path, range(12))
    with pytest.raises(ValueError, match=r"poses.txt: 12 poses, expected 11, one per image"):
        open_source(tmp_path)


def test_names_with_the_same_numbers_belong_together(tmp_path: Path) -> None:
    for k in range(9, 12):
        write_pair(tmp_path / f"images/color_{k}.png", tmp_path / f"depth/depth_{k:04}.png", k)
    np.savetxt(tmp_path / "K.txt", [[20.0, 0, 7.5], [0, 21.0, 5.5], [0, 0, 1]])
    write_poses(tmp_path, range(9, 12))
    assert seen_numbers(tmp_path) == [9, 10, 11]
    assert open_source(tmp_path).remarks == [
        "Names are matched by their numbers, such as color_9.png and depth_0009.png."
    ]


def test_names_that_have_nothing_in_common_are_an_error(rgbd: Path) -> None:
    for k, path in enumerate(sorted((rgbd / "depth").iterdir())):
        path.rename(path.with_name(f"depth_{'abc'[k]}.png"))
    with pytest.raises(ValueError, match=r"3 files such as depth_a.png whose names do not match"):
        open_source(rgbd)


def test_two_files_of_one_name_are_an_error(rgbd: Path) -> None:
    cv2.imwrite(str(rgbd / "images/00001.jpg"), picture(5))
    with pytest.raises(ValueError, match=r"images: both 00001.jpg and 00001.png"):
        open_source(rgbd)


def test_hidden_files_are_no_pictures_and_others_are_said(rgbd: Path) -> None:
    (rgbd / "images/._00001.png").write_bytes(b"what macOS writes")
    (rgbd / "images/00003.heic").write_bytes(b"x")
    (rgbd / "images/00009.png").mkdir()
    source = open_source(rgbd)
    assert len(source) == 3
    assert source.remarks[0].startswith("images/: 1 files such as 00003.heic are not read")
