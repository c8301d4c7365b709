# SPDX-License-Identifier: Apache-2.0
"""RGB-D recordings in a folder: ``images/``, ``depth/``, ``K.txt`` and ``poses.txt``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, PinholeCamera, Pose
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.calibration import checked_matrix, off_centre
from f4x_ros.io.images import (
    check_size,
    list_images,
    orientation_ignored,
    other_files,
    read_depth,
    read_rgb,
    usual_size,
)
from f4x_ros.io.names import match_names, number_of
from f4x_ros.io.poses_file import PosesFile
from f4x_ros.io.source import Source, stamps_at_rate
from f4x_ros.io.speed import speed_remark
from f4x_ros.io.text_rows import read_matrix

# Of half the size of the picture; also a cropped picture's principal point is seldom that far out.
_DOUBTFUL = 0.5


def is_rgbd_folder(path: Path) -> bool:
    """True if ``path`` has the layout of `RgbdFolder` (an ``images`` folder and a ``K.txt``)."""
    return (path / "images").is_dir() and (path / "K.txt").is_file()


class RgbdFolder(Source):
    """Frames of a folder laid out as follows.

    - ``images/*.png`` (or jpg): colour; the natural order of the names (2 before 10) is the order
      in time. Pixels are taken as they are stored, EXIF orientation is ignored and said.
    - ``depth/*.png``: uint16 millimetres, 0 = no reading, same names (or numbers in the names) and
      size as the images; without this folder the frames have no depth.
    - ``K.txt``: 3x3 intrinsics, pixel centres at integers (OpenCV).
    - ``poses.txt``: one row-major camera-to-map matrix per line (4x4 or its first three rows),
      metres, optical frame, in the order of the images, or one per number in their names; without
      this file the frames have no pose. A line that is not finite is a frame whose tracking was
      lost.

    Images that lack depth or pose where others have it are left out and counted. Such folders carry
    no stamps: frames are ``1 / rate_hz`` apart, starting at ``START_NS``.
    """

    def __init__(self, path: str | Path, *, rate_hz: float = 10.0) -> None:
        """Index the folder; raises ValueError naming the file or count that does not fit."""
        self.path = Path(path)
        if not is_rgbd_folder(self.path):
            raise BadInputError(f"{self.path}: expected a folder with images/ and K.txt")
        images = list_images(self.path / "images")
        if not images:
            raise BadInputError(
                f"{self.path / 'images'}: expected PNG or JPEG images, found none"
                f"{_though(self.path / 'images')}"
            )
        remarks: list[str] = []
        depths = self._find_depths(images, remarks)
        poses, slots = self._read_poses(images, remarks)
        times = stamps_at_rate(max(slots) + 1, rate_hz)[slots]
        has_depth = np.array([depth is not None for depth in depths])
        has_pose = np.array([pose is not None for pose in poses])
        used = (has_depth | ~has_depth.any()) & (has_pose | ~has_pose.any())
        if not used.any():
            raise BadInputError(
                f"{self.path}: none of {len(images)} images has both depth and a pose"
            )
        super().__init__(self.path.name, times[used])
        self.remarks += remarks
        chosen = np.flatnonzero(used).tolist()
        self._images = [images[i] for i in chosen]
        self._depths = [depths[i] for i in chosen]
        self._poses = [poses[i] for i in chosen]
        self.remarks += speed_remark(self.stamps_ns, lambda k: self._poses[k])
        self._count_left_out(times, has_depth, has_pose)
        self.left_out.add("depth_without_image", self._spare_depths)
        self._size = usual_size(self._images, read_rgb)
        self._K = self._calibration()
        self._check_depth_size()

    def load(self, index: int) -> Frame:
        rgb = read_rgb(self._images[index])
        check_size(self._images[index], rgb, self._size, "images_of_other_size")
        depth = None
        if path := self._depths[index]:
            depth = read_depth(path)
            check_size(path, depth, self._size, "depth_of_other_size")
        return Frame(
            stamp_ns=int(self.stamps_ns[index]),
            rgb=rgb,
            camera=PinholeCamera.from_opencv(self._K, rgb.shape[1], rgb.shape[0]),
            depth=depth,
            T_map_camera=self._poses[index],
        )

    def _find_depths(self, images: list[Path], remarks: list[str]) -> list[Path | None]:
        """The depth image of each image."""
        self._spare_depths = 0
        remarks += other_files(self.path / "images")
        folder = self.path / "depth"
        if not folder.is_dir():
            remarks.append("depth/ is missing: the frames have no depth.")
            return [None] * len(images)
        remarks += other_files(folder)
        offered = list_images(folder)
        if not offered:
            raise BadInputError(
                f"{folder}: expected 16-bit PNG images, found none{_though(folder)} (without the "
                "folder the frames have no depth)"
            )
        depths, remark = match_names(images, offered)
        remarks += [remark] if remark else []
        self._spare_depths = len(offered) - sum(depth is not None for depth in depths)
        return depths

    def _read_poses(
        self, images: list[Path], remarks: list[str]
    ) -> tuple[list[Pose | None], list[int]]:
        """The pose of each image, and which place in time it has."""
        path = self.path / "poses.txt"
        if not path.is_file():
            remarks.append("poses.txt is missing: the frames have no pose.")
            return [None] * len(images), list(range(len(images)))
        file = PosesFile(path)
        rows = list(range(len(images)))
        if len(file.rows) != len(images):
            rows, remark = self._rows_by_number(images, len(file.rows))
            remarks.append(remark)
        poses, said = file.poses()
        remarks += said
        if not any(pose is not None for pose in poses):
            raise BadInputError(f"{path}: none of {len(poses)} rows is finite, expected poses")
        return [poses[row] for row in rows], rows

    def _rows_by_number(self, images: list[Path], count: int) -> tuple[list[int], str]:
        """Which row belongs to each image where images are missing, if their names tell."""
        path = self.path / "poses.txt"
        numbers = [number for image in images if (number := number_of(image)) is not None]
        first = _first_number(numbers, count) if len(set(numbers)) == len(images) else None
        if first is None:
            raise BadInputError(
                f"{path}: {count} poses, expected {len(images)}, one per image of images/ (from "
                f"{images[0].name} to {images[-1].name})"
            )
        return [number - first for number in numbers], (
            f"poses.txt has {count} rows for {len(images)} images; the numbers in the names say "
            f"which belongs to which, the first row to {first}."
        )

    def _count_left_out(
        self, times: NDArray[np.int64], has_depth: NDArray[np.bool_], has_pose: NDArray[np.bool_]
    ) -> None:
        lacking = ~has_depth & has_depth.any()
        for stamp_ns in times[lacking].tolist():
            self.left_out.add("images_without_depth", stamp_ns=stamp_ns)
        if not has_pose.any():
            self.left_out.add("frames_without_pose", len(self), int(self.stamps_ns[0]))
            return
        for stamp_ns in times[~has_pose & ~lacking].tolist():
            self.left_out.add("images_without_pose", stamp_ns=stamp_ns)

    def _calibration(self) -> NDArray[np.float64]:
        path = self.path / "K.txt"
        height, width = self._size
        K = read_matrix(path, 3)
        if turned := orientation_ignored(self._images[0]):
            self.remarks.append(turned)
            if off_centre(K, width, height) > off_centre(K, height, width):
                raise BadInputError(
                    f"{path}: its principal point is that of the turned picture, but {turned} "
                    "Expected a K of the pixels as stored"
                )
        K = checked_matrix(str(path), "the matrix", K, width, height)
        if off_centre(K, width, height) > _DOUBTFUL:
            self.remarks.append(
                f"K.txt has its principal point at ({K[0, 2]:g}, {K[1, 2]:g}), not near the middle "
                f"of {width}x{height} pixels: is it of pictures of another size?"
            )
        return K

    def _check_depth_size(self) -> None:
        depths = [depth for depth in self._depths if depth]
        if not depths:
            return
        height, width = usual_size(depths, read_depth)
        if (height, width) != self._size:
            raise BadInputError(
                f"{depths[0].parent}: {width}x{height} pixels, images/ has "
                f"{self._size[1]}x{self._size[0]}; expected depth registered to the colour camera"
            )


def _though(folder: Path) -> str:
    return "".join(f"; {sentence.rstrip('.')}" for sentence in other_files(folder))


def _first_number(numbers: list[int], count: int) -> int | None:
    """Number of the first of so many rows, where the numbers leave no doubt."""
    low, high = min(numbers), max(numbers)
    if high - low + 1 == count:
        return low
    if low == 0 and high < count:
        return 0
    return 1 if low > 0 and high == count else None
