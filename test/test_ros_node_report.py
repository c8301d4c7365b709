# SPDX-License-Identifier: Apache-2.0
"""The report of a running node, and disks and folders that do not take it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ros_harness import (
    Robot,
    running,
)
from sensor_msgs.msg import Image

from f4x_ros.ros.client import PerceptionClient


def test_a_report_is_left_when_it_is_deactivated(
    client: PerceptionClient, robot: Robot, tmp_path: Path
) -> None:
    folder = tmp_path / "report"
    with running(client, report__dir=str(folder), report__holdout_every=3) as run:
        run.client.start()
        robot.wait_until_heard()
        for i in range(7):
            robot.send(i)
        run.counted("processed", 7)
        robot.send(5)  # late
        run.counted("dropped.late")
        run.client.change_state("deactivate")
    report = json.loads((folder / "report.json").read_text())
    assert (report["frames"], report["frames_heldout"], report["frames_dropped"]) == (7, 2, 0)
    assert report["left_out"] == {"late": 1}
    assert report["psnr_heldout_db"] > 10
    assert (folder / "map.ply").exists()


def test_each_report_says_what_was_left_out_while_it_was_open(
    client: PerceptionClient, robot: Robot, tmp_path: Path
) -> None:
    def late(message: Image) -> None:
        message.header.stamp.nanosec += 40_000_000

    with running(client, report__dir=str(tmp_path)) as run:
        client.change_state("configure")
        for first, lonely in ((0, 2), (100, 0)):
            client.change_state("activate")
            robot.wait_until_heard()
            for i in range(3):
                robot.send(first + i)
            run.counted("processed", 3 if first == 0 else 6)
            for i in range(lonely):
                robot.send(first + 3 + i, depth=late)
            for topic in ("image", "depth/image"):
                run.counted(f"received.{topic}", 5 if first == 0 else 8)
            client.change_state("deactivate")
            report = json.loads((tmp_path / "report.json").read_text())
            assert report["frames_dropped"] == 0  # (a reader of recordings leaves them out, too)
            if lonely:  # one of the depth images was still waiting for an image
                assert report["left_out"] == {"images_without_depth": 2, "depth_without_image": 2}
            else:
                assert report["left_out"] == {}


def test_a_folder_that_cannot_be_written_is_named(
    client: PerceptionClient, robot: Robot, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with running(client, report__dir=str(tmp_path / "file" / "report")) as run:
        with pytest.raises(RuntimeError, match=r"cannot configure: .*'report.dir' is .*is a file"):
            run.client.change_state("configure")
        assert run.client.state() == "unconfigured"


def test_a_disk_that_fills_up_ends_the_report_and_not_the_map(
    client: PerceptionClient, robot: Robot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from f4x_ros.eval.subjects.run_recorder import RunRecorder

    def full(self: Any, frame: Any, **options: Any) -> Any:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr(RunRecorder, "process", full)
    with running(client, report__dir=str(tmp_path / "report")) as run:
        run.client.start()
        robot.wait_until_heard()
        robot.send(0)
        run.counted("dropped.failed")
        robot.send(1)
        run.counted("processed")
        assert "No space left" in run.client.values()["problem.report"]
    assert list((tmp_path / "report").iterdir()) == []
