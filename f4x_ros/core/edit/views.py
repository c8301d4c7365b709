# SPDX-License-Identifier: Apache-2.0
"""Views along the camera's way that tell what a thing hides, and where nothing can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.core.field import Snapshot

_OF_THING = 0.3  # share of a pixel's surface that is the thing, from which it hides what is behind
_RING_PX = 6  # at least, around a thing, and ...
_RING = 0.3  # ... so much of the side of a square of its size, in which its surroundings are
_NEAREST_M = 0.05
_SURE = 0.5  # alpha from which a pixel has a surface
_BEFORE_M = 0.01  # what is so little behind the thing's surface is hidden by it as well
_THROUGH_M = 0.04  # a surface so much farther than a place shows that the place is empty
_THROUGH_SHARE = 0.02  # ... and this share of the distance

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Look:
    """The map from a pose.

    Attributes:
        camera: intrinsics.
        T_map_camera: [4, 4].
        depth: [H, W] m, 0 where nothing is.
        thing: [H, W] share of each pixel's surface that the thing is.
    """

    camera: PinholeCamera
    T_map_camera: Pose
    depth: NDArray[np.float32]
    thing: NDArray[np.float32]


def looks_at(
    snapshot: Snapshot,
    thing: Tensor,  # [N] bool
    camera: PinholeCamera,
    poses: Sequence[Pose],
    backend: str,
) -> list[Look]:
    """The map from each pose, one render each."""
    made = []
    for pose in poses:
        out = snapshot.render(thing.float()[:, None], camera, pose, backend)
        share = out.image[..., 0] / out.alpha.clamp(min=_SURE)
        depth = torch.where(out.alpha >= _SURE, out.expected_depth, 0)
        made.append(Look(camera, pose, *on_host(depth, share)))
    return made


def around_thing(points: Points, looks: Sequence[Look]) -> NDArray[np.bool_]:
    """Which surface points [K, 3] some view shows around the thing, near it or far behind it."""
    around = np.zeros(len(points), bool)
    for look in looks:
        mask = (look.thing >= _OF_THING).astype(np.uint8)
        reach = max(_RING_PX, round(_RING * float(np.sqrt(mask.sum()))))
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        ring = (cv2.dilate(mask, kernel) > 0) & (mask == 0)
        inside, at, far = _seen_at(points, look)
        depth = look.depth[at]
        shown = (depth > 0) & (np.abs(depth - far) <= _THROUGH_M + _THROUGH_SHARE * far)
        around[inside] |= ring[at] & shown
    return around


def _seen_at(
    points: Points, look: Look
) -> tuple[NDArray[np.bool_], tuple[NDArray[np.int64], NDArray[np.int64]], Points]:
    """Which points [K, 3] are in a picture, and of those row and column, and depth in m."""
    T = inverse(np.asarray(look.T_map_camera, np.float64))
    seen = points @ T[:3, :3].T + T[:3, 3]
    ahead = seen[:, 2] > _NEAREST_M
    pixels = np.full((len(points), 2), -1.0)
    pixels[ahead] = look.camera.project(seen[ahead])
    columns, rows = np.floor(pixels).astype(np.int64).T
    inside = ahead & (columns >= 0) & (rows >= 0)
    inside &= (columns < look.camera.width) & (rows < look.camera.height)
    return inside, (rows[inside], columns[inside]), seen[inside, 2]


def hidden_by_thing(points: Points, looks: Sequence[Look]) -> NDArray[np.bool_]:
    """Which places [K, 3] the thing hides in some view, and no view looks through."""
    hidden, empty = np.zeros(len(points), bool), np.zeros(len(points), bool)
    for look in looks:
        inside, at, far = _seen_at(points, look)
        depth, own = look.depth[at], look.thing[at]
        known = depth > 0
        hidden[inside] |= known & (own >= _OF_THING) & (depth <= far + _BEFORE_M)
        empty[inside] |= known & (depth > far + _THROUGH_M + _THROUGH_SHARE * far)
    return hidden & ~empty
