# SPDX-License-Identifier: Apache-2.0
"""A posed RGB-D image at the resolution of the map, and the keyframes kept of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from f4x_ros.core.config import MappingConfig
from f4x_ros.core.data import Frame, Frustum, PinholeCamera, farthest, poses
from f4x_ros.core.observe.exposure import Exposure
from f4x_ros.core.observe.surfaces import nearest_surface

MIN_DEPTH_M = 0.05
"""A nearer reading is none: nothing is judged or drawn so close to the camera."""

_WHOLLY = 0.999  # share of a pixel that was observed, but for rounding


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
    frustum: Frustum  # what of the map it may show
    observed: Tensor | None = None  # [H, W] bool, pixels that show something; None = all
    camera_name: str = ""  # of the frame

    @property
    def rgb(self) -> Tensor:
        """[H, W, 3] float32 0..1."""
        return self.rgb8.to(torch.float32) / 255

    @cached_property
    def nearest(self) -> Tensor:
        """[H, W] metres, see `nearest_surface`: asked again and again, so it is kept."""
        return nearest_surface(self.depth)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.camera.width, self.camera.height


def reduced(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Share [h, w] float32 of a mask [H, W] in each pixel of another size (height, width)."""
    share: Tensor = interpolate(mask[None, None].float(), size, mode="area")[0, 0]
    return share


def make_view(
    frame: Frame, time_s: float, config: MappingConfig, device: torch.device, exposure: Exposure
) -> View:
    """Reduce a frame to `config.resolution` columns: colour by area, depth by nearest reading.

    Depth below `MIN_DEPTH_M` or beyond `config.max_depth_m` becomes 0, no reading. A pixel of which
    a part was not observed was not observed.
    """
    assert frame.depth is not None
    assert frame.T_map_camera is not None
    camera = frame.camera.scaled(min(1.0, config.resolution / frame.camera.width))
    size = (camera.width, camera.height)
    rgb, depth = frame.rgb, frame.depth
    if size != (frame.camera.width, frame.camera.height):
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        depth = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)
    observed = frame.observed
    if observed is not None:
        whole = cv2.resize(observed.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        observed = whole > _WHOLLY
        depth = np.where(observed, depth, np.float32(0))
    used = (depth >= MIN_DEPTH_M) & (depth <= config.max_depth_m)
    depth = np.where(used, depth, np.float32(0))
    return View(
        time_s=time_s,
        camera=camera,
        T_map_camera=frame.T_map_camera,
        rgb8=torch.from_numpy(np.array(rgb)).to(device),
        depth=torch.from_numpy(np.ascontiguousarray(depth)).to(device),
        viewmat=poses.viewmat(frame.T_map_camera, device),
        K=camera.K_tensor(device),
        exposure=exposure,
        frustum=Frustum(camera, frame.T_map_camera, config.range_m, farthest(depth)),
        observed=None if observed is None else torch.from_numpy(observed).to(device),
        camera_name=frame.camera_name,
    )
