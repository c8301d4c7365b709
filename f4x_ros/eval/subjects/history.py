# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind besides the map: track rows, paths, times, the frame for the story."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, Percept, Pose, Track, TrackState

_TRACK_COLUMNS = (
    "stamp_s,id,label,score,state,moving,x_m,y_m,z_m,qx,qy,qz,qw,vx_mps,vy_mps,vz_mps,"
    "wx_radps,wy_radps,wz_radps,size_x_m,size_y_m,size_z_m,sigma_x_m,sigma_y_m,sigma_z_m,"
    "first_seen_s,last_seen_s"
).split(",")


class TrackTable:
    """Writes tracks as CSV, one row per track and frame, map frame, SI units.

    Columns: stamp, id, label, score (0..1), state, moving (0 or 1), position, orientation xyzw,
    velocity, angular velocity, size, standard deviation of the position, first and last seen.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._csv = csv.writer(self._text)
        self._csv.writerow(_TRACK_COLUMNS)
        self.confirmed: set[int] = set()
        self._last_ns: int | None = None

    def add(self, stamp_ns: int, tracks: Sequence[Track]) -> None:
        """One frame's tracks; of frames of one stamp (of several cameras), those of the first."""
        again, self._last_ns = stamp_ns == self._last_ns, stamp_ns
        for track in () if again else tracks:
            if track.state is TrackState.CONFIRMED:
                self.confirmed.add(track.id)
            sigma = np.sqrt(np.diag(track.pose_covariance)[:3])
            numbers = (
                *track.position, *track.orientation, *track.velocity, *track.angular_velocity,
                *track.size, *sigma,
            )  # fmt: skip
            self._csv.writerow(
                [
                    seconds(stamp_ns), track.id, track.label, f"{track.score:.4f}",
                    TrackState(track.state).name, int(track.moving),
                    *(f"{number:.5g}" for number in numbers),
                    seconds(track.first_seen_ns), seconds(track.last_seen_ns),
                ]
            )  # fmt: skip

    def detach(self) -> None:
        """Flush and give the file back, open."""
        self._text.detach()


def seconds(stamp_ns: int) -> str:
    """Seconds with all nine decimals (a float of seconds since 1970 has six)."""
    return f"{stamp_ns // 1_000_000_000}.{stamp_ns % 1_000_000_000:09d}"


class _Series:
    """Arrays of one shape in the order they came; at most `most`, then every second one goes."""

    def __init__(self, most: int) -> None:
        self._most, self._stride, self._seen = most, 1, 0
        self._kept: list[NDArray[np.float64]] = []

    def add(self, value: NDArray[np.float64]) -> None:
        if self._seen % self._stride == 0:
            self._kept.append(np.array(value, np.float64))
            if len(self._kept) > self._most:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._seen += 1

    def stacked(self) -> NDArray[np.float64]:
        return np.stack(self._kept)


class Paths:
    """Where the camera and each track went, evenly thinned out on long runs."""

    def __init__(self) -> None:
        self._camera = _Series(4000)
        self._tracks: dict[int, _Series] = {}

    def add(self, T_map_camera: Pose | None, tracks: Sequence[Track]) -> None:
        """One frame; None: of another camera than the one whose path it is."""
        if T_map_camera is not None:
            self._camera.add(T_map_camera)
        for track in tracks:
            # (the centre of a still object also wanders, while more and more of it is seen)
            if track.state is TrackState.CONFIRMED and track.moving:
                self._tracks.setdefault(track.id, _Series(500)).add(track.position)

    def camera_poses(self) -> NDArray[np.float64]:
        """`T_map_camera` [N, 4, 4]."""
        return self._camera.stacked()

    def trails(self) -> dict[int, NDArray[np.float64]]:
        """Positions [N, 3] of each track, by id, while it was CONFIRMED and moving."""
        return {number: series.stacked() for number, series in self._tracks.items()}


class BestFrame:
    """The frame that shows most: the picture that tells the story of the run is made of it.

    Counts prompts in view, weighed by how much of the picture is explained and slightly by time,
    because later frames know more of the map.
    """

    def __init__(self) -> None:
        self.best: tuple[Frame, Percept] | None = None
        self._score = -math.inf

    def offer(self, frame: Frame, percept: Percept) -> None:
        """Keep the frame if it is not worse than the best one."""
        score = _worth(percept)
        self._score *= 0.995
        if score >= self._score:
            self.best, self._score = (frame, percept), score


def _worth(percept: Percept) -> float:
    solid = float(np.mean(percept.alpha > 0.5))
    if percept.labels is None:
        return solid
    areas = np.bincount(
        percept.labels[percept.labels <= len(percept.prompts)], minlength=len(percept.prompts) + 1
    )
    visible = int((areas[1:] > 0.002 * percept.labels.size).sum())
    return solid * (1 + visible)
