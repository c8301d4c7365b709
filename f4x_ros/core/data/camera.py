# SPDX-License-Identifier: Apache-2.0
"""Pinhole camera with pixel centres at +0.5, as in gsplat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class PinholeCamera:
    """A rectified camera. Intrinsics in pixels; the centre of the first pixel is (0.5, 0.5).

    ROS `camera_info` and OpenCV put that centre at (0, 0): convert with `from_opencv` and
    `to_opencv_K`, and nowhere else.

    Raises:
        ValueError: a size below 1, a focal length <= 0, or a value that is not finite.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise BadInputError(f"camera size is {self.width}x{self.height}, expected at least 1x1")
        if not np.isfinite([self.fx, self.fy, self.cx, self.cy]).all():
            raise BadInputError(f"camera intrinsics are not finite: {self}")
        if self.fx <= 0 or self.fy <= 0:
            raise BadInputError(
                f"camera focal lengths are fx={self.fx}, fy={self.fy}, expected > 0 "
                "(an uncalibrated camera publishes zeros)"
            )

    @classmethod
    def from_opencv(cls, K: ArrayLike, width: int, height: int) -> PinholeCamera:
        """From a 3x3 matrix whose pixel centres are integers (OpenCV, ROS `camera_info`)."""
        k = np.asarray(K, dtype=np.float64)
        if k.size != 9:
            raise BadInputError(f"camera matrix has shape {k.shape}, expected 3x3")
        k = k.reshape(3, 3)
        return cls(width, height, k[0, 0], k[1, 1], k[0, 2] + 0.5, k[1, 2] + 0.5)

    def to_opencv_K(self) -> NDArray[np.float64]:
        """The 3x3 matrix with pixel centres at integers (OpenCV, ROS `camera_info`)."""
        k = self.K
        k[:2, 2] -= 0.5
        return k

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels, as arrays have them."""
        return self.height, self.width

    @property
    def K(self) -> NDArray[np.float64]:
        """Intrinsic matrix [3, 3], pixel centres at +0.5."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def K_tensor(self, device: torch.device | str = "cpu") -> Tensor:
        """Intrinsic matrix [3, 3] float32 on a device."""
        import torch

        return torch.as_tensor(self.K, dtype=torch.float32, device=device)

    def scaled(self, factor: float) -> PinholeCamera:
        """The camera of the same view with `factor` times as many pixels per side (rounded)."""
        width = max(1, round(self.width * factor))
        height = max(1, round(self.height * factor))
        sx, sy = width / self.width, height / self.height
        return PinholeCamera(width, height, self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy)

    def pixel_rays(self) -> NDArray[np.float32]:
        """Directions [H, W, 3] through the pixel centres in the optical frame, z = 1."""
        u = (np.arange(self.width, dtype=np.float32) + 0.5 - self.cx) / self.fx
        v = (np.arange(self.height, dtype=np.float32) + 0.5 - self.cy) / self.fy
        rays = np.ones((self.height, self.width, 3), np.float32)
        rays[..., 0] = u[None, :]
        rays[..., 1] = v[:, None]
        return rays

    def unproject(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points [H, W, 3] in the optical frame, metres, from z-depth [H, W] in metres."""
        return self.pixel_rays() * depth[..., None]

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels [N, 2] of points [N, 3] in the optical frame; NaN where z <= 0."""
        z = np.where(points[:, 2] > 0, points[:, 2], np.nan)
        return np.stack(
            [self.fx * points[:, 0] / z + self.cx, self.fy * points[:, 1] / z + self.cy], -1
        )
