# SPDX-License-Identifier: Apache-2.0
"""Clicks and boxes: what is given, and which Gaussians they meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from f4x_ros.core.base.limits import MAX_CLICKS
from f4x_ros.core.data import PinholeCamera, Pose, viewmat
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import Snapshot
from f4x_ros.core.render import uplift

_WINDOW_PX = 16  # the projection is linearised within the picture: a single pixel is too little


@dataclass(frozen=True, eq=False)
class Clicks:
    """What a user pointed at in a picture; at least one click inside, or a box."""

    points: NDArray[np.float64]  # [K, 2] x, y in pixels, centres at +0.5
    inside: NDArray[np.bool_]  # [K] part of the object, or not
    box: tuple[float, float, float, float] | None  # x0, y0, x1, y1 in pixels, within the picture


def check_clicks(
    points: ArrayLike | None,
    labels: ArrayLike | None,
    box: Sequence[float] | NDArray[np.float64] | None,
    camera: PinholeCamera,
) -> Clicks:
    """Clicks on a picture of this camera.

    Raises:
        ValueError: no click inside and no box; a shape, number, label, or place that is not as
            expected; says which.
    """
    places = _points(points, camera)
    inside = _inside(labels, len(places))
    frame = None if box is None else _box(box, camera)
    if frame is None and not inside.any():
        raise BadInputError(
            f"there are {len(places)} points, none of them labelled 1, and no box; expected a "
            "point on the object or a box around it"
        )
    return Clicks(places, inside, frame)


def _points(points: ArrayLike | None, camera: PinholeCamera) -> NDArray[np.float64]:
    given = np.asarray([] if points is None else points, np.float64)
    places = given.reshape(-1, 2) if given.size == 0 else given
    if places.ndim != 2 or places.shape[1] != 2 or len(places) > MAX_CLICKS:
        raise BadInputError(f"points has shape {given.shape}, expected [K, 2], K <= {MAX_CLICKS}")
    for x, y in places:
        if not (0 <= x < camera.width and 0 <= y < camera.height):
            raise BadInputError(
                f"point {x:g}, {y:g} is outside of the image, expected x in 0..{camera.width} and "
                f"y in 0..{camera.height}"
            )
    return places


def _inside(labels: ArrayLike | None, count: int) -> NDArray[np.bool_]:
    given = np.asarray([] if labels is None else labels)
    if given.size == 0:
        return np.ones(count, bool)
    if given.shape != (count,):
        raise BadInputError(
            f"labels has shape {given.shape}, expected one for each of {count} points"
        )
    if not np.isin(given, (0, 1)).all():
        wrong = given[~np.isin(given, (0, 1))][0]
        raise BadInputError(f"labels has {wrong}, expected 1 (on the object) or 0 (not on it)")
    return np.asarray(given == 1)


def _box(
    box: Sequence[float] | NDArray[np.float64], camera: PinholeCamera
) -> tuple[float, float, float, float]:
    corners = np.asarray(box, np.float64)
    if corners.shape != (4,) or not np.isfinite(corners).all():
        raise BadInputError(f"box is {box}, expected four numbers x0, y0, x1, y1")
    x0, y0 = np.maximum(corners[:2], 0)
    x1, y1 = np.minimum(corners[2:], (camera.width, camera.height))
    if not (x0 < x1 and y0 < y1):
        raise BadInputError(
            f"box {', '.join(f'{x:g}' for x in corners)} has no pixel of the image, expected "
            f"x0 < x1 within 0..{camera.width} and y0 < y1 within 0..{camera.height}"
        )
    return float(x0), float(y0), float(x1), float(y1)


def met_by_click(
    snapshot: Snapshot, camera: PinholeCamera, pose: Pose, point: NDArray[np.float64], backend: str
) -> Tensor:
    """Share [N] of each Gaussian in the colour of a pixel; the rasteriser's transposed pass of it.

    Their sum is the pixel's alpha. Only a small window around the pixel is drawn.
    """
    corner = np.floor(point).astype(int) - _WINDOW_PX
    side = 2 * _WINDOW_PX + 1
    window = replace(
        camera, width=side, height=side, cx=camera.cx - corner[0], cy=camera.cy - corner[1]
    )
    pixel = torch.zeros(side, side)
    pixel[_WINDOW_PX, _WINDOW_PX] = 1
    return _uplift(snapshot, window, pose, pixel[..., None], backend)[0][:, 0]


def met_by_box(
    snapshot: Snapshot,
    camera: PinholeCamera,
    pose: Pose,
    box: tuple[float, float, float, float],
    backend: str,
) -> tuple[Tensor, Tensor]:
    """Share 0..1 [N] of each Gaussian that is drawn inside of a box, and pixels [N] it draws."""
    x, y = np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5
    columns, rows = (x >= box[0]) & (x < box[2]), (y >= box[1]) & (y < box[3])
    inside = torch.from_numpy((rows[:, None] & columns).astype(np.float32))[..., None]
    total, weight = _uplift(snapshot, camera, pose, inside, backend)
    return total[:, 0] / weight.clamp(min=1e-9), weight


def carried_back(
    snapshot: Snapshot, camera: PinholeCamera, pose: Pose, mask: Tensor, backend: str
) -> tuple[Tensor, Tensor]:
    """Mean [N] of a picture [H, W] over the pixels that each Gaussian draws, and their number."""
    total, weight = _uplift(snapshot, camera, pose, mask[..., None].float(), backend)
    return total[:, 0] / weight.clamp(min=1e-9), weight


def _uplift(
    snapshot: Snapshot, camera: PinholeCamera, pose: Pose, features: Tensor, backend: str
) -> tuple[Tensor, Tensor]:
    device = snapshot.means.device
    return uplift(
        snapshot.means,
        snapshot.quats,
        snapshot.scales,
        snapshot.opacities,
        viewmat(pose, device),
        camera.K_tensor(device),
        camera.width,
        camera.height,
        features.to(device, snapshot.means.dtype),
        backend=backend,
    )
