# SPDX-License-Identifier: Apache-2.0
"""The MCP server edits only where that was allowed, and never files."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anyio
import cv2
import numpy as np
import pytest
from ask_scene import small_map

from f4x_ros.core.perception import Perception

mcp = pytest.importorskip("mcp", reason="needs the extra [mcp]")

from f4x_ros.mcp.server import MapServer  # noqa: E402


@pytest.fixture
def perception(tmp_path: Path) -> Perception:
    path = tmp_path / "map.f4x"
    small_map().save(path)
    return Perception.load(path)


async def edit(client: Any) -> None:
    names = [tool.name for tool in (await client.list_tools()).tools]
    assert "edit" in names
    done = await client.call_tool("edit", {"text": "remove the red thing"})
    assert done.structured_content["outcome"] == "done"
    assert done.structured_content["layer"] == ["remove the red thing"]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(done.content[1].data), np.uint8), 1)
    third = picture.shape[1] // 3
    assert np.abs(picture[:-25, :third].astype(int) - picture[:-25, third : 2 * third]).max() > 60
    found = await client.call_tool("find", {"thing": "red thing"})
    assert found.structured_content["outcome"] == "value"  # as measured
    file = await client.call_tool("edit", {"text": "extract the blue thing to /tmp/never.ply"})
    assert file.is_error
    undone = await client.call_tool("edit", {"text": "undo"})
    assert undone.structured_content["layer"] == []


async def cannot_edit(client: Any) -> None:
    names = [tool.name for tool in (await client.list_tools()).tools]
    assert "edit" not in names
    with pytest.raises(mcp.MCPError, match="there is no tool 'edit'"):
        await client.call_tool("edit", {"text": "remove the red thing"})


def talk(server: MapServer, what: Any) -> None:
    async def connected() -> None:
        with anyio.fail_after(120):
            async with mcp.Client(server.server) as client:
                await what(client)

    anyio.run(connected)


def test_edits_where_allowed(perception: Perception) -> None:
    talk(MapServer(perception, allow_edit=True), edit)


def test_no_edits_by_default(perception: Perception) -> None:
    talk(MapServer(perception), cannot_edit)
    assert perception.edits == ()
