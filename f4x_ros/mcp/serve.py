# SPDX-License-Identifier: Apache-2.0
"""Running the server of a map: over stdio for one client, over HTTP for many."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import uvicorn
from mcp.server.stdio import stdio_server

from f4x_ros.core.errors import BadInputError
from f4x_ros.mcp.server import MapServer

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that only programs of this machine reach."""

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


def serve_stdio(served: MapServer) -> None:
    """Talk to one client over standard input and output until it closes them."""

    async def talk() -> None:
        async with stdio_server() as (read, write):
            await served.server.run(read, write, served.server.create_initialization_options())

    anyio.run(talk)


def check_address(host: str, token: str) -> None:
    """BadInputError if others could reach the server without a token."""
    if host not in LOOPBACK and not token:
        raise BadInputError(
            f"host is {host!r}, which other machines reach, and there is no token: expected "
            "127.0.0.1, or a token"
        )


def http_app(served: MapServer, host: str, token: str = "") -> _App:
    """The server as an ASGI application; its address is /mcp.

    Args:
        served: the map.
        host: on which it will listen.
        token: that clients have to send as bearer token; "" asks for none, on loopback only.
    """
    check_address(host, token)
    app: _App = served.server.streamable_http_app(host=host)
    return _guarded(app, token) if token else app


def serve_http(served: MapServer, host: str, port: int, token: str = "") -> None:
    """Listen until a signal ends it.

    Raises:
        BadInputError: see `check_address`.
        OSError: the address is taken.
    """
    app = http_app(served, host, token)
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning"))
    server.run()


def _guarded(app: _App, token: str) -> _App:
    """Answers 401 to requests without the token."""

    async def guarded(scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "http" and not _has_token(scope, token):
            await send(
                {
                    "type": "http.response.start",
                    "status": 401,
                    "headers": [(b"www-authenticate", b"Bearer"), (b"content-length", b"0")],
                }
            )
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return guarded


def _has_token(scope: _Scope, token: str) -> bool:
    given = dict(scope["headers"]).get(b"authorization", b"")
    return hmac.compare_digest(given, b"Bearer " + token.encode())
