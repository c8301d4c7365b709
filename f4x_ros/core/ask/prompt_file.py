# SPDX-License-Identifier: Apache-2.0
"""Prompts from a text file, for the command line and the node alike (imports no torch)."""

from __future__ import annotations

from pathlib import Path

from f4x_ros.core.errors import BadInputError


def read_prompts(path: str | Path) -> list[str]:
    """One prompt per line of a UTF-8 file; empty lines and those beginning with # are left out.

    Raises:
        ValueError: the file cannot be read, or has no prompt.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BadInputError(
            f"prompts file '{path}': {reason}, expected a text file with one prompt per line"
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    prompts = [line for line in lines if line and not line.startswith("#")]
    if not prompts:
        raise BadInputError(f"prompts file '{path}' has no prompt, expected one per line")
    return prompts
