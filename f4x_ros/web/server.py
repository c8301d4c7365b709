# SPDX-License-Identifier: Apache-2.0
"""The server of the page: a few files over HTTP, and one WebSocket for each open page.

A page sends `{"id": 7, "do": ..., ...}`; the answer is `{"id": 7, "value": {...}}` or
`{"id": 7, "error": "what is wrong"}`. With bytes it is a binary message: the length of the JSON
(4 bytes, little endian), the JSON, the bytes. `{"event": "about", "value": ...}` comes unasked when
a growing map has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from importlib import resources
from typing import Any, Protocol, TypeVar

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from f4x_ros.core.errors import BadInputError, F4xError
from f4x_ros.core.perception import Perception
from f4x_ros.web.guard import check_address, refusal, split
from f4x_ros.web.talk import Details, Reply, Talk, about, no_details

T = TypeVar("T")

MAX_PAGES = 8
"""Pages that may be open at a time."""

_WAITING = 16  # answers that one page may wait for
_MESSAGE_BYTES = 64_000  # of a message from a page
_START_S = 30.0
_CLOSE_S = 1.0  # that a page has to say goodbye
_EVERYWHERE = ("0.0.0.0", "::")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # (the address has the token)
    "X-Content-Type-Options": "nosniff",
}
_log = logging.getLogger(__name__)


class Owner(Protocol):
    """The one thread that may touch the map; `ThreadPoolExecutor(1)` is one."""

    def submit(self, job: Callable[[], T], /) -> Future[T]:
        """Run it there when its turn comes."""


class PageServer:
    """Serves the page of one map from a thread of its own, which never touches the map.

    Args:
        perception: the map.
        owner: runs whatever is asked of it.
        host: address to listen at.
        port: 0 takes a free one.
        token: that has to be in the address; "" asks for none, on loopback only.
        rate_hz: how often pages are told that the map has grown; 0 = it does not grow.
        details: see `Talk`.

    Raises:
        BadInputError: see `check_address`.
        OSError: the address cannot be listened at.
    """

    def __init__(
        self,
        perception: Perception,
        owner: Owner,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token: str = "",
        rate_hz: float = 0.0,
        details: Details = no_details,
    ) -> None:
        check_address(host, port, token)
        self._perception, self._owner, self._details = perception, owner, details
        self._host, self._port, self._token, self._rate_hz = host, port, token, rate_hz
        self._files = {one.name: one.read_bytes() for one in _static_files()}
        self._pages: set[ServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="f4x-page", daemon=True)
        self._thread.start()
        try:
            self._port = self._started.result(_START_S)
        except BaseException:
            self._thread.join()
            raise

    @property
    def url(self) -> str:
        """The address to open; that of a page for everybody has this machine's name."""
        host = socket.gethostname() if self._host in _EVERYWHERE else self._host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self._port}/" + (f"?token={self._token}" if self._token else "")

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return self._port

    @property
    def pages(self) -> int:
        """How many are open."""
        return len(self._pages)

    def close(self) -> None:
        """Close all pages and end the thread; what they wait for is not answered."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    # --- its thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:
            if self._started.done():
                _log.exception("the page has ended")
            else:
                self._started.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with serve(
            self._page,
            self._host,
            self._port,
            process_request=self._file,
            compression=None,
            max_size=_MESSAGE_BYTES,
            close_timeout=_CLOSE_S,
            logger=_quiet(),
        ) as server:
            self._started.set_result(_port_of(server))
            if self._rate_hz:
                self._spawn(self._watch())
            await self._ended.wait()
        for task in self._tasks:  # nobody is there to hear it
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _file(self, connection: ServerConnection, request: Request) -> Response | None:
        """A file of the page; None lets a WebSocket be opened."""
        headers = request.headers
        why_not = refusal(request.path, _one(headers, "Host"), _one(headers, "Origin"), self._token)
        name = split(request.path).path.lstrip("/") or "index.html"
        is_public = name.endswith((".js", ".css"))  # the same for everybody, and no map in it
        if why_not and not is_public:
            return _response(403, "Forbidden", "text/plain", why_not.encode())
        if name == "talk":
            return None
        if name not in self._files:
            return _response(404, "Not Found", "text/plain", b"there is no such file")
        kind = _TYPES[name[name.rindex(".") :]]
        return _response(200, "OK", kind, self._files[name])

    async def _page(self, connection: ServerConnection) -> None:
        """Answer one page until it closes."""
        if len(self._pages) >= MAX_PAGES:
            await connection.close(1013, f"{MAX_PAGES} pages are open already")
            return
        self._pages.add(connection)
        talk = Talk(self._perception, self._details)
        waiting: set[asyncio.Task[None]] = set()
        try:
            async for message in connection:
                if len(waiting) >= _WAITING:
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                task = self._spawn(self._answer(connection, talk, message))
                waiting.add(task)
                task.add_done_callback(waiting.discard)
        except ConnectionClosed:
            pass
        finally:
            self._pages.discard(connection)
            for task in waiting:
                task.cancel()

    async def _answer(self, connection: ServerConnection, talk: Talk, message: str | bytes) -> None:
        number: Any = None
        try:
            wanted = _read(message)
            number = wanted.get("id")
            reply = await self._on_owner(lambda: talk.answer(wanted))
            text = _written(number, reply)
        except F4xError as error:
            text = json.dumps({"id": number, "error": str(error)})
        except Exception as error:
            _log.exception("a page's question failed")
            said = f"internal error ({type(error).__name__}): the log of f4x says more"
            text = json.dumps({"id": number, "error": said})
        with contextlib.suppress(ConnectionClosed):
            await connection.send(text)

    async def _watch(self) -> None:
        """Tell pages when the map has grown."""
        told = ""
        while True:
            await asyncio.sleep(1 / self._rate_hz)
            if not self._pages:
                told = ""
                continue
            try:
                value = await self._on_owner(lambda: about(self._perception, self._details))
            except F4xError:  # the owner is ending
                return
            except Exception:
                _log.exception("open pages are no longer told how the map grows")
                return
            text = json.dumps({"event": "about", "value": value}, allow_nan=False)
            if text != told:
                told = text
                broadcast(self._pages, text)

    async def _on_owner(self, job: Callable[[], T]) -> T:
        """Wait for what the owner makes of a job; one that is no longer waited for is not begun."""
        return await asyncio.wrap_future(self._owner.submit(job))


def _static_files() -> list[Any]:
    folder = resources.files("f4x_ros.web.static")
    return [one for one in folder.iterdir() if one.name.endswith(tuple(_TYPES))]


def _read(message: str | bytes) -> dict[str, Any]:
    try:
        wanted = json.loads(message)
    except ValueError as error:
        raise BadInputError(f"the message is no JSON ({error})") from None
    if not isinstance(wanted, dict):
        raise BadInputError(f"the message is {wanted!r:.80}, expected an object with id and do")
    return wanted


def _written(number: Any, reply: Reply) -> str | bytes:
    text = json.dumps({"id": number, "value": reply.value}, allow_nan=False)
    if not reply.data:
        return text
    head = text.encode()
    head += b" " * (-len(head) % 4)  # so that words of 32 bits after it lie where they may
    return struct.pack("<I", len(head)) + head + reply.data


def _response(status: int, reason: str, kind: str, body: bytes) -> Response:
    headers = Headers(
        _HEADERS | {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}
    )
    return Response(status, reason, headers, body)


def _one(headers: Headers, name: str) -> str | None:
    """A header that is there once; of several, none is to be believed."""
    values = headers.get_all(name)
    return values[0] if len(values) == 1 else None if not values else ""


def _port_of(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


def _quiet() -> logging.Logger:
    """A browser that goes away in the middle of a handshake is nobody's concern."""
    logger = logging.getLogger(f"{__name__}.websockets")
    logger.setLevel(logging.CRITICAL)
    return logger
