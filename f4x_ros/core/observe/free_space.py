# SPDX-License-Identifier: Apache-2.0
"""What a depth image says about places being empty: the clock of the 4D field.

A reading at depth d says that everything before d along its ray is free. A Gaussian in that free
space is gone (it dies and belongs to the past); a new Gaussian whose place an earlier view saw as
free was born after that view.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from f4x_ros.core.observe.views import MIN_DEPTH_M, View

_AROUND = np.ones((3, 3), np.uint8)


def nearest_surface(depth: Tensor) -> Tensor:
    """The least depth [H, W] in each 3x3 block, 0 where any reading of it is missing.

    Makes the free-space test safe at the edges of things and of holes.
    """
    if depth.device.type == "cpu":  # ten times as fast
        return torch.from_numpy(cv2.erode(depth.numpy(), _AROUND))
    return -_greatest(-depth)


def farthest_surface(depth: Tensor) -> Tensor:
    """The greatest depth [H, W] in each 3x3 block, 0 where any reading of it is missing."""
    if depth.device.type == "cpu":
        values = depth.numpy()
        whole = cv2.erode((values > 0).astype(np.uint8), _AROUND) > 0
        return torch.from_numpy(np.where(whole, cv2.dilate(values, _AROUND), np.float32(0)))
    return torch.where(nearest_surface(depth) > 0, _greatest(depth), 0)


def _greatest(image: Tensor) -> Tensor:
    greatest: Tensor = max_pool2d(image[None], 3, 1, 1)[0]
    return greatest


def seen_through(
    view: View, means: Tensor, margin_m: Tensor, tolerance: float, *, at_edges: bool = False
) -> Tensor:
    """Mask [N]: points that lie in the free space of a view.

    Args:
        view: image with depth.
        means: points [N, 3] in the map frame.
        margin_m: extent of each point towards the camera [N], metres.
        tolerance: depth error of the sensor, share of the depth.
        at_edges: whether to judge beside edges of the depth image, too.
    """
    inside, rows, columns, z = _pixels(view, means)
    surface = (view.depth if at_edges else nearest_surface(view.depth))[rows, columns]
    return inside & (surface > 0) & (surface * (1 - tolerance) > z + margin_m)


def has_reading(view: View, means: Tensor) -> Tensor:
    """Mask [N]: points in whose direction a view has measured something."""
    inside, rows, columns, _ = _pixels(view, means)
    return inside & (view.depth[rows, columns] > 0)


def hidden(view: View, means: Tensor, margin_m: Tensor, tolerance: float) -> Tensor:
    """Mask [N]: points that lie behind the surface that a view has measured.

    Arguments are those of `seen_through`, with `margin_m` away from the camera.
    """
    inside, rows, columns, z = _pixels(view, means)
    surface = farthest_surface(view.depth)[rows, columns]
    return inside & (surface > 0) & (z - margin_m > surface * (1 + tolerance))


def _pixels(view: View, means: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Which points [N, 3] a view has a pixel for, its row and column (else 0), and their depth."""
    p = means @ view.viewmat[:3, :3].T + view.viewmat[:3, 3]
    z = p[:, 2]
    safe = z.clamp(min=1e-3)
    u = (view.K[0, 0] * p[:, 0] / safe + view.K[0, 2]).floor()
    v = (view.K[1, 1] * p[:, 1] / safe + view.K[1, 2]).floor()
    width, height = view.size
    inside = (z > MIN_DEPTH_M) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    columns = torch.where(inside, u, 0).long()
    rows = torch.where(inside, v, 0).long()
    return inside, rows, columns, z
