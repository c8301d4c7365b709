# SPDX-License-Identifier: Apache-2.0
"""RGB-D folders become frames; what does not fit is named, one bad sample costs itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from folder_files import SIZE, depth_units, picture, write_pair

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io import START_NS
from f4x_ros.io.source import stamps_at_rate
from f4x_ros.sim import open_source

HOLOLENS = Path(__file__).resolve().parents[2] / "shared" / "data" / "hololens"


@pytest.fixture
def rgbd(tmp_path: Path) -> Path:
    poses = []
    for k in range(3):
        write_pair(tmp_path / f"images/{k:05d}.png", tmp_path / f"depth/{k:05d}.png", k)
        pose = np.eye(4)
        pose[0, 3] = k
        poses.append(pose.reshape(-1))
    np.savetxt(tmp_path / "poses.txt", poses)
    np.savetxt(tmp_path / "K.txt", [[20.0, 0, 7.5], [0, 21.0, 5.5], [0, 0, 1]])
    return tmp_path


def test_rgbd_folder_gives_colour_depth_pose_and_stamps_at_10_hz(rgbd: Path) -> None:
    source = open_source(rgbd)
    assert len(source) == 3
    for k, frame in enumerate(source):
        assert np.array_equal(frame.rgb, picture(k))
        assert frame.depth == pytest.approx(depth_units(k) / 1000, abs=1e-6)
        assert frame.T_map_camera is not None
        assert frame.T_map_camera[0, 3] == k
        assert frame.stamp_ns == START_NS + k * 100_000_000


def test_k_with_pixel_centres_at_integers_gains_half_a_pixel(rgbd: Path) -> None:
    camera = open_source(rgbd)[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (20.0, 21.0, 8.0, 6.0)


def test_rate_sets_the_stamps(rgbd: Path) -> None:
    stamps = open_source(rgbd, rate_hz=4).stamps_ns
    assert np.diff(stamps).tolist() == [250_000_000] * 2
    with pytest.raises(ValueError, match="rate_hz is 0"):
        stamps_at_rate(3, 0)


def test_rounded_rotations_are_made_orthonormal(rgbd: Path) -> None:
    pose = np.eye(4)
    pose[:2, :2] = [[0.866, -0.5], [0.5, 0.866]]
    np.savetxt(rgbd / "poses.txt", [pose.reshape(-1)] * 3)
    rotation = open_source(rgbd)[0].T_map_camera[:3, :3]  # type: ignore[index]
    assert np.abs(rotation @ rotation.T - np.eye(3)).max() < 1e-15
    assert np.abs(rotation - pose[:3, :3]).max() < 1e-3


def test_lost_tracking_costs_its_frame_and_is_counted_with_its_stamp(rgbd: Path) -> None:
    poses = np.loadtxt(rgbd / "poses.txt")
    poses[1] = -np.inf
    np.savetxt(rgbd / "poses.txt", poses)
    source = open_source(rgbd)
    assert [frame.T_map_camera[0, 3] for frame in source] == [0, 2]  # type: ignore[index]
    assert source.stamps_ns.tolist() == [START_NS, START_NS + 200_000_000]
    assert source.counts == {"images_without_pose": 1}
    assert source.left_out.first_ns == {"images_without_pose": START_NS + 100_000_000}
    assert "poses.txt: 1 of 3 rows are not finite, the first in line 2" in source.remarks[0]


def test_depth_and_poses_are_optional(rgbd: Path) -> None:
    (rgbd / "poses.txt").unlink()
    for path in (rgbd / "depth").iterdir():
        path.unlink()
    (rgbd / "depth").rmdir()
    source = open_source(rgbd)
    assert source[0].depth is None
    assert source[0].T_map_camera is None
    assert source.counts == {"frames_without_pose": 3}


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda p: (p / "poses.txt").write_text("1 0 0 0\n"), r"poses.txt: 1 x 4 numbers"),
        (lambda p: np.savetxt(p / "poses.txt", np.zeros((2, 16))), "2 poses, expected 3"),
        (lambda p: np.savetxt(p / "poses.txt", np.zeros((3, 16))), "poses.txt line 1 .*rigid"),
        (lambda p: (p / "K.txt").write_text("a b c"), "K.txt line 1: 'a b c', expected numbers"),
        (lambda p: (p / "K.txt").write_text("1 2 3\n4 5 6"), "2 x 3 numbers, expected 3 rows of 3"),
        (lambda p: [f.unlink() for f in (p / "images").iterdir()], "found none"),
    ],
)
def test_a_folder_that_does_not_fit_is_named(rgbd: Path, spoil: object, message: str) -> None:
    spoil(rgbd)  # type: ignore[operator]
    with pytest.raises(ValueError, match=message):
        open_source(rgbd)


@pytest.mark.parametrize(
    "file, data, message",
    [
        ("depth/00001.png", np.zeros(SIZE, np.uint8), "type uint8 .* expected uint16"),
        ("depth/00001.png", np.zeros((*SIZE, 3), np.uint16), "type uint16 with 3 channels"),
        ("depth/00001.png", np.zeros((3, 3), np.uint16), "3x3 pixels, expected 16x12"),
        ("images/00001.png", np.zeros((6, 8, 3), np.uint8), "8x6 pixels, expected 16x12"),
        ("images/00001.png", None, "not a whole image, expected a readable image"),
        ("depth/00001.png", None, "not a whole image, expected a readable 16-bit PNG"),
    ],
)
def test_a_file_that_does_not_fit_is_named_and_costs_its_frame(
    rgbd: Path, file: str, data: np.ndarray | None, message: str
) -> None:
    if data is None:
        (rgbd / file).write_bytes(b"no image")
    else:
        cv2.imwrite(str(rgbd / file), data)
    source = open_source(rgbd)
    assert (source[0].stamp_ns, source[2].stamp_ns) == (START_NS, START_NS + 200_000_000)
    with pytest.raises(BadSampleError, match=rf"{file}: .*{message}") as raised:
        source[1]
    kind = "size" if "pixels" in message else "unreadable"
    name = file.split("/")[0]
    assert raised.value.reason == f"{name}_{'of_other_size' if kind == 'size' else kind}"


def test_indices_behave_as_in_a_list(rgbd: Path) -> None:
    source = open_source(rgbd)
    assert np.array_equal(source[-1].rgb, source[2].rgb)
    for wrong in (3, -4):
        with pytest.raises(IndexError, match=f"frame {wrong} .* has 3 frames"):
            source[wrong]


def test_an_unknown_option_is_named_with_those_there_are(rgbd: Path) -> None:
    with pytest.raises(ValueError, match=r"option 'speed' of RgbdFolder, expected .*'rate_hz'"):
        open_source(rgbd, speed=3)


def test_demo_is_described_by_its_spec(tmp_path: Path) -> None:
    source = open_source("demo:64x48:7", cache=tmp_path, seed=2)
    assert (len(source), source[0].rgb.shape) == (7, (48, 64, 3))


@pytest.mark.skipif(not HOLOLENS.is_dir(), reason=f"needs the recording {HOLOLENS}")
def test_hololens_recording_is_read_and_its_depth_is_consistent() -> None:
    source = open_source(HOLOLENS)
    assert len(source) == 160
    a, b = source[40], source[41]
    assert a.rgb.shape == (360, 540, 3)
    assert a.depth is not None
    assert b.depth is not None
    assert 0.4 < (a.depth > 0).mean() < 0.8
    T_b_a = np.linalg.inv(b.T_map_camera) @ a.T_map_camera
    points = a.camera.unproject(a.depth)[a.depth > 0] @ T_b_a[:3, :3].T + T_b_a[:3, 3]
    u, v = np.nan_to_num(b.camera.project(points), nan=-1).T
    inside = (u > 0) & (u < 540) & (v > 0) & (v < 360)
    seen = b.depth[v[inside].astype(int), u[inside].astype(int)]
    error = np.abs(seen - points[inside, 2])[seen > 0]
    assert np.median(error) < 0.02


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


# --- K.txt and poses.txt --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(" ", "\t").encode(),
        lambda text: text.replace(" ", ", ").encode(),
        lambda text: ("# a title\n\n" + text + "\n\n").encode(),
    ],
)
def test_text_may_come_from_any_editor(rgbd: Path, write: Callable[[str], bytes]) -> None:
    for name in ("K.txt", "poses.txt"):
        (rgbd / name).write_bytes(write((rgbd / name).read_text()))
    source = open_source(rgbd)
    assert [frame.T_map_camera[0, 3] for frame in source] == [0, 1, 2]  # type: ignore[index]
    assert source[0].camera.fx == 20


@pytest.mark.parametrize(
    "K, message",
    [
        ([[np.nan, 0, 7.5], [0, 21, 5.5], [0, 0, 1]], "the matrix is .nan, .*expected finite"),
        (np.zeros((3, 3)), "focal lengths are fx=0.0"),
        ([[20, 0, 640], [0, 21, 360], [0, 0, 1]], r"principal point at \(640, 360\)"),
        ([[20, 0, 0], [0, 21, 0], [7.5, 5.5, 1]], r"last row \[7.5, 5.5, 1\], expected 0 0 1"),
        ([[1.2, 0, 0.5], [0, 1.1, 0.5], [0, 0, 1]], None),
        ([[0.5, 0, 0.5], [0, 0.4, 0.5], [0, 0, 1]], "focal lengths 0.5 and 0.4, expected 0.8"),
    ],
)
def test_a_k_that_cannot_be_of_these_pictures_is_an_error(
    rgbd: Path, K: Any, message: str | None
) -> None:
    np.savetxt(rgbd / "K.txt", K)
    if message is None:
        assert "(0.5, 0.5), not near the middle of 16x12" in open_source(rgbd).remarks[0]
        return
    with pytest.raises(BadInputError, match=f"K.txt: .*{message}"):
        open_source(rgbd)


def spoil_pose(rgbd: Path, row: int, matrix: Any) -> None:
    poses = np.loadtxt(rgbd / "poses.txt")
    poses[row] = np.reshape(matrix, -1)
    np.savetxt(rgbd / "poses.txt", poses)


@pytest.mark.parametrize(
    "matrix, message",
    [
        (np.diag([2, 2, 2, 1.0]), "its rotation is scaled by 2, expected"),
        (np.diag([1, 1, -1, 1.0]), r"it is mirrored \(determinant -1\)"),
        (np.diag([1, 2, 1, 1.0]), "its rotation is off by 3"),
        (np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 2, 3, 1.0]]), "has last row"),
    ],
)
def test_what_is_no_pose_is_named_and_costs_its_frame(
    rgbd: Path, matrix: np.ndarray, message: str
) -> None:
    spoil_pose(rgbd, 1, matrix)
    source = open_source(rgbd)
    assert len(source) == 2
    assert source.counts == {"images_without_pose": 1}
    assert re.search(rf"1 of 3 rows are no pose, .*poses.txt line 2 .*{message}", source.remarks[0])
    # More than half of them like that are no bad rows.
    spoil_pose(rgbd, 2, matrix)
    with pytest.raises(BadInputError, match=rf"poses.txt line 2 .*{message}"):
        open_source(rgbd)


def test_a_row_that_is_not_as_long_as_the_others_costs_its_frame(rgbd: Path) -> None:
    lines = (rgbd / "poses.txt").read_text().splitlines()
    (rgbd / "poses.txt").write_text("\n".join([lines[0], "lost", lines[2]]))
    source = open_source(rgbd)
    assert [frame.T_map_camera[0, 3] for frame in source] == [0, 2]  # type: ignore[index]
    assert "poses.txt line 2: 'lost', expected 16 numbers" in source.remarks[0]


def test_poses_may_lack_their_last_row(rgbd: Path) -> None:
    poses = np.loadtxt(rgbd / "poses.txt")
    np.savetxt(rgbd / "poses.txt", poses[:, :12])
    pose = open_source(rgbd)[2].T_map_camera
    assert pose is not None
    assert np.array_equal(pose.reshape(-1), poses[2])


def test_poses_of_which_none_is_known_are_an_error(rgbd: Path) -> None:
    np.savetxt(rgbd / "poses.txt", np.full((3, 16), np.nan))
    with pytest.raises(BadInputError, match=r"poses.txt: none of 3 rows is finite"):
        open_source(rgbd)
