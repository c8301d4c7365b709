# SPDX-License-Identifier: Apache-2.0
"""Prompts from the command line, from a file, or those the demo asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

DEFAULT_PROMPTS = tuple(
    f"{c} thing" for c in ("red", "blue", "green", "yellow", "orange", "purple")
)

COLOR_ONLY = (
    "The extractor 'color' only knows colours and textures: it finds what looks red or striped, "
    "not what is a mug."
)


def read_prompts(path: str | Path) -> list[str]:
    """One prompt per line of a UTF-8 file; empty lines and those beginning with # are left out.

    Raises:
        ValueError: the file cannot be read, or has no prompt.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ValueError(
            f"prompts file '{path}': {reason}, expected a text file with one prompt per line"
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    prompts = [line for line in lines if line and not line.startswith("#")]
    if not prompts:
        raise ValueError(f"prompts file '{path}' has no prompt, expected one per line")
    return prompts


def chosen_prompts(
    given: Sequence[str], file: str | None, configured: Sequence[str], extractor: str
) -> list[str]:
    """Those given and those of the file; else those configured; else the default ones, said aloud.

    Raises:
        ValueError: the file cannot be read, or nothing is known to ask the extractor.
    """
    prompts = [*given, *(read_prompts(file) if file else [])] or list(configured)
    if prompts:
        return prompts
    if extractor != "color":
        raise ValueError(f"extractor '{extractor}' needs prompts: give --prompt or --prompts-file")
    print(f"No prompts given, asking for: {', '.join(DEFAULT_PROMPTS)}.")
    return list(DEFAULT_PROMPTS)
