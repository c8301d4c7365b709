# SPDX-License-Identifier: Apache-2.0
"""RGB-D folders and TUM sequences become frames, and what does not fit is named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from f4x_ros.io import START_NS
from f4x_ros.io.source import stamps_at_rate
from f4x_ros.sim import open_source

HOLOLENS = Path(__file__).resolve().parents[2] / "shared" / "data" / "hololens"
SIZE = (12, 16)  # height, width


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


def depth_units(seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 99).integers(0, 9000, SIZE).astype(np.uint16)


def write_pair(image: Path, depth: Path, seed: int) -> None:
    image.parent.mkdir(exist_ok=True)
    depth.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(image), picture(seed)[..., ::-1])
    cv2.imwrite(str(depth), depth_units(seed))


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


def test_lost_tracking_is_a_frame_without_pose_and_counted(rgbd: Path) -> None:
    poses = np.loadtxt(rgbd / "poses.txt")
    poses[1] = -np.inf
    np.savetxt(rgbd / "poses.txt", poses)
    source = open_source(rgbd)
    assert [frame.T_map_camera is None for frame in source] == [False, True, False]
    assert source.counts == {"frames_without_pose": 1}


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
        (lambda p: (p / "depth/00001.png").unlink(), "names do not match"),
        (lambda p: (p / "poses.txt").write_text("1 0 0 0\n"), r"poses.txt: 1 x 4 numbers"),
        (lambda p: np.savetxt(p / "poses.txt", np.zeros((2, 16))), "2 poses, expected 3"),
        (lambda p: np.savetxt(p / "poses.txt", np.zeros((3, 16))), "poses.txt line 1 .*rigid"),
        (lambda p: (p / "K.txt").write_text("a b c"), "K.txt: expected rows of numbers"),
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
        ("depth/00001.png", np.zeros((3, 3), np.uint16), r"depth has shape \(3, 3\)"),
        ("images/00001.png", None, "expected a readable PNG or JPEG"),
        ("depth/00001.png", None, "expected a readable 16-bit PNG"),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    rgbd: Path, file: str, data: np.ndarray | None, message: str
) -> None:
    if data is None:
        (rgbd / file).write_bytes(b"no image")
    else:
        cv2.imwrite(str(rgbd / file), data)
    source = open_source(rgbd)
    source[0]
    with pytest.raises(ValueError, match=message):
        source[1]


def test_indices_behave_as_in_a_list(rgbd: Path) -> None:
    source = open_source(rgbd)
    assert np.array_equal(source[-1].rgb, source[2].rgb)
    for wrong in (3, -4):
        with pytest.raises(IndexError, match=f"frame {wrong} .* has 3 frames"):
            source[wrong]


@pytest.mark.parametrize(
    "spec, message",
    [
        ("nowhere", "no such file or folder"),
        (".", "layout not recognised"),
        ("demo:big", "sensor is 'big', expected"),
        ("demos", "no such file or folder.*or a drawn world"),
        ("demo:4x4:1", "width is 4, expected"),
    ],
)
def test_a_source_that_is_none_is_named(
    spec: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        open_source(spec)


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


@pytest.fixture
def tum(tmp_path: Path) -> Path:
    folder = tmp_path / "rgbd_dataset_freiburg3_test"
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
        "frames_without_pose": 0,
    }
    frame = source[1]
    assert np.array_equal(frame.rgb, picture(1))
    assert frame.depth == pytest.approx(depth_units(1) / 5000, abs=1e-6)
    expected = np.array([[0.28, -0.96, 0, 1], [0.96, 0.28, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    assert frame.T_map_camera == pytest.approx(expected, abs=1e-12)


def test_tum_takes_the_published_calibration_of_its_camera(tum: Path) -> None:
    camera = open_source(tum)[0].camera
    assert (camera.fx, camera.cx) == (535.4, 320.6)


def test_tum_calibration_file_wins_and_its_distortion_moves_colour_not_depth(tum: Path) -> None:
    (tum / "calibration.txt").write_text("14 14 7.5 5.5 0.3 0.1 0 0")
    frame = open_source(tum)[0]
    assert frame.camera.fx == 14
    assert not np.array_equal(frame.rgb, picture(0))
    assert frame.depth == pytest.approx(depth_units(0) / 5000, abs=1e-6)


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
        ("groundtruth.txt", "1305031102.08 1 2 3 0 0 x 1", "groundtruth.txt: expected numbers"),
        ("depth.txt", "5.0 depth/0.png", "none of 4 images has a depth image and a pose"),
        ("calibration.txt", "1 2 3", "calibration.txt: 3 numbers, expected 4, 8 or 9"),
    ],
)
def test_a_tum_file_that_does_not_fit_is_named(
    tum: Path, file: str, text: str, message: str
) -> None:
    (tum / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        open_source(tum)


def test_tum_of_an_unknown_camera_asks_for_a_calibration(tum: Path) -> None:
    other = tum.rename(tum.parent / "my_recording")
    with pytest.raises(ValueError, match=r"calibration.txt: missing, expected 'fx fy cx cy"):
        open_source(other)
