# SPDX-License-Identifier: Apache-2.0
"""Depth images made cautious: at edges of things and of holes, a reading may be of either side."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

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
