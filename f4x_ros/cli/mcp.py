# SPDX-License-Identifier: Apache-2.0
"""Serve a saved map to agent programs (Model Context Protocol), over stdio or HTTP.

Over stdio, for a program that starts it: {"command": "f4x", "args": ["mcp", "map.f4x"]}. With
--http it listens at http://HOST:PORT/mcp. Clients call the tools of `f4x ask` and look at pictures
of the map; nothing changes it. Needs the extra [mcp].
"""

from __future__ import annotations

import argparse
import os
import sys

from f4x_ros.cli.moment import add_map_argument
from f4x_ros.core.errors import BadInputError, UnsupportedError

_TOKEN = "F4X_MCP_TOKEN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_map_argument(parser)
    parser.add_argument("--http", action="store_true", help="listen on HTTP instead of stdio")
    parser.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    parser.add_argument(
        "--port", type=int, default=8321, help="of HTTP; 0 takes a free one (default: 8321)"
    )
    parser.add_argument(
        "--allow-edit", action="store_true",
        help="let clients change the layer of edits (in memory; the file stays as it is)",
    )  # fmt: skip
    parser.epilog = (
        f"Other hosts than 127.0.0.1 need a token in ${_TOKEN}, which clients send as bearer token."
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if not 0 <= options.port <= 65535:
        raise BadInputError(f"--port is {options.port}, expected 0 to 65535")
    try:
        import mcp  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UnsupportedError(
            f"{error.name} is not installed: pip install 'f4x-ros[mcp]'"
        ) from None

    from f4x_ros.mcp.serve import check_address, serve_http, serve_stdio

    token = os.environ.get(_TOKEN, "")
    if options.http:
        check_address(options.host, token)
    from f4x_ros.core.perception import Perception
    from f4x_ros.mcp.server import MapServer

    served = MapServer(Perception.load(options.map), allow_edit=options.allow_edit)
    if not options.http:
        serve_stdio(served)
        return 0
    port = options.port or _free_port(options.host)
    print(f"listening at http://{options.host}:{port}/mcp", file=sys.stderr, flush=True)
    serve_http(served, options.host, port, token)
    return 0


def _free_port(host: str) -> int:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
