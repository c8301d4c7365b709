# SPDX-License-Identifier: Apache-2.0
"""Prompts from a text file, for the command line and the node alike (imports no torch)."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from f4x_ros.core.base.limits import (
    MAX_PROMPT_LETTERS,
    MAX_PROMPTS,
    MAX_PROMPTS_FILE_BYTES,
    check_length,
)
from f4x_ros.core.errors import BadInputError

_EXPECTED = "expected a text file with one prompt per line"
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LINE_ENDS = re.compile(r"\r\n|\r|\n")


def read_prompts(path: str | Path) -> list[str]:
    """One prompt per line; empty lines and those beginning with # are left out.

    The file is UTF-8, or UTF-16 with a byte order mark, with the line ends of any system.

    Raises:
        ValueError: the file cannot be read, has no prompt or too many, or is too large; a line is
            too long. Names the file and the line.
    """
    where = f"prompts file '{path}'"
    lines = enumerate((line.strip() for line in _LINE_ENDS.split(_text(Path(path), where))), 1)
    prompts = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if not prompts:
        raise BadInputError(f"{where} has no prompt, expected one per line")
    if len(prompts) > MAX_PROMPTS:
        raise BadInputError(f"{where} has {len(prompts)} prompts, expected at most {MAX_PROMPTS}")
    for number, line in prompts:
        check_length(f"{where} line {number}:", line, MAX_PROMPT_LETTERS)
    return [line for _, line in prompts]


def _text(path: Path, where: str) -> str:
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_PROMPTS_FILE_BYTES + 1)
    except (OSError, RuntimeError) as error:  # (RuntimeError: a home folder that is none)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInputError(f"{where}: {reason}, {_EXPECTED}") from error
    if len(data) > MAX_PROMPTS_FILE_BYTES:
        raise BadInputError(
            f"{where} has more than {MAX_PROMPTS_FILE_BYTES} bytes, {_EXPECTED}, at most "
            f"{MAX_PROMPTS}"
        )
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        # (a mark in the middle comes from files that were joined)
        return data.decode(encoding).replace("\ufeff", "")
    except UnicodeDecodeError as error:
        raise BadInputError(f"{where}: not UTF-8 at byte {error.start}, {_EXPECTED}") from error
