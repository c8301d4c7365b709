# SPDX-License-Identifier: Apache-2.0
"""RGB-D folders become frames; what does not fit is named, one bad sample costs itself."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from folder_files import SIZE, depth_units, picture, write_rgbd

from f4x_ros.core.errors import BadSampleError
from f4x_ros.io import START_NS
from f4x_ros.io.source import stamps_at_rate
from f4x_ros.sim import open_source

HOLOLENS = Path(__file__).resolve().parents[2] / "shared" / "data" / "hololens"


@pytest.fixture
def rgbd(tmp_path: Path) -> Path:
    return write_rgbd(tmp_path)


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
