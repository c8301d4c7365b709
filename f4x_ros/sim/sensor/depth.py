# SPDX-License-Identifier: Apache-2.0
"""Noise of a structured-light depth camera.

The numbers are those of the first Kinect, the camera that was measured best:

- Khoshelham and Oude Elberink, "Accuracy and resolution of Kinect depth data for indoor mapping
  applications", Sensors 2012: depth is baseline * focal / disparity, disparity comes in eighths of
  a pixel, so both the error and the step between values grow with the square of the distance.
- Nguyen, Izadi, Lovell, "Modeling Kinect sensor noise for improved 3D reconstruction and tracking",
  3DIMPVT 2012: axial noise by distance and angle of incidence, lateral noise of edges.
- Barron and Malik, "Intrinsic scene properties from a single RGB-D image", CVPR 2013, and Handa et
  al., "A benchmark for RGB-D visual odometry, 3D reconstruction and SLAM", ICRA 2014: how the two
  are applied to a drawn depth image (shift, disturb, round in disparity).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from f4x_ros.core.data import PinholeCamera
from f4x_ros.sim.sensor.holes import holes
from f4x_ros.sim.sensor.seeded import generator
from f4x_ros.sim.sensor.surface import edge_m, incidence

Depth = NDArray[np.float32]  # [H, W] metres, 0 = none

FOCAL_PX = 580.0  # of the depth camera, which is 640 pixels wide
BASELINE_M = 0.075
_STEPS_PER_PX = 8
#: Rounded disparity times depth: 2.9 mm between values at 1 m, 46 mm at 4 m.
_STEPS_M = FOCAL_PX * BASELINE_M * _STEPS_PER_PX

_WINDOW = (0.25, 0.5, 0.25)  # neighbours share part of the pattern that they were matched by
_STEEPEST_RAD = np.deg2rad(84.0)  # the model's angle has a pole at 90 degrees


def measured(
    exact: Depth, rgb: NDArray[np.uint8], camera: PinholeCamera, moment: int, seed: int
) -> Depth:
    """What the depth camera reports: exact depth with noise and holes.

    Args:
        exact: ``[H, W]`` metres, 0 = nothing there.
        rgb: ``[H, W, 3]`` exact picture, for what is dark or dazzling.
        camera: intrinsics of both.
        moment: number of the frame at the nominal rate.
        seed: of the world.
    """
    rng = generator("depth", seed, moment)
    angle = incidence(exact, camera)
    lost = holes(exact, rgb, angle, camera, BASELINE_M, rng)
    noisy = _rounded(_disturbed(_shifted(exact, angle, camera, rng), angle, rng))
    return np.where(lost, np.float32(0), noisy).astype(np.float32)


def axial_sigma_m(depth: Depth, angle_rad: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation of depth [m], rounding included, by Nguyen et al."""
    angle = np.minimum(angle_rad, np.float32(_STEEPEST_RAD))
    steep = (angle / (np.float32(np.pi / 2) - angle)) ** 2
    far = np.maximum(depth, np.float32(0.1))
    return np.asarray(
        0.0012 + 0.0019 * (far - 0.4) ** 2 + 0.0001 / np.sqrt(far) * steep, np.float32
    )


def lateral_sigma_px(angle_rad: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation of an edge's place [pixels of the depth camera], by Nguyen et al."""
    angle = np.minimum(angle_rad, np.float32(_STEEPEST_RAD))
    return np.asarray(0.8 + 0.035 * angle / (np.float32(np.pi / 2) - angle), np.float32)


def _shifted(
    exact: Depth, angle: NDArray[np.float32], camera: PinholeCamera, rng: np.random.Generator
) -> Depth:
    """Let edges tremble: pixels near one read the depth of a place beside them."""
    height, width = exact.shape
    sigma = lateral_sigma_px(angle) * np.float32(camera.fx / FOCAL_PX)
    shift = np.rint(rng.standard_normal((2, height, width), np.float32) * sigma).astype(np.intp)
    v, u = np.mgrid[:height, :width]
    beside = exact[np.clip(v + shift[0], 0, height - 1), np.clip(u + shift[1], 0, width - 1)]
    # Within a surface the axial noise says it all already.
    return np.where(np.abs(beside - exact) > edge_m(exact, camera), beside, exact)


def _disturbed(depth: Depth, angle: NDArray[np.float32], rng: np.random.Generator) -> Depth:
    step = depth**2 / np.float32(_STEPS_M)
    variance = axial_sigma_m(depth, angle) ** 2 - step**2 / 12  # rounding brings the rest
    noise = rng.standard_normal(depth.shape, np.float32)
    for axis in (0, 1):
        noise = ndimage.correlate1d(noise, _WINDOW, axis, mode="mirror")
    noise /= np.float32(np.sum(np.square(_WINDOW)))  # one square root for each axis
    return np.asarray(depth + np.sqrt(np.maximum(variance, 0)) * noise, np.float32)


def _rounded(depth: Depth) -> Depth:
    """Depth whose disparity is a whole number of steps; 0 stays 0."""
    steps = np.rint(np.float32(_STEPS_M) / np.maximum(depth, np.float32(0.05)))
    return np.where(depth > 0, np.float32(_STEPS_M) / np.maximum(steps, 1), 0).astype(np.float32)
