# SPDX-License-Identifier: Apache-2.0
"""Depth of frames from those before them: which ones to compare with, and what to believe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame, Pose, inverse
from f4x_ros.core.data.poses import rotation_angle_rad
from f4x_ros.core.motion.mono.sweep import Image, Seen, Swept, sweep

_WIDTH = 240  # pixels that are swept
_PLANES = 48
_KEPT = 24  # pictures
_OTHERS = 4  # that a picture is compared with, at most
_BEST_BASELINE = 0.08  # share of the depth
_LEAST_BASELINE = 0.01
_MOST_TURN = 0.5  # radians between two pictures
_NEW_BASELINE, _NEW_TURN = 0.02, 0.05  # from the last picture kept to the next one
_FIRST_RANGE_M = (0.3, 30.0)
_BEYOND = 1.5  # the range reaches farther, on both sides, than what was seen before
_AGREES = 0.06  # share of the depth that two pictures may differ by
_CHECKED = 3  # earlier pictures that depth is compared with
_SPECKLE = 60  # pixels; a smaller patch of its own depth is a mistake
_STEP = 0.04  # share of inverse depth from one pixel to the next within a patch


@dataclass(eq=False)
class _Kept:
    """A picture that later ones are compared with."""

    stamp_ns: int
    seen: Seen
    inverse_depth: Image | None = None  # 0 = not known


class MotionDepth:
    """Measures how deep frames with a pose are, from what the camera has seen before them.

    Causal: a frame's depth comes from earlier frames alone, so places that have only just come
    into view have none. A pixel is believed if it was found again, in one place only, and an
    earlier picture's depth does not say otherwise.
    """

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._usual_m = 2.0

    def measure(
        self,
        frame: Frame,
        corrected: Mapping[int, Pose] | None = None,
        depths_m: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32] | None:
        """Depth [H, W] of a frame, metres, 0 = not known; None if there is no parallax at all.

        Args:
            frame: with a pose.
            corrected: better poses `T_map_camera` of earlier frames, by stamp; only these are kept
                to compare with. None: poses do not change, all frames may be kept.
            depths_m: depths of points in view that are known otherwise; they set the range.
        """
        seen = _seen(frame)
        if corrected is not None:
            self._correct(corrected)
        if depths_m is not None and len(depths_m):
            self._usual_m = float(np.median(depths_m))
        others = self._others(seen)
        swept = None
        if others:
            near_m, far_m = self._range(seen, others, depths_m)
            swept = self._believed(sweep(seen, others, near_m, far_m, _PLANES), seen)
        kept = _Kept(frame.stamp_ns, seen)
        if swept is not None:
            kept.inverse_depth = np.where(swept.sure, swept.inverse_depth, np.float32(0))
            if swept.sure.any():
                self._usual_m = float(1 / np.median(swept.inverse_depth[swept.sure]))
        if self._is_new(seen) if corrected is None else frame.stamp_ns in corrected:
            self._kept = [*self._kept, kept][-_KEPT:]
        return None if swept is None else _full(swept, frame)

    def _correct(self, corrected: Mapping[int, Pose]) -> None:
        for kept in self._kept:
            pose = corrected.get(kept.stamp_ns)
            if pose is not None:
                kept.seen = replace(kept.seen, T_map_camera=pose)

    def _others(self, seen: Seen) -> list[Seen]:
        """Earlier pictures of much the same from about the best distance."""
        rated = []
        for kept in self._kept:
            a, b = kept.seen.T_map_camera, seen.T_map_camera
            baseline = float(np.linalg.norm(a[:3, 3] - b[:3, 3])) / self._usual_m
            turn = rotation_angle_rad(a, b)
            if baseline > _LEAST_BASELINE and turn < _MOST_TURN:
                rated.append((abs(np.log(baseline / _BEST_BASELINE)) + 1.5 * turn, kept.seen))
        rated.sort(key=lambda one: one[0])
        return [one for _, one in rated[:_OTHERS]]

    def _is_new(self, seen: Seen) -> bool:
        if not self._kept:
            return True
        a, b = self._kept[-1].seen.T_map_camera, seen.T_map_camera
        shift = float(np.linalg.norm(a[:3, 3] - b[:3, 3])) / self._usual_m
        return shift > _NEW_BASELINE or rotation_angle_rad(a, b) > _NEW_TURN

    def _range(
        self, seen: Seen, others: list[Seen], depths_m: NDArray[np.float64] | None
    ) -> tuple[float, float]:
        """The depths to sweep between, metres."""
        if depths_m is None or len(depths_m) < 20:
            coarse = sweep(_halved(seen), [_halved(one) for one in others], *_FIRST_RANGE_M, 64)
            depths_m = 1 / coarse.inverse_depth[coarse.sure]
            if len(depths_m) < 20:
                return _FIRST_RANGE_M
        near_m, far_m = np.percentile(depths_m, (2, 98))
        return float(near_m / _BEYOND), float(far_m * _BEYOND)

    def _believed(self, swept: Swept, seen: Seen) -> Swept:
        """What earlier depth does not contradict, without speckles."""
        agree = np.zeros(swept.sure.shape, np.int32)
        against = np.zeros(swept.sure.shape, np.int32)
        for kept in [one for one in self._kept if one.inverse_depth is not None][-_CHECKED:]:
            there = _looked_up(swept, seen, kept)
            known = np.isfinite(there)
            same = np.abs(there) < _AGREES
            agree += known & same
            against += known & ~same
        sure = swept.sure & (agree >= against)
        levels = np.where(sure, np.log(swept.inverse_depth) / _STEP, -30000)
        whole = np.clip(levels * 16, -32000, 32000).astype(np.int16)
        cv2.filterSpeckles(whole, -32000, _SPECKLE, 16)
        return replace(swept, sure=sure & (whole > -32000))


def _seen(frame: Frame) -> Seen:
    assert frame.T_map_camera is not None
    camera = frame.camera.scaled(min(1.0, _WIDTH / frame.camera.width))
    grey = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return Seen(grey.astype(np.float32), camera, frame.T_map_camera)


def _halved(seen: Seen) -> Seen:
    camera = seen.camera.scaled(0.5)
    size = (camera.width, camera.height)
    grey = cv2.resize(seen.grey, size, interpolation=cv2.INTER_AREA)
    return Seen(grey.astype(np.float32), camera, seen.T_map_camera)


def _looked_up(swept: Swept, seen: Seen, kept: _Kept) -> Image:
    """Relative difference [h, w] to the depth an earlier picture has there; NaN = none."""
    assert kept.inverse_depth is not None
    height, width = swept.sure.shape
    depth = (1 / swept.inverse_depth).astype(np.float32)
    points = seen.camera.unproject(depth).reshape(-1, 3)
    T = inverse(kept.seen.T_map_camera) @ seen.T_map_camera
    local = points @ T[:3, :3].T + T[:3, 3]
    z = np.where(local[:, 2] > 1e-3, local[:, 2], np.nan)
    c = kept.seen.camera
    u, v = c.fx * local[:, 0] / z + c.cx, c.fy * local[:, 1] / z + c.cy
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    rows = np.where(inside, v, 0).astype(np.intp)
    columns = np.where(inside, u, 0).astype(np.intp)
    there = kept.inverse_depth[rows, columns]
    out = np.where(inside & (there > 0), z * there - 1, np.nan)
    return out.reshape(height, width).astype(np.float32)


def _full(swept: Swept, frame: Frame) -> NDArray[np.float32]:
    """Depth at the frame's own size."""
    size = (frame.camera.width, frame.camera.height)
    inverse_depth = cv2.resize(swept.inverse_depth, size, interpolation=cv2.INTER_LINEAR)
    sure = cv2.resize(swept.sure.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    depth = 1 / np.maximum(inverse_depth, 1e-4)
    return np.where(sure > 0, depth, 0).astype(np.float32)
