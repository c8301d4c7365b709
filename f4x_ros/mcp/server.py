# SPDX-License-Identifier: Apache-2.0
"""The server of one map: its tools as MCP tools, its pictures and its scene graph as resources.

Nothing changes the map; its layer of edits changes where that was allowed. Calls come one after
another, in a thread beside the loop that talks to clients, so a client that gives up does not wait
and does not disturb others.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import cv2
import mcp_types as types
from mcp import MCPError
from mcp.server import Server, ServerRequestContext

from f4x_ros import __version__
from f4x_ros.core.ask.dialogue import CAN_ANSWER, Answer, Dialogue, Sessions
from f4x_ros.core.ask.tools import MapScene, Outcome, ToolResult, scene_graph
from f4x_ros.core.ask.tools.resolve import moment
from f4x_ros.core.errors import BadInputError, F4xError, shown
from f4x_ros.core.perception import Perception
from f4x_ros.mcp.edits import EDIT, edited
from f4x_ros.viz.ask_picture import picture_of_result

_SCENE_URI, _ABOUT_URI = "f4x://scene", "f4x://map"
_VIEW = re.compile(r"f4x://view/(-?\d+(?:\.\d+)?)\.png")
_THING = re.compile(r"f4x://thing/(-?\d+)\.png")
_TEMPLATES = (
    ("f4x://view/{seconds}.png", "view", "The map as the camera saw it, seconds after the first "
     "frame (negative: before the last)"),
    ("f4x://thing/{id}.png", "thing", "The map with one thing marked"),
)  # fmt: skip
_READ_ONLY = types.ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_ASK = types.Tool(
    name="ask",
    description=f"Answer a question in plain English: {CAN_ANSWER}. With the same `session`, "
    "'it' and 'and at 3 s?' refer to what was asked before.",
    input_schema={
        "type": "object",
        "properties": {
            "question": {"type": "string", "minLength": 1, "maxLength": 500},
            "session": {"type": "string", "maxLength": 64, "description": "any name"},
        },
        "required": ["question"],
        "additionalProperties": False,
    },
    annotations=_READ_ONLY,
)
_LOOK = types.Tool(
    name="look",
    description="A picture of the map as the camera saw it at a moment, with things marked.",
    input_schema={
        "type": "object",
        "properties": {
            "at": {"type": "number", "description": "seconds since the first frame"},
            "ids": {"type": "array", "items": {"type": "integer"}, "maxItems": 12},
        },
        "additionalProperties": False,
    },
    annotations=_READ_ONLY,
)

_VALUE = Outcome.VALUE

Context = ServerRequestContext[Any]
Listed = types.PaginatedRequestParams | None
T = TypeVar("T")


class MapServer:
    """Answers what clients ask of one map.

    Args:
        perception: the map; nothing else may use it while a call is answered, see `lock`.
        lock: held while the map is asked; None makes one.
        allow_edit: whether clients may change the layer of edits.

    Attributes:
        server: of the protocol, to be run by `serve`.
    """

    def __init__(
        self,
        perception: Perception,
        lock: threading.Lock | None = None,
        *,
        allow_edit: bool = False,
    ) -> None:
        self._perception, self._allow_edit = perception, allow_edit
        self._lock = lock or threading.Lock()
        self._sessions = Sessions()
        self.server: Server[Any] = Server(
            "f4x",
            version=__version__,
            instructions="A robot's map of a room, with everything that happened in it. Times are "
            "seconds since the first frame. 'not present' and 'unsure' are answers.",
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
        )

    async def _alone(self, work: Callable[[], T]) -> T:
        """Run something in a thread, alone with the map; the caller may give up waiting."""

        def locked() -> T:
            with self._lock:
                return work()

        return await anyio.to_thread.run_sync(locked, abandon_on_cancel=True)

    # --- tools ---------------------------------------------------------------------------------

    async def _list_tools(self, context: Context, params: Listed) -> types.ListToolsResult:
        made = [
            types.Tool(
                name=tool.name,
                description=tool.about,
                input_schema=tool.schema(),
                annotations=_READ_ONLY,
            )
            for tool in self._perception.tools.tools
        ]
        edits = [EDIT] if self._allow_edit else []
        return types.ListToolsResult(tools=[_ASK, _LOOK, *edits, *made])

    async def _call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        known = {_ASK.name, _LOOK.name, *(tool.name for tool in self._perception.tools.tools)}
        if self._allow_edit:
            known.add(EDIT.name)
        if params.name not in known:
            raise MCPError(
                types.INVALID_PARAMS,
                f"there is no tool {shown(params.name)}, "
                f"expected one of {', '.join(sorted(known))}",
            )
        try:
            return await self._alone(partial(self._called, params.name, params.arguments or {}))
        except F4xError as error:  # the caller can put it right
            return types.CallToolResult(content=[_text(f"error: {error}")], is_error=True)

    def _called(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        if name == _ASK.name:
            answer = self._answer(arguments)
            return types.CallToolResult(
                content=[_text(f"{answer.outcome}: {answer.text}")],
                structured_content=answer.as_json(),
                is_error=answer.outcome == "not understood",
            )
        if name == EDIT.name:
            return edited(self._perception, arguments)
        if name == _LOOK.name:
            return types.CallToolResult(content=[self._look(arguments)])
        result = self._perception.tools.call(name, arguments)
        said = result.text if result.outcome.value == "value" else (
            f"{result.outcome.value}: {result.text}"
        )  # fmt: skip
        return types.CallToolResult(content=[_text(said)], structured_content=result.as_json())

    def _answer(self, arguments: dict[str, Any]) -> Answer:
        question, session = arguments.get("question"), arguments.get("session", "")
        if not isinstance(question, str) or not isinstance(session, str):
            raise BadInputError("ask needs question (text), and session, if given, is a name")
        if set(arguments) - {"question", "session"}:
            raise BadInputError(f"ask has {sorted(arguments)}, expected question and session")
        return Dialogue(self._perception.tools, self._sessions.of(session)).ask(question)

    def _look(self, arguments: dict[str, Any]) -> types.ImageContent:
        at, ids = arguments.get("at"), arguments.get("ids", [])
        if set(arguments) - {"at", "ids"}:
            raise BadInputError(f"look has {sorted(arguments)}, expected at and ids")
        if at is not None and (isinstance(at, bool) or not isinstance(at, (int, float))):
            raise BadInputError(f"at is {at!r}, expected seconds")
        if not isinstance(ids, list) or not all(isinstance(one, int) for one in ids):
            raise BadInputError(f"ids is {ids!r}, expected a list of ids of things")
        data = base64.b64encode(self._png(at, tuple(ids))).decode()
        return types.ImageContent(data=data, mime_type="image/png")

    # --- resources -----------------------------------------------------------------------------

    async def _list_resources(self, context: Context, params: Listed) -> types.ListResourcesResult:
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    uri=_ABOUT_URI, name="map", description="What the map is of, and its things",
                    mime_type="application/json",
                ),
                types.Resource(
                    uri=_SCENE_URI, name="scene graph", description="Things, relations, histories",
                    mime_type="application/json",
                ),
                types.Resource(
                    uri="f4x://view/-0.0.png", name="last view",
                    description="The map as the camera saw it last", mime_type="image/png",
                ),
            ]
        )  # fmt: skip

    async def _list_templates(
        self, context: Context, params: Listed
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    uri_template=uri, name=name, description=about, mime_type="image/png"
                )
                for uri, name, about in _TEMPLATES
            ]
        )

    async def _read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        try:
            contents = await self._alone(partial(self._resource, uri))
        except F4xError as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None
        return types.ReadResourceResult(contents=[contents])

    def _resource(self, uri: str) -> types.TextResourceContents | types.BlobResourceContents:
        scene = self._perception.tools.scene
        if uri == _SCENE_URI:
            return _json(uri, scene_graph(scene))
        if uri == _ABOUT_URI:
            return _json(uri, self._about())
        if found := _VIEW.fullmatch(uri):
            last = found[1] in ("-0", "-0.0")
            return _picture(uri, self._png(None if last else float(found[1]), ()))
        if found := _THING.fullmatch(uri):
            number = int(found[1])
            thing = scene.thing(number)
            if thing is None:
                raise BadInputError(f"there is no thing {number}, expected an id of a result")
            first, last_ns = thing.span_ns()
            seen = [ns for ns in range(first, last_ns + 1, 200_000_000)
                    if (state := thing.state_at(ns)) is not None and state.seen]  # fmt: skip
            at = ((seen[-1] if seen else last_ns) - scene.span_ns[0]) / 1e9
            return _picture(uri, self._png(at, (number,)))
        raise BadInputError(
            f"there is no resource {shown(uri)}, expected {_SCENE_URI}, {_ABOUT_URI}, "
            f"{' or '.join(template[0] for template in _TEMPLATES)}"
        )

    def _about(self) -> dict[str, Any]:
        perception = self._perception
        scene = perception.tools.scene
        first, last = scene.span_ns
        return {
            "frame": scene.map_frame,
            "first_stamp_ns": first,
            "last_stamp_ns": last,
            "seconds": (last - first) / 1e9,
            "prompts": list(perception.prompts),
            "encoder": perception.encoder,
            "gaussians": perception.gaussians,
            "things": [{"id": one.id, "name": one.name} for one in scene.things_at(last)],
            "read_only": not self._allow_edit,
        }

    def _png(self, at: float | None, ids: tuple[int, ...]) -> bytes:
        scene = self._perception.tools.scene
        assert isinstance(scene, MapScene)
        then = moment(scene, at)
        for one in ids:
            if scene.thing(one) is None:
                raise BadInputError(f"there is no thing {one}, expected an id of a result")
        marked = ToolResult("look", _VALUE, None, "", ids=ids, stamps_ns=(then.ns,))
        picture = picture_of_result(scene, marked, self._caption(ids))
        done, data = cv2.imencode(".png", picture[..., ::-1])
        assert done
        return bytes(data.tobytes())

    def _caption(self, ids: tuple[int, ...]) -> str:
        scene = self._perception.tools.scene
        named = [thing for one in ids if (thing := scene.thing(one)) is not None]
        return ", ".join(f"{thing.name} #{thing.id}" for thing in named)


def _text(text: str) -> types.TextContent:
    return types.TextContent(text=text)


def _json(uri: str, value: dict[str, Any]) -> types.TextResourceContents:
    text = json.dumps(value, allow_nan=False)
    return types.TextResourceContents(uri=uri, mime_type="application/json", text=text)


def _picture(uri: str, png: bytes) -> types.BlobResourceContents:
    data = base64.b64encode(png).decode()
    return types.BlobResourceContents(uri=uri, mime_type="image/png", blob=data)
