# SPDX-License-Identifier: Apache-2.0
"""`f4x doctor RECORDING`: what is in there, what is wrong with it, and the command that maps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_messages import (
    SECOND,
    START,
    image,
    info,
    pose,
    recording,
    rgb,
    stamp_of,
    transform,
    with_tf,
    write,
)
from eval_scene import write_folder
from rosbags.rosbag2 import StoragePlugin

from f4x_ros.cli import main as cli
from f4x_ros.io.bag_topics import CAMERA_INFO, IMAGE, POSE_STAMPED, TF
from f4x_ros.io.survey import timing
from f4x_ros.viz.video import VideoWriter

FRAMES = 12


def doctor(capsys: pytest.CaptureFixture[str], path: Path, *flags: str) -> tuple[int, str]:
    code = cli.main(["doctor", str(path), *flags])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert code in (0, 1), said.err
    return code, said.out


def problems(text: str) -> list[str]:
    """The lines below "What is wrong"."""
    lines = text.partition("What is wrong\n\n")[2].partition("\n\n")[0].splitlines()
    return [line.removeprefix("  - ") for line in lines]


def row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(name))


def test_a_good_bag_is_listed_with_the_command_that_maps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = with_tf(recording(FRAMES), FRAMES)
    bag = write(tmp_path / "bag", messages)
    code, text = doctor(capsys, bag)
    assert code == 0
    assert problems(text) == []
    for words in (IMAGE, "12 ", "10.0 Hz", "1600000000.000 to 1600000001.100", "8x6 rgb8"):
        assert words in row(text, "/cam/color/image_raw")
    assert "8x6 16UC1" in row(text, "/cam/depth/image_rect_raw")
    assert "10.00 11.00 3.50 2.50" in text
    assert "static" in row(text, "camera_optical ")
    assert "10.0 Hz" in row(text, "base ")
    assert "map -> base -> camera_optical" in row(text, "pose ")
    assert "8x6 rgb8, 10.0 Hz; with camera_info" in row(text, "camera ")
    assert text.endswith(f"12 frames can be mapped:\n\n  f4x run {bag}\n")
    code, text = doctor(capsys, bag, "--pose-topic", "tf", "--fixed-frame", "base")
    assert text.endswith(f"f4x run {bag} --pose-topic tf --fixed-frame base\n")


def test_a_lone_file_of_a_bag_is_looked_into_and_told_by_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write(tmp_path / "bag", with_tf(recording(FRAMES), FRAMES))
    (bag / "metadata.yaml").unlink()
    flags = ("--image-topic", "/cam/color/image_raw")
    for path in (bag, next(bag.glob("*.mcap"))):
        code, text = doctor(capsys, path, *flags)
        assert code == 0
        assert text.endswith(f"f4x run {path} {' '.join(flags)}\n")


def _spoilt() -> dict[str, tuple[list[Any], str]]:
    """By fault: messages, and the line that says it."""
    good = with_tf(recording(FRAMES), FRAMES)
    color = "/cam/color/image_raw"

    def at(index: int) -> int:
        return next(i for i, m in enumerate(good) if m[0] == color and m[2] > stamp_of(index))

    zero_stamps = [*good]
    zero_stamps[at(3)] = (color, IMAGE, good[at(3)][2], image(0, "rgb8", rgb(3)))
    gap = [m for m in good if not (m[0] == color and stamp_of(5) < m[2] < stamp_of(9))]
    bad_d = [
        (t, k, a, info(stamp_of(0), d=np.array([0, 0, np.nan, 0, 0])) if k == CAMERA_INFO else m)
        for t, k, a, m in good
    ]
    no_k = [
        (t, k, a, info(stamp_of(0), k=np.zeros(9), p=np.zeros(12)) if k == CAMERA_INFO else m)
        for t, k, a, m in good
    ]
    parents = [*good, ("/tf", TF, START, transform(START, "odom", "base", 1.0))]
    zero = transform(START, "base", "gripper", 1.0)
    zero.transforms[0].transform.rotation.w = 0.0
    strange = [
        (t, k, a, image(a, "32FC3", np.zeros((6, 8, 3), np.float32)) if t == color else m)
        for t, k, a, m in good
    ]
    goal = [*recording(FRAMES), ("/goal_pose", POSE_STAMPED, START, pose(START, 0.0))]
    depthless = [m for m in good if "depth" not in m[0]]
    return {
        "zero stamps": (zero_stamps, f"{color}: 1 of 12 stamps are 0"),
        "gap": (gap, f"{color}: 1 gap, the longest 0.5 s after 1600000000.400 s (expected 0.1 s)"),
        "d": (bad_d, "/cam/color/camera_info: d has nan, expected finite numbers"),
        "k": (no_k, "/cam/color/camera_info: focal lengths are 0 and 0, expected above 0"),
        "parents": (parents, "frame base has 2 parents, expected one: map, odom"),
        "quaternion": (
            [*good, ("/tf_static", TF, START, zero)],
            "transform base -> gripper: 1 of 1 samples are quaternions of zeros",
        ),
        "encoding": (strange, f"{color}: encoding '32FC3' is read neither as colour nor as depth"),
        "goal": (goal, "nothing here could be the camera's pose"),
        "depth": (depthless, "no topic has depth pictures"),
    }


@pytest.mark.parametrize("fault", _spoilt())
def test_what_is_wrong_stands_in_one_line(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages, line = _spoilt()[fault]
    _, text = doctor(capsys, write(tmp_path / "bag", messages))
    assert [found for found in problems(text) if found.startswith(line)], problems(text)


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_damaged_bag_is_no_traceback(
    storage: StoragePlugin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write(tmp_path / "bag", with_tf(recording(FRAMES), FRAMES), storage)
    file = next(path for path in bag.iterdir() if path.suffix in (".mcap", ".db3"))
    whole = file.read_bytes()
    damaged = [whole[: len(whole) * share // 8] for share in range(8)]
    noise = np.random.default_rng(0).integers(0, 256, 600, np.uint8).tobytes()
    damaged += [
        whole[: len(whole) * share // 8] + noise + whole[len(whole) * share // 8 + 600 :]
        for share in range(8)
    ]
    for content in damaged:
        file.write_bytes(content)
        code, text = doctor(capsys, bag)
        assert code == 0 or problems(text)


# --- folders -------------------------------------------------------------------------------------


def test_a_folder_is_listed_with_what_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "small", 6)
    code, text = doctor(capsys, folder)
    assert (code, problems(text)) == (0, [])
    assert "64x48 uint8 x3" in row(text, "images/")
    assert "64x48 uint16 x1" in row(text, "depth/")
    assert text.endswith(f"6 frames can be mapped:\n\n  f4x run {folder}\n")
    cv2.imwrite(str(folder / "images" / "001.png"), np.zeros((3, 4, 3), np.uint8))
    (folder / "images" / "003.png").write_bytes(b"no picture")
    (folder / "depth" / "005.png").unlink()
    poses = (folder / "poses.txt").read_text().splitlines()
    (folder / "poses.txt").write_text("\n".join([*poses[:2], " ".join(["nan"] * 16), *poses[3:5]]))
    _, text = doctor(capsys, folder)
    found = "\n".join(problems(text))
    assert "images/: 1 of 6 pictures looked at cannot be read: 003.png" in found
    assert "images/: pictures of several sizes or types: 4 of 64x48 uint8 x3, 1 of 4x3" in found
    assert "no depth for 1 of 6 images: 005" in found
    assert "poses.txt: 1 of 5 rows have what is no finite number, the first is row 3" in found
    assert "poses.txt: 5 rows, expected 6, one per image" in found


def test_a_tum_sequence_is_listed_with_what_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "small", 6)
    (folder / "K.txt").unlink()
    (folder / "calibration.txt").write_text("60 60 31.5 23.5\n")
    stamps = [f"{1_700_000_000 + index / 10:.1f}" for index in range(6)]
    for name, inside in (("rgb", "images"), ("depth", "depth")):
        lines = [f"{stamp} {inside}/{index:03}.png" for index, stamp in enumerate(stamps)]
        (folder / f"{name}.txt").write_text("\n".join(lines))
    poses = [f"{stamp} 0 0 0 0 0 0 1" for stamp in stamps]
    (folder / "groundtruth.txt").write_text("\n".join(poses))
    code, text = doctor(capsys, folder)
    assert (code, problems(text)) == (0, [])
    for words in ("6 ", "10.0 Hz", "1700000000.000 to 1700000000.500", "6 of 6 there"):
        assert words in row(text, "rgb.txt")
    (folder / "depth" / "002.png").unlink()
    poses[1] = f"{stamps[1]} nan nan nan nan nan nan nan"
    (folder / "groundtruth.txt").write_text("\n".join(poses))
    found = "\n".join(problems(doctor(capsys, folder)[1]))
    assert "depth.txt: 1 of 6 files are missing: depth/002.png" in found
    assert "1 of 6 rows have no pose of 7 finite numbers, the first at 1700000000.1" in found


def test_pictures_with_masks_are_listed_and_mapped_by_motion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, pixel in (("images", (9, 9, 9)), ("masks", 255)):
        (tmp_path / name).mkdir()
        shape = (6, 8, 3) if name == "images" else (6, 8)
        cv2.imwrite(str(tmp_path / name / "0.png"), np.full(shape, pixel, np.uint8))
    code, text = doctor(capsys, tmp_path)
    assert code == 0
    assert "Colour alone: f4x run finds poses and depth by the camera's motion." in text
    assert "1 frames can be mapped" in text


def test_a_video_and_pictures_alone_are_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((6, 8, 3), 40 * index, np.uint8))
    code, text = doctor(capsys, tmp_path)
    assert code == 0
    assert "pictures alone" in text
    assert "3 frames can be mapped" in text
    clip = tmp_path / "clip.mp4"
    with VideoWriter(clip, (32, 24), 10.0) as writer:
        for index in range(4):
            writer.write(np.full((24, 32, 3), 40 * index, np.uint8))
    code, text = doctor(capsys, clip)
    assert code == 0
    assert "4 frames can be mapped" in text
    assert "is guessed" in text


def test_what_is_no_recording_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        assert cli.main(["doctor", str(path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(path) in line
    assert cli.main(["doctor", "--image-topic", "/image"]) == 2
    assert "expected a recording with it" in capsys.readouterr().err


def test_times_are_told_whatever_their_order() -> None:
    stamps = [5 * SECOND, 0, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND, 30 * SECOND, 30 * SECOND]
    times = timing(stamps)
    assert (times.count, times.zeros, times.back) == (8, 1, 2)
    assert (times.first_ns, times.last_ns) == (SECOND, 30 * SECOND)
    assert times.gaps == ((5 * SECOND, 25 * SECOND),)
    assert times.rate_hz == pytest.approx(6 / 29)
    assert timing([]).count == timing([7]).rate_hz == 0
    assert timing([0, 0]).first_ns == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_from_any_editor_are_nothing_wrong(
    encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, pixels in (
        ("rgb", np.zeros((6, 8, 3), np.uint8)),
        ("depth", np.full((6, 8), 5000, "u2")),
    ):
        (tmp_path / kind).mkdir()
        rows = ["timestamp,file"]
        for k in range(3):
            cv2.imwrite(str(tmp_path / kind / f"{k}.png"), pixels)
            rows.append(f"{1600000000 + k / 10:.6f},{kind}/{k}.png")
        (tmp_path / f"{kind}.txt").write_text("\r\n".join(rows), encoding=encoding)
    poses = [f"{1600000000 + k / 10:.6f};0;0;{k};0;0;0;1" for k in range(3)]
    (tmp_path / "groundtruth.txt").write_text("\n".join(poses), encoding=encoding)
    (tmp_path / "calibration.txt").write_text("10 10 3.5 2.5")
    code, text = doctor(capsys, tmp_path)
    assert (code, problems(text)) == (0, [])
    assert "3 frames can be mapped" in text


def test_what_came_twice_leaves_no_gap() -> None:
    assert not timing([5, 5, 15, 15, 25, 25]).gaps
    assert timing([5, 5, 15, 15, 25, 25, 85, 85]).gaps == ((25, 60),)
