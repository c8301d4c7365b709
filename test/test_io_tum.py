# SPDX-License-Identifier: Apache-2.0
"""TUM sequences become frames, however their lists were written; one bad row costs itself."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import cv2
import numpy as np
import pytest
from folder_files import SIZE, depth_units, picture, write_pair

from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io.stamp_units import UNITS, unit_of_images
from f4x_ros.sim import open_source

CALIBRATION = "20 21 7.5 5.5"
START = 1305031102


@pytest.fixture
def tum(tmp_path: Path) -> Path:
    folder = tmp_path / "recording"
    folder.mkdir()
    rgb, depth = ["# color images"], []
    for k in range(4):
        write_pair(folder / f"rgb/{k}.png", folder / f"depth/{k}.png", k)
        rgb.append(f"1305031102.{k}75304000 rgb/{k}.png")
        # The depth of the third image comes 30 ms too late.
        depth.append(f"1305031102.{k}{'85' if k != 2 else '95'}304 depth/{k}.png")
    depth[2] = "1305031102.310000 depth/2.png"
    (folder / "rgb.txt").write_text("\n".join(rgb))
    (folder / "depth.txt").write_text("\n".join(depth) + "\n")
    (folder / "calibration.txt").write_text(CALIBRATION)
    poses = [f"1305031102.{k}8 {k} 2 3 0 0 0.6 0.8" for k in range(3)]
    (folder / "groundtruth.txt").write_text("# tx ty tz qx qy qz qw\n" + "\n".join(poses))
    return folder


def test_tum_pairs_the_nearest_within_20_ms_and_counts_the_rest(tum: Path) -> None:
    source = open_source(tum)
    # Image 2 has no depth, image 3 no pose.
    assert source.stamps_ns.tolist() == [1305031102_075304000, 1305031102_175304000]
    assert source.counts == {
        "images_without_depth": 1,
        "images_without_pose": 1,
        "depth_without_image": 1,
    }
    assert source.left_out.first_ns == {
        "images_without_depth": 1305031102_275304000,
        "images_without_pose": 1305031102_375304000,
    }
    assert source.remarks == []
    frame = source[1]
    assert np.array_equal(frame.rgb, picture(1))
    assert frame.depth == pytest.approx(depth_units(1) / 5000, abs=1e-6)
    expected = np.array([[0.28, -0.96, 0, 1], [0.96, 0.28, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    assert frame.T_map_camera == pytest.approx(expected, abs=1e-12)


def test_tum_takes_the_published_calibration_of_its_camera(tum: Path) -> None:
    (tum / "calibration.txt").unlink()
    for path in [*tum.glob("rgb/*"), *tum.glob("depth/*")]:
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), cv2.resize(pixels, (640, 480), interpolation=cv2.INTER_NEAREST))
    third = tum.rename(tum.parent / "rgbd_dataset_freiburg3_test")
    frame = open_source(third)[0]
    assert (frame.camera.fx, frame.camera.cx) == (535.4, 320.6)
    assert frame.observed is None
    first = open_source(third.rename(tum.parent / "rgbd_dataset_freiburg1_test"))[0]
    assert first.camera.fx == 517.306408
    assert first.observed is not None


def test_a_lens_is_undone_for_colour_and_depth_and_what_it_did_not_see_is_marked(
    tum: Path,
) -> None:
    D = [-0.9, 0.3, 0.01, -0.01]
    (tum / "calibration.txt").write_text(f"{CALIBRATION} {' '.join(map(str, D))}")
    frame = open_source(tum)[0]
    K = np.array([[20, 0, 7.5], [0, 21, 5.5], [0, 0, 1]])
    maps = cv2.initUndistortRectifyMap(K, np.array(D), None, K, SIZE[::-1], cv2.CV_32FC1)
    assert np.array_equal(frame.rgb, cv2.remap(picture(0), *maps, cv2.INTER_LINEAR))
    metres = cv2.remap(depth_units(0), *maps, cv2.INTER_NEAREST) / 5000
    assert frame.observed is None
    assert frame.depth == pytest.approx(metres, abs=1e-6)
    (tum / "calibration.txt").write_text(f"{CALIBRATION} 0.3 0.1 0 0")
    frame = open_source(tum)[0]
    assert frame.observed is not None
    assert frame.depth is not None
    assert 0.1 < 1 - frame.observed.mean() < 0.6
    assert not frame.depth[~frame.observed].any()
    assert frame.depth[frame.observed].all()


def test_tum_without_ground_truth_gives_frames_without_pose(tum: Path) -> None:
    (tum / "groundtruth.txt").unlink()
    source = open_source(tum)
    assert len(source) == 3
    assert source[0].T_map_camera is None
    assert source.counts["frames_without_pose"] == 3


@pytest.mark.parametrize(
    "file, text, message",
    [
        ("rgb.txt", "", "rgb.txt: expected at least one line"),
        ("rgb.txt", "now rgb/0.png", "rgb.txt line 1: 'now rgb/0.png'"),
        ("groundtruth.txt", "1305031102.08 1 2 3", "groundtruth.txt line 1"),
        ("groundtruth.txt", "1305031102.08 1 2 3 0 0 x 1", "groundtruth.txt line 1"),
        (
            "groundtruth.txt",
            "1305031102.08 1 2 3 0 0 0 0",
            "groundtruth.txt line 1: .* of length 1",
        ),
        ("groundtruth.txt", "1305031102.08 1 2 3 0 0 0 nan", "groundtruth.txt line 1"),
        (
            "depth.txt",
            "5.0 depth/0.png",
            "none of 4 images has a depth image and a pose within 0.02 s; rgb.txt has "
            r"1305031102.075304 to .*, depth.txt 5.000000 to 5.000000 s, groundtruth.txt 13",
        ),
        ("rgb.txt", f"{START}.1 rgb/8.png\n{START}.2 rgb/9.png", "rgb.txt line 1: no file .*8.png"),
        ("rgb.txt", "99999999999 rgb/1.png", "rgb.txt line 1: stamp 99999999999 .*year 2262"),
        ("calibration.txt", "1 2 3", "calibration.txt: 3 numbers, expected one of 4, 8, 9, 12"),
        ("calibration.txt", "20 21 x 5.5", "calibration.txt: expected numbers"),
        ("calibration.txt", f"{CALIBRATION} nan 0 0 0", r"calibration.txt: d is \[nan, 0, 0, 0\]"),
        ("calibration.txt", "20 nan 7.5 5.5", "calibration.txt: camera matrix is .*finite"),
        ("calibration.txt", "0 0 0 0", "calibration.txt: camera focal lengths are fx=0"),
        ("calibration.txt", "525 525 319.5 239.5", r"principal point at \(319.5, 239.5\)"),
    ],
)
def test_a_tum_file_that_does_not_fit_is_named(
    tum: Path, file: str, text: str, message: str
) -> None:
    (tum / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        open_source(tum)


def test_tum_of_an_unknown_camera_asks_for_a_calibration(tum: Path) -> None:
    (tum / "calibration.txt").unlink()
    with pytest.raises(ValueError, match=r"calibration.txt: missing, expected 'fx fy cx cy"):
        open_source(tum)


# --- lists as programs write them -----------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Twelve frames, 10 Hz, with equal stamps in all lists; the x of a pose tells its number."""
    lists: dict[str, list[str]] = {"rgb": [], "depth": [], "groundtruth": []}
    for k in range(12):
        write_pair(tmp_path / f"rgb/{k}.png", tmp_path / f"depth/{k}.png", k)
        stamp = f"{START + (k + 5) // 10}.{(k + 5) % 10}00000"
        lists["rgb"].append(f"{stamp} rgb/{k}.png")
        lists["depth"].append(f"{stamp} depth/{k}.png")
        lists["groundtruth"].append(f"{stamp} {k} 0 0 0 0 0.6 0.8")
    for name, rows in lists.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(rows) + "\n")
    (tmp_path / "calibration.txt").write_text(CALIBRATION)
    return tmp_path


def changed(path: Path, change: Callable[[int, list[str]], str]) -> None:
    """Write each row of a list anew from its number and words."""
    rows = path.read_text().splitlines()
    path.write_text("\n".join(change(k, row.split()) for k, row in enumerate(rows)))


def seen_numbers(path: Path) -> list[float]:
    """The x of the poses, after a look at whether colour and depth are of the same frame."""
    numbers = []
    for frame in open_source(path):
        assert frame.T_map_camera is not None
        numbers.append(frame.T_map_camera[0, 3])
        assert frame.T_map_camera[0, 0] == pytest.approx(0.28)
        assert np.array_equal(frame.rgb, picture(int(numbers[-1])))
        assert frame.depth == pytest.approx(depth_units(int(numbers[-1])) / 5000, abs=1e-6)
    return numbers


ALL = list(range(12))


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(" ", "\t").encode(),
        lambda text: text.replace(" ", ",").encode(),
        lambda text: text.replace(" ", " ; ").encode(),
        lambda text: text.replace("\n", "   # a remark\n\n").encode(),
        lambda text: ("# color images\n# file: 'x.bag'\n" + text).encode(),
        lambda text: ("timestamp what follows\n" + text).encode(),
        lambda text: ("# Küche\n" + text).encode("latin-1"),
        lambda text: "\n".join(reversed(text.splitlines())).encode(),
        lambda text: text.replace("/", "\\").encode(),
        lambda text: "\n".join(f"{float(r.split()[0]):.18e} {r.split(' ', 1)[1]}"
                               for r in text.splitlines()).encode(),
    ],
)  # fmt: skip
def test_lists_may_come_from_any_program(plain: Path, write: Callable[[str], bytes]) -> None:
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        (plain / name).write_bytes(write((plain / name).read_text()))
    assert seen_numbers(plain) == ALL
    assert open_source(plain).remarks == []


def test_names_with_blanks_and_further_columns_are_understood(plain: Path) -> None:
    (plain / "rgb/3.png").rename(plain / "rgb/number 3.png")
    changed(plain / "rgb.txt", lambda k, w: f"{w[0]} rgb/number 3.png" if k == 3 else " ".join(w))
    changed(plain / "depth.txt", lambda _, w: f'{w[0]} "{w[1]}" and more')
    assert seen_numbers(plain) == ALL


@pytest.mark.parametrize("file", ["groundtruth.txt", "rgb.txt", "depth.txt"])
@pytest.mark.parametrize("unit, digits", [("milli", 3), ("micro", 6), ("nano", 9)])
def test_other_units_than_seconds_are_recognised_and_said(
    plain: Path, file: str, unit: str, digits: int
) -> None:
    changed(plain / file, lambda _, w: f"{int(Decimal(w[0]) * 10**digits)} {' '.join(w[1:])}")
    assert seen_numbers(plain) == ALL
    source = open_source(plain)
    assert source.stamps_ns[0] == START * 10**9 + 500_000_000
    assert len(source.remarks) == 1
    assert source.remarks[0].startswith(f"{file}: stamps are taken for {unit}seconds, expected sec")


@pytest.mark.parametrize("digits", [3, 6, 9])
def test_units_of_stamps_that_count_from_the_start_are_told_by_what_they_meet(
    plain: Path, digits: int
) -> None:
    for name in ("rgb.txt", "depth.txt"):
        changed(plain / name, lambda _, w: f"{Decimal(w[0]) - START} {w[1]}")
    changed(
        plain / "groundtruth.txt",
        lambda _, w: f"{int((Decimal(w[0]) - START) * 10**digits)} {' '.join(w[1:])}",
    )
    assert seen_numbers(plain) == ALL
    assert "groundtruth.txt: stamps are taken for" in open_source(plain).remarks[0]


@pytest.mark.parametrize(
    "stamps, unit",
    [
        ("1700000000.1 1700000000.2", "seconds"),
        ("1700000000 1700000001 1700000002", "seconds"),
        ("1700000000 1700000060 1700000120", "seconds"),  # a picture a minute
        ("1700000000000 1700000000033", "milliseconds"),
        ("1700000000000000 1700000000033000", "microseconds"),
        ("1700000000000000000 1700000000033000000", "nanoseconds"),
        ("0 0.033 0.067", "seconds"),
        ("0 1 2 3", "seconds"),
        ("0 33 67 100", "milliseconds"),
        ("0 33333 66667", "microseconds"),
        ("0 33333333 66666667", "nanoseconds"),
        ("1000000000 1033333333 1066666667", "nanoseconds"),
        ("5000 5100 5200", "milliseconds"),
        ("12.5 72.5 132.5", "seconds"),
        ("7", "seconds"),
    ],
)
def test_the_unit_of_images_is_told_by_size_and_distance(stamps: str, unit: str) -> None:
    assert unit in UNITS
    assert unit_of_images([Decimal(stamp) for stamp in stamps.split()]) == unit


# --- one bad row ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        "{} nan nan nan nan nan nan nan", "{} 1 0 0 0 0 0 0", "{} 1 0 0 0 0 0.3 0.4",
        "{} 1 0 0 0 0 inf 1", "{} 1 0", "{} lost", "nan 1 0 0 0 0 0.6 0.8", "\0\0\0",
        "-5 1 0 0 0 0 0.6 0.8", "1e999999 1 0 0 0 0 0.6 0.8",
        "99999999999 1 0 0 0 0 0.6 0.8",
    ],
)  # fmt: skip
def test_a_row_without_pose_costs_its_frame_and_is_said(plain: Path, row: str) -> None:
    path = plain / "groundtruth.txt"
    changed(path, lambda k, w: row.format(w[0]) if k in (4, 7) else " ".join(w))
    assert seen_numbers(plain) == [k for k in ALL if k not in (4, 7)]
    source = open_source(plain)
    assert source.counts == {"pose_rows_unusable": 2, "images_without_pose": 2}
    assert source.left_out.first_ns["images_without_pose"] == START * 10**9 + 900_000_000
    assert len(source.remarks) == 1
    assert "groundtruth.txt line 5: " in source.remarks[0]
    assert "2 of 12 rows are left out" in source.remarks[0]


def test_a_bad_row_of_a_dense_track_costs_no_frame(plain: Path) -> None:
    path = plain / "groundtruth.txt"
    rows = path.read_text().splitlines()
    beside = f"{START}.901 4 0 0 0 0 0.6 0.8"
    path.write_text(
        "\n".join([*rows[:4], f"{rows[4].split()[0]} nan 0 0 0 0 0 1", beside, *rows[5:]])
    )
    assert seen_numbers(plain) == ALL
    assert open_source(plain).counts == {"pose_rows_unusable": 1}


@pytest.mark.parametrize("name, reason", [("rgb", "images_missing"), ("depth", "depth_missing")])
def test_a_file_that_is_not_there_costs_its_frame(plain: Path, name: str, reason: str) -> None:
    (plain / f"{name}/5.png").unlink()
    assert seen_numbers(plain) == [k for k in ALL if k != 5]
    source = open_source(plain)
    other = "depth_without_image" if name == "rgb" else "images_without_depth"
    assert source.counts == {reason: 1, other: 1}
    assert f"{name}.txt line 6: no file " in source.remarks[0]


def test_rows_of_a_list_of_files_that_are_not_understood_are_counted(plain: Path) -> None:
    changed(plain / "rgb.txt", lambda k, w: w[0] if k == 3 else " ".join(w))
    assert seen_numbers(plain) == [k for k in ALL if k != 3]
    source = open_source(plain)
    assert source.counts == {"images_of_unusable_rows": 1, "depth_without_image": 1}
    assert "rgb.txt line 4: " in source.remarks[0]


def test_of_rows_with_one_stamp_the_first_is_taken_and_the_others_are_counted(plain: Path) -> None:
    for name in ("rgb", "depth", "groundtruth"):
        path = plain / f"{name}.txt"
        rows = path.read_text().splitlines()
        again = f"{rows[2].split()[0]} {rows[9].split(' ', 1)[1]}"
        path.write_text("\n".join([*rows, again]))
    assert seen_numbers(plain) == ALL
    assert open_source(plain).counts == {
        "images_with_repeated_stamp": 1,
        "poses_with_repeated_stamp": 1,
        "depth_without_image": 1,
    }


def test_quaternions_with_the_real_part_first_are_understood_where_the_title_says_so(
    plain: Path,
) -> None:
    path = plain / "groundtruth.txt"
    changed(path, lambda _, w: ",".join([*w[:4], w[7], *w[4:7], "0", "0", "0"]))
    title = (
        "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], "
    )
    path.write_text(f"# run 3\n{title}q_RS_z []\n{path.read_text()}")
    assert seen_numbers(plain) == ALL
    assert "quaternions are qw qx qy qz" in open_source(plain).remarks[0]


@pytest.mark.parametrize(
    "file, pixels, reason, message",
    [
        ("rgb/5.png", None, "images_unreadable", "not a whole image"),
        ("depth/5.png", None, "depth_unreadable", "not a whole image"),
        ("depth/5.png", np.ones(SIZE, np.uint8), "depth_unreadable", "type uint8 .*5000 per metre"),
        ("rgb/5.png", np.ones((6, 8, 3), np.uint8), "images_of_other_size", "8x6 .*16x12"),
        ("depth/5.png", np.ones((6, 8), np.uint16), "depth_of_other_size", "8x6 .*16x12"),
    ],
)
def test_a_bad_picture_costs_its_frame(
    plain: Path, file: str, pixels: np.ndarray | None, reason: str, message: str
) -> None:
    if pixels is None:
        (plain / file).write_bytes((plain / file).read_bytes()[:60])
    else:
        cv2.imwrite(str(plain / file), pixels)
    source = open_source(plain)
    for index in range(len(source)):
        if index != 5:
            source[index]
    with pytest.raises(BadSampleError, match=f"{file}: .*{message}") as raised:
        source[5]
    assert raised.value.reason == reason


def test_depth_of_another_camera_is_an_error(plain: Path) -> None:
    for path in plain.glob("depth/*"):
        cv2.imwrite(str(path), np.ones((24, 32), np.uint16))
    with pytest.raises(BadInputError, match=r"depth.txt: images of 32x24 pixels, .*have 16x12"):
        open_source(plain)


def test_a_calibration_may_be_a_matrix_and_have_remarks(plain: Path) -> None:
    (plain / "calibration.txt").write_text("# K\r\n20 0 7.5\r\n0, 21, 5.5\r\n0 0 1\r\n")
    camera = open_source(plain)[0].camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (20, 21, 8, 6)
