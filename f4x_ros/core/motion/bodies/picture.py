# SPDX-License-Identifier: Apache-2.0
"""A frame as rigid alignment reads it: surfaces, normals, and two channels that lamps do not move.

Grey is band-passed, as lighting is broad; the second channel sets blue against yellow, which white
highlights are not seen in: they stand still on what turns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

CHANNELS = 2

_MAD = 1.4826  # median absolute deviation to standard deviation
_NOISINESS = (0.25, 3.0)
_FEWEST = 500  # pixels that tell how noisy a picture is

_FINE_PX = 0.8
_BROAD_PX = 4.0
_BLOCK = np.ones((5, 5), np.uint8)
_AROUND = np.ones((3, 3), np.uint8)
_NEAR_M = 0.05  # of the camera: nearer points are not projected
_ON_M = 0.03  # from a surface that a point on it may be, where depth has no noise
_JUMP = (0.03, 0.02)  # depths of one surface differ less from pixel to pixel: metres + share
_SMOOTH = 0.004  # of inverse depth, 1/m: readings of one surface


def _noise_m(depth: NDArray[np.floating]) -> NDArray[np.floating]:
    """What structured light has (after Nguyen, Izadi and Lovell, 3DIMPVT 2012), metres."""
    return np.asarray(0.0012 + 0.0022 * np.square(depth))


@dataclass(frozen=True, eq=False)
class RgbdPicture:
    """One frame.

    Attributes:
        camera: its intrinsics.
        rgb: [H, W, 3] uint8.
        depth: [H, W] float32 metres, 0 = none.
        noisiness: how noisy the depth is, 1 = as of structured light.
    """

    camera: PinholeCamera
    rgb: NDArray[np.uint8]
    depth: Image
    noisiness: float = 1.0

    def noise_m(self, depth: NDArray[np.floating]) -> NDArray[np.floating]:
        """Standard deviation expected of readings at some depths, metres."""
        return np.asarray(self.noisiness * _noise_m(depth))

    def measured(self, drawn: Image, there: Mask) -> RgbdPicture:
        """The same picture, as noisy as its depth is beside a map's.

        Args:
            drawn: [H, W] metres of the map.
            there: [H, W] where both are known.
        """
        if there.sum() < _FEWEST:
            return self
        off = np.abs(self.depth[there] - drawn[there]) / _noise_m(self.depth[there])
        return replace(self, noisiness=float(np.clip(_MAD * np.median(off), *_NOISINESS)))

    @cached_property
    def rays(self) -> Image:
        """[H, W, 3] directions through the pixels' centres, z = 1."""
        return self.camera.pixel_rays()

    @cached_property
    def known(self) -> Mask:
        """[H, W] pixels with depth."""
        return self.depth > 0

    @cached_property
    def jumps(self) -> Mask:
        """[H, W] pixels beside which another surface begins, the nearer side only."""
        far = cv2.dilate(self.depth, _AROUND)
        return self.known & (far - self.depth > _JUMP[0] + _JUMP[1] * self.depth)

    @cached_property
    def smooth(self) -> Image:
        """[H, W] depth without its noise; edges stay (Tomasi and Manduchi, ICCV 1998)."""
        near = np.where(self.known, 1 / np.maximum(self.depth, 1e-3), 0).astype(np.float32)
        even = cv2.bilateralFilter(near, 5, 4 * _SMOOTH, 2.0)
        out = np.where(self.known, 1 / np.maximum(even, 1e-3), 0)
        return out.astype(np.float32)

    @cached_property
    def surface(self) -> tuple[Image, Mask]:
        """Unit normals [H, W, 3] towards the camera, and where [H, W] they are known."""
        points = self.rays * self.smooth[..., None]
        across, down = np.zeros_like(points), np.zeros_like(points)
        across[:, 2:-2] = points[:, 4:] - points[:, :-4]
        down[2:-2] = points[4:] - points[:-4]
        normals = _crossed(down, across)
        length = np.sqrt(np.einsum("hwc,hwc->hw", normals, normals))
        normals /= np.maximum(length, 1e-12)[..., None]
        near = np.where(self.known, self.depth, np.float32(1e3))
        span = cv2.dilate(self.depth, _BLOCK) - cv2.erode(near, _BLOCK)
        whole = cv2.erode(self.depth, _BLOCK) > 0
        flat = whole & (span < 0.04 + 0.12 * self.depth) & (length > 1e-12)
        return normals, flat

    @cached_property
    def channels(self) -> Image:
        """[H, W, 6] grey, opponent colour, and their slopes along x and y, grey levels."""
        grey = cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
        band = cv2.GaussianBlur(grey, (0, 0), _FINE_PX) - cv2.GaussianBlur(grey, (0, 0), _BROAD_PX)
        red, green, blue = (self.rgb[..., one].astype(np.float32) for one in range(3))
        opponent = cv2.GaussianBlur((red + green) / 2 - blue, (0, 0), _FINE_PX)
        slopes = [
            cv2.Sobel(one, cv2.CV_32F, x, 1 - x, scale=1 / 8)
            for one in (band, opponent) for x in (1, 0)
        ]  # fmt: skip
        return np.dstack([band, opponent, *slopes]).astype(np.float32)

    def pixels(
        self, points: NDArray[np.floating], rim: int = 0
    ) -> tuple[NDArray[np.int_], NDArray[np.int_], Mask]:
        """Rows and columns [N] of camera points [N, 3], and which of these are in the picture.

        Those that are not get a pixel all the same. `rim` is how many pixels from the picture's
        edge they must be.
        """
        u, v = (np.rint(one).astype(int) for one in self.project(points))
        height, width = self.depth.shape
        inside = (u >= rim) & (v >= rim) & (u < width - rim) & (v < height - rim)
        inside &= points[:, 2] > _NEAR_M
        return v.clip(rim, height - 1 - rim), u.clip(rim, width - 1 - rim), inside

    def shows(self, points: NDArray[np.floating], least_m: float = _ON_M) -> Mask:
        """Which camera points [N, 3] lie on what it shows: within `least_m`, or the noise of it."""
        rows, columns, inside = self.pixels(points)
        z = points[:, 2]
        margin = np.maximum(least_m, 4 * self.noise_m(z))
        return np.asarray(inside & (np.abs(self.depth[rows, columns] - z) < margin))

    def project(
        self, points: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Columns and rows [N], counted from the middle of the first pixel, of camera points."""
        z = np.maximum(points[:, 2], 1e-3)
        camera = self.camera
        return (
            points[:, 0] / z * camera.fx + camera.cx - 0.5,
            points[:, 1] / z * camera.fy + camera.cy - 0.5,
        )


def _crossed(a: Image, b: Image) -> Image:
    out = np.empty_like(a)
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out
