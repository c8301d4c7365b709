# SPDX-License-Identifier: Apache-2.0
"""Where the command `f4x` begins: it may be stopped before it is there."""

from __future__ import annotations

import sys

from f4x_ros.starting import leaving_at_once


def main() -> int:
    """Import the command and run it; the exit code, see `cli.main`."""
    with leaving_at_once("f4x: interrupted", 130):
        from f4x_ros.cli.main import main as command
    try:
        return command()
    except KeyboardInterrupt:  # before there is a command that could be interrupted
        print("f4x: interrupted", file=sys.stderr)
        return 130
