# SPDX-License-Identifier: Apache-2.0
"""How a command says that it failed for another reason than its input."""

from __future__ import annotations


class CommandError(Exception):
    """Ends the command with this message and exit code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
