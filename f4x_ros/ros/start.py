# SPDX-License-Identifier: Apache-2.0
"""Where the executables begin: they say so at once, and may be stopped before they are there.

What they need is imported by the functions, since that takes seconds. Nothing of them is to be
cleaned up until it is there, so a signal ends the process at once: an exception would come out of
the middle of somebody's module, as pages of traceback.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def perception() -> int:
    """The executable `perception`; the exit code."""
    return _run("perception", "f4x_ros.ros.node")


def camera() -> int:
    """The executable `camera`; the exit code."""
    return _run("camera", "f4x_ros.ros.camera")


def _run(name: str, module: str) -> int:
    def leave(number: int, frame: FrameType | None) -> NoReturn:
        # (print is not for handlers: it may be at work in what was interrupted)
        os.write(2, f"{name}: stopped while starting\n".encode())
        os._exit(0)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    print(f"{name}: starting", file=sys.stderr, flush=True)
    main = importlib.import_module(module).main
    for number, handler in before.items():  # rclpy calls those it finds, and main cleans up
        signal.signal(number, handler)
    try:
        return int(main())
    except KeyboardInterrupt:  # before rclpy is there, or while it comes
        print(f"{name}: stopped while starting", file=sys.stderr)
        return 0
