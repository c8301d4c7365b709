# SPDX-License-Identifier: Apache-2.0
"""A pose per row: ``poses.txt`` of RGB-D folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, check_pose
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.text_rows import Row, read_rows
from f4x_ros.io.transforms import nearest_rotation

# Most rows like that are no bad rows but another format.
_MOST_WRONG = 0.5


class PosesFile:
    """Row-major matrices, 4x4 (16 numbers) or 3x4 (12, as KITTI has them), camera to map, metres.

    Attributes:
        rows: those of the file, one per frame.
    """

    def __init__(self, path: Path) -> None:
        """Read the rows; raises BadInputError if they are not of 16 or 12 numbers."""
        self.path = path
        self.rows = read_rows(path)
        self._numbers = [row.numbers() for row in self.rows]
        lengths = Counter(len(values) for values in self._numbers if values is not None)
        if not lengths:
            raise BadInputError(f"{path}: expected rows of numbers, found none")
        self._length = lengths.most_common(1)[0][0]
        if self._length not in (12, 16):
            raise BadInputError(
                f"{path}: {len(self.rows)} x {self._length} numbers, expected rows of 16 (a 4x4 "
                "matrix, row by row) or 12 (without its last row)"
            )

    def poses(self) -> tuple[list[Pose | None], list[str]]:
        """The pose of each row, None for one that holds none; and what to say of those.

        A row that is not finite is a frame whose tracking was lost; one that is no rigid transform,
        or not as long as the others, is wrong.

        Raises:
            BadInputError: more than half of the rows are wrong; it names the first.
        """
        poses: list[Pose | None] = []
        lost: list[int] = []
        wrong: list[tuple[int, str]] = []
        for row, numbers in zip(self.rows, self._numbers, strict=True):
            poses.append(None)
            if numbers is None or len(numbers) != self._length:
                wrong.append((row.line, self._misfit(row)))
            elif not np.isfinite(numbers).all():
                lost.append(row.line)
            else:
                try:
                    poses[-1] = _rigid(f"{self.path} line {row.line}", numbers)
                except BadInputError as error:
                    wrong.append((row.line, str(error)))
        if len(wrong) > _MOST_WRONG * (len(poses) - len(lost)):
            raise BadInputError(wrong[0][1])
        remarks = []
        if lost:
            remarks.append(
                f"{self.path.name}: {len(lost)} of {len(poses)} rows are not finite, the first in "
                f"line {lost[0]}; their frames are left out."
            )
        if wrong:
            remarks.append(
                f"{self.path.name}: {len(wrong)} of {len(poses)} rows are no pose, their frames "
                f"are left out; {wrong[0][1]}."
            )
        return poses, remarks

    def _misfit(self, row: Row) -> str:
        text = row.text if len(row.text) < 60 else f"{row.text[:57]}..."
        return f"{self.path} line {row.line}: {text!r}, expected {self._length} numbers"


def _rigid(where: str, numbers: NDArray[np.float64]) -> Pose:
    """The pose with its rotation, rounded in the file, made orthonormal again."""
    pose = np.eye(4)
    pose.reshape(-1)[: len(numbers)] = numbers
    rotation = pose[:3, :3]
    determinant = float(np.linalg.det(rotation))
    size = abs(determinant) ** (1 / 3)
    if size > 1e-9 and np.abs(rotation @ rotation.T / size**2 - np.eye(3)).max() < 1e-3:
        if determinant < 0:
            raise BadInputError(
                f"{where} is not a rigid transform: it is mirrored (determinant "
                f"{determinant:.3g}), expected axes x right, y down, z forward"
            )
        if abs(size - 1) > 1e-3:
            raise BadInputError(
                f"{where} is not a rigid transform: its rotation is scaled by {size:.4g}, "
                "expected a rotation and a translation in metres"
            )
    return nearest_rotation(check_pose(where, pose))
