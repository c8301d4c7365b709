# SPDX-License-Identifier: Apache-2.0
"""The ros2 commands of README.md, as they stand there, through the real `ros2`."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
PATIENCE_S = 300.0


def commands() -> list[str]:
    """Lines of the README's code that begin with ros2, continued ones joined, without comments."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("ros2 ")]


def words_of(command: str) -> list[str]:
    return shlex.split(command, comments=True)


def the_ros2_command() -> str | None:
    """Where `ros2` is: on the PATH, where F4X_ROS2 says, or with what the developers share."""
    beside = README.parents[1] / "shared" / "ros2cli" / "ros2"
    given = os.environ.get("F4X_ROS2")
    return given or shutil.which("ros2") or (str(beside) if beside.exists() else None)


DEMO = [c for c in commands() if " launch " in c and "camera:=" in c]
ROBOT = [c for c in commands() if " launch " in c and "camera:=" not in c]
# What a command that is not a launch has to say while the demo runs.
SAYS: dict[str, Callable[[str], bool]] = {
    "topic echo": lambda said: "label: red mug" in said or "tracks: []" in said,
    "service call": lambda said: "success=True" in said,
    "param get": lambda said: "Integer value is: 320" in said,
    "lifecycle get": lambda said: "active [3]" in said,
}


def test_each_command_of_the_readme_is_tried_here() -> None:
    assert len(DEMO) == len(ROBOT) == 1
    rest = [c for c in commands() if c not in (*DEMO, *ROBOT)]
    assert [c for c in rest if " ".join(words_of(c)[1:3]) not in SAYS] == []
    assert {" ".join(words_of(c)[1:3]) for c in rest} == SAYS.keys()


needs_ros2 = pytest.mark.skipif(
    the_ros2_command() is None,
    reason="no `ros2` on the PATH, and F4X_ROS2 does not say where it is (a ROS installation)",
)


class Terminal:
    """Types commands, in an environment of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ros2 = the_ros2_command() or ""
        self.env = {**os.environ, "VENV": sys.prefix, "ROS_LOG_DIR": str(home / "log")}

    def words(self, command: str) -> list[str]:
        return [self.ros2, *words_of(command)[1:]]

    def type(self, command: str) -> str:
        """What it says."""
        done = subprocess.run(
            self.words(command),
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
        )
        return done.stdout

    def until(self, command: str, holds: Callable[[str], bool]) -> str:
        """Again and again, as a person would while things come up."""
        end = time.monotonic() + PATIENCE_S
        while not holds(said := self.type(command)):
            assert time.monotonic() < end, said[-2000:]
            assert "Traceback" not in said, said[-2000:]
        return said

    @contextlib.contextmanager
    def launched(self, command: str) -> Iterator[Launched]:
        log = self.home / f"{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            # (a session of its own: Ctrl-C at a terminal reaches all of its processes)
            process = subprocess.Popen(
                self.words(command),
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        run = Launched(process, log)
        try:
            yield run
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Launched:
    """A launch and what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def until_it_says(self, text: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while text not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.05)

    def ends_in_one_piece_on_ctrl_c(self, *nodes: str) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.wait(PATIENCE_S) == 0, self.said
        said = self.said
        assert "Traceback" not in said, said
        for node in nodes:
            assert re.search(rf"\[{node}-\d\]: process has finished cleanly", said), said


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    made = Terminal(tmp_path_factory.mktemp("terminal"))
    yield made
    made.type("ros2 daemon stop")


@needs_ros2
def test_the_demo_is_launched_asked_and_ended(terminal: Terminal) -> None:
    (launch,) = DEMO
    with terminal.launched(launch) as demo:
        demo.until_it_says("perception: starting")
        assert "looking for: red mug" in demo.said
        demo.until_it_says("configured in")
        asked = [c for c in commands() if c not in (*DEMO, *ROBOT)]
        for command in asked:
            terminal.until(command, SAYS[" ".join(words_of(command)[1:3])])
        demo.ends_in_one_piece_on_ctrl_c("perception", "camera")


@needs_ros2
def test_on_a_robot_that_is_not_there_the_topics_are_named(terminal: Terminal) -> None:
    (launch,) = ROBOT
    with terminal.launched(launch) as robot:
        robot.until_it_says("nobody publishes '/camera/color/image_raw'")
        robot.ends_in_one_piece_on_ctrl_c("perception")


@needs_ros2
def test_ctrl_c_while_it_starts_leaves_no_traceback(terminal: Terminal) -> None:
    (launch,) = DEMO
    with terminal.launched(launch) as demo:
        demo.until_it_says("perception: starting")
        demo.ends_in_one_piece_on_ctrl_c("perception", "camera")


@needs_ros2
def test_each_argument_of_the_launch_file_is_described(terminal: Terminal) -> None:
    said = terminal.type("ros2 launch f4x_ros perception.launch.py --show-args")
    for name in ("prompts", "loop", "camera", "extractor", "pose_source"):
        assert f"'{name}':" in said
    assert "no description given" not in said
