# SPDX-License-Identifier: Apache-2.0
"""The tool that edits, for servers that were allowed to: the layer over the map, never the map."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import mcp_types as types

from f4x_ros.core.edit.words import CAN_DO
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.perception import Perception
from f4x_ros.viz.edit_picture import edit_picture

EDIT = types.Tool(
    name="edit",
    description=f"Change the layer of edits over the map, in plain English: {CAN_DO}. Files "
    "cannot be named here. The map as it was measured, which all other tools are about, stays as "
    "it is. Answers with a picture: before, after, after with what was guessed hatched.",
    input_schema={
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 500}},
        "required": ["text"],
        "additionalProperties": False,
    },
    annotations=types.ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
    ),
)


def edited(perception: Perception, arguments: dict[str, Any]) -> types.CallToolResult:
    """Do one edit.

    Raises:
        BadInputError: arguments that do not fit.
    """
    text = arguments.get("text")
    if not isinstance(text, str) or set(arguments) != {"text"}:
        raise BadInputError(f"edit has {sorted(arguments)}, expected text")
    before = perception.edits
    result = perception.edit(text, files=False)
    content: list[Any] = [types.TextContent(text=f"{result.outcome}: {result.message}")]
    if result.edits:
        picture = edit_picture(perception, before, result)
        done, data = cv2.imencode(".png", picture[..., ::-1])
        assert done
        encoded = base64.b64encode(bytes(data.tobytes())).decode()
        content.append(types.ImageContent(data=encoded, mime_type="image/png"))
    edits = [one.about for one in perception.edits]
    return types.CallToolResult(
        content=content,
        structured_content=result.as_json() | {"layer": edits},
        is_error=result.outcome == "not understood",
    )
