# SPDX-License-Identifier: Apache-2.0
"""Where the camera is: as the frames say, as the pictures say, or both together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from f4x_ros.core.base import on_host
from f4x_ros.core.config import PoseConfig
from f4x_ros.core.data import Frame, PinholeCamera, Pose, Track, interpolate, inverse, viewmat
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.core.field import GaussianField
from f4x_ros.core.motion import on_its_way
from f4x_ros.core.motion.odometry import Drawn, Odometry, PoseEstimate, Prior, TrackingState
from f4x_ros.core.render import render

LOST = "lost"
"""Reason under which frames of a camera that is lost are counted."""

_SURE_ALPHA = 0.8  # of what is drawn; less is not known well enough to align to
_MOVING = 0.2  # share of a pixel that shows what moves
_GIVEN_M, _GIVEN_RAD = 0.02, 0.012  # what a given pose, once corrected, may be off by
_FOLLOW = 0.2  # share of what a frame says of the correction that is taken over


class CameraPose:
    """Makes frames with a pose of frames with or without one, see `PoseConfig.source`.

    Attributes:
        estimate: of the last frame; None before the first, and where poses are given.
    """

    def __init__(self, config: PoseConfig, field: GaussianField, backend: str, seed: int) -> None:
        self._source = config.source
        self._field, self._backend = field, backend
        self._odometry = Odometry(config.keyframes, seed) if config.source != "given" else None
        self._correction: Pose = np.eye(4)  # T_map_given
        self.estimate: PoseEstimate | None = None

    @property
    def fits(self) -> bool:
        """Whether the last frame shows what is expected at its pose."""
        return self.estimate is None or self.estimate.fits

    def posed(self, frame: Frame, interval_s: float, tracks: tuple[Track, ...]) -> Frame:
        """The frame with the pose that the map is to take.

        Args:
            frame: with depth.
            interval_s: usual time from frame to frame.
            tracks: of the objects that are followed: what moves is not aligned to.

        Raises:
            ValueError: there is no pose, and it is to be given.
            BadSampleError: nobody knows where the camera is (reason `LOST`).
        """
        if self._odometry is None or self._source != "odometry":
            if frame.T_map_camera is None:
                raise BadInputError(
                    "frame has no pose T_map_camera, expected one from TF or a pose topic, or "
                    "pose.source=odometry"
                )
            if self._odometry is None:
                return frame
        moving = [track.id for track in tracks if track.moving]

        def draw(camera: PinholeCamera, T_map_camera: Pose) -> Drawn | None:
            return self._drawn(camera, T_map_camera, interval_s, moving)

        expected = None
        if self._source != "odometry":
            assert frame.T_map_camera is not None
            expected = _near(self._correction @ frame.T_map_camera)
        self.estimate = self._odometry.track(frame, draw, expected)
        pose = self.estimate.T_map_camera
        if pose is None:
            raise BadSampleError(
                LOST, "the camera is lost: the picture fits none of the places where it was"
            )
        if expected is not None and self.estimate.state is TrackingState.TRACKING:
            assert frame.T_map_camera is not None
            told = pose @ inverse(frame.T_map_camera)
            self._correction = interpolate(self._correction, told, _FOLLOW)
        return replace(frame, T_map_camera=pose)

    @torch.no_grad()
    def _drawn(
        self, camera: PinholeCamera, T_map_camera: Pose, interval_s: float, moving: list[int]
    ) -> Drawn | None:
        """The working set from a pose; None if it is empty."""
        present = self._field.present
        if not len(present):
            return None
        ids = present["object_ids"]
        moves = on_its_way(present, interval_s) | torch.isin(ids, ids.new_tensor(moving))
        out = render(
            present["means"],
            present["quats"],
            present.scales,
            present.opacities,
            torch.cat([present["colors"], moves[:, None].to(torch.float32)], 1),
            viewmat(T_map_camera, ids.device),
            camera.K_tensor(ids.device),
            camera.width,
            camera.height,
            backend=self._backend,
        )
        sure = out.alpha >= _SURE_ALPHA
        color = (out.image[..., :3] / out.alpha.clamp(min=1e-3)[..., None]).clamp(0, 1) * 255
        depth = torch.where(sure, out.expected_depth, 0)
        still = out.image[..., 3] < _MOVING
        rgb, depth_m, still_here = on_host(color.round().to(torch.uint8), depth, still)
        return Drawn(rgb, depth_m.astype(np.float32), still_here)


def _near(T_map_camera: Pose) -> Prior:
    return Prior(T_map_camera, np.diag([_GIVEN_M**-2] * 3 + [_GIVEN_RAD**-2] * 3))
