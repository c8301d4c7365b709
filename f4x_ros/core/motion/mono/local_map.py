# SPDX-License-Identifier: Apache-2.0
"""What a camera without depth knows of the world: keyframes, and points that they saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import inverse
from f4x_ros.core.motion.mono.bundle import (
    Array,
    Seen,
    adjust,
    homogeneous,
    residuals_of,
    triangulated,
)
from f4x_ros.core.motion.mono.keyframes import MonoKeyframe, Points, thinned
from f4x_ros.core.motion.mono.two_views import parallax

_AGREES, _WRONG = (
    3.0,
    5.0,
)  # deviations of a point that is where it should be, and of one that is not
_PARALLAX = 0.015  # radians from which a new point is believed
_WINDOW, _HELD = 7, 6  # keyframes that are adjusted, and older ones that hold them
_LEAST = 15  # points that an adjustment needs


class LocalMap:
    """Keyframes and points, bounded by the number of keyframes.

    Args:
        limit: keyframes kept.

    Attributes:
        keyframes: in their order.
        points: by the ids of their corners.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._first: dict[int, tuple[MonoKeyframe, Array]] = {}  # where a corner was found, by id
        self.keyframes: list[MonoKeyframe] = []
        self.points = Points()

    def remember(self, keyframe: MonoKeyframe) -> None:
        """One more keyframe; where there are too many one goes, with what it alone has seen."""
        self.keyframes.append(keyframe)
        for i, ray in zip(keyframe.ids.tolist(), keyframe.rays, strict=True):
            self._first.setdefault(i, (keyframe, ray))
        gone = thinned(self.keyframes, self._limit)
        if gone is not None:
            kept = set().union(*(one.ids.tolist() for one in self.keyframes))
            dropped = [i for i in self._first if i not in kept]
            self.points.drop(dropped)
            for i in dropped:
                del self._first[i]

    def triangulate(self, noise: float) -> None:
        """Points of the corners that are seen from far enough apart by now."""
        last = self.keyframes[-1]
        rows = np.flatnonzero(~self.points.known(last.ids))
        earlier = [self._first[i] for i in last.ids[rows].tolist()]
        mine = [n for n, (keyframe, _) in enumerate(earlier) if keyframe is not last]
        if not mine:
            return
        rows = rows[mine]
        T_a = np.stack([earlier[n][0].T_camera_map for n in mine])
        rays_a, rays_b = np.stack([earlier[n][1] for n in mine]), last.rays[rows]
        T_b = np.broadcast_to(last.T_camera_map, T_a.shape)
        points = triangulated(T_a, rays_a, T_b, rays_b)
        eyes = np.stack([earlier[n][0].T_map_camera[:3, 3] for n in mine])
        good = parallax(points, eyes, last.T_map_camera[:3, 3]) > _PARALLAX
        for T, rays in ((T_a, rays_a), (T_b, rays_b)):
            local = np.einsum("nij,nj->ni", T[:, :3, :3], points) + T[:, :3, 3]
            z = np.maximum(local[:, 2:], 1e-6)
            off = np.linalg.norm(local[:, :2] / z - rays, axis=1)
            good &= (local[:, 2] > 0) & (off < _AGREES * noise)
        self.points.put(last.ids[rows[good]], points[good])

    def adjust(self, noise: float) -> NDArray[np.int64]:
        """Move the latest keyframes and their points, held by older ones that see the same.

        `noise` is the standard deviation of a ray. Returns the ids of points that fit nowhere.
        """
        chosen = self.keyframes[-_WINDOW - _HELD :]
        ids, counts = np.unique(np.concatenate([one.ids for one in chosen]), return_counts=True)
        ids = ids[(counts > 1)]
        ids = ids[self.points.known(ids)]
        if len(ids) < _LEAST:
            return ids[:0]
        pose, point, rays = [], [], []
        for number, one in enumerate(chosen):
            _, rows, at = np.intersect1d(ids, one.ids, assume_unique=True, return_indices=True)
            pose.append(np.full(len(rows), number))
            point.append(rows)
            rays.append(one.rays[at])
        seen = Seen(np.concatenate(pose), np.concatenate(point), np.concatenate(rays))
        fixed = np.arange(len(chosen)) < max(2, len(chosen) - _WINDOW)
        poses, points, _ = adjust(
            np.stack([one.T_camera_map for one in chosen]),
            homogeneous(self.points.of(ids)),
            seen,
            fixed,
            noise,
        )
        for one, T in zip(chosen, poses, strict=True):
            one.T_map_camera = inverse(T)
        off, z = residuals_of(poses, points, seen)
        bad = (np.linalg.norm(off, axis=1) > _WRONG * noise) | (z <= 0)
        share = np.bincount(seen.point, bad, len(ids)) / np.bincount(seen.point, minlength=len(ids))
        self.points.put(ids, points[:, :3])
        wrong = ids[share > 0.4]
        self.points.drop(wrong.tolist())
        return wrong
