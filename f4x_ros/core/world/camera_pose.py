# SPDX-License-Identifier: Apache-2.0
"""Where the camera is: as the frames say, or as their pictures say."""

from __future__ import annotations

from dataclasses import replace

from f4x_ros.core.config import DepthConfig, PoseConfig
from f4x_ros.core.data import Frame, Pose
from f4x_ros.core.errors import BadInputError, BadSampleError, UnsupportedError, shown
from f4x_ros.core.motion.mono import MonoOdometry
from f4x_ros.core.motion.odometry import Odometry, PoseEstimate, TrackingState
from f4x_ros.core.world.camera_depth import NO_PARALLAX, WHY_NO_PARALLAX

LOST = "frames_of_a_lost_camera"
"""Reason under which frames are counted whose pose nobody knows."""
WHY_LOST = "the camera is lost: the picture fits none of the places where it was"
WHY_NOT_BEGUN = (
    "odometry cannot begin: the picture shows too little, expected depth and something to see"
)
_AHEAD = 1000  # estimates of frames that were never mapped, kept at most


class CameraPose:
    """Makes frames with a pose of frames with or without one, see `PoseConfig.source`.

    Attributes:
        estimate: of the last frame; None before the first, and where poses are given.
        start: `T_map_camera` [4, 4] where odometry begins if the first frame does not say; None:
            the map begins at the camera, see `odometry.START`.
        mono: what estimates the pose where there is no depth; None elsewhere.
    """

    def __init__(self, config: PoseConfig, depth: DepthConfig, seed: int) -> None:
        self.mono: MonoOdometry | None = None
        self._odometry: Odometry | MonoOdometry | None = None
        if config.source == "odometry" and depth.source == "motion":
            self.mono = MonoOdometry(config.keyframes, depth.scene_m, depth.still_s)
            self._odometry = self.mono
        elif config.source == "odometry":
            self._odometry = Odometry(config.keyframes, seed)
        self.estimate: PoseEstimate | None = None
        self.start: Pose | None = None
        self._followed: dict[int, PoseEstimate] = {}  # by stamp, of frames that may be mapped
        self._newest_ns = -1
        self._camera_name: str | None = None  # of the camera that is followed

    @property
    def begun(self) -> bool:
        """Whether there are places that odometry follows."""
        return self._odometry is not None and self._odometry.started

    @property
    def fits(self) -> bool:
        """Whether the last frame shows what is expected at its pose."""
        return self.estimate is None or self.estimate.fits

    def posed(self, frame: Frame, *, has_map: bool) -> Frame:
        """The frame with the pose that the map is to take.

        Args:
            frame: with depth, unless motion measures it.
            has_map: there is a map, so that a first pose cannot be chosen freely.

        Raises:
            BadInputError: there is no pose, and one is needed.
            BadSampleError: nobody knows where the camera is (reason `LOST`), or there is no
                depth yet to begin with (reason `NO_PARALLAX`).
        """
        if self._odometry is None:
            if frame.T_map_camera is None:
                raise BadInputError(
                    "frame has no pose T_map_camera, expected one from TF or a pose topic, or for "
                    "a recording the option pose.source=odometry"
                )
            return frame
        self.estimate = self.follow(frame, has_map=has_map)
        for stamp_ns in [ns for ns in self._followed if ns <= frame.stamp_ns]:
            del self._followed[stamp_ns]
        if self.estimate.state is TrackingState.BEGINNING:
            raise BadSampleError(NO_PARALLAX, WHY_NO_PARALLAX)
        if self.estimate.T_map_camera is None:
            raise BadSampleError(LOST, WHY_LOST if self.begun else WHY_NOT_BEGUN)
        return replace(frame, T_map_camera=self.estimate.T_map_camera)

    def follow(self, frame: Frame, *, has_map: bool) -> PoseEstimate:
        """Estimate a pose without a need of the map, of each stamp once; not where it is given.

        Frames may be followed ahead of those that are mapped.

        Raises:
            BadInputError: a stamp before that of the last one, or no place to begin.
        """
        assert self._odometry is not None
        if self._camera_name is None:
            self._camera_name = frame.camera_name
        if frame.camera_name != self._camera_name:
            raise UnsupportedError(
                f"frame is of camera {shown(frame.camera_name)}, expected one of "
                f"{shown(self._camera_name)}: odometry follows one camera; of several, poses have "
                "to be given"
            )
        known = self._followed.get(frame.stamp_ns)
        if known is not None:
            return known
        if frame.stamp_ns < self._newest_ns:
            raise BadInputError(
                f"stamp_ns is {frame.stamp_ns}, expected more than {self._newest_ns} of the frame "
                "that was followed before it"
            )
        if not self._odometry.started and frame.T_map_camera is None:
            if has_map:
                raise BadInputError(
                    "the first frame for a map that was read from a file has no pose "
                    "T_map_camera, expected one: odometry goes on from there"
                )
            frame = replace(frame, T_map_camera=self.start)
        self._newest_ns = frame.stamp_ns
        found = self._followed[frame.stamp_ns] = self._odometry.track(frame)
        while len(self._followed) > _AHEAD:
            del self._followed[next(iter(self._followed))]
        return found
