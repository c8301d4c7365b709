# SPDX-License-Identifier: Apache-2.0
"""The page beside the live node."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from ros_harness import PATIENCE_S, Robot, driving_box, ros_client, running

pytest.importorskip("websockets", reason="needs the extra [web]")

from test_web_page import asked_among_events, unpacked
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.page import TOKEN, WorkerAsOwner
from f4x_ros.ros.worker import StoppedError, Worker


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def client() -> Iterator[PerceptionClient]:
    with ros_client() as made:
        yield made


def answer(page: ClientConnection, what: str, **given: Any) -> dict[str, Any]:
    """What comes back, whatever is told in between."""
    page.send(json.dumps({"id": 1, "do": what, **given}))
    while "event" in (said := unpacked(page.recv(timeout=PATIENCE_S))[0]):
        pass
    return said


def told(page: ClientConnection, key: str) -> dict[str, Any]:
    """What the node tells unasked, once it has a key."""
    while key not in (said := unpacked(page.recv(timeout=PATIENCE_S))[0])["value"]:
        assert said["event"] == "about"
    return said["value"]


def test_a_page_watches_the_map_grow_and_asks_it(client: PerceptionClient, robot: Robot) -> None:
    port = free_port()
    with running(client, web__port=port, web__rate_hz=20.0) as run:
        run.client.start()
        robot.wait_until_heard()
        with urlopen(f"http://127.0.0.1:{port}/") as page:
            assert b"page.js" in page.read()
        with connect(f"ws://127.0.0.1:{port}/talk", max_size=None) as page:
            assert "seconds" not in answer(page, "about")["value"]
            assert "no frame" in answer(page, "moment")["error"]
            for i in range(4):
                robot.send(i, scene=driving_box)
            first = told(page, "seconds")
            run.counted("processed", 4)
            while (now := told(page, "seconds"))["seconds"] < 0.25:
                pass
            assert now["gaussians"] >= first["gaussians"] > 0
            assert "frame_rate_hz" in now["details"]
            asked_among_events(page, "splats")
            said = answer(page, "ask", question="Where is the red thing?")["value"]
            assert said["outcome"] == "value"
            things = answer(page, "moment")["value"]["things"]
            assert [one["name"] for one in things] == ["red"]


def test_without_a_port_there_is_no_page(client: PerceptionClient) -> None:
    import threading

    with running(client) as run:
        run.client.change_state("configure", PATIENCE_S)
        assert [one for one in threading.enumerate() if one.name == "f4x-page"] == []


def test_others_need_the_token(client: PerceptionClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "secret")
    port = free_port()
    with running(client, web__port=port, web__host="0.0.0.0") as run:
        run.client.change_state("configure", PATIENCE_S)
        with pytest.raises(InvalidStatus):
            connect(f"ws://127.0.0.1:{port}/talk")
        with connect(f"ws://127.0.0.1:{port}/talk?token=secret") as page:
            assert answer(page, "about")["value"]["gaussians"] == 0


def test_the_page_ends_with_the_configuration_and_comes_back(client: PerceptionClient) -> None:
    port = free_port()
    with running(client, web__port=port) as run:
        for _ in range(2):
            run.client.change_state("configure", PATIENCE_S)
            with connect(f"ws://127.0.0.1:{port}/talk") as page:
                assert "value" in answer(page, "about")
                run.client.change_state("cleanup", PATIENCE_S)
            with pytest.raises(OSError, match="refused"):
                connect(f"ws://127.0.0.1:{port}/talk")


def test_a_port_that_is_taken_is_said(client: PerceptionClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(client, web__port=port) as run:
            with pytest.raises(RuntimeError):
                run.client.change_state("configure", PATIENCE_S)
            run.says("'web.port'", str(port), "in use")


class Nothing:
    """A queue without frames."""

    def take(self) -> tuple[None, list[Any]]:
        return None, []

    def left_s(self) -> None:
        return None

    def clear(self) -> list[Any]:
        return []

    def __len__(self) -> int:
        return 0


def test_what_the_worker_does_not_come_to_is_told_so() -> None:
    worker = Worker(Nothing(), on_drop=print, on_error=print)  # type: ignore[arg-type]
    owner = WorkerAsOwner(worker)
    assert owner.submit(lambda: 7).result(PATIENCE_S) == 7
    with pytest.raises(ZeroDivisionError):
        owner.submit(lambda: 1 // 0).result(PATIENCE_S)
    worker.stop()
    with pytest.raises(StoppedError):
        owner.submit(lambda: 7).result(PATIENCE_S)
