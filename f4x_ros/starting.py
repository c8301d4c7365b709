# SPDX-License-Identifier: Apache-2.0
"""A program that is stopped while it imports what it needs; for the first lines of executables."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


@contextlib.contextmanager
def leaving_at_once(words: str, exit_code: int) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM end the process with these words on stderr.

    For imports, which take seconds and leave nothing to be cleaned up: an exception would come out
    of the middle of somebody's module, as pages of traceback. A signal that is ignored stays so.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        # (print is not for handlers: it may be at work in what was interrupted)
        os.write(2, f"{words}\n".encode())
        os._exit(exit_code)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.getsignal(one) for one in numbers}
    taken = [one for one in numbers if before[one] is not signal.SIG_IGN]
    for one in taken:
        signal.signal(one, leave)
    try:
        yield
    finally:
        for one in taken:
            signal.signal(one, before[one])
