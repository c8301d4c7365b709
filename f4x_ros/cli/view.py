# SPDX-License-Identifier: Apache-2.0
"""Show a saved map in the browser: look around, go back in time, find, click, ask.

It prints an address to open, and ends with Ctrl-C. From another machine: ssh -L 8322:127.0.0.1:8322
ROBOT, and the same address there. With --host others reach it without ssh, by an address that has
a token. Nothing changes the map. Needs the extra [web].
"""

from __future__ import annotations

import argparse
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from f4x_ros.cli.moment import add_map_argument
from f4x_ros.core.errors import BadInputError, UnsupportedError

_PORT = 8322
_TOKEN = "F4X_WEB_TOKEN"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_map_argument(parser)
    parser.add_argument(
        "--port", type=int, default=_PORT, help=f"0 takes a free one (default: {_PORT})"
    )
    parser.add_argument(
        "--host", default="127.0.0.1",
        help="address to listen at, 0.0.0.0 for all (default: this machine alone); the token is "
        f"${_TOKEN}, or made up",
    )  # fmt: skip
    parser.add_argument("--open", action="store_true", help="open the page in a browser here")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    try:
        import websockets  # noqa: F401
    except ImportError as error:
        raise UnsupportedError(
            f"{error.name} is not installed: pip install 'f4x-ros[web]'"
        ) from None
    from f4x_ros.web.guard import check_address, is_loopback

    token = os.environ.get(_TOKEN, "")
    if not is_loopback(options.host):
        token = token or secrets.token_urlsafe(16)
    check_address(options.host, options.port, token)

    from f4x_ros.core.perception import Perception
    from f4x_ros.web.server import PageServer

    with ThreadPoolExecutor(1, thread_name_prefix="f4x-map") as owner:
        perception = owner.submit(Perception.load, Path(options.map)).result()
        try:
            page = PageServer(perception, owner, options.host, options.port, token=token)
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise BadInputError(
                f"{options.host}:{options.port} cannot be listened at ({why}); --port 0 takes a "
                "free port"
            ) from error
        try:
            print(f"Open {page.url} in a browser. Ctrl-C ends.", flush=True)
            if is_loopback(options.host):
                forward = f"ssh -L {page.port}:127.0.0.1:{page.port} THIS-MACHINE"
                print(f"From another machine: {forward}, then the same address.", flush=True)
            if options.open:
                import webbrowser

                webbrowser.open(page.url)
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nclosed", flush=True)
        finally:
            page.close()
            owner.shutdown(cancel_futures=True)
    return 0
