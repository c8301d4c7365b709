# SPDX-License-Identifier: Apache-2.0
"""Before anything is known of distances: waiting for the camera to move, watching it turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, inverse
from f4x_ros.core.motion.mono.bundle import (
    INVERSE,
    Array,
    Seen,
    adjust,
    direction_deviation,
    pose_of,
    residuals_of,
)
from f4x_ros.core.motion.mono.two_views import first_points, motions, turn_between

_KEPT = 60  # pictures that wait, at most
_COMMON, _COMMON_SHARE = 50, 0.35  # corners that two pictures must have in common
_PARALLAX, _NOISES = 0.004, 2.0  # radians, and deviations, that corners must move beside a turn
_BETWEEN = 6  # pictures between the two that are adjusted with them
_LEAST_POINTS = 30
_MORE = 1.15  # parallax grows by such a factor before it is tried again
_STEPS = 8
_DISTINCT = 1.2  # another motion must fit worse than the best by such a factor
_SAME = 0.9  # cosine of directions that are one
_UNSURE = 0.05  # radians of the direction of the motion, at most
_AGREES = 3.0  # deviations


Rows = NDArray[np.intp]


@dataclass(eq=False)
class Waiting:
    """A picture and its corners while there are no points.

    Attributes:
        stamp_ns: of it.
        grey: [H, W] uint8.
        ids: [N] rising.
        rays: [N, 2].
        turn: [3, 3] takes the axes of this camera to those of the first picture.
        given: `T_map_camera` that came with it, if one did.
    """

    stamp_ns: int
    grey: NDArray[np.uint8]
    ids: NDArray[np.int64]
    rays: Array
    turn: NDArray[np.float64]
    given: Pose | None


class Begun(NamedTuple):
    """A first piece of the world, in the frame and the scale of its first picture and shift."""

    pictures: list[Waiting]
    T_camera_first: Array  # [K, 4, 4], of the pictures
    ids: NDArray[np.int64]  # [P]
    points: Array  # [P, 3]


class Beginning:
    """Keeps pictures until two of them were taken from places far enough apart.

    Attributes:
        pictures: that wait, in their order.
        parallax: radians by which the corners of the latest picture have moved beside a turn.
    """

    def __init__(self) -> None:
        self.pictures: list[Waiting] = []
        self.parallax = 0.0
        self.unsure = np.inf
        self._tried = 0.0

    def add(self, picture: Waiting, noise: float) -> Begun | None:
        """One more picture; what has begun with it, if anything has.

        Its `turn` is set. `noise` is the standard deviation of a ray.
        """
        first, rows = self._reference(picture)
        if first is None:
            self.pictures = [picture]  # nothing is in common with what was before
            return None
        a, b = first.rays[rows[0]], picture.rays[rows[1]]
        turn, left = turn_between(a, b)
        picture.turn = first.turn @ turn.T
        self.parallax = float(np.median(left))
        self._keep(picture)
        if self.parallax < max(_PARALLAX, _NOISES * noise, _MORE * self._tried):
            return None
        self._tried = self.parallax
        return self._adjusted(first, picture, rows, turn, noise)

    def _reference(self, picture: Waiting) -> tuple[Waiting | None, tuple[Rows, Rows]]:
        """The earliest picture with enough in common, and the rows that are."""
        wanted = max(_COMMON, int(_COMMON_SHARE * len(picture.ids)))
        for one in self.pictures:
            _, in_one, in_new = np.intersect1d(
                one.ids, picture.ids, assume_unique=True, return_indices=True
            )
            if len(in_one) >= wanted:
                return one, (in_one, in_new)
        return None, (np.empty(0, np.intp), np.empty(0, np.intp))

    def _keep(self, picture: Waiting) -> None:
        self.pictures.append(picture)
        if len(self.pictures) > _KEPT:  # every second of the older ones
            del self.pictures[1 : _KEPT // 2 : 2]

    def _adjusted(
        self, first: Waiting, last: Waiting, rows: tuple[Rows, Rows],
        turn: NDArray[np.float64], noise: float,
    ) -> Begun | None:  # fmt: skip
        """Both pictures and some between them, adjusted together from each possible motion."""
        begin = self.pictures.index(first)
        between = self.pictures[begin + 1 : -1]
        chosen = np.unique(np.linspace(0, len(between) - 1, _BETWEEN).round().astype(int))
        pictures = [first, *([between[i] for i in chosen] if between else []), last]
        ids, a, b = first.ids[rows[0]], first.rays[rows[0]], last.rays[rows[1]]
        seen = observations(pictures, ids)
        fixed = np.arange(len(pictures)) == 0
        ends = observations([first, last], ids)
        tried = []
        for T_last_first in motions(a, b, turn, noise):
            points = first_points(T_last_first, a, b)
            pair = np.stack([np.eye(4), T_last_first])
            pair, points, _ = adjust(pair, points, ends, fixed[:2], noise, _STEPS, INVERSE)
            guesses = [_between(first, one, last, pair[-1]) for one in pictures]
            for i, one in enumerate(pictures[1:-1], 1):
                guesses[i] = _placed(guesses[i], one, ids, points, noise)
            tried.append(adjust(np.stack(guesses), points, seen, fixed, noise, _STEPS, INVERSE))
        tried.sort(key=lambda one: one[2])
        # With the noise that corners really have, a wrong motion no longer fits.
        off, _ = residuals_of(*tried[0][:2], seen)
        noise = max(1.5 * float(np.median(np.linalg.norm(off, axis=1))), 0.25 * noise)
        found: list[tuple[Array, Array, float]] = []
        for poses, points, _ in tried:
            if not any(_same_way(poses[-1], other[0][-1]) for other in found):
                found.append(adjust(poses, points, seen, fixed, noise, _STEPS, INVERSE))
        found.sort(key=lambda one: one[2])
        poses, points, loss = found[0]
        if any(
            other[2] < _DISTINCT * loss and not _same_way(poses[-1], other[0][-1])
            for other in found[1:]
        ):
            return None  # two motions explain what was seen
        off, z = residuals_of(poses, points, seen)
        bad = (np.linalg.norm(off, axis=1) > _AGREES * noise) | (z <= 0)
        share = np.bincount(seen.point, bad, len(ids)) / np.bincount(seen.point, minlength=len(ids))
        good = share < 0.3
        if good.sum() < max(_LEAST_POINTS, 0.5 * len(ids)):
            return None
        self.unsure = direction_deviation(poses, points, seen, fixed, noise, INVERSE)
        if self.unsure > _UNSURE:
            return None
        places = points[good, :3] / points[good, 3:]
        return Begun(pictures, poses, ids[good], places)

    def turn_only(self, picture: Waiting, T_map_first: Pose) -> Pose:
        """`T_map_camera` of a waiting picture if the camera has only turned."""
        pose = T_map_first.copy()
        pose[:3, :3] = T_map_first[:3, :3] @ self.pictures[0].turn.T @ picture.turn
        return pose


def _between(first: Waiting, one: Waiting, last: Waiting, T_last_first: Pose) -> Pose:
    """A guess of `T_one_first`: turned as was seen, shifted evenly."""
    if one is last:
        return T_last_first
    share = (one.stamp_ns - first.stamp_ns) / (last.stamp_ns - first.stamp_ns)
    guess = np.eye(4)
    guess[:3, :3] = one.turn.T @ first.turn
    guess[:3, 3] = share * T_last_first[:3, 3]
    return guess


def _placed(
    guess: Pose, picture: Waiting, ids: NDArray[np.int64], points: Array, noise: float
) -> Pose:
    """`T_one_first` of a picture by points with these ids."""
    _, rows, at = np.intersect1d(ids, picture.ids, assume_unique=True, return_indices=True)
    places = points[rows, :3] / points[rows, 3:]
    return pose_of(guess, places, picture.rays[at], noise)[0]


def _same_way(T_a: Pose, T_b: Pose) -> bool:
    a, b = T_a[:3, 3], T_b[:3, 3]
    return bool(a @ b > _SAME * np.linalg.norm(a) * np.linalg.norm(b))


def observations(pictures: list[Waiting], ids: NDArray[np.int64]) -> Seen:
    """Where corners with these ids [P], rising, are in pictures."""
    poses, points, rays = [], [], []
    for number, one in enumerate(pictures):
        _, rows, at = np.intersect1d(ids, one.ids, assume_unique=True, return_indices=True)
        poses.append(np.full(len(rows), number))
        points.append(rows)
        rays.append(one.rays[at])
    return Seen(np.concatenate(poses), np.concatenate(points), np.concatenate(rays))


def first_given(pictures: list[Waiting]) -> float | None:
    """Metres between the first and the last picture, where both came with a pose."""
    a, b = pictures[0].given, pictures[-1].given
    if a is None or b is None:
        return None
    return float(np.linalg.norm((inverse(a) @ b)[:3, 3]))
