# SPDX-License-Identifier: Apache-2.0
"""The server of the page without a browser: who may open it, what is asked, and by whom."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest
from ask_scene import small_map
from cli_runs import refused
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.perception import Perception
from f4x_ros.core.render import render

pytest.importorskip("websockets", reason="needs the extra [web]")

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from f4x_ros.web import splats
from f4x_ros.web.guard import check_address, refusal
from f4x_ros.web.server import MAX_PAGES, PageServer
from f4x_ros.web.talk import Talk

PATIENCE_S = 120.0
POSE = np.eye(4).ravel().tolist()  # of the small map: it looks along +z at things 1.5 m away
VIEW = {"width": 160, "height": 120, "fov_y": 50, "T_map_camera": POSE}


@pytest.fixture(scope="module")
def perception() -> Perception:
    return small_map()


@pytest.fixture(scope="module")
def owner() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture(scope="module")
def page(perception: Perception, owner: ThreadPoolExecutor) -> Iterator[PageServer]:
    made = PageServer(perception, owner)
    yield made
    made.close()


def address(page: PageServer) -> str:
    return f"ws://127.0.0.1:{page.port}/talk"


def unpacked(message: str | bytes) -> tuple[dict[str, Any], bytes]:
    if isinstance(message, str):
        return json.loads(message), b""
    (length,) = struct.unpack_from("<I", message)
    assert length % 4 == 0
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def asked(socket: ClientConnection, what: str, **given: Any) -> tuple[dict[str, Any], bytes]:
    socket.send(json.dumps({"id": 7, "do": what, **given}))
    said, data = unpacked(socket.recv(timeout=PATIENCE_S))
    assert said.pop("id") == 7
    return said, data


@pytest.fixture
def socket(page: PageServer) -> Iterator[ClientConnection]:
    with connect(address(page), max_size=None) as made:
        yield made


def value(socket: ClientConnection, what: str, **given: Any) -> dict[str, Any]:
    said, _ = asked(socket, what, **given)
    assert "error" not in said, said
    return said["value"]


def picture(data: bytes) -> NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


# --- who may open it ------------------------------------------------------------------------------


def status(url: str, **headers: str) -> int:
    try:
        with urlopen(Request(url, headers=headers)) as told:
            return int(told.status)
    except HTTPError as error:
        return error.code


def test_the_page_comes_from_this_server_alone(page: PageServer) -> None:
    with urlopen(page.url) as told:
        html = told.read().decode()
        policy = told.headers["Content-Security-Policy"]
    names = re.findall(r'(?:src|href)="([\w.]+)"', html)
    assert {"page.js", "page.css"} <= set(names)
    scripts = [name for name in names if name.endswith(".js")]
    seen = set()
    while scripts:
        name = scripts.pop()
        seen.add(name)
        with urlopen(page.url + name) as told:
            assert told.headers["Content-Type"].startswith("text/javascript")
            text = told.read().decode()
        assert "http://" not in text
        scripts += {*re.findall(r'from "\./([\w.]+)"', text)} - seen
    assert {"link.js", "splats.js", "camera.js"} <= seen
    assert "default-src 'none'" in policy
    assert "https:" not in policy
    assert status(page.url + "nothing.js") == 404
    assert status(page.url + "../server.py") == 404


def test_another_site_cannot_talk_through_the_browser(page: PageServer) -> None:
    assert status(page.url, Host="evil.example") == 403
    assert status(page.url, Host=f"localhost:{page.port + 1}") == 200  # forwarded by ssh
    with pytest.raises(InvalidStatus) as refused_:
        connect(address(page), origin="http://evil.example")  # type: ignore[arg-type]
    assert refused_.value.response.status_code == 403
    with connect(address(page), origin=page.url.rstrip("/")) as socket:  # type: ignore[arg-type]
        assert "value" in asked(socket, "about")[0]


def test_a_token_is_asked_for_where_there_is_one(
    perception: Perception, owner: ThreadPoolExecutor
) -> None:
    page = PageServer(perception, owner, token="secret")
    try:
        bare = page.url.split("?")[0]
        assert page.url == f"{bare}?token=secret"
        assert status(page.url) == 200
        assert status(page.url, Host="robot.example") == 200
        for query in ("", "?token=", "?token=Secret", "?token=secret2", "?token=%C3%A9"):
            assert status(bare + query) == 403
            with pytest.raises(InvalidStatus):
                connect(address(page) + query)
        with connect(f"{address(page)}?token=secret") as socket:
            assert "value" in asked(socket, "about")[0]
    finally:
        page.close()


def test_other_machines_need_a_token() -> None:
    with pytest.raises(BadInputError, match="no token"):
        check_address("0.0.0.0", 80, "")
    with pytest.raises(BadInputError, match="port is 65536"):
        check_address("127.0.0.1", 65536, "")
    check_address("0.0.0.0", 80, "secret")
    check_address("::1", 0, "")


@pytest.mark.parametrize("host", [None, "", "[::1", "127.0.0.1.evil.example", "localhost.evil"])
def test_a_host_that_is_not_this_machine_is_refused(host: str | None) -> None:
    assert "expected localhost" in refusal("/", host, None, "")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:8322"])
def test_this_machine_is_not(host: str) -> None:
    assert refusal("/", host, f"http://{host}", "") == ""


def test_a_port_that_is_taken_is_an_error(
    page: PageServer, perception: Perception, owner: ThreadPoolExecutor
) -> None:
    with pytest.raises(OSError, match="address already in use"):
        PageServer(perception, owner, port=page.port)


def test_so_many_pages_and_no_more(page: PageServer) -> None:
    sockets = [connect(address(page)) for _ in range(MAX_PAGES)]
    for one in sockets:
        asked(one, "about")
    with connect(address(page)) as late, pytest.raises(ConnectionClosed, match="are open already"):
        late.recv(timeout=PATIENCE_S)
    for one in sockets:
        one.close()


# --- what is asked --------------------------------------------------------------------------------


def test_what_the_map_is(socket: ClientConnection, perception: Perception) -> None:
    about = value(socket, "about")
    assert about["gaussians"] == perception.gaussians
    assert about["seconds"] == pytest.approx(2.9)
    assert int(about["first_ns"]) == perception.span_ns[0]
    assert len(about["path"]) == 151


def test_the_things_of_a_moment_with_the_way_they_came(socket: ClientConnection) -> None:
    early, late = value(socket, "moment", at=0.8), value(socket, "moment", at=None)
    assert late["at"] == pytest.approx(2.9)
    (before,) = (one for one in early["things"] if one["name"] == "blue thing")
    (after,) = (one for one in late["things"] if one["name"] == "blue thing")
    assert before["id"] == after["id"]
    assert before["trail"] == []
    assert after["low"][0] < before["low"][0] - 0.15
    assert after["trail"][0][0] - after["trail"][-1][0] > 0.15
    (still,) = (one for one in late["things"] if one["name"] == "red thing")
    assert still["trail"] == []
    assert all(low < high for low, high in zip(still["low"], still["high"], strict=True))


def test_what_a_page_draws_is_what_the_map_draws(
    socket: ClientConnection, perception: Perception
) -> None:
    camera = PinholeCamera(160, 120, 130, 130, 80, 60)
    for at in (None, 1.5):
        said, data = asked(socket, "splats", at=at)
        words = np.frombuffer(data, np.uint32).reshape(-1, splats.WORDS)
        assert len(words) == said["value"]["count"] == said["value"]["all"]
        stamp = 0 if at is None else perception.span_ns[0] + round(at * 1e9)
        drawn = drawn_from(words, camera, perception.backend)
        own = perception.render(camera, np.eye(4), stamp).color.astype(float)
        assert np.abs(drawn - own).mean() < 2.0  # of 255
    then = perception.snapshot(perception.span_ns[0] + 1_500_000_000)
    assert len(then) != len(perception.snapshot())  # the green thing was there


def drawn_from(
    words: NDArray[np.uint32], camera: PinholeCamera, backend: str
) -> NDArray[np.float64]:
    """A picture of what a page was sent, by our rasteriser."""
    import torch

    means = torch.from_numpy(words[:, :3].copy().view(np.float32))
    looks = torch.from_numpy(words[:, 3:4].copy().view(np.uint8).astype(np.float32) / 255)
    half = torch.from_numpy(words[:, 4:7].copy().view(np.float16).astype(np.float32) * 1e-4)
    cov = half[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    values, vectors = torch.linalg.eigh(cov)
    vectors = vectors * torch.linalg.det(vectors)[:, None, None].sign()
    out = render(
        means, quaternions(vectors), values.clamp(min=1e-10).sqrt(), looks[:, 3], looks[:, :3],
        torch.eye(4), camera.K_tensor(), camera.width, camera.height, backend=backend,
    )  # fmt: skip
    return out.image.clamp(0, 1).numpy().astype(float) * 255


def quaternions(rotations: Any) -> Any:
    import roma

    return roma.quat_xyzw_to_wxyz(roma.rotmat_to_unitquat(rotations))


def test_of_too_many_gaussians_the_smallest_are_left_out(perception: Perception) -> None:
    snapshot = perception.snapshot()
    some = splats.packed(snapshot, 100)
    assert len(some) == 100
    every = splats.packed(snapshot)
    kept = {row.tobytes() for row in some}
    left_out = np.array([row.tobytes() not in kept for row in every])
    cover = (snapshot.opacities * snapshot.scales.sort(dim=1).values[:, 1:].prod(1)).numpy()
    assert cover[left_out].max() <= cover[~left_out].min()
    order = [row.tobytes() for row in every if row.tobytes() in kept]
    assert [row.tobytes() for row in some] == order


def test_masks_lie_where_the_thing_is_and_absent_things_are_said_to_be(
    socket: ClientConnection,
) -> None:
    said, data = asked(socket, "find", texts=["red thing", "yellow thing", "gibberish"], view=VIEW)
    red, yellow, unknown = said["value"]["answers"]
    assert red["presence"] == "present"
    assert yellow["presence"] in ("not present", "unsure")
    assert unknown["presence"] == "not understood"
    assert "'gibberish'" in unknown["message"]
    mask = picture(data)
    assert mask.shape == (120, 160, 4)
    rows, columns = np.nonzero((mask[..., 3] > 0) & (mask[..., 2] > mask[..., 0]))
    low, high = (np.array(red["things"][0][side]) for side in ("low", "high"))
    focal = 60 / np.tan(np.radians(25))
    middle = (low + high) / 2
    assert columns.mean() == pytest.approx(focal * middle[0] / middle[2] + 80, abs=8)
    assert rows.mean() == pytest.approx(focal * middle[1] / middle[2] + 60, abs=8)


def test_nothing_is_laid_over_the_view_for_what_is_not_there(socket: ClientConnection) -> None:
    said, data = asked(socket, "find", texts=["yellow thing"], view=VIEW)
    if said["value"]["answers"][0]["presence"] == "not present":
        assert data == b""
    _, data = asked(socket, "find", texts=["gibberish"], view=VIEW)
    assert data == b""


def test_a_click_selects_the_thing_under_it(socket: ClientConnection) -> None:
    found = value(socket, "find", texts=["red thing"], view=VIEW)["answers"][0]["things"][0]
    middle = (np.array(found["low"]) + found["high"]) / 2
    focal = 60 / np.tan(np.radians(25))
    x, y = focal * middle[:2] / middle[2] / (160, 120) + 0.5
    said, data = asked(socket, "click", clicks=[[x, y, 1]], view=VIEW)
    thing = said["value"]["things"][0]
    overlap = np.minimum(thing["high"], found["high"]) - np.maximum(thing["low"], found["low"])
    assert (overlap > 0).all()
    assert picture(data)[int(y * 120), int(x * 160), 3] > 0


def test_a_conversation_is_one_page_s_own(page: PageServer) -> None:
    with connect(address(page)) as one, connect(address(page)) as other:
        assert value(one, "ask", question="Where is the red thing?")["outcome"] == "value"
        there = value(one, "ask", question="How far is it?")
        assert there["outcome"] == "value"
        assert there["steps"][-1]["evidence"]
        assert there["things"]
        assert there["moments"][-1] == pytest.approx(2.9)
        alone = value(other, "ask", question="How far is it?")
        assert alone["outcome"] == "not understood"


def test_the_map_s_own_picture(socket: ClientConnection) -> None:
    _, data = asked(socket, "picture", view=VIEW, at=1.0)
    assert picture(data).shape == (120, 160, 3)


MIRRORED = np.diag([-1.0, 1, 1, 1]).ravel().tolist()


@pytest.mark.parametrize(
    "wanted, why",
    [
        ({"do": "fly"}, "do is 'fly', expected one of about"),
        ({"do": ["about"]}, "expected one of"),
        ({}, "expected one of"),
        ({"do": "moment", "at": "now"}, "at is 'now', expected a number"),
        ({"do": "moment", "at": -1}, "at is -1, expected 0 to"),
        ({"do": "moment", "at": True}, "expected a number"),
        ({"do": "find", "texts": [], "view": VIEW}, "expected 1 to 8 texts"),
        ({"do": "find", "texts": ["a"] * 9, "view": VIEW}, "expected 1 to 8 texts"),
        ({"do": "find", "texts": ["  "], "view": VIEW}, "expected text"),
        ({"do": "find", "texts": ["x" * 201], "view": VIEW}, "expected at most 200"),
        ({"do": "find", "texts": ["red"]}, "view is None, expected width"),
        ({"do": "picture", "view": {**VIEW, "width": 9999}}, "width is 9999, expected 16 to"),
        ({"do": "picture", "view": {**VIEW, "fov_y": 0}}, "fov_y is 0, expected 5 to"),
        ({"do": "picture", "view": {**VIEW, "T_map_camera": POSE[:15]}}, "expected 16 numbers"),
        ({"do": "picture", "view": {**VIEW, "T_map_camera": MIRRORED}}, "T_map_camera is not a"),
        ({"do": "click", "view": VIEW, "clicks": []}, "expected 1 to"),
        ({"do": "click", "view": VIEW, "clicks": [[0.5, 1.5, 1]]}, "within 0 to 1"),
        ({"do": "click", "view": VIEW, "clicks": [[0.5, 0.5, 0]]}, "expected"),
        ({"do": "ask", "question": 5}, "question is 5, expected text"),
        ({"do": "ask", "question": "x" * 501}, "expected at most 500"),
    ],
)
def test_what_is_wrong_is_said(socket: ClientConnection, wanted: Any, why: str) -> None:
    socket.send(json.dumps({"id": "a", **wanted}))
    said = json.loads(socket.recv(timeout=PATIENCE_S))
    assert said["id"] == "a"
    assert why in said["error"]
    assert "Traceback" not in said["error"]


@pytest.mark.parametrize("message", ["{", "[1]", "null", b"\xff\xfe", '{"at": 1e999}'])
def test_what_is_no_message_is_said_and_the_page_lives_on(
    socket: ClientConnection, message: str | bytes
) -> None:
    socket.send(message)
    assert "expected" in (error := json.loads(socket.recv(timeout=PATIENCE_S))["error"]) or (
        "is no JSON" in error
    )
    assert "value" in asked(socket, "about")[0]


def test_a_defect_is_logged_and_the_page_is_told_so(
    socket: ClientConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Talk, wanted: Any) -> None:
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr(Talk, "answer", broken)
    said, _ = asked(socket, "about")
    assert said["error"].startswith("internal error (ZeroDivisionError)")
    assert "secret" not in said["error"]
    assert "a secret of the house" in caplog.text


def test_a_map_without_a_frame_says_so() -> None:
    from f4x_ros.core.config import Config

    talk = Talk(Perception(Config.from_dotted({"features.extractor": "color"})))
    assert "seconds" not in talk.answer({"do": "about"}).value
    for what in ("moment", "splats", "ask"):
        with pytest.raises(BadInputError.__mro__[1], match="no frame"):
            talk.answer({"do": what, "question": "Where is it?"})


# --- by whom --------------------------------------------------------------------------------------


class Watched:
    """An owner that notes who runs what, and holds back until it is let go."""

    def __init__(self, inner: ThreadPoolExecutor) -> None:
        self.inner, self.go, self.begun = inner, threading.Event(), threading.Event()
        self.submitted: list[Future[Any]] = []

    def submit(self, job: Any, /) -> Future[Any]:
        def held() -> Any:
            self.begun.set()
            assert self.go.wait(PATIENCE_S)
            return job()

        self.submitted.append(self.inner.submit(held))
        return self.submitted[-1]


class Alone:
    """Stands before a map and notes the threads that touch it."""

    def __init__(self, perception: Perception, threads: set[str]) -> None:
        self._perception, self._threads = perception, threads

    def __getattr__(self, name: str) -> Any:
        self._threads.add(threading.current_thread().name)
        return getattr(self._perception, name)


def test_only_the_owner_touches_the_map(perception: Perception) -> None:
    threads: set[str] = set()
    with ThreadPoolExecutor(1, thread_name_prefix="the-owner") as owner:
        page = PageServer(Alone(perception, threads), owner, rate_hz=20)  # type: ignore[arg-type]
        try:
            with connect(address(page), max_size=None) as one, connect(address(page)) as other:
                assert unpacked(other.recv(timeout=PATIENCE_S))[0]["event"] == "about"
                for what in ("moment", "splats"):
                    asked_among_events(one, what)
        finally:
            page.close()
    assert threads == {"the-owner_0"}


def asked_among_events(socket: ClientConnection, what: str) -> None:
    socket.send(json.dumps({"id": 1, "do": what}))
    while "event" in unpacked(socket.recv(timeout=PATIENCE_S))[0]:
        pass


def test_a_slow_answer_holds_up_no_file_and_what_nobody_waits_for_is_not_begun(
    perception: Perception,
) -> None:
    with ThreadPoolExecutor(1) as inner:
        owner = Watched(inner)
        page = PageServer(perception, owner)
        try:
            socket = connect(address(page))
            for number in range(3):
                socket.send(json.dumps({"id": number, "do": "about"}))
            assert owner.begun.wait(PATIENCE_S)
            with urlopen(page.url, timeout=PATIENCE_S) as told:
                assert told.status == 200
            socket.close()
            with connect(address(page)) as other:
                other.send(json.dumps({"id": 9, "do": "about"}))
                owner.go.set()
                assert unpacked(other.recv(timeout=PATIENCE_S))[0]["id"] == 9
            assert [one.cancelled() for one in owner.submitted[1:3]] == [True, True]
        finally:
            owner.go.set()
            page.close()


# --- the command ----------------------------------------------------------------------------------


def test_f4x_view_prints_an_address_and_ends_with_ctrl_c(
    perception: Perception, tmp_path: Path
) -> None:
    perception.save(tmp_path / "map.f4x")
    command = [sys.executable, "-m", "f4x_ros.cli.main", "view", str(tmp_path / "map.f4x")]
    with subprocess.Popen(
        [*command, "--port", "0", "--host", "0.0.0.0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "F4X_WEB_TOKEN": "secret"},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://[^:/]+:(\d+)/\?token=secret ", line)
        assert found, line + process.stdout.read()
        assert status(f"http://127.0.0.1:{found[1]}/?token=secret") == 200
        assert status(f"http://127.0.0.1:{found[1]}/") == 403
        with connect(f"ws://127.0.0.1:{found[1]}/talk?token=secret") as socket:
            assert "value" in asked(socket, "about")[0]
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
            assert process.wait(PATIENCE_S) == 0
    assert rest.split() == ["closed"]


def test_f4x_view_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], page: PageServer, perception: Perception, tmp_path: Path
) -> None:
    perception.save(tmp_path / "map.f4x")
    assert "port is 70000" in refused(capsys, "view", "map.f4x", "--port", "70000")
    assert "No such file" in refused(capsys, "view", str(tmp_path / "no.f4x"), "--port", "0")
    taken = refused(capsys, "view", str(tmp_path / "map.f4x"), "--port", str(page.port))
    assert "(Address already in use); --port 0 takes a free port" in taken
