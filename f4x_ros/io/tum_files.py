# SPDX-License-Identifier: Apache-2.0
"""The text files of a TUM RGB-D sequence: lists of files, poses, calibration."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, from_quaternion
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.calibration import PINHOLE_COUNTS
from f4x_ros.io.text_rows import Row, read_rows, read_text

# Published with the benchmark: fx fy cx cy, then k1 k2 p1 p2 k3 of the colour camera. The frames
# of the third camera come undistorted.
_FREIBURG = {
    "1": (517.306408, 516.469215, 318.643040, 255.313989,
          0.262383, -0.953104, -0.005358, 0.002628, 1.163314),
    "2": (520.908620, 521.007327, 325.141442, 249.701764,
          0.231222, -0.784899, -0.003257, -0.000105, 0.917205),
    "3": (535.4, 539.2, 320.1, 247.6),
}  # fmt: skip

_CALIBRATION_FILE = "calibration.txt"
# Quaternions are rounded in files, but not to a tenth.
_LENGTH_TOLERANCE = 0.05
# Nanoseconds have 19; a number with a large exponent would take all memory as an integer.
_MOST_DIGITS = 20


class Stamped(NamedTuple):
    """A row with its stamp as it stands in the file, in whatever unit."""

    row: Row
    stamp: Decimal
    value: Any


class TumList(ABC):
    """Rows of one file that begin with a stamp.

    Attributes:
        path: of the file.
        entries: the rows that are understood, in the order of the file.
        wrong: sentences about the others, one each.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Stamped] = []
        self.wrong: list[str] = []

    @property
    def stamps(self) -> list[Decimal]:
        """As they stand in the file."""
        return [entry.stamp for entry in self.entries]

    def without(self, leave_out: Sequence[bool] | NDArray[np.bool_]) -> None:
        """Forget the entries that are marked."""
        self.entries = [e for e, out in zip(self.entries, leave_out, strict=True) if not out]

    def _read(self, expected: str) -> None:
        rows = read_rows(self.path)
        if rows and is_title(rows[0]):
            rows = rows[1:]
        for row in rows:
            stamp = _stamp(row)
            value = None if stamp is None else self._value(row)
            if stamp is None or value is None:
                text = row.text if len(row.text) < 80 else f"{row.text[:77]}..."
                self.wrong.append(f"{self.path} line {row.line}: {text!r}, expected {expected}")
            else:
                self.entries.append(Stamped(row, stamp, value))
        if not self.entries:
            raise BadInputError(
                self.wrong[0] if self.wrong else
                f"{self.path}: expected at least one line with a stamp"
            )  # fmt: skip

    @abstractmethod
    def _value(self, row: Row) -> Any:
        """What a row says beside its stamp; None if it is not understood."""


class FileList(TumList):
    """``rgb.txt`` or ``depth.txt``: stamps and names of files below the folder; values are paths.

    Raises:
        BadInputError: no row is understood; it names the first.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._read("a stamp and the name of a file")

    def _value(self, row: Row) -> Path | None:
        if len(row.words) < 2:
            return None
        # Names may hold blanks, or stand before more columns; the one that is there is meant.
        rest = row.text[len(row.words[0]) :].lstrip(" \t,;").strip("\"' ")
        names = [rest, row.words[1].strip("\"'")]
        names += [name.replace("\\", "/") for name in names]
        paths = [self.path.parent / name for name in names]
        return next((path for path in paths if path.is_file()), paths[1])


class PoseList(TumList):
    """``groundtruth.txt``: values are position and quaternion (xyzw) of the camera, ``[7]``.

    Raises:
        BadInputError: no row is understood; it names the first.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.real_first = _real_part_first(read_text(path))
        self._read(
            "a stamp and 7 finite numbers, the last 4 a quaternion of length 1 "
            f"({'qw qx qy qz' if self.real_first else 'qx qy qz qw'})"
        )

    def pose(self, index: int) -> Pose:
        """The pose of one entry."""
        numbers = self.entries[index].value
        return from_quaternion(numbers[:3], numbers[3:])

    def _value(self, row: Row) -> tuple[float, ...] | None:
        try:
            x, y, z, *q = (float(word) for word in row.words[1:8])
        except ValueError:
            return None
        if len(q) != 4 or not all(map(math.isfinite, (x, y, z))):
            return None
        if not abs(math.hypot(*q) - 1) <= _LENGTH_TOLERANCE:
            return None
        return (x, y, z, *q[1:], q[0]) if self.real_first else (x, y, z, *q)


def read_calibration(folder: Path) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
    """Where it comes from; the 3x3 matrix with pixel centres at integers; OpenCV's coefficients.

    Raises:
        BadInputError: there is none, or it has another count of numbers.
    """
    path = folder / _CALIBRATION_FILE
    freiburg = re.search(r"freiburg([123])", folder.resolve().name)
    if path.is_file():
        rows = [row.numbers() for row in read_rows(path)]
        if not rows or any(row is None for row in rows):
            raise BadInputError(f"{path}: expected numbers, fx fy cx cy [k1 k2 p1 p2 k3]")
        values = np.concatenate([row for row in rows if row is not None])
    elif freiburg:
        values = np.array(_FREIBURG[freiburg[1]])
    else:
        raise BadInputError(
            f"{path}: missing, expected 'fx fy cx cy [k1 k2 p1 p2 k3]' "
            "(or a folder name with freiburg1, freiburg2 or freiburg3)"
        )
    if len(values) == 9 and values[[1, 3, 6, 7]].tolist() == [0, 0, 0, 0] and values[8] == 1:
        return str(path), values.reshape(3, 3), np.empty(0)  # a matrix like that of K.txt
    if len(values) - 4 not in PINHOLE_COUNTS:
        counts = ", ".join(str(4 + count) for count in PINHOLE_COUNTS)
        raise BadInputError(f"{path}: {len(values)} numbers, expected one of {counts}")
    fx, fy, cx, cy = values[:4]
    return str(path), np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), values[4:]


def is_title(row: Row) -> bool:
    """True for names of columns that no "#" marks; "nan" is none."""
    words = row.words
    named = all(word.lower() not in ("nan", "inf", "-nan", "-inf") for word in words)
    return len(words) > 1 and named and not any(c.isdigit() for c in row.text)


def _stamp(row: Row) -> Decimal | None:
    """The first word as an exact number: a float cannot hold this century to a nanosecond."""
    try:
        stamp = Decimal(row.words[0]) if row.words else Decimal("nan")
    except InvalidOperation:
        return None
    fits = stamp.is_finite() and stamp >= 0 and stamp.adjusted() <= _MOST_DIGITS
    return stamp if fits else None


def _real_part_first(text: str) -> bool:
    """True if a title names the real part of the quaternion before the others, as EuRoC does."""
    for line in text.splitlines():
        if line.strip()[:1].isdigit():
            return False  # the first row of numbers: no title came before it
        words = (re.sub(r"\[.*?\]", "", word) for word in re.split(r"[\s,;#]+", line.lower()))
        order = [word[-1] for word in words if re.fullmatch(r"q_?(\w*_)?[wxyz]", word)]
        if len(order) == 4:
            return order[0] == "w"
    return False
