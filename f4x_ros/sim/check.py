# SPDX-License-Identifier: Apache-2.0
"""Is the truth true? Poses against masks, and depth against depth, by other means than drawing.

Silhouettes are filled by OpenCV from projected triangles, not traced by rays, so that an error in
the ray caster, the camera or a pose does not cancel out.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.core.errors import BadInputError
from f4x_ros.sim.dataset import World
from f4x_ros.sim.truth import WorldTruth

_SMALLEST_PX = 30  # of an object that is checked
_NEAR_M = 0.05
_SUBPIXEL_BITS = 8
_SUPERSAMPLING = 4  # keeps thin gaps open, which OpenCV's triangles would close
_STEP = 6  # frames between two depth images that are compared
_SMOOTH = 2e-3  # second difference of 1 / depth, share of it, above which a surface bends


class TruthCheck(NamedTuple):
    """What a check found.

    Attributes:
        objects: objects whose pose was held against their mask, over all frames.
        outside_px: pixels of masks farther than a pixel from the projected mesh.
        missing_px: pixels well inside a projected mesh that show something behind it.
        depth_median_m: depth of a frame carried into another against what is there: median, over
            what stands still, is seen in both and is not at an edge.
        depth_p99_m: the same, 99th percentile.
        depth_points: points compared.
    """

    objects: int
    outside_px: int
    missing_px: int
    depth_median_m: float
    depth_p99_m: float
    depth_points: int


def check_truth(world: World, frames: int = 5) -> TruthCheck:
    """Check some frames, evenly spaced.

    Raises:
        ValueError: the world is too short for two depth images.
    """
    if len(world) <= _STEP:
        raise BadInputError(f"world has {len(world)} frames, expected more than {_STEP}")
    objects = outside = missing = 0
    errors = []
    for index in np.linspace(0, len(world) - 1 - _STEP, frames).round().astype(int).tolist():
        truth = world.truth(index)
        for number in truth.T_map_object:
            found = _against_mask(world, truth, index, number)
            if found is not None:
                objects, outside, missing = objects + 1, outside + found[0], missing + found[1]
        errors.append(depth_errors_m(world, truth, world.truth(index + _STEP)))
    error = np.concatenate(errors)
    return TruthCheck(
        objects,
        outside,
        missing,
        float(np.median(error)),
        float(np.percentile(error, 99)),
        len(error),
    )


def _against_mask(
    world: World, truth: WorldTruth, index: int, number: int
) -> tuple[int, int] | None:
    """Pixels (outside, missing) of one object; None if it is too small or reaches the camera."""
    mask = truth.instances == number
    if mask.sum() < _SMALLEST_PX:
        return None
    T = inverse(truth.T_map_camera) @ truth.T_map_object[number]
    mesh = world.mesh(number, index)
    points = mesh.vertices.astype(np.float64) @ T[:3, :3].T + T[:3, 3]
    if points[:, 2].min() < _NEAR_M:
        return None
    covered = coverage(world.camera, points, mesh.faces)
    ball = np.ones((3, 3), np.float32)
    outside = mask & (cv2.dilate(covered, ball) == 0)
    inner = cv2.erode(covered, ball, borderValue=1.0) >= 1.0
    missing = inner & ~mask & (truth.depth > points[:, 2].max() + 1e-3)
    return int(outside.sum()), int(missing.sum())


def coverage(
    camera: PinholeCamera, points: NDArray[np.float64], faces: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Share ``[H, W]`` 0..1 of each pixel that triangles cover.

    Args:
        camera: intrinsics.
        points: vertices ``[V, 3]`` in the optical frame, z > 0.
        faces: ``[F, 3]`` indices.
    """
    fine = camera.scaled(_SUPERSAMPLING)
    # OpenCV's pixel centres lie at integers, ours at halves.
    corners = (fine.project(points) - 0.5)[faces] * (1 << _SUBPIXEL_BITS)
    image = np.zeros((fine.height, fine.width), np.uint8)
    limit = 1 << 28  # far outside is far enough
    for triangle in np.clip(corners.round(), -limit, limit).astype(np.int32):
        cv2.fillConvexPoly(image, triangle, 1, cv2.LINE_8, _SUBPIXEL_BITS)
    size = (camera.width, camera.height)
    return np.asarray(cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA))


def depth_errors_m(world: World, a: WorldTruth, b: WorldTruth) -> NDArray[np.float64]:
    """Depth of still things in frame `a`, carried into `b`, against the depth there ``[n]``.

    Only points count whose four pixels in `b` show the same object on a smooth piece of surface, so
    nothing hidden and no edge is among them.
    """
    still = [number for number, label in world.labels.items() if not label.moving]
    use = (a.depth > 0) & a.mask(set(still))
    points = _carried(world.camera.unproject(a.depth)[use], a.T_map_camera, b.T_map_camera)
    ids = a.instances[use]
    in_front = points[:, 2] > _NEAR_M
    points, ids = points[in_front], ids[in_front]
    u, v = (world.camera.project(points) - 0.5).T
    inside = (u > 2) & (v > 2) & (u < world.camera.width - 3) & (v < world.camera.height - 3)
    u, v, z, ids = u[inside], v[inside], points[inside, 2], ids[inside]
    inverse_depth = 1 / np.where(b.depth > 0, b.depth, np.inf)
    smooth = _smooth(inverse_depth)
    x, y = np.floor(u).astype(int), np.floor(v).astype(int)
    same = np.ones(len(u), bool)
    for dy in (0, 1):
        for dx in (0, 1):
            same &= (b.instances[y + dy, x + dx] == ids) & smooth[y + dy, x + dx]
    there = 1 / ndimage.map_coordinates(inverse_depth, [v[same], u[same]], order=1)
    return np.asarray(np.abs(z[same] - there), np.float64)


def _carried(points: NDArray[np.floating], T_map_a: Pose, T_map_b: Pose) -> NDArray[np.float64]:
    T_b_a = inverse(T_map_b) @ T_map_a
    return np.asarray(points @ T_b_a[:3, :3].T + T_b_a[:3, 3], np.float64)


def _smooth(inverse_depth: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels around which 1 / depth is linear, as it is on a plane."""
    bend = np.zeros_like(inverse_depth)
    for axis in (0, 1):
        second = np.abs(ndimage.convolve1d(inverse_depth, [1.0, -2.0, 1.0], axis=axis))
        bend = np.maximum(bend, second)
    return np.asarray(ndimage.maximum_filter(bend, 3) < _SMOOTH * inverse_depth)
