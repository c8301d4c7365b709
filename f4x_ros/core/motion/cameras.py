# SPDX-License-Identifier: Apache-2.0
"""What is remembered of each camera: its path, its pace, its exposures and its last view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from f4x_ros.core.data import Frame, PinholeCamera, poses
from f4x_ros.core.errors import BadInputError, NotReadyError, shown
from f4x_ros.core.motion.pace import Pace
from f4x_ros.core.motion.trajectory import Trajectory
from f4x_ros.core.observe import ExposureTrack

_SILENT_FRAMES = 3.0  # of its own intervals after which a camera is not waited for, ...
_SILENT_S = 1.0  # ... or so long


@dataclass(frozen=True)
class LastView:
    """The camera and the frames a loaded map was last seen with."""

    camera: PinholeCamera
    frame_id: str
    map_frame: str


class CameraMemory:
    """One of the cameras that a map is made by.

    Attributes:
        name: "" where there is only one.
        path: where it was.
        exposures: of its views.
        pace: how far apart its frames are.
        last: its last frame, or of a loaded map what is left of it; None before the first.
        mapped: frames that were not held out.
    """

    def __init__(self, name: str, device: torch.device | str, *, learn: bool) -> None:
        self.name = name
        self.path = Trajectory()
        self.exposures = ExposureTrack(device, learn=learn)
        self.pace = Pace()
        self.last: Frame | LastView | None = None
        self.mapped = 0

    @property
    def stamp_ns(self) -> int:
        """Stamp of its last frame; 0 before the first."""
        return self.path.span_ns[1] if len(self.path) else 0

    def pose_at(self, stamp_ns: int) -> poses.Pose:
        """`T_map_camera` [4, 4] at a stamp; before its first and after its last frame, that of it.

        NotReadyError before the first.
        """
        first, last = self.path.span_ns
        return self.path.at(min(max(stamp_ns, first), last))

    def take(self, frame: Frame) -> None:
        """Note that a frame with a pose was processed."""
        assert frame.T_map_camera is not None
        self.path.append(frame.stamp_ns, frame.T_map_camera)
        self.last = frame


class Cameras:
    """All cameras of a map.

    Stamps of each grow, and none lies before the last frame of another: times of the field do not
    go back.

    Args:
        device: where the field lives.
        learn: whether exposures are learned.
        order: names by precedence, for `main`; others are known when they come, after these.

    Attributes:
        origin_ns: stamp of the very first frame: second 0 of the field.
        newest: the camera of the last frame; None before the first.
    """

    def __init__(
        self, device: torch.device | str, *, learn: bool, order: Sequence[str] = ()
    ) -> None:
        self._device, self._learn, self._order = device, learn, tuple(order)
        self._known: dict[str, CameraMemory] = {}
        self.origin_ns = 0
        self.newest: CameraMemory | None = None

    def __len__(self) -> int:
        return len(self._known)

    @property
    def known(self) -> tuple[CameraMemory, ...]:
        """Those that had a frame, by precedence."""
        first = [self._known[name] for name in self._order if name in self._known]
        return (*first, *(one for one in self._known.values() if one.name not in self._order))

    @property
    def main(self) -> CameraMemory:
        """The first of them, which questions mean that name none; NotReadyError before a frame."""
        if not self._known:
            raise NotReadyError("no frame has been processed yet")
        return self.known[0]

    def named(self, name: str) -> CameraMemory:
        """A camera by its name, "" = `main`.

        Raises:
            NotReadyError: no frame has been processed yet.
            BadInputError: there is none of this name.
        """
        main = self.main
        found = self._known.get(name) if name else main
        if found is None:
            names = ", ".join(repr(one.name) for one in self.known)
            raise BadInputError(f"camera is {shown(name)}, expected one of {names} (or none)")
        return found

    def of(self, frame: Frame) -> CameraMemory:
        """The camera of a frame; a new one is known once the frame is taken."""
        made = self._known.get(frame.camera_name)
        return made or CameraMemory(frame.camera_name, self._device, learn=self._learn)

    def take(self, camera: CameraMemory, frame: Frame) -> None:
        """Note that a frame of a camera was processed."""
        if not self._known:
            self.origin_ns = frame.stamp_ns
        self._known[camera.name] = self.newest = camera
        camera.take(frame)

    def restore(self, cameras: Sequence[CameraMemory], origin_ns: int) -> None:
        """Those of a map out of a file, by precedence."""
        self._known = {one.name: one for one in cameras}
        self.newest = max(cameras, key=lambda one: one.stamp_ns)
        self.origin_ns = origin_ns

    def blank(self, name: str, last: LastView) -> CameraMemory:
        """One to be filled out of a file."""
        camera = CameraMemory(name, self._device, learn=self._learn)
        camera.last = last
        return camera

    def check(self, frame: Frame) -> None:
        """Raise BadInputError for a stamp that does not follow those before it."""
        own = self._known.get(frame.camera_name)
        again = "reset() first if time has jumped back"
        if own is not None and frame.stamp_ns <= own.stamp_ns:
            raise BadInputError(
                f"stamp_ns is {frame.stamp_ns}, expected more than {own.stamp_ns} of the frame "
                f"before it: {again}"
            )
        if self.newest is not None and frame.stamp_ns < self.newest.stamp_ns:
            raise BadInputError(
                f"stamp_ns is {frame.stamp_ns} of camera {shown(frame.camera_name)}, expected at "
                f"least {self.newest.stamp_ns} of {shown(self.newest.name)} before it: {again}"
            )

    @property
    def stamp_ns(self) -> int:
        """Stamp of the last frame of all; 0 before the first."""
        return max((one.stamp_ns for one in self._known.values()), default=0)

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last stamp of all; NotReadyError while there is none."""
        if not self._known:
            raise NotReadyError("no frame has been processed yet")
        return min(one.path.span_ns[0] for one in self._known.values()), self.stamp_ns

    def pose_at(self, camera: CameraMemory, stamp_ns: int) -> poses.Pose:
        """`T_map_camera` of a camera at a moment of the map, 0 = the last frame of all.

        Raises:
            BadInputError: the moment is outside of what is remembered of all cameras.
        """
        first, last = self.span_ns
        ns = stamp_ns or last
        if not first <= ns <= last:
            camera.path.at(ns)  # says so
            raise AssertionError("a path reaches no farther than all of them")
        return camera.pose_at(ns)

    @property
    def interval_s(self) -> float:
        """Usual time from frame to frame of the slowest camera that still comes; 0 at first."""
        return max((one.pace.interval_s for one in self._live()), default=0.0)

    @property
    def round_ns(self) -> int:
        """The oldest of the last stamps of the cameras that still come.

        What was seen since then is in sight; with one camera, that is its last frame.
        """
        return min((one.stamp_ns for one in self._live()), default=0)

    def _live(self) -> list[CameraMemory]:
        now = self.stamp_ns

        def silent(one: CameraMemory) -> bool:
            patience_s = max(_SILENT_S, _SILENT_FRAMES * one.pace.interval_s)
            return (now - one.stamp_ns) / 1e9 > patience_s

        return [one for one in self._known.values() if not silent(one)]
