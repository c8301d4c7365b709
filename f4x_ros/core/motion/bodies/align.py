# SPDX-License-Identifier: Apache-2.0
"""A body's shape aligned to a frame: robust Gauss-Newton on SE(3), in the camera's frame.

Residuals: projective point to plane with the normals of both sides (Rusinkiewicz, "A symmetric
objective function for ICP", 2019), the two channels of the picture, and the outline: a point that
falls beside the mask where the frame sees through it is drawn back. A prior holds what none of them
sees. Localisation's error stays out of it, as nothing here is in the map's frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, turns
from f4x_ros.core.motion.bodies.picture import CHANNELS, Image, Mask, RgbdPicture
from f4x_ros.core.motion.bodies.shape import Shape

FITS_WELL = 0.012
"""A misfit that is as small as this is none: what fits so well at rest does not move."""

_POINTS = 350  # of the shape that are compared
_STEPS = 8
_FEWEST = 6  # points and pixels below which nothing can be said
_PHOTO = 1 / 12  # per grey level
_OUTLINE = 1.0  # per pixel
_UPRIGHT = 60.0  # per radian
_NEAR_M = (0.07, 0.04)  # a reading farther off is another surface: in the first steps, then
_GRAZING = 0.15  # cosine below which a surface is not seen
_AROUND_PX = 25  # beyond the mask that its outline acts
_CORRELATED = 3.0  # neighbours share their noise
_MOST = (0.1, 0.2)  # metres and radians of one step
_LAST = (2e-4, 1e-3)  # a step shorter than this is the last
_DAMPING = np.diag([1e2] * 3 + [1.0] * 3)
_SHOWN = 0.5  # share of a body that must be in sight to say how it is turned
_VAGUE = 0.03  # share of what is said of that otherwise


@dataclass(frozen=True, eq=False)
class Fit:
    """How a body lies in a frame.

    Attributes:
        T_camera_body: [4, 4].
        information: [6, 6] of the data, about the body's middle, along the camera's axes.
        used: share of the points in sight that fit.
        shown: share of the points that nothing is before.
        compared: points in sight.
    """

    T_camera_body: Pose
    information: NDArray[np.float64]
    used: float
    shown: float
    compared: int


def about(pose: Pose, middle: NDArray[np.float64], twist: NDArray[np.float64]) -> Pose:
    """A pose turned about a point by `twist[3:]` and shifted by `twist[:3]`."""
    out = pose.copy()
    turn = turns.matrix_of_vector(twist[3:])
    out[:3, :3] = turn @ pose[:3, :3]
    out[:3, 3] = turn @ (pose[:3, 3] - middle) + middle + twist[:3]
    return out


def nothing_fits(start: Pose, shown: float = 0.0) -> Fit:
    """A body of which too little is known or seen."""
    return Fit(start, np.zeros((6, 6)), 0.0, shown, 0)


def align(
    shape: Shape,
    picture: RgbdPicture,
    mask: Mask,
    start: Pose,
    information: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    upright: NDArray[np.float64] | None = None,
) -> Fit:
    """Where a shape lies in a frame.

    Args:
        shape: of the body.
        picture: the frame.
        mask: [H, W] pixels that may be of it.
        start: `T_camera_body` that is expected.
        information: [6, 6] by how much it is, about the body's middle.
        rng: chooses the points.
        upright: [3] axis in the camera's frame; the body turns about it alone.
    """
    core = np.flatnonzero(shape.core())
    chosen = core if len(core) >= 10 else np.arange(len(shape))
    if len(chosen) < _FEWEST or mask.sum() < _FEWEST:
        return nothing_fits(start)
    if len(chosen) > _POINTS:
        chosen = rng.choice(chosen, _POINTS, replace=False)
    problem = _Problem(shape, chosen, picture, mask, start)
    for step in range(_STEPS):
        H, b = problem.equations(step)
        data = H.copy()
        off, turn = problem.since_start()
        H += information
        b -= information @ np.concatenate([off, turn])
        if upright is not None:
            flat = _UPRIGHT**2 * (np.eye(3) - np.outer(upright, upright))
            H[3:, 3:] += flat
            data[3:, 3:] += flat
            b[3:] -= flat @ turn
        x = np.linalg.solve(H + _DAMPING, b)
        far, turned = float(np.linalg.norm(x[:3])), float(np.linalg.norm(x[3:]))
        x *= min(1.0, _MOST[0] / max(far, 1e-9), _MOST[1] / max(turned, 1e-9))
        problem.pose = about(problem.pose, problem.middle, np.asarray(x, np.float64))
        if far < _LAST[0] and turned < _LAST[1]:
            break
    if problem.shown < _SHOWN:
        data[3:] *= _VAGUE
        data[:3, 3:] *= _VAGUE
    return Fit(problem.pose, data, problem.used, problem.shown, problem.compared)


@dataclass(frozen=True)
class Misfit:
    """By how much a shape at a pose differs from a frame.

    Attributes:
        value: mean over the points in sight, 0 (fits) to 1 (does not), depth and looks alike.
        points: in sight.
    """

    value: float
    points: int

    @classmethod
    def of(
        cls,
        shape: Shape,
        picture: RgbdPicture,
        mask: Mask,
        T_camera_body: Pose,
        rng: np.random.Generator,
    ) -> Misfit | None:
        """Compare; None where too little is in sight."""
        if len(shape) < _FEWEST or not mask.any():
            return None
        chosen = np.arange(len(shape))
        if len(chosen) > _POINTS:
            chosen = rng.choice(chosen, _POINTS, replace=False)
        return _Problem(shape, chosen, picture, mask, T_camera_body).misfit()


class _Look(NamedTuple):
    """What a frame shows where some points of a shape are."""

    points: NDArray[np.floating]  # [N, 3] camera frame
    normals: NDArray[np.floating]  # [N, 3]
    u: NDArray[np.floating]  # [N] columns
    v: NDArray[np.floating]  # [N] rows
    at: tuple[NDArray[np.int_], NDArray[np.int_]]  # [N] rows and columns of the nearest pixels
    seen: Mask  # [N] in the picture, and facing it
    read: NDArray[np.floating]  # [N] metres, 0 = none
    noise: NDArray[np.floating]  # [N] metres
    off: NDArray[np.floating]  # [N, 3] metres from what is read there
    hidden: Mask  # [N] something is before them


class _Problem:
    """The residuals of some points of a shape at a pose."""

    def __init__(
        self, shape: Shape, chosen: NDArray[np.intp], picture: RgbdPicture, mask: Mask, start: Pose
    ) -> None:
        self._points, self._normals = shape.points[chosen], shape.normals[chosen]
        self._looks, self._picture, self._mask = shape.looks[chosen], picture, mask
        self._start, self.pose = start, start.copy()
        self._middle = np.median(self._points, 0)
        self._beside = _beside(mask)
        self.used = self.shown = 0.0
        self.compared = 0

    @property
    def middle(self) -> NDArray[np.float64]:
        """[3] of the points, camera frame."""
        return np.asarray(self.pose[:3, :3] @ self._middle + self.pose[:3, 3])

    def since_start(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shift of the middle and turn [3], [3] since the start."""
        at = self._start[:3, :3] @ self._middle + self._start[:3, 3]
        turn = turns.vector_of_matrix(self.pose[:3, :3] @ self._start[:3, :3].T)
        return self.middle - at, turn

    def equations(self, step: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Normal equations [6, 6], [6] of a step from the pose."""
        look = self._look()
        near = look.seen & self._mask[look.at] & (look.read > 0)
        far = np.linalg.norm(look.off, axis=1)
        near &= far < 4 * look.noise + _NEAR_M[min(step // 3, 1)]
        self.compared = int((look.seen & ~look.hidden & (look.read > 0)).sum())
        self.used = float(near.sum()) / max(self.compared, 1)
        hidden = float((look.seen & look.hidden).sum())
        self.shown = 1 - hidden / max(int(look.seen.sum()), 1)
        self._H, self._b = np.zeros((6, 6)), np.zeros(6)
        self._X, self._arms = look.points, look.points - self.middle
        if near.sum() >= _FEWEST:
            self._planes(near, look)
            self._photo(near, look)
        beyond = look.read > look.points[:, 2] + 0.02
        self._outline(look.seen & ~self._mask[look.at] & beyond, look)
        return self._H, self._b

    def misfit(self) -> Misfit | None:
        """By how much the points differ from the frame at the pose."""
        look = self._look()
        seen = look.seen & (look.read > 0) & ~look.hidden
        if seen.sum() < _FEWEST:
            return None
        off = np.abs(np.einsum("nc,nc->n", look.off, look.normals))[seen]
        depth = np.minimum(off / (3 * look.noise[seen]), 1)
        channels = self._picture.channels[..., :CHANNELS]
        looks = _sampled(channels, look.u[seen], look.v[seen]) - self._looks[seen]
        looks -= np.median(looks, 0)  # exposure
        photo = np.minimum(np.abs(looks) * _PHOTO, 1).mean(1)
        return Misfit(float((np.square(depth) + np.square(photo)).mean() / 2), int(seen.sum()))

    def _look(self) -> _Look:
        """What the frame shows where the points are at the pose."""
        picture = self._picture
        X = self._points @ self.pose[:3, :3].T + self.pose[:3, 3]
        normals = self._normals @ self.pose[:3, :3].T
        u, v = picture.project(X)
        rows, columns, seen = picture.pixels(X, 1)
        seen &= np.einsum("nc,nc->n", normals, X) < -_GRAZING * np.linalg.norm(X, axis=1)
        read = picture.depth[rows, columns]
        noise = _noise_m(picture, read)
        off = X - picture.rays[rows, columns] * picture.smooth[rows, columns][:, None]
        hidden = (read > 0) & (read < X[:, 2] - 3 * noise - 0.03)
        return _Look(X, normals, u, v, (rows, columns), seen, read, noise, off, hidden)

    def _put(
        self,
        along: NDArray[np.floating],  # [M, 3] change of the residuals as the points are shifted
        residuals: NDArray[np.floating],  # [M]
        weights: NDArray[np.floating],  # [M]
        of: Mask,  # [N] the points they are of
    ) -> None:
        J = np.concatenate([along, np.cross(self._arms[of], along)], 1)
        weighted = J * weights[:, None]
        self._H += weighted.T @ J
        self._b -= weighted.T @ residuals

    def _planes(self, near: Mask, look: _Look) -> None:
        normals, flat = self._picture.surface
        n, theirs = look.normals, normals[look.at]
        both = flat[look.at] & (np.einsum("nc,nc->n", n, theirs) > 0.6)
        along = np.where(both[:, None], theirs, n) + n
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        residuals = np.einsum("nc,nc->n", look.off, along)[near]
        scale = look.noise[near] * np.maximum(np.abs(along[near, 2]), 0.3)
        weights = _robust(residuals / (2 * scale)) / np.square(scale) / _CORRELATED
        self._put(along[near], residuals, weights, near)

    def _photo(self, near: Mask, look: _Look) -> None:
        read = _sampled(self._picture.channels, look.u[near], look.v[near])
        for k in range(CHANNELS):
            residuals = read[:, k] - self._looks[near, k]
            residuals -= np.median(residuals)  # exposure
            weights = _PHOTO**2 * _robust(residuals * _PHOTO / 2) / 2
            slope = read[:, CHANNELS + 2 * k], read[:, CHANNELS + 2 * k + 1]
            self._put(self._in_space(*slope, near), residuals, weights, near)

    def _outline(self, outside: Mask, look: _Look) -> None:
        far, across, down = self._beside
        outside = outside & (far[look.at] > 0)
        if not outside.any():
            return
        at = look.at[0][outside], look.at[1][outside]
        residuals = far[at] - 0.5
        weights = _OUTLINE**2 * _robust(residuals / 4) / 2
        self._put(self._in_space(across[at], down[at], outside), residuals, weights, outside)

    def _in_space(
        self, across: NDArray[np.floating], down: NDArray[np.floating], of: Mask
    ) -> NDArray[np.floating]:
        """Slopes per pixel as slopes [M, 3] per metre."""
        camera, X = self._picture.camera, self._X[of]
        a, b = across * camera.fx / X[:, 2], down * camera.fy / X[:, 2]
        return np.stack([a, b, -(a * X[:, 0] + b * X[:, 1]) / X[:, 2]], 1)


def _noise_m(picture: RgbdPicture, depth: NDArray[np.floating]) -> NDArray[np.floating]:
    """Standard deviation of depth and shape together: a shape is never better than its voxels."""
    return np.asarray(1.6 * picture.noise_m(depth) * max(1.0, 1 / picture.noisiness))


def _robust(scaled: NDArray[np.floating]) -> NDArray[np.floating]:
    """Weights of residuals over their scale (Geman and McClure, 1987)."""
    return np.asarray(1 / np.square(1 + np.square(scaled)))


def _sampled(
    image: Image, u: NDArray[np.floating], v: NDArray[np.floating]
) -> NDArray[np.floating]:
    """[M, C] channels between pixels."""
    across, down = (one.astype(np.float32)[:, None] for one in (u, v))
    read = cv2.remap(image, across, down, cv2.INTER_LINEAR)
    return np.asarray(read.reshape(len(u), -1))


def _beside(mask: Mask) -> tuple[Image, Image, Image]:
    """Distance [H, W] in pixels outside of a mask, near it, and its slopes along x and y."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    height, width = mask.shape
    part = (
        slice(max(rows[0] - _AROUND_PX, 0), min(rows[-1] + _AROUND_PX + 1, height)),
        slice(max(columns[0] - _AROUND_PX, 0), min(columns[-1] + _AROUND_PX + 1, width)),
    )
    near = cv2.distanceTransform((~mask[part]).astype(np.uint8), cv2.DIST_L2, 3)
    out = np.zeros((3, height, width), np.float32)
    out[0][part] = near
    for k, x in ((1, 1), (2, 0)):
        out[k][part] = cv2.Sobel(near, cv2.CV_32F, x, 1 - x, scale=1 / 8)
    return out[0], out[1], out[2]
