# SPDX-License-Identifier: Apache-2.0
"""f4x run on a folder with few poses or none: refused by default, mapped with the option."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_runs import QUICKLY, refused
from odometry_room import OdometryRoom, pose_at

from f4x_ros.cli import main as cli
from f4x_ros.eval.subjects.run_recorder import FILES, TRAJECTORY

FRAMES = 9
ODOMETRY = ["--set", "pose.source=odometry"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk of 16 cm through the room, with poses.txt."""
    folder, room, poses = tmp_path_factory.mktemp("walk"), OdometryRoom(noise=1.0), []
    for name in ("images", "depth"):
        (folder / name).mkdir()
    for i in range(FRAMES):
        poses.append(pose_at(0.02 * i, turn_deg=i))
        frame = room.frame(i, poses[-1])
        assert frame.depth is not None
        cv2.imwrite(str(folder / "images" / f"{i:03}.png"), frame.rgb)
        depth = (frame.depth * 1000).round().astype(np.uint16)
        cv2.imwrite(str(folder / "depth" / f"{i:03}.png"), depth)
    np.savetxt(folder / "poses.txt", np.reshape(poses, (FRAMES, 16)))
    np.savetxt(folder / "K.txt", room.camera.to_opencv_K())
    return folder


def run(folder: Path, out: Path, *more: str) -> dict[str, object]:
    assert cli.main(["run", str(folder), "--out", str(out), *QUICKLY, *more]) == 0
    report: dict[str, object] = json.loads((out / "report.json").read_text())
    return report


def test_the_estimated_path_is_compared_with_the_given_one(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = run(folder, out, *ODOMETRY)
    assert {path.name for path in out.iterdir()} == {*FILES, TRAJECTORY}
    assert report["pose_source"] == "odometry"
    assert 0 < report["ate_rmse_m"] < 0.01  # type: ignore[operator]
    assert report["ate_aligned_rmse_m"] <= report["ate_rmse_m"]  # type: ignore[operator]
    assert report["path_m"] == pytest.approx(0.16)
    assert (report["lost_frames"], report["frames"]) == (0, FRAMES)
    again = run(folder, out)  # given poses: the picture of the other run does not stay
    assert {path.name for path in out.iterdir()} == {*FILES}
    assert again["pose_source"] == "given"
    assert "ate_rmse_m" not in again


def test_without_poses_it_is_mapped_with_the_option_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poses = (folder / "poses.txt").rename(tmp_path / "poses.txt")
    try:
        out = str(tmp_path / "none")
        said = refused(capsys, "run", str(folder), "--out", out, *QUICKLY)
        assert "pose.source=odometry" in said
        report = run(folder, tmp_path / "out", *ODOMETRY)
    finally:
        poses.rename(folder / "poses.txt")
    assert (report["frames"], report["ate_rmse_m"], report["path_m"]) == (FRAMES, None, None)
    assert (tmp_path / "out" / TRAJECTORY).exists()
