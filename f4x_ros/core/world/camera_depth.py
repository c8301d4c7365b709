# SPDX-License-Identifier: Apache-2.0
"""How deep frames are: as their depth images say, or as the camera's motion says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.config import DepthConfig
from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadSampleError
from f4x_ros.core.motion.mono import MonoOdometry, MotionDepth
from f4x_ros.core.motion.odometry import PoseEstimate, TrackingState
from f4x_ros.core.motion.picture import PictureMovers

_IN_FRONT = 0.75  # share of the depth of what rests that what moves is taken to have

NO_PARALLAX = "frames_before_depth"
"""Reason under which frames are counted before the camera has moved enough to see depth."""
WHY_NO_PARALLAX = (
    "depth is not known yet: expected a camera that has moved aside, so that near things shift "
    "against far ones"
)

TOLERANCE = 0.08
"""Difference from measured depth that is a contradiction at least, where motion measures it."""


class CameraDepth:
    """Makes frames with depth of frames with or without it, see `DepthConfig.source`.

    Attributes:
        measured: frames whose depth was measured by motion.
        assumed: frames whose depth was assumed, as the camera was nearly still.
    """

    def __init__(self, config: DepthConfig, odometry: MonoOdometry | None) -> None:
        self._config, self._odometry = config, odometry
        self._motion: dict[str, MotionDepth] | None = {} if config.source == "motion" else None
        self._movers: PictureMovers | None = None  # of a camera that is nearly still
        self.measured = 0
        self.assumed = 0

    @property
    def remarks(self) -> list[str]:
        """What was taken for granted so far, in sentences."""
        if self._motion is None:
            return []
        said = ["Depth is measured by the camera's motion alone; what moves itself has none."]
        if self._odometry is not None and self.measured:
            said.append(
                "Sizes are those of the poses that came with the first frames."
                if self._odometry.scale_given
                else "The map is up to scale: the median distance of what was seen first is taken "
                f"to be {self._config.scene_m:g} m (depth.scene_m); no length is known."
            )
        if self.assumed:
            said.append(
                f"The camera was nearly still, not lost, in {self.assumed} frames: it is taken to "
                f"turn on its place, and everything to be {self._config.scene_m:g} m away "
                "(depth.scene_m), what moves a quarter nearer. Colours, masks and turns of that "
                "part mean something, distances do not."
            )
        return said

    def given_to(self, frame: Frame, estimate: PoseEstimate | None) -> Frame:
        """The frame with the depth that the map is to take.

        Args:
            frame: with a pose, and with depth where that is given.
            estimate: of that pose; None where poses are given.

        Raises:
            BadSampleError: the camera has not moved enough to see depth (reason `NO_PARALLAX`).
        """
        if self._motion is None:
            return frame
        if estimate is not None and estimate.state is TrackingState.STILL:
            self.assumed += 1
            return replace(frame, depth=self._all_around(frame))
        self._movers = None
        odometry = self._odometry
        motion = self._motion.setdefault(frame.camera_name, MotionDepth())
        if odometry is None:
            depth = motion.measure(frame)
        else:
            poses = odometry.latest_poses()
            depth = motion.measure(frame, poses, odometry.depths_m())
        if depth is None or not depth.any():
            raise BadSampleError(NO_PARALLAX, WHY_NO_PARALLAX)
        if odometry is not None:
            odometry.note_depth(frame.stamp_ns, depth)
        self.measured += 1
        return replace(frame, depth=depth)

    def _all_around(self, frame: Frame) -> NDArray[np.float32]:
        """Depth [H, W] of a sphere about the camera: the same world however it turns.

        What the pictures show to move by itself is before it.
        """
        if self._movers is None:
            self._movers = PictureMovers()
        moving = self._movers.update(frame.rgb)
        rays = np.linalg.norm(frame.camera.pixel_rays(), axis=2)
        depth = self._config.scene_m * np.where(moving, _IN_FRONT, 1.0) / rays
        return np.asarray(depth, np.float32)
