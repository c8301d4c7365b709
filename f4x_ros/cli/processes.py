# SPDX-License-Identifier: Apache-2.0
"""Processes of ours that end when we do, whatever ends us."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from f4x_ros.cli.errors import CommandError

_TAIL_LINES = 15
_DOMAINS = range(215, 232)
_INTERRUPTED_S = 20.0  # a node that is interrupted finishes its frame
_TERMINATED_S = 5.0


class Child:
    """A Python module as a process, with its output in a log file.

    It is in a session of its own: a Ctrl-C meant for the command reaches it through `stop` only.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], log: Path, env: Mapping[str, str]
    ) -> None:
        self.name, self.log = module.rpartition(".")[2], log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **env},
                start_new_session=True,
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raise CommandError, with the end of the log, if the process has failed."""
        code = self.returncode
        if code not in (None, 0):
            raise self.failure(f"ended with exit code {code}")

    def failure(self, reason: str) -> CommandError:
        """An error to raise: what happened and the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        tail = "".join(f"\n    {line}" for line in lines)
        return CommandError(f"process '{self.name}' {reason}; the end of {self.log}:{tail}")

    def wait(self, timeout_s: float) -> None:
        """Let it come to its end by itself, but no longer than this."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def stop(self) -> int:
        """Interrupt, then terminate, then kill; return the exit code."""
        for number, patience_s in (
            (signal.SIGINT, _INTERRUPTED_S),
            (signal.SIGTERM, _TERMINATED_S),
        ):
            if self.returncode is None:
                self._process.send_signal(number)
                self.wait(patience_s)
        if self.returncode is None:
            self._process.kill()
        return self._process.wait()


@contextlib.contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt within the block, so that cleaning up happens, too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def free_domain_id() -> int:
    """A ROS domain whose discovery ports nobody on this machine has open.

    Domains 215 to 231 are free on Linux as 1 to 101 are (their ports lie above those the kernel
    gives away), but hardly anybody uses them, and no test of this package does. Ports are 7400 +
    250 * domain, +10 for the first participant (DDSI-RTPS 9.6.1.1). The search begins at a
    different place each time, so that two demos started together do not choose the same.

    Raises:
        CommandError: all are taken.
    """
    first = time.monotonic_ns() // 1000 + os.getpid()
    for step in range(len(_DOMAINS)):
        domain = _DOMAINS[(first + step) % len(_DOMAINS)]
        if all(_is_free(7400 + 250 * domain + offset) for offset in (0, 10, 11)):
            return domain
    raise CommandError(f"no ROS domain from {_DOMAINS[0]} to {_DOMAINS[-1]} is free here")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
