# SPDX-License-Identifier: Apache-2.0
"""RGB-D recordings in the format of the TUM RGB-D benchmark (Sturm et al., IROS 2012)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame, PinholeCamera, Pose, from_quaternion
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.images import read_depth, read_rgb
from f4x_ros.io.pairing import nearest_stamps, pair_stamps
from f4x_ros.io.source import Source

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


class _Entry(NamedTuple):
    stamp_ns: int
    words: list[str]


def is_tum_folder(path: Path) -> bool:
    """True if ``path`` has the lists ``rgb.txt`` and ``depth.txt``."""
    return (path / "rgb.txt").is_file() and (path / "depth.txt").is_file()


class TumFolder(Source):
    """Frames of a TUM RGB-D sequence: ``rgb.txt``, ``depth.txt`` and ``groundtruth.txt``.

    Each colour image is paired with the depth image and the pose nearest in time, if within
    ``slop_s``; images for which one is missing are left out and counted in ``left_out``. Without
    ``groundtruth.txt`` the frames have no pose.

    The calibration comes from ``calibration.txt`` (``fx fy cx cy``, optionally followed by
    OpenCV's ``k1 k2 p1 p2 k3``; pixel centres at integers) or, for folders whose name holds
    "freiburg1", "2" or "3", from the values published with the benchmark. Colour is undistorted;
    depth is registered to an undistorted camera already and stays as it is.
    """

    def __init__(
        self, path: str | Path, *, slop_s: float = 0.02, depth_units_per_metre: float = 5000.0
    ) -> None:
        """Index the folder; raises ValueError naming the file or value that does not fit."""
        self.path = Path(path)
        if not is_tum_folder(self.path):
            raise BadInputError(f"{self.path}: expected a folder with rgb.txt and depth.txt")
        if not (depth_units_per_metre > 0 and np.isfinite(depth_units_per_metre)):
            raise BadInputError(f"depth_units_per_metre is {depth_units_per_metre!r}, expected > 0")
        if not slop_s >= 0:
            raise BadInputError(f"slop_s is {slop_s!r}, expected >= 0 seconds")
        self._depth_units = depth_units_per_metre
        self._K, self._distortion = self._calibration()
        counts = self._associate(int(slop_s * 1e9))
        super().__init__(self.path.name, np.array([f.stamp_ns for f in self._files], np.int64))
        self.left_out = LeftOut(counts)

    def load(self, index: int) -> Frame:
        files = self._files[index]
        rgb = read_rgb(self.path / files.rgb)
        if self._distortion.any():
            rgb = cv2.undistort(rgb, self._K, self._distortion)
        return Frame(
            stamp_ns=files.stamp_ns,
            rgb=rgb,
            camera=PinholeCamera.from_opencv(self._K, rgb.shape[1], rgb.shape[0]),
            depth=read_depth(self.path / files.depth, self._depth_units),
            T_map_camera=files.pose,
        )

    def _associate(self, slop_ns: int) -> dict[str, int]:
        """Fill ``self._files``; returns what was left over."""
        rgb = _read_list(self.path / "rgb.txt", 2)
        depth = _read_list(self.path / "depth.txt", 2)
        times = np.array([entry.stamp_ns for entry in rgb], np.int64)
        depth_of = pair_stamps(times, [entry.stamp_ns for entry in depth], slop_ns)
        poses, has_pose = self._poses(times, slop_ns)
        used = (depth_of >= 0) & has_pose
        if not used.any():
            raise BadInputError(
                f"{self.path}: none of {len(rgb)} images has a depth image"
                f"{' and a pose' if poses else ''} within {slop_ns / 1e9:g} s"
            )
        self._files = [
            _Files(rgb[i].stamp_ns, rgb[i].words[1], depth[depth_of[i]].words[1], poses.get(i))
            for i in np.flatnonzero(used).tolist()
        ]
        return {
            "images_without_depth": int((depth_of < 0).sum()),
            "images_without_pose": int((~has_pose).sum()),
            "depth_without_image": len(depth) - int((depth_of >= 0).sum()),
            "frames_without_pose": len(self._files) if not poses else 0,
        }

    def _poses(
        self, times: NDArray[np.int64], slop_ns: int
    ) -> tuple[dict[int, Pose], NDArray[np.bool_]]:
        """The pose of each image by its number, and whether it has one (or none is needed)."""
        path = self.path / "groundtruth.txt"
        if not path.is_file():
            return {}, np.ones(len(times), bool)
        entries = _read_list(path, 8)
        stamps = np.array([entry.stamp_ns for entry in entries], np.int64)
        nearest = nearest_stamps(times, stamps)
        near = np.abs(stamps[nearest] - times) <= slop_ns
        poses = {}
        for i in np.flatnonzero(near).tolist():
            numbers = _numbers(path, entries[nearest[i]].words[1:8])
            poses[i] = from_quaternion(numbers[:3], numbers[3:])
        return poses, near

    def _calibration(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The 3x3 matrix with pixel centres at integers, and the distortion ``[5]``."""
        path = self.path / _CALIBRATION_FILE
        freiburg = re.search(r"freiburg([123])", self.path.resolve().name)
        if path.is_file():
            values = _numbers(path, path.read_text().split())
        elif freiburg:
            values = np.array(_FREIBURG[freiburg[1]])
        else:
            raise BadInputError(
                f"{path}: missing, expected 'fx fy cx cy [k1 k2 p1 p2 k3]' "
                "(or a folder name with freiburg1, freiburg2 or freiburg3)"
            )
        if len(values) not in (4, 8, 9):
            raise BadInputError(f"{path}: {len(values)} numbers, expected 4, 8 or 9")
        fx, fy, cx, cy = values[:4]
        distortion = np.zeros(5)
        distortion[: len(values) - 4] = values[4:]
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), distortion


class _Files(NamedTuple):
    stamp_ns: int
    rgb: str
    depth: str
    pose: Pose | None


def _read_list(path: Path, words: int) -> list[_Entry]:
    """Lines that begin with a stamp in seconds, without comments, in the order of time."""
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        parts = line.split("#", 1)[0].split()
        if not parts:
            continue
        if len(parts) < words or not re.fullmatch(r"\d+(\.\d+)?", parts[0]):
            raise BadInputError(
                f"{path} line {number}: {line!r}, expected a stamp in seconds and "
                f"{words - 1} more words"
            )
        entries.append(_Entry(_nanoseconds(parts[0]), parts))
    if not entries:
        raise BadInputError(f"{path}: expected at least one line with a stamp")
    return sorted(entries, key=lambda entry: entry.stamp_ns)


def _nanoseconds(seconds: str) -> int:
    """Exact: a float cannot hold the stamps of this century to a nanosecond."""
    whole, _, fraction = seconds.partition(".")
    return int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))


def _numbers(path: Path, words: list[str]) -> NDArray[np.float64]:
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        raise BadInputError(f"{path}: expected numbers ({error})") from error
