# SPDX-License-Identifier: Apache-2.0
"""The wheel alone, as on a robot: no extra, no drawn worlds, and the node maps a recording."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import copied

pytest.importorskip("rclpy", reason="no ROS 2 here")

from ros_harness import PATIENCE_S, QUICK, eventually, ros_client, write_recording

from f4x_ros.io import open_source, write_bag

pytestmark = pytest.mark.timeout(3600)  # compiles, and installs torch: minutes on a slow machine

FRAMES = 6
# The libraries of this environment must not reach the other one, which looks for its own unless the
# last of these says that it has done so.
ELSEWHERE = (
    *("LD_LIBRARY_PATH", "PYTHONPATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"),
    "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ELSEWHERE}


def called(*command: str | Path, cwd: Path) -> str:
    """What a command says; the end of all it said if it fails."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Removed at once: an environment with torch has more than a gigabyte."""
    with tempfile.TemporaryDirectory(prefix="f4x-test-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def wheel(root: Path, tracked: list[Path], folder: Path) -> Path:
    if importlib.util.find_spec("rosidl_cmake") is None:
        pytest.skip("a wheel is built with the wheels ros-rosidl-*, which are not installed here")
    source = copied(root, tracked, folder / "source")
    build = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation")
    called(*build, "-w", folder / "dist", source, cwd=folder)
    (made,) = (folder / "dist").iterdir()
    return made


@pytest.fixture(scope="module")
def robot_bin(root: Path, wheel: Path, folder: Path) -> Path:
    """The executables of an environment that has the wheel and what it requires."""
    venv.create(folder / "robot")
    there = folder / "robot" / "bin"
    pip = (sys.executable, "-m", "pip", "--python", there / "python")
    # (what is imported is compiled then, which is less than all of torch)
    called(*pip, "install", "--no-compile", "-c", root / "constraints.txt", wheel, cwd=folder)
    return there


LOOK_AROUND = """
import importlib.util, json, sys
import f4x_ros.ros.node

found = {
    "file": f4x_ros.__file__,
    "extras": [name for name in ("embreex", "matplotlib") if importlib.util.find_spec(name)],
    "drawn": [name for name in sys.modules if name.startswith("f4x_ros.sim")],
}
from f4x_ros.core.errors import UnsupportedError
from f4x_ros.sim import open_source

try:
    open_source("demo")
except UnsupportedError as error:
    found["refused"] = str(error)
print(json.dumps(found))
"""


def test_the_node_needs_no_drawn_worlds_and_whoever_does_is_told_the_extra(
    robot_bin: Path, folder: Path
) -> None:
    found = json.loads(called(robot_bin / "python", "-c", LOOK_AROUND, cwd=folder).splitlines()[-1])
    assert Path(found["file"]).is_relative_to(folder / "robot")
    assert found["extras"] == []
    assert found["drawn"] == []  # by importing the node
    assert found["refused"].startswith("drawn worlds need embreex")
    assert found["refused"].endswith("pip install 'f4x-ros[sim]'")


def test_the_node_maps_a_bag_that_the_camera_plays(robot_bin: Path, folder: Path) -> None:
    (folder / "recording").mkdir()
    write_bag(open_source(write_recording(folder / "recording", FRAMES)), folder / "bag", "mcap")

    def started(name: str, **parameters: object) -> subprocess.Popen[str]:
        words = [w for key, value in parameters.items() for w in ("-p", f"{key}:={value}")]
        return subprocess.Popen(
            [str(robot_bin / name), "--ros-args", *words],
            cwd=folder,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )

    options = {**QUICK, "prompts": "[red]", "report.dir": folder / "report"}
    played = {
        "source": folder / "bag",
        "rate_hz": 0.0,
        "wait_for_subscribers": 1,
        "wait_timeout_s": PATIENCE_S,
        "pace_topic": "/perception/tracks",
        "pace_timeout_s": PATIENCE_S,
    }
    with (
        ros_client(transports=None) as client,
        started("f4x-perception", **options) as node,
        started("f4x-camera", **played) as camera,
    ):
        try:
            _, errors = camera.communicate(timeout=3 * PATIENCE_S)
            assert camera.returncode == 0, errors
            eventually(lambda: client.values().get("processed") == str(FRAMES))
            assert client.query("red").present
            client.change_state("deactivate")
            node.send_signal(signal.SIGINT)
            _, errors = node.communicate(timeout=PATIENCE_S)
            assert node.returncode == 0, errors
        finally:
            for process in (camera, node):
                process.kill()  # does nothing to one that has ended
    report = json.loads((folder / "report" / "report.json").read_text())
    assert (report["frames"], report["frames_dropped"], report["left_out"]) == (FRAMES, 0, {})
