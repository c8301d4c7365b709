# SPDX-License-Identifier: Apache-2.0
"""The executables as processes of their own: real topics, signals, exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ros_harness import PATIENCE_S, QUICK, eventually, ros_client, write_recording

from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.middleware import use_large_shared_memory

FRAMES = 8


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("recording"), FRAMES)


@contextlib.contextmanager
def process(module: str, **parameters: object) -> Iterator[subprocess.Popen[str]]:
    words = [w for name, value in parameters.items() for w in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", f"f4x_ros.ros.{module}", "--ros-args", *words]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate()


@pytest.fixture(scope="module")
def client() -> Iterator[PerceptionClient]:
    with ros_client(transports=None) as made:
        yield made


def test_a_recording_played_by_the_camera_arrives_whole(
    client: PerceptionClient, recording: Path
) -> None:
    options = dict(QUICK) | {"prompts": "[red]", "frames": "newest"}
    played = {
        "source": recording,
        "rate_hz": 0.0,
        "wait_for_subscribers": 1,
        "wait_timeout_s": PATIENCE_S,
        "pace_topic": "/perception/tracks",
        "pace_timeout_s": PATIENCE_S,
    }
    client.status = None
    with process("node", **options) as node, process("camera", **played) as camera:
        _, errors = camera.communicate(timeout=PATIENCE_S)
        assert camera.returncode == 0, errors
        eventually(lambda: client.values().get("processed") == str(FRAMES))
        assert client.state() == "active"
        assert client.query("red").present

        # ros2 launch sends SIGINT twice.
        node.send_signal(signal.SIGINT)
        time.sleep(0.05)
        node.send_signal(signal.SIGINT)
        _, errors = node.communicate(timeout=PATIENCE_S)
        assert node.returncode == 0, errors
        assert "Traceback" not in errors


def test_a_node_that_cannot_be_configured_lives_and_says_why(client: PerceptionClient) -> None:
    client.status = None
    with process("node", prompts_file="/no/such/file", **{"diagnostics.rate_hz": 10}) as node:
        eventually(lambda: client.status is not None)
        assert client.status is not None
        assert "'prompts_file' is '/no/such/file'" in client.status.message
        assert client.state() == "unconfigured"
        node.send_signal(signal.SIGTERM)
        _, errors = node.communicate(timeout=PATIENCE_S)
        assert node.returncode == 0, errors


def test_a_camera_without_its_recording_ends_with_one_line_and_code_2() -> None:
    with process("camera", source="/no/such/recording") as camera:
        _, errors = camera.communicate(timeout=PATIENCE_S)
    assert camera.returncode == 2
    assert [line for line in errors.splitlines() if line.startswith("camera: ")]
    assert "/no/such/recording" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "module, words, said",
    [
        ("node", ("--params-file", "/no/such.yaml"), "arguments of ROS (--ros-args): "),
        ("camera", ("-p", "prompts:=["), "arguments of ROS (--ros-args): "),
        ("camera", ("-p", "use_sim_time:=maybe"), "'use_sim_time' to 'maybe'"),
    ],
)
def test_arguments_that_ros_does_not_understand_are_one_line(
    module: str, words: tuple[str, ...], said: str
) -> None:
    name = {"node": "perception"}.get(module, module)
    code = f"import sys; from f4x_ros.ros.{module} import main; sys.exit(main(sys.argv))"
    command = [sys.executable, "-c", code, "--ros-args", *words]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (line,) = (line for line in done.stderr.splitlines() if line.startswith(f"{name}: "))
    assert said in line
    assert words[1].split(":=")[0] in line


def test_room_for_images_is_made_unless_the_user_configured_fast_dds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    for name in (*names, "FASTDDS_BUILTIN_TRANSPORTS"):
        monkeypatch.delenv(name, raising=False)
    use_large_shared_memory()
    (chosen,) = [name for name in names if name in os.environ]
    profile = Path(os.environ[chosen])
    assert profile.name == "fastdds_shm.xml"
    assert profile.exists()
    monkeypatch.delenv(chosen)
    monkeypatch.setenv("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
    use_large_shared_memory()
    assert not [name for name in names if name in os.environ]
