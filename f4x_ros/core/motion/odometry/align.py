# SPDX-License-Identifier: Apache-2.0
"""A picture aligned to samples of the world: robust Gauss-Newton on SE(3).

Two kinds of residuals, each in units of what the sensor does: point to plane (depth of the picture
against the samples' surfaces) and photometric (its band-passed grey against the samples'), in the
balance of Kerl et al. (ICRA 2013): either is scaled by the median of its absolute deviations, and
what does not fit is weighted down by Tukey's biweight, so that what moves is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, inverse
from f4x_ros.core.motion.odometry.estimate import moved, twist_of
from f4x_ros.core.motion.odometry.images import Picture
from f4x_ros.core.motion.odometry.samples import Samples

_TUKEY = 4.685
_MAD = 1.4826  # median absolute deviation to standard deviation
_LEAST = 30  # residuals of a kind below which it says nothing
_GREY_SCALES = (2.0, 8.0)  # grey levels: what the scale of photometric residuals is kept within
_DEPTH_SCALES = (0.5, 3.0)  # of the expected noise: the same for point to plane
_OUTSIDE = (3.0, 12.0)  # expected noise and grey levels at which a residual counts as wrong
_CORRELATED = 0.1  # share of the residuals' information that is independent: neighbours share noise
_BENT = 0.083  # radians of a normal for a depth's noise of as much as a pixel is wide
_FORGET = 0.15  # share of what a frame says that is taken over into the trust of a sample
_MOST = (0.3, 0.2)  # metres and radians of a step
_STEP = (1e-4, 5e-5)  # metres and radians of a step that is the last one

Array = NDArray[np.float32]


def depth_noise_m(depth: Array) -> Array:
    """Standard deviation expected of a depth camera's readings, metres."""
    return np.float32(0.0015) + np.float32(0.0025) * depth * depth


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of a pose beforehand.

    Attributes:
        T_map_camera: [4, 4] the most likely one.
        information: [6, 6] inverse covariance along the camera's axes.
    """

    T_map_camera: Pose
    information: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Alignment:
    """A pose that was found, and how well the picture fits there.

    Attributes:
        T_map_camera: [4, 4].
        information: [6, 6] of the residuals, along the camera's axes, without that of the prior.
        loss: mean of all residuals at the pose, each from 0 (fits) to 1 (does not).
        compared: residuals, by their trust.
        inliers: share 0..1 of them that agree within the camera's noise.
        share: of the samples that could be compared.
    """

    T_map_camera: Pose
    information: NDArray[np.float64]
    loss: float
    compared: float
    inliers: float
    share: float


@dataclass
class _Sums:
    """The normal equations of one step."""

    H: NDArray[np.float64]
    b: NDArray[np.float64]
    loss: float = 0.0
    compared: float = 0.0
    agreeing: float = 0.0
    of_noise: NDArray[np.float64] = field(default_factory=lambda: np.zeros((6, 6)))

    def count(self, wrong: Array, trust: Array) -> None:
        """Residuals as shares of what counts as wrong, 1 at most, and their trust."""
        self.loss += float(np.square(wrong) @ trust)
        self.compared += float(trust.sum())
        self.agreeing += float(trust[wrong < 1].sum())

    def add(self, J: Array, residuals: Array, weights: Array) -> None:
        weighted = J * weights[:, None]
        self.H += weighted.T @ J
        self.b += weighted.T @ residuals


def align(
    samples: Samples,
    picture: Picture,
    start: Pose,
    prior: Prior,
    *,
    gate_m: float,
    steps: int,
) -> Alignment:
    """The pose from which a picture shows the samples.

    Args:
        samples: of the world, map frame.
        picture: of the camera.
        start: `T_map_camera` to begin at.
        prior: what holds the pose where the picture does not.
        gate_m: a surface farther off than this, and than the noise, is another one.
        steps: of Gauss-Newton at most.
    """
    pose = inverse(start)  # T_camera_map
    towards = inverse(prior.T_map_camera)
    for step in range(steps + 1):
        sums = _Sums(np.zeros((6, 6)), np.zeros(6))
        _planes(samples, picture, pose, gate_m, sums)
        _greys(samples, picture, pose, gate_m, sums)
        if step == steps:
            break
        off = twist_of(pose @ inverse(towards))  # exp(off) @ towards = pose
        H = _CORRELATED * sums.H + prior.information
        x = np.linalg.solve(H, _CORRELATED * sums.b - prior.information @ off)
        far, turned = float(np.linalg.norm(x[:3])), float(np.linalg.norm(x[3:]))
        x *= min(1.0, _MOST[0] / max(far, _MOST[0]), _MOST[1] / max(turned, _MOST[1]))
        pose = moved(np.asarray(x, np.float64)) @ pose
        if far < _STEP[0] and turned < _STEP[1]:
            break
    return Alignment(
        inverse(pose),
        _CORRELATED * _without_noise(sums.H, sums.of_noise),
        sums.loss / max(1, sums.compared),
        sums.compared,
        sums.agreeing / max(1, sums.compared),
        sums.compared / max(1, len(samples)),
    )


def _seen(
    points: Array, picture: Picture, pose: Pose
) -> tuple[NDArray[np.bool_], Array, Array, Array]:
    """Which points [N] are in the image; those [K, 3] in the camera frame, and their pixels."""
    camera = picture.camera
    there = points @ pose[:3, :3].T.astype(np.float32) + pose[:3, 3].astype(np.float32)
    z = np.maximum(there[:, 2], np.float32(1e-3))
    x = (there[:, 0] / z * camera.fx + camera.cx).astype(np.float32)
    y = (there[:, 1] / z * camera.fy + camera.cy).astype(np.float32)
    inside = (x > 1) & (y > 1) & (x < camera.width - 1) & (y < camera.height - 1)
    inside &= there[:, 2] > 0.05
    return inside, there[inside], x[inside], y[inside]


def _planes(samples: Samples, picture: Picture, pose: Pose, gate_m: float, sums: _Sums) -> None:
    """Point to plane: what the picture measures where a sample should be, along its normal."""
    inside, points, x, y = _seen(samples.points, picture, pose)
    rows, columns = y.astype(np.intp), x.astype(np.intp)
    depth = picture.depth[rows, columns]
    measured = picture.rays[rows, columns] * depth[:, None]
    normals = samples.normals[inside] @ pose[:3, :3].T.astype(np.float32)
    residuals = np.einsum("nc,nc->n", measured - points, normals)
    noise = depth_noise_m(points[:, 2])
    known = depth > 0
    trust = samples.point_trust[inside]
    wrong = np.minimum(np.abs(residuals[known]) / (_OUTSIDE[0] * noise[known]), 1)
    sums.count(wrong, trust[known])
    used = known & (np.abs(residuals) < np.maximum(gate_m, 4 * noise))
    used &= np.abs(depth - points[:, 2]) < 2 * gate_m + 4 * noise
    if used.sum() < _LEAST:
        return
    points, normals, residuals, noise = points[used], normals[used], residuals[used], noise[used]
    in_noise = residuals / noise
    scale = float(np.clip(_MAD * np.median(np.abs(in_noise)), *_DEPTH_SCALES))
    weights = trust[used] * _biweight(in_noise / scale) / np.square(scale * noise)
    sums.add(_jacobian(points, normals), residuals, weights)
    # Noise bends normals, and a bent one seems to hold the camera along the surface.
    bent = _BENT * noise * np.float32(picture.camera.fx) / points[:, 2]
    bent_weights = (weights * bent * bent)[:, None]
    for axis in np.eye(3, dtype=np.float32):
        along = axis - normals * (normals @ axis)[:, None]
        across = _jacobian(points, along)
        sums.of_noise += (across * bent_weights).T @ across


def _without_noise(H: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Information [6, 6] less what noise alone would seem to tell; nowhere below none."""
    values, vectors = np.linalg.eigh(H - noise)
    return np.asarray((vectors * np.maximum(values, 0)) @ vectors.T)


def _greys(samples: Samples, picture: Picture, pose: Pose, gate_m: float, sums: _Sums) -> None:
    """Photometric: the picture's grey where a mark should be, against the mark's."""
    inside, points, x, y = _seen(samples.marks, picture, pose)
    if len(points) < _LEAST:
        return
    camera = picture.camera
    read = _read(picture, x, y)
    shown = ~_hidden(points, picture, x, y, gate_m)
    points, read, greys = points[shown], read[shown], samples.greys[inside][shown]
    trust = samples.mark_trust[inside][shown]
    if len(points) < _LEAST:
        return
    residuals = greys - read[:, 0]
    sums.count(np.minimum(np.abs(residuals) / _OUTSIDE[1], 1), trust)
    scale = float(np.clip(_MAD * np.median(np.abs(residuals)), *_GREY_SCALES))
    weights = trust * _biweight(residuals / scale) / scale**2
    # How grey changes as a point shifts along x, y and z.
    a = read[:, 1] * np.float32(camera.fx) / points[:, 2]
    b = read[:, 2] * np.float32(camera.fy) / points[:, 2]
    c = -(a * points[:, 0] + b * points[:, 1]) / points[:, 2]
    sums.add(_jacobian(points, np.stack([a, b, c], 1)), residuals, weights)


def _read(picture: Picture, x: Array, y: Array) -> Array:
    """Channels [K, 3] of a picture between its pixels."""
    at = cv2.remap(picture.channels, x[:, None] - 0.5, y[:, None] - 0.5, cv2.INTER_LINEAR)
    return np.asarray(at.reshape(-1, 3), np.float32)


def _hidden(
    points: Array, picture: Picture, x: Array, y: Array, gate_m: float
) -> NDArray[np.bool_]:
    """Which points [K] (camera frame) have something before them."""
    depth = picture.depth[y.astype(np.intp), x.astype(np.intp)]
    return (depth > 0) & (depth < points[:, 2] - gate_m - 4 * depth_noise_m(points[:, 2]))


def judge(samples: Samples, picture: Picture, T_map_camera: Pose, gate_m: float) -> None:
    """Trust less what is not where it was: what is seen through, and what looks otherwise.

    What is hidden by something nearer may be there as before. Changes `point_trust`, `mark_trust`.
    """
    pose = inverse(T_map_camera)
    inside, points, x, y = _seen(samples.points, picture, pose)
    rows, columns = y.astype(np.intp), x.astype(np.intp)
    depth = picture.depth[rows, columns]
    off = (picture.rays[rows, columns] * depth[:, None] - points) * (
        samples.normals[inside] @ pose[:3, :3].T.astype(np.float32)
    )
    fits = np.abs(off.sum(1)) < _OUTSIDE[0] * depth_noise_m(points[:, 2])
    judged = (depth > 0) & (fits | (depth > points[:, 2]))
    _trust(samples.point_trust, np.flatnonzero(inside)[judged], fits[judged])
    inside, points, x, y = _seen(samples.marks, picture, pose)
    if not len(points):
        return
    greys, read = samples.greys[inside], _read(picture, x, y)[:, 0]
    fits = np.abs(greys - read) < _OUTSIDE[1]
    judged = ~_hidden(points, picture, x, y, gate_m)
    _trust(samples.mark_trust, np.flatnonzero(inside)[judged], fits[judged])


def _trust(trust: Array, rows: NDArray[np.intp], fits: NDArray[np.bool_]) -> None:
    trust[rows] += np.float32(_FORGET) * (fits - trust[rows])


def _jacobian(points: Array, along: Array) -> Array:
    """Change [N, 6] of `along` . point as the camera's frame is shifted and turned."""
    out = np.empty((len(points), 6), np.float32)
    out[:, :3] = along
    out[:, 3] = points[:, 1] * along[:, 2] - points[:, 2] * along[:, 1]
    out[:, 4] = points[:, 2] * along[:, 0] - points[:, 0] * along[:, 2]
    out[:, 5] = points[:, 0] * along[:, 1] - points[:, 1] * along[:, 0]
    return out


def _biweight(residuals: Array) -> Array:
    """Tukey's weights [N] of residuals in standard deviations."""
    inner = np.maximum(1 - np.square(residuals / np.float32(_TUKEY)), 0)
    return np.asarray(np.square(inner), np.float32)
