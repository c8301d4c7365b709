# SPDX-License-Identifier: Apache-2.0
"""Rows of words and numbers in text files, however an editor or a spreadsheet wrote them."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.errors import BadInputError

_BETWEEN = re.compile(r"[\s,;]+")


@dataclass(frozen=True)
class Row:
    """A row that is neither blank nor a comment; `line` counts from 1."""

    line: int
    text: str

    @cached_property
    def words(self) -> list[str]:
        """Separated by blanks, tabs, commas or semicolons."""
        return [word for word in _BETWEEN.split(self.text) if word]

    def numbers(self) -> NDArray[np.float64] | None:
        """All words as numbers (nan and inf are some), or None if one is none."""
        try:
            return np.array([float(word) for word in self.words])
        except ValueError:
            return None


def read_rows(path: Path) -> list[Row]:
    """Rows of a text file, without comments (#); any line ends, with or without byte order mark."""
    lines = enumerate(read_text(path).splitlines(), start=1)
    rows = (Row(number, re.split(r"(?:^|\s)#", line)[0].strip()) for number, line in lines)
    return [row for row in rows if row.text]


def read_text(path: Path) -> str:
    """Text in UTF-8, in UTF-16 with a byte order mark, else in the one-byte encoding of old."""
    data = path.read_bytes()
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # an umlaut in a comment


def read_matrix(path: Path, size: int) -> NDArray[np.float64]:
    """``size`` rows of as many numbers; raises BadInputError naming the file and what it has."""
    rows = read_rows(path)
    values = [row.numbers() for row in rows]
    for row, value in zip(rows, values, strict=True):
        if value is None:
            raise BadInputError(f"{path} line {row.line}: {row.text!r}, expected numbers")
    lengths = sorted({len(value) for value in values if value is not None})
    if len(rows) != size or lengths != [size]:
        columns = " or ".join(map(str, lengths)) or "0"
        raise BadInputError(
            f"{path}: {len(rows)} x {columns} numbers, expected {size} rows of {size}"
        )
    return np.array(values, np.float64)
