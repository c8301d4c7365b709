# SPDX-License-Identifier: Apache-2.0
"""The MCP server through the package's own client: in memory, over stdio and over HTTP."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import cv2
import numpy as np
import pytest
from ask_scene import small_map

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.perception import Perception

mcp = pytest.importorskip("mcp", reason="needs the extra [mcp]")

from f4x_ros.core.ask.dialogue import MAX_SESSIONS  # noqa: E402
from f4x_ros.mcp.serve import check_address, http_app  # noqa: E402
from f4x_ros.mcp.server import MapServer  # noqa: E402


@pytest.fixture(scope="module")
def perception() -> Perception:
    return small_map()


@pytest.fixture(scope="module")
def map_file(perception: Perception, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mcp") / "map.f4x"
    perception.save(path)
    return path


def talk(server: Any, what: Callable[[Any], Awaitable[None]], mode: str = "auto") -> None:
    async def connected() -> None:
        with anyio.fail_after(120):
            async with mcp.Client(server, mode=mode) as client:
                await what(client)

    anyio.run(connected)


async def use_everything(client: Any) -> None:
    """What a client does: list, call, ask, look, read; errors come back as such."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"ask", "look", "distance", "hidden_by"} <= set(tools)
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    assert tools["distance"].input_schema["required"] == ["a"]

    there = await client.call_tool("find", {"thing": "red thing"})
    assert not there.is_error
    assert there.structured_content["outcome"] == "value"
    number = there.structured_content["ids"][0]
    away = await client.call_tool("distance", {"a": f"#{number}"})
    assert away.structured_content["unit"] == "m"
    assert away.structured_content["value"] > 0

    first = await client.call_tool("ask", {"question": "Where is the red thing?", "session": "a"})
    assert first.structured_content["outcome"] == "value"
    later = await client.call_tool("ask", {"question": "How far is it?", "session": "a"})
    assert later.structured_content["value"] == pytest.approx(away.structured_content["value"])
    alone = await client.call_tool("ask", {"question": "How far is it?", "session": "b"})
    assert alone.is_error
    assert alone.structured_content["outcome"] == "not understood"

    look = (await client.call_tool("look", {"ids": [number]})).content[0]
    assert picture(look.data).shape[2] == 3

    for arguments in ({"b": "camera"}, {"a": 3}, {"a": "red thing", "at": "now"}, {"x": 1}):
        refused = await client.call_tool("distance", arguments)
        assert refused.is_error
        assert "expected" in refused.content[0].text or "needs" in refused.content[0].text
    with pytest.raises(mcp.MCPError, match="no tool 'fly'"):
        await client.call_tool("fly", {})

    uris = {str(one.uri) for one in (await client.list_resources()).resources}
    assert "f4x://scene" in uris
    templates = (await client.list_resource_templates()).resource_templates
    assert {one.uri_template for one in templates} >= {"f4x://thing/{id}.png"}
    graph = json.loads((await client.read_resource("f4x://scene")).contents[0].text)
    assert number in [node["id"] for node in graph["nodes"]] or number < 0
    about = json.loads((await client.read_resource("f4x://map")).contents[0].text)
    assert about["prompts"] == ["red thing", "blue thing"]
    view = (await client.read_resource("f4x://view/0.png")).contents[0]
    assert picture(view.blob).any()
    marked = (await client.read_resource(f"f4x://thing/{number}.png")).contents[0]
    assert picture(marked.blob).any()
    for uri in ("f4x://nothing", "f4x://thing/4711.png", "f4x://view/99999.png"):
        with pytest.raises(mcp.MCPError):
            await client.read_resource(uri)


def picture(data: str) -> np.ndarray:
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_lists_calls_and_reads(perception: Perception, mode: str) -> None:
    talk(MapServer(perception).server, use_everything, mode)


def test_over_stdio(map_file: Path) -> None:
    talk(
        mcp.StdioServerParameters(
            command=sys.executable,
            args=["-m", "f4x_ros.cli.main", "mcp", str(map_file)],
            env=dict(os.environ),
        ),
        use_everything,
    )


@pytest.fixture
def listening(map_file: Path) -> Iterator[tuple[str, str]]:
    """A server process with a token; its address and the token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "f4x_ros.cli.main", "mcp", str(map_file), "--http", "--port",
         str(port)],
        env={**os.environ, "F4X_MCP_TOKEN": "secret"},
    )  # fmt: skip
    try:
        while True:
            assert process.poll() is None, "the server ended"
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp", "secret"
    finally:
        process.terminate()
        process.wait(30)


def test_over_http_with_a_token(listening: tuple[str, str]) -> None:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    url, token = listening
    with httpx2.Client() as plain:
        assert plain.post(url, json={}).status_code == 401
        wrong = {"Authorization": "Bearer wrong"}
        assert plain.post(url, json={}, headers=wrong).status_code == 401
    client = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60)
    talk(streamable_http_client(url, http_client=client), use_everything)


def test_a_call_that_is_given_up_disturbs_no_other(perception: Perception) -> None:
    lock = threading.Lock()
    served = MapServer(perception, lock)

    async def give_up(client: Any) -> None:
        lock.acquire()  # the map is busy: the first call cannot be answered
        with anyio.move_on_after(0.3) as scope:
            await client.call_tool("find", {"thing": "red thing"})
        assert scope.cancelled_caught
        lock.release()
        assert not (await client.call_tool("find", {"thing": "blue thing"})).is_error

    talk(served.server, give_up)
    talk(served.server, give_up, "legacy")


def test_the_conversations_are_bounded(perception: Perception) -> None:
    served = MapServer(perception)

    async def many(client: Any) -> None:
        for number in range(MAX_SESSIONS + 3):
            asked = {"question": "What moved?", "session": f"s{number}"}
            await client.call_tool("ask", asked)

    talk(served.server, many)
    assert len(served._sessions) == MAX_SESSIONS


def test_other_machines_need_a_token(perception: Perception) -> None:
    with pytest.raises(BadInputError, match="no token"):
        check_address("0.0.0.0", "")
    with pytest.raises(BadInputError, match="no token"):
        http_app(MapServer(perception), "192.168.1.2")
    check_address("0.0.0.0", "secret")
    check_address("127.0.0.1", "")
