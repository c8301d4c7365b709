# SPDX-License-Identifier: Apache-2.0
"""`f4x demo`: camera and node as processes over real topics, and nothing left of them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from eval_scene import write_folder

from f4x_ros.cli.errors import CommandError
from f4x_ros.cli.node_processes import wait_until_active
from f4x_ros.cli.processes import Child, free_domain_id
from f4x_ros.eval.subjects.run_recorder import FILES

FRAMES = 9


def demo(out: Path, source: Path, *more: str) -> subprocess.Popen[str]:
    command = ["demo", "--source", str(source), "--out", str(out), "--prompt", "red thing"]
    command += ["--set", "features.extractor=color", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "f4x_ros.cli.main", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_the_demo_asks_a_node_in_another_process_and_leaves_its_results(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = demo(out, write_folder(tmp_path / "small", FRAMES))
    said, errors = run.communicate(timeout=500)
    assert run.returncode == 0, errors
    assert {path.name for path in out.iterdir()} == {
        *FILES,
        "moments.png",
        "node.log",
        "camera.log",
    }
    assert json.loads((out / "report.json").read_text())["frames"] == FRAMES, said
    assert f"sent {FRAMES} frames, the node processed {FRAMES}. None was dropped." in said
    for row in (r"red thing +now +yes", r"pink thing +now +no ", r"red thing +\d+\.\d\d s +yes"):
        assert re.search(f"^{row}", said, re.MULTILINE), said
    assert said.strip().endswith(f"Open {out}/story.png to see the whole story.")


def test_ctrl_c_ends_the_processes_too(tmp_path: Path) -> None:
    run = demo(tmp_path / "out", write_folder(tmp_path / "small", FRAMES), "--rate", "0.2")
    children: list[psutil.Process] = []
    end = time.monotonic() + 300
    while not children and time.monotonic() < end:
        children = psutil.Process(run.pid).children(recursive=True)
        time.sleep(0.05)
    assert children
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 130, errors
    assert not [child for child in children if child.is_running()]


class _Unconfigured:
    """A client of a node whose configuration failed."""

    status = SimpleNamespace(level=b"\2", message="configuration: prompt 'mug'")

    def state(self, timeout_s: float) -> str:
        return "unconfigured"


def test_a_node_that_cannot_be_configured_is_bad_input(tmp_path: Path) -> None:
    with (
        Child("http.server", ["0"], tmp_path / "log", {}) as node,
        pytest.raises(CommandError, match="prompt 'mug'") as caught,
    ):
        wait_until_active(_Unconfigured(), node)
    assert caught.value.exit_code == 2
    assert node.returncode is not None


def test_a_node_that_ends_while_it_starts_is_not_waited_for(tmp_path: Path) -> None:
    with (
        Child("json.tool", ["/no/such/file"], tmp_path / "log", {}) as node,
        pytest.raises(CommandError, match="process 'tool' ended with exit code"),
    ):
        wait_until_active(SimpleNamespace(state=lambda _: "", status=None), node)


def test_a_process_that_fails_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Child("json.tool", ["/no/such/file"], tmp_path / "log", {}) as child:
        child._process.wait(300)
        with pytest.raises(CommandError, match=r"process 'tool' ended with exit code") as caught:
            child.check()
    assert "No such file" in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_process_that_ignores_signals_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("f4x_ros.cli.processes._INTERRUPTED_S", 0.1)
    monkeypatch.setattr("f4x_ros.cli.processes._TERMINATED_S", 0.1)
    (tmp_path / "deaf.py").write_text(
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\ntime.sleep(100)\n"
    )
    log = tmp_path / "log"
    child = Child("deaf", [], log, {"PYTHONPATH": str(tmp_path)})
    while not log.read_text():
        time.sleep(0.02)
    assert child.stop() == -signal.SIGKILL


def test_a_domain_in_use_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f4x_ros.cli.processes.time.monotonic_ns", lambda: 0)
    monkeypatch.setattr(os, "getpid", lambda: 49)
    first = free_domain_id()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 7400 + 250 * first))
        assert free_domain_id() != first
