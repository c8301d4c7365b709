# SPDX-License-Identifier: Apache-2.0
"""Places of the map as pixels of a view, and back through the field's depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.core.errors import BadInputError

_EDGE_PX = 2  # a click is so exact
_EDGE = 0.015  # difference of depths within that, as a share, that is an edge and no slope


def to_pixels(
    points: NDArray[np.float64],  # [K, 3] metres, map frame
    camera: PinholeCamera,
    T_map_camera: Pose,
    depth: NDArray[np.float32],  # [H, W] metres of the field in this view, 0 = nothing
    tolerance_m: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pixels [K, 2] (x, y) of points, and whether they are seen there [K].

    A point is seen if it lies before the camera, inside the picture, and not farther behind the
    field's surface than `tolerance_m`. Pixels of points behind the camera are NaN.
    """
    T_camera_map = inverse(T_map_camera)
    local = points @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    ahead = local[:, 2] > 1e-6
    z = np.where(ahead, local[:, 2], np.nan)
    pixels = np.stack(
        [camera.fx * local[:, 0] / z + camera.cx, camera.fy * local[:, 1] / z + camera.cy], 1
    )
    column, row = np.nan_to_num(pixels, nan=-1.0).T.astype(np.int64)
    inside = ahead & (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height)
    surface = depth[np.where(inside, row, 0), np.where(inside, column, 0)]
    return pixels, inside & ((surface <= 0) | (local[:, 2] <= surface + tolerance_m))


def from_pixel(
    pixel: tuple[float, float],
    camera: PinholeCamera,
    T_map_camera: Pose,
    depth: NDArray[np.float32],
) -> NDArray[np.float64]:
    """The point [3] (m, map frame) of the field's surface seen at a pixel (x, y).

    At an edge it is the nearer surface: who clicks on the tip of a handle means the handle, not the
    wall behind it, with which the drawn depth is mixed there.

    Raises:
        ValueError: the pixel is outside of the picture, or the field is empty there.
    """
    x, y = pixel
    if not (0 <= x < camera.width and 0 <= y < camera.height):
        raise BadInputError(
            f"pixel ({x:g}, {y:g}) is outside of the picture of {camera.width}x{camera.height}"
        )
    row, column = int(y), int(x)
    z = float(depth[row, column])
    around = depth[
        max(0, row - _EDGE_PX) : row + _EDGE_PX + 1,
        max(0, column - _EDGE_PX) : column + _EDGE_PX + 1,
    ]
    near = float(around[around > 0].min(initial=np.inf))
    if near < (1 - _EDGE) * z or (z <= 0 and np.isfinite(near)):
        z = near
    if z <= 0:
        raise BadInputError(f"pixel ({x:g}, {y:g}) shows nothing of the field, expected an object")
    ray = np.array([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1.0])
    out: NDArray[np.float64] = T_map_camera[:3, :3] @ (ray * z) + T_map_camera[:3, 3]
    return out
