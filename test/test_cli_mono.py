# SPDX-License-Identifier: Apache-2.0
"""f4x run on videos and on folders without depth."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_runs import QUICKLY, refused
from odometry_room import OdometryRoom, pose_at

from f4x_ros.cli import main as cli
from f4x_ros.core.data import PinholeCamera
from f4x_ros.eval.subjects.run_recorder import FILES, TRAJECTORY
from f4x_ros.viz.video import VideoWriter

FOCAL = 280.0
ROOM = OdometryRoom(PinholeCamera(320, 240, FOCAL, FOCAL, 160.0, 120.0), noise=1.0)
FOV = str(math.degrees(2 * math.atan(160 / FOCAL)))
WALK = [pose_at(0.05 * i, turn_deg=i) for i in range(14)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk of 65 cm."""
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    with VideoWriter(path, (320, 240), 10.0) as writer:
        for index, pose in enumerate(WALK):
            writer.write(ROOM.frame(index, pose).rgb)
    return path


def run(source: Path, out: Path, *more: str) -> dict[str, object]:
    assert cli.main(["run", str(source), "--out", str(out), *QUICKLY, *more]) == 0
    report: dict[str, object] = json.loads((out / "report.json").read_text())
    return report


def test_a_video_becomes_a_map_up_to_scale(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = run(clip, out, "--fov", FOV)
    assert {path.name for path in out.iterdir()} == {*FILES, TRAJECTORY}
    assert (report["pose_source"], report["depth_source"]) == ("odometry", "motion")
    assert report["scale_known"] is False
    left_out = report["left_out"]
    assert isinstance(left_out, dict)
    assert set(left_out) == {"frames_before_depth"}
    assert left_out["frames_before_depth"] + report["frames"] == len(WALK)  # type: ignore[operator]
    assert 1 <= left_out["frames_before_depth"] <= 6
    assert (report["lost_frames"], report["still_frames"]) == (0, 0)
    remarks = " ".join(report["remarks"])  # type: ignore[arg-type]
    assert "depth.source=motion pose.source=odometry is taken" in remarks
    assert "up to scale" in remarks
    assert "guessed" not in remarks
    assert report["gaussians"] > 300  # type: ignore[operator]


def test_a_still_video_runs_to_its_end_and_says_what_was_assumed(tmp_path: Path) -> None:
    path = tmp_path / "still.mp4"
    with VideoWriter(path, (320, 240), 10.0) as writer:
        for index in range(8):
            writer.write(ROOM.frame(index, pose_at(0)).rgb)
    report = run(path, tmp_path / "out", "--set", "depth.still_s=0.2")
    assert (report["lost_frames"], report["still_frames"], report["frames"]) == (0, 6, 6)
    remarks = " ".join(report["remarks"])  # type: ignore[arg-type]
    assert "nearly still, not lost, in 6 frames" in remarks
    assert "60 degrees is guessed" in remarks


def test_given_poses_give_depth_in_metres(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for index, pose in enumerate(WALK):
        frame = ROOM.frame(index, pose)
        cv2.imwrite(str(tmp_path / "images" / f"{index:03}.png"), frame.rgb)
    np.savetxt(tmp_path / "poses.txt", np.reshape(WALK, (len(WALK), 16)))
    np.savetxt(tmp_path / "K.txt", ROOM.camera.to_opencv_K())
    out = tmp_path / "out"
    report = run(tmp_path, out, "--set", "depth.source=motion")
    assert (report["pose_source"], report["depth_source"]) == ("given", "motion")
    assert report["scale_known"] is True
    assert "ate_rmse_m" not in report
    assert report["frames"] == len(WALK) - 1
    capture = cv2.VideoCapture(str(out / "overlay.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == len(WALK) - 1


def test_without_the_option_the_message_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "images").mkdir()
    for index in range(2):
        rgb = ROOM.frame(index, WALK[index]).rgb
        cv2.imwrite(str(tmp_path / "images" / f"{index}.png"), rgb)
    np.savetxt(tmp_path / "poses.txt", np.reshape(WALK[:2], (2, 16)))
    np.savetxt(tmp_path / "K.txt", ROOM.camera.to_opencv_K())
    said = refused(capsys, "run", str(tmp_path), "--out", str(tmp_path / "out"), *QUICKLY)
    assert "frames without depth" in said
    assert "depth.source=motion" in said


def test_an_angle_that_cannot_be_is_refused_before_anything_is_loaded(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "run", str(clip), "--fov", "500")
    assert said == "f4x: fov is 500, expected 1 to 170 degrees, or 0"
