# SPDX-License-Identifier: Apache-2.0
"""What is still empty where a thing was: its surroundings in pictures, continued inwards.

Surfaces that no plane explains (what is round, or hardly seen) are guessed in the pictures that the
thing was in: colours of the rim grow into the hole (Telea, "An Image Inpainting Technique Based on
the Fast Marching Method", 2004, OpenCV), depths are those of the rim, smoothed; one picture after
the other, so that the next one only adds what the one before left open.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from f4x_ros.core.base import on_host
from f4x_ros.core.edit.change import joined, made_beside
from f4x_ros.core.edit.views import Look, hidden_by_thing
from f4x_ros.core.field import Snapshot, some_of

_OF_THING = 0.2  # share of a pixel that was the thing, from which it may be a hole now
_EMPTY, _SURE = 0.5, 0.7  # alpha below which a pixel shows nothing, and from which it tells
_LEAST_PX = 6
_RIM_PX = 24  # around a hole that is looked at
_STAINED_PX = 7  # wide: what is so near to the thing has its colour, or its shadow
_RADIUS_PX = 4  # of the rim that a pixel's colour comes from
_SMOOTHED = 40  # times that depths in a hole are averaged with their neighbours
_NEAREST_M, _FARTHEST_M = 0.05, 100.0
_BEFORE_M = 0.02  # what is so much nearer than the thing was stands before it
_BEHIND_M = 0.005  # behind the thing's surface, at least, what is guessed
_WIDTH = 0.7  # of a Gaussian, share of the distance of pixels on the surface
_OPACITY = 0.97

Mask = NDArray[np.bool_]


def inpainted(after: Snapshot, looks: Sequence[Look], backend: str) -> Snapshot:
    """Gaussians that close the holes which the pictures still show.

    Args:
        after: the map without the thing, with what planes explain.
        looks: of the map before, along the camera's way.
        backend: rasteriser, resolved.
    """
    none = some_of(after, torch.zeros(0, dtype=torch.long, device=after.means.device))
    made, now = [none], after
    for look in sorted(looks, key=lambda one: -float((one.thing >= _OF_THING).sum())):
        new = _closed(now, look, looks, backend)
        if new is not None:
            made.append(new)
            now = joined([now, new])
    return joined(made)


def _closed(now: Snapshot, look: Look, looks: Sequence[Look], backend: str) -> Snapshot | None:
    """What closes the holes of one picture; None where there are none."""
    camera, pose = look.camera, look.T_map_camera
    out = now.render(now.colors, camera, pose, backend)
    color, depth, alpha = on_host(out.image[..., :3], out.expected_depth, out.alpha)
    was = look.thing >= _OF_THING
    hole = was & (alpha < _EMPTY)
    if int(hole.sum()) < _LEAST_PX:
        return None
    rows, columns = np.nonzero(hole)
    window = (
        slice(max(0, rows.min() - _RIM_PX), rows.max() + _RIM_PX + 1),
        slice(max(0, columns.min() - _RIM_PX), columns.max() + _RIM_PX + 1),
    )
    nearest = float(np.median(look.depth[was & (look.depth > 0)])) if was.any() else 0.0
    tells = (alpha >= _SURE) & (depth >= nearest - _BEFORE_M)
    around = cv2.dilate(was[window].astype(np.uint8), np.ones((_STAINED_PX, _STAINED_PX), np.uint8))
    unknown = (~tells[window] | (around > 0)).astype(np.uint8)
    if int((unknown == 0).sum()) < _LEAST_PX:
        return None
    picture = (color[window].clip(0, 1) * 255).astype(np.uint8)
    colors = cv2.inpaint(np.ascontiguousarray(picture), unknown, _RADIUS_PX, cv2.INPAINT_TELEA)
    inverse = _grown(1 / np.maximum(depth[window], _NEAREST_M), unknown > 0)
    far = np.zeros(hole.shape, np.float32)
    far[window] = 1 / np.maximum(inverse, 1 / _FARTHEST_M)
    far = np.maximum(far, look.depth + _BEHIND_M)[rows, columns].astype(np.float64)
    rays = camera.pixel_rays()[rows, columns].astype(np.float64)
    T = np.asarray(pose, np.float64)
    points = (rays * far[:, None]) @ T[:3, :3].T + T[:3, 3]
    chosen = np.flatnonzero(hidden_by_thing(points, looks))
    if not len(chosen):
        return None
    inside = rows - window[0].start, columns - window[1].start
    shades = colors[inside].astype(np.float32) / 255
    widths = _WIDTH * far / camera.fx
    return _balls(now, points[chosen], shades[chosen], widths[chosen])


def _grown(values: NDArray[np.float32], unknown: Mask) -> NDArray[np.float32]:
    """Values [H, W] whose unknown ones are those of the nearest known ones, smoothed."""
    nearest = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    out = values[tuple(nearest)].astype(np.float32)
    for _ in range(_SMOOTHED):
        out = np.where(unknown, cv2.blur(out, (3, 3), borderType=cv2.BORDER_REPLICATE), out)
    return np.asarray(out, np.float32)


def _balls(
    like: Snapshot,
    points: NDArray[np.float64],
    colors: NDArray[np.float32],
    widths: NDArray[np.float64],
) -> Snapshot:
    """Round Gaussians in places, with the features of what is nearest to each."""
    (means,) = on_host(like.means)
    _, nearest = cKDTree(means).query(points)
    near = some_of(like, torch.from_numpy(nearest).to(like.means.device))
    scales = torch.from_numpy(widths).to(like.means)[:, None].expand(len(points), 3).clone()
    return made_beside(near, points, colors, scales, [1.0, 0, 0, 0], _OPACITY)
