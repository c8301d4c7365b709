# SPDX-License-Identifier: Apache-2.0
"""A real Chromium without a window, driven through its DevTools protocol.

Only this machine can be reached from it: a page that needed anything else would not work.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

PATIENCE_S = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_chromium() -> str:
    """Where it is; the test is skipped where it is not."""
    given = os.environ.get("F4X_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if given is None:
        pytest.skip(
            f"no Chromium here ({', '.join(NAMES)} or $F4X_CHROMIUM; Debian: apt install chromium)"
        )
    return given


class Tab:
    """The one page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Call the browser and wait; what the page complains of meanwhile is kept."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": given}))
        while True:
            said = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if said.get("id") == self._number:
                assert "error" not in said, said
                return said["result"]
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        given = said.get("params", {})
        if said.get("method") == "Runtime.exceptionThrown":
            details = given["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif said.get("method") == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.errors.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until an expression is true in the page; its value."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if value := self.js(expression):
                return value
            time.sleep(0.05)
        said = self.js("document.body?.innerText")
        raise AssertionError(f"never true: {expression}; errors {self.errors}; it says:\n{said}")

    def text(self, selector: str) -> str:
        return str(self.js(f"document.querySelector({selector!r})?.innerText ?? ''"))

    def middle(self, selector: str) -> tuple[float, float]:
        """Of an element, px of the window."""
        box = self.js(
            f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return box[0], box[1]

    def mouse(self, kind: str, x: float, y: float, buttons: int = 0, **given: Any) -> None:
        button = "left" if kind != "mouseMoved" else "none"
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=buttons,
            clickCount=1, **given,
        )  # fmt: skip

    def click(self, x: float, y: float, **given: Any) -> None:
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, 1, **given)
        self.mouse("mouseReleased", x, y, **given)

    def press(self, selector: str) -> None:
        self.click(*self.middle(selector))

    def drag(self, start: tuple[float, float], way: tuple[float, float], steps: int = 8) -> None:
        self.mouse("mousePressed", *start, 1)
        for k in range(1, steps + 1):
            x, y = (a + b * k / steps for a, b in zip(start, way, strict=True))
            self.mouse("mouseMoved", x, y, 1)
        self.mouse("mouseReleased", start[0] + way[0], start[1] + way[1])

    def type(self, selector: str, text: str) -> None:
        """Type a line into a field, and Enter."""
        self.js(f"document.querySelector({selector!r}).focus()")
        self.call("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                windowsVirtualKeyCode=13,
            )  # fmt: skip

    def png(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def chromium(size: tuple[int, int] = (1010, 640), *flags: str) -> Iterator[Tab]:
    """A browser with one empty page."""
    program = find_chromium()
    with tempfile.TemporaryDirectory(prefix="f4x-chromium-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [
                *(program, "--headless=new", "--no-sandbox", "--disable-dev-shm-usage"),
                *("--no-first-run", "--disable-background-networking", "--mute-audio"),
                *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # draws on the CPU
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
                *("--remote-debugging-port=0", f"--user-data-dir={folder}"),
                f"--window-size={size[0]},{size[1]}",
                *flags,
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(
                _tab_address(Path(folder), process), max_size=None, close_timeout=0.1
            ) as socket:
                tab = Tab(socket)
                tab.call(
                    "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1],
                    deviceScaleFactor=1, mobile=False,
                )  # fmt: skip
                yield tab
        finally:
            process.terminate()
            process.wait()


def _tab_address(folder: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, StopIteration):
            port = int((folder / "DevToolsActivePort").read_text().splitlines()[0])
            with urlopen(f"http://127.0.0.1:{port}/json/list") as told:
                tabs = json.load(told)
            return str(next(t for t in tabs if t["type"] == "page")["webSocketDebuggerUrl"])
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not start (exit code {process.returncode})")
