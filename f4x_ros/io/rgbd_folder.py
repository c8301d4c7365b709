# SPDX-License-Identifier: Apache-2.0
"""RGB-D recordings in a folder: ``images/``, ``depth/``, ``K.txt`` and ``poses.txt``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from f4x_ros.core.data import Frame, PinholeCamera, check_pose
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.images import list_images, read_depth, read_rgb
from f4x_ros.io.source import Source, stamps_at_rate
from f4x_ros.io.transforms import nearest_rotation


def is_rgbd_folder(path: Path) -> bool:
    """True if ``path`` has the layout of `RgbdFolder` (an ``images`` folder and a ``K.txt``)."""
    return (path / "images").is_dir() and (path / "K.txt").is_file()


class RgbdFolder(Source):
    """Frames of a folder laid out as follows.

    - ``images/*.png`` (or jpg): colour; the order of the sorted names is the order in time.
    - ``depth/*.png``: uint16 millimetres, 0 = no reading, same names and size as the images;
      without this folder the frames have no depth.
    - ``K.txt``: 3x3 intrinsics, pixel centres at integers (OpenCV).
    - ``poses.txt``: one row-major 4x4 camera-to-map matrix per line, metres, optical frame, in the
      order of the images; without this file the frames have no pose. A line with values that are
      not finite is a frame whose tracking was lost: no pose, counted as ``frames_without_pose``.

    Such folders carry no stamps: frames are ``1 / rate_hz`` apart, starting at ``START_NS``.
    """

    def __init__(self, path: str | Path, *, rate_hz: float = 10.0) -> None:
        """Index the folder; raises ValueError naming the file or count that does not fit."""
        self.path = Path(path)
        if not is_rgbd_folder(self.path):
            raise BadInputError(f"{self.path}: expected a folder with images/ and K.txt")
        self._images = list_images(self.path / "images")
        if not self._images:
            raise BadInputError(f"{self.path / 'images'}: expected PNG or JPEG images, found none")
        super().__init__(self.path.name, stamps_at_rate(len(self._images), rate_hz))
        self._depths = self._find_depths()
        self._K = _read_matrix(self.path / "K.txt", (3, 3))
        self._poses = self._read_poses()
        without = sum(pose is None for pose in self._poses)
        self.left_out.add("frames_without_pose", without)

    def load(self, index: int) -> Frame:
        rgb = read_rgb(self._images[index])
        return Frame(
            stamp_ns=int(self.stamps_ns[index]),
            rgb=rgb,
            camera=PinholeCamera.from_opencv(self._K, rgb.shape[1], rgb.shape[0]),
            depth=read_depth(self._depths[index]) if self._depths else None,
            T_map_camera=self._poses[index],
        )

    def _find_depths(self) -> list[Path]:
        folder = self.path / "depth"
        if not folder.is_dir():
            return []
        depths = list_images(folder)
        if [p.stem for p in depths] != [p.stem for p in self._images]:
            raise BadInputError(
                f"{folder}: {len(depths)} depth images whose names do not match the "
                f"{len(self._images)} of images/, expected the same names in both"
            )
        return depths

    def _read_poses(self) -> list[np.ndarray | None]:
        path = self.path / "poses.txt"
        if not path.is_file():
            return [None] * len(self._images)
        poses = _read_matrix(path, (-1, 16))
        if len(poses) != len(self._images):
            raise BadInputError(
                f"{path}: {len(poses)} poses, expected {len(self._images)}, one per image"
            )
        return [
            _valid_pose(f"{path} line {number}", pose) if np.isfinite(pose).all() else None
            for number, pose in enumerate(poses.reshape(-1, 4, 4), start=1)
        ]


def _valid_pose(where: str, pose: np.ndarray) -> np.ndarray:
    """The pose with its rotation, rounded in the file, made orthonormal again."""
    return nearest_rotation(check_pose(where, pose))


def _read_matrix(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Whitespace-separated numbers as float64 of ``shape`` (-1 rows: any number)."""
    try:
        values = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except ValueError as error:
        raise BadInputError(f"{path}: expected rows of numbers ({error})") from error
    if values.shape[1] != shape[1] or shape[0] not in (-1, values.shape[0]):
        rows = "any number of" if shape[0] == -1 else shape[0]
        raise BadInputError(
            f"{path}: {values.shape[0]} x {values.shape[1]} numbers, "
            f"expected {rows} rows of {shape[1]}"
        )
    return values
