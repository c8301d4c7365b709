# SPDX-License-Identifier: Apache-2.0
"""A posed RGB-D image at the resolution of the map, and the keyframes kept of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch
from torch import Tensor

from f4x_ros.core import poses
from f4x_ros.core.camera import PinholeCamera
from f4x_ros.core.config import MappingConfig
from f4x_ros.core.frame import Frame
from f4x_ros.core.mapping.exposure import Exposure

MIN_DEPTH_M = 0.05
"""A nearer reading is none: nothing is judged or drawn so close to the camera."""


@dataclass(eq=False)
class View:
    """A frame reduced to the resolution at which the map is optimised."""

    time_s: float  # seconds of the field
    camera: PinholeCamera
    T_map_camera: poses.Pose
    rgb8: Tensor  # [H, W, 3] uint8
    depth: Tensor  # [H, W] float32 metres, 0 = none
    viewmat: Tensor  # [4, 4] float32, T_camera_map
    K: Tensor  # [3, 3] float32
    exposure: Exposure

    @property
    def rgb(self) -> Tensor:
        """[H, W, 3] float32 0..1."""
        return self.rgb8.to(torch.float32) / 255

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.camera.width, self.camera.height


def make_view(
    frame: Frame, time_s: float, config: MappingConfig, device: torch.device, exposure: Exposure
) -> View:
    """Reduce a frame to `config.resolution` columns: colour by area, depth by nearest reading.

    Depth below `MIN_DEPTH_M` or beyond `config.max_depth_m` becomes 0, no reading.
    """
    assert frame.depth is not None
    assert frame.T_map_camera is not None
    camera = frame.camera.scaled(min(1.0, config.resolution / frame.camera.width))
    size = (camera.width, camera.height)
    rgb, depth = frame.rgb, frame.depth
    if size != (frame.camera.width, frame.camera.height):
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        depth = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    used = (depth >= MIN_DEPTH_M) & (depth <= config.max_depth_m)
    depth = np.where(used, depth, np.float32(0))
    return View(
        time_s=time_s,
        camera=camera,
        T_map_camera=frame.T_map_camera,
        rgb8=torch.from_numpy(np.array(rgb)).to(device),
        depth=torch.from_numpy(np.ascontiguousarray(depth)).to(device),
        viewmat=viewmat(frame.T_map_camera, device),
        K=camera.K_tensor(device),
        exposure=exposure,
    )


def viewmat(T_map_camera: poses.Pose, device: torch.device | str = "cpu") -> Tensor:
    """`T_camera_map` [4, 4] float32, as the rasteriser takes it."""
    return torch.as_tensor(poses.inverse(T_map_camera), dtype=torch.float32, device=device)


class Keyframes:
    """Views kept for optimisation: one per piece of camera motion, at most `config.keyframes`.

    When full, the keyframe most like its neighbours in time goes (the one with the shortest way
    from the one before it to the one after it), so that the oldest parts of the path and its
    turning points stay represented.
    """

    def __init__(self, config: MappingConfig) -> None:
        self._config = config
        self.views: list[View] = []
        self.dropped = 0

    def __len__(self) -> int:
        return len(self.views)

    @property
    def nbytes(self) -> int:
        """Bytes of the kept images."""
        return sum(v.rgb8.numel() + 4 * v.depth.numel() for v in self.views)

    def offer(self, view: View) -> bool:
        """Keep the view if the camera has moved enough since the last keyframe."""
        if self.views and not self._is_far(self.views[-1], view):
            return False
        self.views.append(view)
        if len(self.views) > self._config.keyframes:
            del self.views[self._most_redundant()]
            self.dropped += 1
        return True

    def _is_far(self, a: View, b: View) -> bool:
        moved, turned = _motion(a, b)
        config = self._config
        return moved >= config.keyframe_distance_m or turned >= config.keyframe_angle_rad

    def _most_redundant(self) -> int:
        """Index of the inner keyframe with the shortest way over it."""
        if len(self.views) < 3:
            return 0
        ways = [sum(_motion(a, b)) for a, b in pairwise(self.views)]
        return 1 + int(np.argmin([a + b for a, b in pairwise(ways)]))


def _motion(a: View, b: View) -> tuple[float, float]:
    """How far the camera moved (m) and turned (rad) between two views."""
    moved = float(np.linalg.norm(a.T_map_camera[:3, 3] - b.T_map_camera[:3, 3]))
    return moved, poses.rotation_angle_rad(a.T_map_camera, b.T_map_camera)
