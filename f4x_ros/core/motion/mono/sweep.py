# SPDX-License-Identifier: Apache-2.0
"""Dense depth of one picture from others whose poses are known: a plane sweep, smoothed.

Collins, A space-sweep approach to true multi-image matching (CVPR 1996), with normalised
correlation, the best two of the neighbours at each place (Kang et al., CVPR 2001: what is hidden
in one is seen in another) and semi-global smoothing (Hirschmueller, PAMI 2008).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, inverse

Image = NDArray[np.float32]

_WINDOW = (5, 5)  # pixels that are correlated
_NOISE = 6.0  # variance of grey levels below which nothing is to be seen
_SMALL_STEP, _LARGE_STEP = 0.08, 0.5  # cost of a change by one plane, and of any change ...
_LEAST_LARGE_STEP = 0.15  # ... where the picture has an edge
_EDGE = 12.0  # grey levels from one pixel to the next that halve the cost of a change
_POOR = 0.55  # mean cost above which a place was not found again ...
_UNSURE = 0.94  # ... and share of the second best cost above which there are two such places


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture and where it was taken.

    Attributes:
        grey: [H, W] float32 levels.
        camera: its intrinsics.
        T_map_camera: [4, 4].
    """

    grey: Image
    camera: PinholeCamera
    T_map_camera: Pose


@dataclass(frozen=True, eq=False)
class Swept:
    """What a sweep has found.

    Attributes:
        inverse_depth: [H, W] 1/m, everywhere.
        sure: [H, W] bool, places that were found again, in one place only.
    """

    inverse_depth: Image
    sure: NDArray[np.bool_]


def sweep(
    seen: Seen, others: Sequence[Seen], near_m: float, far_m: float, planes: int = 64
) -> Swept:
    """Depth of a picture between two distances.

    Args:
        seen: the picture.
        others: one or more of much the same, taken from elsewhere.
        near_m: the least depth.
        far_m: the greatest.
        planes: depths that are tried, evenly spaced in inverse depth.
    """
    inverse_depths = np.linspace(1 / far_m, 1 / near_m, planes)
    cost, covered = _costs(seen, others, inverse_depths)
    smooth = _aggregated(cost, seen.grey)
    best = smooth.argmin(2)
    index = best[..., None]
    lowest = np.take_along_axis(cost, index, 2)[..., 0]
    low = np.take_along_axis(smooth, index, 2)[..., 0]
    step = inverse_depths[1] - inverse_depths[0]
    found = inverse_depths[0] + step * (best + _between(smooth, best, low))
    sure = covered & (lowest < _POOR) & (low < _UNSURE * _second(smooth, best))
    sure &= (best > 0) & (best < planes - 1)
    return Swept(found.astype(np.float32), sure)


def _costs(
    seen: Seen, others: Sequence[Seen], inverse_depths: NDArray[np.float64]
) -> tuple[Image, NDArray[np.bool_]]:
    """[H, W, P] 0..1 of each plane, and where [H, W] another picture shows the place at all."""
    height, width = seen.grey.shape
    mean = cv2.blur(seen.grey, _WINDOW)
    variance = cv2.blur(seen.grey * seen.grey, _WINDOW) - mean * mean + _NOISE
    rays = seen.camera.pixel_rays().reshape(-1, 3)
    ways = [_way(seen, other, rays) for other in others]
    cost = np.empty((height, width, len(inverse_depths)), np.float32)
    covered = np.zeros((height, width), np.int32)
    for plane, inverse_depth in enumerate(inverse_depths):
        lowest = np.ones((2, height, width), np.float32)  # the two best, best first
        for other, (turned, shift) in zip(others, ways, strict=True):
            there = turned + np.float32(inverse_depth) * shift
            z = np.maximum(there[2], 1e-6)
            inside = there[2] > 1e-3
            u, v = there[0] / z - 0.5, there[1] / z - 0.5
            inside &= (u >= 0) & (v >= 0) & (u <= width - 1) & (v <= height - 1)
            warped = cv2.remap(
                other.grey, u.reshape(height, width), v.reshape(height, width),
                cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
            inside = inside.reshape(height, width)
            covered += inside
            mean_o = cv2.blur(warped, _WINDOW)
            var_o = cv2.blur(warped * warped, _WINDOW) - mean_o * mean_o + _NOISE
            both = cv2.blur(seen.grey * warped, _WINDOW) - mean * mean_o
            one = 1 - both / np.sqrt(variance * var_o)
            one[~inside] = 1
            np.minimum(lowest[1], np.maximum(lowest[0], one), out=lowest[1])
            np.minimum(lowest[0], one, out=lowest[0])
        cost[..., plane] = lowest[: min(len(others), 2)].mean(0)
    np.maximum(cost, 0, out=cost)
    return cost, covered > len(inverse_depths) // 2


def _way(seen: Seen, other: Seen, rays: Image) -> tuple[Image, Image]:
    """Homogeneous pixels [3, H W] of another picture at infinity, and what inverse depth adds."""
    T_other_seen = inverse(other.T_map_camera) @ seen.T_map_camera
    K = other.camera.K
    turned = (K @ T_other_seen[:3, :3]) @ rays.T
    shift = (K @ T_other_seen[:3, 3])[:, None]
    return turned.astype(np.float32), shift.astype(np.float32)


def _aggregated(cost: Image, grey: Image) -> Image:
    """Cost [H, W, P] summed along paths from four sides."""
    total = np.zeros_like(cost)
    across, down = (
        np.maximum(_LEAST_LARGE_STEP, _LARGE_STEP / (1 + np.abs(slope) / _EDGE)).astype(np.float32)
        for slope in (np.diff(grey, axis=1), np.diff(grey, axis=0))
    )
    for flip in (False, True):
        _along(cost, total, down, flip)
        _along(cost.swapaxes(0, 1), total.swapaxes(0, 1), across.T, flip)
    return total


def _along(cost: Image, total: Image, large: Image, flip: bool) -> None:
    """Add the costs [N, M, P] of paths along the first axis; `large` [N - 1, M] of its steps."""
    count = len(cost)
    order = range(count - 1, -1, -1) if flip else range(count)
    path: Image | None = None
    for i in order:
        if path is None:
            path = np.ascontiguousarray(cost[i])
        else:
            least = path.min(1, keepdims=True)
            step = np.minimum(path, least + large[i if flip else i - 1][:, None])
            np.minimum(step[:, 1:], path[:, :-1] + np.float32(_SMALL_STEP), out=step[:, 1:])
            np.minimum(step[:, :-1], path[:, 1:] + np.float32(_SMALL_STEP), out=step[:, :-1])
            step += cost[i]
            step -= least
            path = step
        total[i] += path


def _between(smooth: Image, best: NDArray[np.intp], low: Image) -> Image:
    """How far [H, W] the minimum lies from the best plane, in planes: a parabola through three."""
    last = smooth.shape[2] - 1
    before = np.take_along_axis(smooth, np.maximum(best - 1, 0)[..., None], 2)[..., 0]
    after = np.take_along_axis(smooth, np.minimum(best + 1, last)[..., None], 2)[..., 0]
    bend = before + after - 2 * low
    off = np.where(bend > 1e-6, 0.5 * (before - after) / np.maximum(bend, 1e-6), 0)
    return np.where((best > 0) & (best < last), np.clip(off, -0.5, 0.5), 0).astype(np.float32)


def _second(smooth: Image, best: NDArray[np.intp]) -> Image:
    """The least cost [H, W] of a plane that is not beside the best one."""
    masked = smooth.copy()
    for off in range(-2, 3):
        beside = np.clip(best + off, 0, smooth.shape[2] - 1)[..., None]
        np.put_along_axis(masked, beside, np.float32(np.inf), 2)
    return np.asarray(masked.min(2))
