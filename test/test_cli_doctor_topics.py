# SPDX-License-Identifier: Apache-2.0
"""`f4x doctor --topics`: what a running system publishes and how the node would use it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ros_harness import PATIENCE_S, write_recording


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "f4x_ros.cli.main", "doctor", "--topics", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A camera that goes on and on under other names than the node's."""
    words = ["--ros-args", "-p", f"source:={write_recording(tmp_path, 8)}", "-p", "loop:=true"]
    for name, new in (
        ("image", "/cam/color/image_raw"),
        ("camera_info", "/cam/color/camera_info"),
        ("depth/image", "/cam/depth/image_rect"),
    ):
        words += ["-r", f"{name}:={new}"]
    with subprocess.Popen(
        [sys.executable, "-m", "f4x_ros.ros.camera", *words], stderr=subprocess.DEVNULL
    ) as started:
        yield started
        started.kill()


def test_live_topics_are_listed_with_the_command_that_starts_the_node(
    camera: subprocess.Popen[bytes],
) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        done = doctor("--seconds", "2")
        assert camera.poll() is None
        assert done.returncode in (0, 1), done.stderr
        if done.returncode == 0 and "pose_source:=odometry" not in done.stdout:
            break  # (before /tf is heard, nobody says where the camera is)
    assert "Traceback" not in done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("/")}
    image = rows["/cam/color/image_raw"]
    for words in ("sensor_msgs/msg/Image", "/camera", "reliable volatile", " Hz", "64x48 rgb8"):
        assert words in image
    assert "tf2_msgs/msg/TFMessage" in rows["/tf"]
    assert "f4x_doctor" not in done.stdout
    command = done.stdout.splitlines()[-1].split()
    assert command == [
        *("f4x-perception", "--ros-args", "-r", "image:=/cam/color/image_raw"),
        *("-r", "camera_info:=/cam/color/camera_info", "-r", "depth/image:=/cam/depth/image_rect"),
    ]


def test_a_silent_network_is_said_and_a_senseless_duration_refused() -> None:
    done = doctor("--seconds", "0.1")
    assert (done.returncode, done.stderr) == (1, "")
    assert "The node lacks: camera, depth." in done.stdout or "ROS_DOMAIN_ID" in done.stdout
    done = doctor("--seconds", "nan")
    assert done.returncode == 2
    assert done.stderr == "f4x: --seconds is nan, expected above 0\n"
    done = doctor("somewhere")
    assert done.returncode == 2
    assert done.stderr == "f4x: --topics and 'somewhere', expected one of them\n"
