# SPDX-License-Identifier: Apache-2.0
"""Where the executables begin: they say so at once, and may be stopped before they are there."""

from __future__ import annotations

import importlib
import sys

from f4x_ros.starting import leaving_at_once


def perception() -> int:
    """The executable `perception`; the exit code."""
    return _run("perception", "f4x_ros.ros.node")


def camera() -> int:
    """The executable `camera`; the exit code."""
    return _run("camera", "f4x_ros.ros.camera")


def _run(name: str, module: str) -> int:
    stopped = f"{name}: stopped while starting"
    with leaving_at_once(stopped, 0):
        print(f"{name}: starting", file=sys.stderr, flush=True)
        main = importlib.import_module(module).main
    try:
        return int(main())
    except KeyboardInterrupt:  # before rclpy is there, or while it comes
        print(stopped, file=sys.stderr)
        return 0
