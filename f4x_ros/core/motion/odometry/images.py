# SPDX-License-Identifier: Apache-2.0
"""An RGB-D picture as alignment reads it: grey without lighting, its slopes, depth, rays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera

Image = NDArray[np.float32]

_FINE_PX = 0.8  # details below are noise, ...
_BROAD_PX = 5.0  # ... what is broader is lighting
_NOISE = 3.0  # grey levels of local contrast that may be noise
_EVEN = 12.0  # local contrast is made like this, so that faint grain counts as bold stripes do
_NOISE_SLOPE = 0.28  # median of |x| + |y| of the slope of white noise of 1 grey level
_FLAT = (0.04, 0.12)  # a 5x5 block with more between its depths is an edge: metres + share
_WHOLE = 0.6  # share of a 5x5 block that must have depth to have a normal


@dataclass(frozen=True, eq=False)
class Picture:
    """One resolution of a frame.

    Attributes:
        camera: its intrinsics.
        depth: [H, W] metres, 0 = none.
        channels: [H, W, 3] band-passed grey (levels of 0..255), and its slope along x and y.
        noise: [H, W] slope that the sensor's noise alone has there.
    """

    camera: PinholeCamera
    depth: Image
    channels: Image
    noise: Image

    @cached_property
    def rays(self) -> Image:
        """[H, W, 3] directions through the pixels' centres, z = 1."""
        return self.camera.pixel_rays()

    @cached_property
    def surface(self) -> tuple[Image, Image, NDArray[np.bool_]]:
        """Smoothed points [H, W, 3], unit normals [H, W, 3], and where [H, W] both are known."""
        depth, there = self.depth, (self.depth > 0).astype(np.float32)
        near = np.where(there > 0, depth, np.float32(1e3))
        low, high = cv2.erode(near, _BLOCK), cv2.dilate(depth, _BLOCK)
        share = cv2.GaussianBlur(there, (5, 5), 1.2)
        smooth = cv2.GaussianBlur(depth, (5, 5), 1.2) / np.maximum(share, 1e-6)
        known = (there > 0) & (share > _WHOLE) & (high - low < _FLAT[0] + _FLAT[1] * depth)
        points: Image = (self.rays * smooth[..., None]).astype(np.float32)
        across, down = np.zeros_like(points), np.zeros_like(points)
        across[:, 2:-2] = points[:, 4:] - points[:, :-4]
        down[2:-2] = points[4:] - points[:-4]
        normals = _crossed(down, across)
        length = np.sqrt(np.einsum("hwc,hwc->hw", normals, normals))
        normals /= np.maximum(length, 1e-12)[..., None]
        known &= length > 1e-12
        known[:3] = known[-3:] = False
        known[:, :3] = known[:, -3:] = False
        return points, normals, known

    @cached_property
    def solid(self) -> NDArray[np.bool_]:
        """[H, W] pixels with depth that are not beside a jump of it, or a hole."""
        near = np.where(self.depth > 0, self.depth, np.float32(1e3))
        low, high = cv2.erode(near, _AROUND), cv2.dilate(self.depth, _AROUND)
        whole = cv2.erode(self.depth, _AROUND) > 0
        solid = whole & (high - low < 0.03 + 0.06 * self.depth)
        solid[:3] = solid[-3:] = False
        solid[:, :3] = solid[:, -3:] = False
        return np.asarray(solid)


_SECOND = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_BLOCK, _AROUND = np.ones((5, 5), np.uint8), np.ones((3, 3), np.uint8)


def _crossed(a: Image, b: Image) -> Image:
    """Cross products [H, W, 3]; a third of the time of `np.cross`."""
    out = np.empty_like(a)
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def picture_of(
    grey: NDArray[np.uint8],  # [H, W]
    depth: Image,  # [H, W] metres
    camera: PinholeCamera,
) -> Picture:
    """A picture at its own resolution."""
    levels = grey.astype(np.float32)
    band = cv2.GaussianBlur(levels, (0, 0), _FINE_PX) - cv2.GaussianBlur(levels, (0, 0), _BROAD_PX)
    around = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), _BROAD_PX))
    gain = _EVEN / (around + _NOISE)
    band *= gain
    slopes = [cv2.Sobel(band, cv2.CV_32F, x, 1 - x, scale=1 / 8) for x in (1, 0)]
    noise = (gain * np.float32(_NOISE_SLOPE * noise_of(levels))).astype(np.float32)
    return Picture(camera, depth, np.dstack([band, *slopes]).astype(np.float32), noise)


def noise_of(levels: Image) -> float:
    """Standard deviation of a picture's noise, grey levels (Immerkaer, CVIU 1996; the median)."""
    return float(np.median(np.abs(cv2.filter2D(levels, -1, _SECOND)))) / (6 * 0.6745)


def halved(grey: NDArray[np.uint8], depth: Image, camera: PinholeCamera) -> Picture:
    """A picture at half its resolution."""
    camera = camera.scaled(0.5)
    size = camera.width, camera.height
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    near = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return picture_of(small.astype(np.uint8), near.astype(np.float32), camera)
