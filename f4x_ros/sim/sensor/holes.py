# SPDX-License-Identifier: Apache-2.0
"""Where a structured-light depth camera sees nothing.

The causes are those that Khoshelham and Oude Elberink (Sensors 2012, section 3) and Mallick, Das,
Majumdar ("Characterizations of noise in Kinect depth images: a review", IEEE Sensors Journal 2014)
list: out of range, shadow of the projector, too little or too much light back, outlines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from f4x_ros.core.data import PinholeCamera
from f4x_ros.sim.sensor.surface import edge_m, edges

RANGE_M = (0.3, 8.0)

_WEAKEST = 0.0022  # light that must come back, relative to a white wall 1 m away
_INFRARED = 0.03  # what black paint sends back in infrared
_GRAZING_RAD = np.deg2rad(78.0)  # half of all points are lost at this angle
_GRAZING_SPREAD_RAD = np.deg2rad(3.0)
_DAZZLING = 250  # all three values of a pixel that shines
_AT_EDGES = 0.25  # share of the pixels beside a jump in depth
_SPOT_PX = 2.5  # size of lost spots in a picture with a focal length of 262
_SPOT_SIGMA = 2.8  # 0.26 % of the area


def holes(
    depth: NDArray[np.float32],
    rgb: NDArray[np.uint8],
    angle: NDArray[np.float32],
    camera: PinholeCamera,
    baseline_m: float,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Pixels ``[H, W]`` without a reading.

    Args:
        depth: ``[H, W]`` exact [m], 0 = nothing there.
        rgb: ``[H, W, 3]`` exact picture; what is dark in it is taken to be dark in infrared too.
        angle: ``[H, W]`` of incidence [rad].
        camera: intrinsics.
        baseline_m: how far to the right of the camera the projector sits.
        rng: decides what is left to chance.
    """
    spots = _spots(depth.shape, camera, rng)  # holes come in patches
    grain = rng.standard_normal(depth.shape, np.float32)
    chance = rng.random(depth.shape, np.float32)
    lost = (depth < RANGE_M[0]) | (depth > RANGE_M[1])
    lost |= in_projector_shadow(depth, camera, baseline_m)
    lost |= angle > _GRAZING_RAD + _GRAZING_SPREAD_RAD * (spots + 0.5 * grain)
    lost |= np.log(_returned(depth, rgb, angle) / _WEAKEST) < 0.5 * spots + 0.3 * grain
    lost |= (rgb.min(-1) >= _DAZZLING) & (spots > -0.5)
    lost |= edges(depth, camera) & (chance < _AT_EDGES)
    lost |= spots > _SPOT_SIGMA
    return lost


def in_projector_shadow(
    depth: NDArray[np.float32], camera: PinholeCamera, baseline_m: float
) -> NDArray[np.bool_]:
    """Pixels ``[H, W]`` that the camera sees and the projector, to its right, does not.

    Each row is seen again from the projector, which keeps the nearest depth in each column.
    """
    height, width = depth.shape
    seen = depth > 0
    row, column = np.nonzero(seen)
    z = depth[seen]
    there = np.floor(column + 0.5 - camera.fx * baseline_m / z).astype(np.intp)
    inside = (there >= 0) & (there < width)
    nearest = np.full((height, width), np.inf, np.float32)
    np.minimum.at(nearest, (row[inside], there[inside]), z[inside])
    # A column between two samples of one surface is no gap in it.
    nearest = ndimage.grey_opening(nearest, (1, 3), mode="nearest")
    shadow = np.zeros(depth.shape, bool)
    at = nearest[row[inside], there[inside]]
    shadow[row[inside], column[inside]] = z[inside] - at > edge_m(at, camera)
    return shadow


def _returned(
    depth: NDArray[np.float32], rgb: NDArray[np.uint8], angle: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Projected light that comes back ``[H, W]``, relative to a white wall 1 m away."""
    albedo = _INFRARED + (rgb.mean(-1, dtype=np.float32) / np.float32(255)) ** np.float32(2.2)
    back = albedo * np.cos(angle) / np.maximum(depth, RANGE_M[0]) ** 2
    return np.asarray(np.maximum(back, 1e-12), np.float32)


def _spots(
    shape: tuple[int, ...], camera: PinholeCamera, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Smooth noise ``[H, W]`` of mean 0 and variance 1."""
    sigma = _SPOT_PX * camera.fx / 262
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), sigma, mode="wrap")
    return np.asarray(noise / np.maximum(noise.std(), 1e-12), np.float32)
