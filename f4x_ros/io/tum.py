# SPDX-License-Identifier: Apache-2.0
"""RGB-D recordings in the format of the TUM RGB-D benchmark (Sturm et al., IROS 2012)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame, Pose
from f4x_ros.core.errors import BadInputError
from f4x_ros.io.calibration import lens_calibration
from f4x_ros.io.images import check_size, read_depth, read_rgb, usual_size
from f4x_ros.io.pairing import nearest_stamps, pair_stamps
from f4x_ros.io.rectify import Rectifier
from f4x_ros.io.source import Source
from f4x_ros.io.speed import speed_remark
from f4x_ros.io.stamp_units import in_nanoseconds, unit_of_images, unit_that_meets
from f4x_ros.io.tum_files import FileList, PoseList, TumList, read_calibration

_UNUSABLE_ROWS = {
    "rgb.txt": "images_of_unusable_rows",
    "depth.txt": "depth_rows_unusable",
    "groundtruth.txt": "pose_rows_unusable",
}


def is_tum_folder(path: Path) -> bool:
    """True if ``path`` has the lists ``rgb.txt`` and ``depth.txt``."""
    return (path / "rgb.txt").is_file() and (path / "depth.txt").is_file()


class TumFolder(Source):
    """Frames of a TUM RGB-D sequence: ``rgb.txt``, ``depth.txt`` and ``groundtruth.txt``.

    Each colour image is paired with the depth image and the pose nearest in time, if within
    ``slop_s``; images for which one is missing are left out and counted in ``left_out``, like rows
    that are not understood and files that are not there. Without ``groundtruth.txt`` the frames
    have no pose. Stamps are seconds; where they are evidently milli-, micro- or nanoseconds they
    are taken as such, and ``remarks`` says so.

    The calibration comes from ``calibration.txt`` (``fx fy cx cy``, optionally followed by
    OpenCV's ``k1 k2 p1 p2 k3 ...``; pixel centres at integers) or, for folders whose name holds
    "freiburg1", "2" or "3", from the values published with the benchmark. The pixels of depth are
    those of the colour image, so both are undistorted.
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
        if not 0 <= slop_s < np.inf:
            raise BadInputError(f"slop_s is {slop_s!r}, expected >= 0 seconds")
        self._depth_units = depth_units_per_metre
        found = _Found(self.path, int(slop_s * 1e9))
        self._files = found.frames()
        super().__init__(self.path.name, np.array([f.stamp_ns for f in self._files], np.int64))
        self.left_out, self.remarks = found.left_out, found.remarks
        self.remarks += speed_remark(self.stamps_ns, lambda k: self._files[k].pose)
        where, K, D = read_calibration(self.path)
        height, width = self._size = usual_size([f.rgb for f in self._files], read_rgb)
        self._rectifier = Rectifier.of(lens_calibration(where, K, D, width, height), where=where)
        deep = usual_size([f.depth for f in self._files], self._read_depth)
        if deep != self._size:
            raise BadInputError(
                f"{self.path / 'depth.txt'}: images of {deep[1]}x{deep[0]} pixels, those of "
                f"rgb.txt have {width}x{height}; expected depth registered to the colour camera"
            )

    def load(self, index: int) -> Frame:
        files = self._files[index]
        rgb, depth = read_rgb(files.rgb), self._read_depth(files.depth)
        check_size(files.rgb, rgb, self._size, "images_of_other_size")
        check_size(files.depth, depth, self._size, "depth_of_other_size")
        return Frame(
            stamp_ns=files.stamp_ns,
            rgb=self._rectifier.color(rgb),
            camera=self._rectifier.camera,
            depth=self._rectifier.depth(depth),
            T_map_camera=files.pose,
            observed=self._rectifier.observed,
        )

    def _read_depth(self, path: Path) -> NDArray[np.float32]:
        return read_depth(path, self._depth_units)


class _Files(NamedTuple):
    stamp_ns: int
    rgb: Path
    depth: Path
    pose: Pose | None


class _Found:
    """What the lists of a folder hold, put together in time."""

    def __init__(self, folder: Path, slop_ns: int) -> None:
        self.left_out, self.remarks = LeftOut(), list[str]()
        self._folder, self._slop_ns = folder, slop_ns
        self._rgb = self._listed("rgb.txt", "images_missing")
        self._depth = self._listed("depth.txt", "depth_missing")
        self._poses: PoseList | None = None
        path = folder / "groundtruth.txt"
        if path.is_file():
            self._poses = PoseList(path)
            self._tell_misread(self._poses)
            if self._poses.real_first:
                self.remarks.append(f"{path.name}: quaternions are qw qx qy qz, as its title says.")
        else:
            self.remarks.append(f"{path.name} is missing: the frames have no pose.")

    def frames(self) -> list[_Files]:
        """Files and pose of each image that has all of them, in the order of time."""
        unit = unit_of_images(self._rgb.stamps)
        if unit != "seconds":
            self.remarks.append(f"rgb.txt: stamps are taken for {unit}, expected seconds.")
        times = self._sorted(self._rgb, unit, "images_with_repeated_stamp")
        depth_ns = self._sorted(self._depth, self._unit(self._depth, times, unit), None)
        depth_of = pair_stamps(times, depth_ns, self._slop_ns)
        poses, pose_ns = self._posed(times, unit)
        has_depth = depth_of >= 0
        has_pose = np.array([pose is not None for pose in poses]) | (self._poses is None)
        used = has_depth & has_pose
        if not used.any():
            raise BadInputError(
                f"{self._folder}: none of {len(times)} images has a depth image"
                f"{' and a pose' if self._poses else ''} within {self._slop_ns / 1e9:g} s; rgb.txt "
                f"has {_range(times)}, depth.txt {_range(depth_ns)}"
                + (f", groundtruth.txt {_range(pose_ns)}" if self._poses else "")
            )
        for reason, lacking in (
            ("images_without_depth", ~has_depth),
            ("images_without_pose", has_depth & ~has_pose),
        ):
            if lacking.any():
                self.left_out.add(reason, int(lacking.sum()), int(times[lacking].min()))
        self.left_out.add("depth_without_image", len(depth_ns) - int(has_depth.sum()))
        if self._poses is None:
            self.left_out.add("frames_without_pose", int(used.sum()), int(times[used].min()))
        images, depths = self._rgb.entries, self._depth.entries
        return [
            _Files(int(times[i]), images[i].value, depths[depth_of[i]].value, poses[i])
            for i in np.flatnonzero(used).tolist()
        ]

    def _listed(self, name: str, missing: str) -> FileList:
        """A list of files without those that are not there."""
        found = FileList(self._folder / name)
        self._tell_misread(found)
        gone = [not entry.value.is_file() for entry in found.entries]
        if any(gone):
            first = found.entries[gone.index(True)]
            text = f"{found.path} line {first.row.line}: no file {first.value}"
            if all(gone):
                raise BadInputError(f"{text}, nor any other that it names")
            self.remarks.append(f"{text}; {sum(gone)} of {len(gone)} are left out.")
            self.left_out.add(missing, sum(gone))
            found.without(gone)
        return found

    def _tell_misread(self, found: TumList) -> None:
        if wrong := found.wrong:
            total = len(wrong) + len(found.entries)
            self._tell_wrong(found.path, wrong[0], len(wrong), total)

    def _tell_wrong(self, path: Path, first: str, count: int, total: int) -> None:
        """Count rows of a list that are not used, and say the first."""
        self.remarks.append(f"{first}; {count} of {total} rows are left out.")
        self.left_out.add(_UNUSABLE_ROWS[path.name], count)

    def _unit(self, found: TumList, times: NDArray[np.int64], unit: str) -> str:
        """The unit of another list than that of the images."""
        own = unit_that_meets(found.stamps, times, self._slop_ns, unit)
        if own != "seconds":
            self.remarks.append(
                f"{found.path.name}: stamps are taken for {own}, expected seconds; they then meet "
                "those of rgb.txt."
            )
        return own

    def _sorted(self, found: TumList, unit: str, repeated: str | None) -> NDArray[np.int64]:
        """Put its entries in the order of time; of those with one stamp the first is kept."""
        stamps = in_nanoseconds(found.stamps, unit)
        beyond = stamps == np.iinfo(np.int64).max
        if beyond.any():
            at = int(beyond.argmax())
            text = (
                f"{found.path} line {found.entries[at].row.line}: stamp {found.stamps[at]} as "
                f"{unit} is after the year 2262"
            )
            if beyond.all():
                raise BadInputError(text)
            self._tell_wrong(found.path, text, int(beyond.sum()), len(beyond))
            found.without(beyond)
            stamps = stamps[~beyond]
        order = np.argsort(stamps, kind="stable")
        if repeated:
            order = np.unique(stamps, return_index=True)[1]
            spare = np.setdiff1d(np.arange(len(stamps)), order)
            if spare.size:
                self.left_out.add(repeated, spare.size, int(stamps[spare].min()))
        found.entries = [found.entries[i] for i in order]
        return stamps[order]

    def _posed(
        self, times: NDArray[np.int64], unit: str
    ) -> tuple[list[Pose | None], NDArray[np.int64]]:
        """The pose of each image, None if there is none near it in time; and all their stamps."""
        if self._poses is None:
            return [None] * len(times), np.empty(0, np.int64)
        stamps = self._sorted(
            self._poses, self._unit(self._poses, times, unit), "poses_with_repeated_stamp"
        )
        nearest = nearest_stamps(times, stamps)
        near = np.abs(stamps[nearest] - times) <= self._slop_ns
        found = zip(nearest.tolist(), near.tolist(), strict=True)
        return [self._poses.pose(at) if close else None for at, close in found], stamps


def _range(stamps_ns: NDArray[np.int64]) -> str:
    return f"{stamps_ns.min() / 1e9:.6f} to {stamps_ns.max() / 1e9:.6f} s"
