# SPDX-License-Identifier: Apache-2.0
"""The page in the browser beside the node: what it asks, the worker answers between two steps."""

from __future__ import annotations

import concurrent.futures
import os
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from rclpy.node import Node
from rclpy.task import Future

from f4x_ros.core.errors import BadInputError, UnsupportedError
from f4x_ros.core.perception import Perception
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.worker import Worker

if TYPE_CHECKING:
    from f4x_ros.web.server import PageServer

Result = TypeVar("Result")

TOKEN = "F4X_WEB_TOKEN"
"""Environment variable with the token that the address has, if others may open the page."""


class WorkerAsOwner:
    """The worker as a page's `Owner`: a job that nobody waits for any more is not begun."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def submit(self, job: Callable[[], Result], /) -> concurrent.futures.Future[Result]:
        """Run a job between two steps of a frame; raises StoppedError in its future."""
        future: concurrent.futures.Future[Result] = concurrent.futures.Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(job())
            except Exception as error:
                future.set_exception(error)

        def ended(asked: Future[Any]) -> None:
            error = asked.exception()  # StoppedError: `run` itself raises nothing
            if error is not None and future.set_running_or_notify_cancel():
                future.set_exception(error)

        self._worker.ask(run).add_done_callback(ended)
        return future


def open_page(
    node: Node, settings: Settings, perception: Perception, worker: Worker, health: Health
) -> PageServer | None:
    """Serve the page as `web.host` and `web.port` say; None where there is to be none.

    Raises:
        UnsupportedError: the extra [web] is not installed.
        BadInputError: the address cannot be listened at.
    """
    host, port = settings["web.host"], settings["web.port"]
    if not port:
        return None
    try:
        from f4x_ros.web.guard import is_loopback
        from f4x_ros.web.server import PageServer
    except ImportError as error:
        raise UnsupportedError(
            f"parameter 'web.port' is {port}, but {error.name} is not installed: "
            "pip install 'f4x-ros[web]'"
        ) from None
    token = os.environ.get(TOKEN, "")
    if not is_loopback(host):
        token = token or secrets.token_urlsafe(16)
    try:
        page = PageServer(
            perception,
            WorkerAsOwner(worker),
            host,
            port,
            token=token,
            rate_hz=settings["web.rate_hz"],
            details=health.speed,
        )
    except OSError as error:
        raise BadInputError(
            f"parameters 'web.host' and 'web.port' are {host!r} and {port}, expected an address "
            f"that can be listened at ({os.strerror(error.errno or 0)})"
        ) from error
    node.get_logger().info(f"the map can be seen at {page.url}")
    return page
