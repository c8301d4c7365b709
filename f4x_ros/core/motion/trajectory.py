# SPDX-License-Identifier: Apache-2.0
"""Where the camera was: stamps and poses of the frames that were processed."""

from __future__ import annotations

import bisect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import poses
from f4x_ros.core.errors import BadInputError, NotReadyError

MAX_POSES = 200_000  # 27 MB, two hours at 30 Hz; then the oldest tenth goes


class Trajectory:
    """Poses `T_map_camera` in the order of their stamps."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._poses: list[poses.Pose] = []
        self.origin_ns = 0  # stamp of the very first frame: second 0 of the field

    def __len__(self) -> int:
        return len(self._stamps)

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last stamp; ValueError while there is none."""
        if not self._stamps:
            raise NotReadyError("no frame has been processed yet")
        return self._stamps[0], self._stamps[-1]

    def append(self, stamp_ns: int, T_map_camera: poses.Pose) -> None:
        """Add a pose; stamps must grow."""
        if not self._stamps:
            self.origin_ns = stamp_ns
        self._stamps.append(stamp_ns)
        self._poses.append(T_map_camera)
        if len(self._stamps) > MAX_POSES:
            del self._stamps[: MAX_POSES // 10]
            del self._poses[: MAX_POSES // 10]

    def at(self, stamp_ns: int) -> poses.Pose:
        """The pose at a stamp, interpolated; ValueError outside of what was recorded."""
        first, last = self.span_ns
        if not first <= stamp_ns <= last:
            raise BadInputError(
                f"stamp {stamp_ns / 1e9:.3f} s is outside of what the field remembers, "
                f"expected {first / 1e9:.3f} to {last / 1e9:.3f} s"
            )
        right = bisect.bisect_left(self._stamps, stamp_ns)
        if self._stamps[right] == stamp_ns:
            return self._poses[right]
        t0, t1 = self._stamps[right - 1], self._stamps[right]
        share = (stamp_ns - t0) / (t1 - t0)
        return poses.interpolate(self._poses[right - 1], self._poses[right], share)

    def stamps(self, since_ns: int, until_ns: int, most: int) -> list[int]:
        """Stamps of the frames from one moment to another, both among them, thinned evenly."""
        left = bisect.bisect_left(self._stamps, since_ns)
        right = bisect.bisect_right(self._stamps, until_ns)
        found = sorted({since_ns, *self._stamps[left:right], until_ns})
        rows = np.unique(np.linspace(0, len(found) - 1, most).round().astype(int)).tolist()
        return [found[row] for row in rows]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Stamps [M] int64 and poses [M, 4, 4] for saving."""
        stacked = np.stack(self._poses) if self._poses else np.zeros((0, 4, 4))
        return {
            "stamps_ns": np.array(self._stamps, np.int64),
            "T_map_camera": stacked,
            "origin_ns": np.array(self.origin_ns),
        }

    def load_arrays(
        self, stamps_ns: NDArray[np.int64], T_map_camera: NDArray[np.float64], origin_ns: int
    ) -> None:
        """The inverse of `arrays`."""
        self._stamps = [int(s) for s in stamps_ns]
        self.origin_ns = origin_ns
        self._poses = [np.asarray(p, np.float64) for p in T_map_camera]
