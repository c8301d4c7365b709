# SPDX-License-Identifier: Apache-2.0
"""Whether a thing of the map moves: it is aligned from an earlier frame to this one.

What creeps, and what turns on the spot, leaves no place behind; only its look tells. So the pieces
of the map that are in sight are tried in turn, those first of which something came or went.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose, inverse, turns
from f4x_ros.core.motion.bodies.align import FITS_WELL, Fit, Misfit, align
from f4x_ros.core.motion.bodies.jitter import Jitter, JitterMeter
from f4x_ros.core.motion.bodies.labels import widened
from f4x_ros.core.motion.bodies.picture import Mask, RgbdPicture
from f4x_ros.core.motion.bodies.shape import Shape

_BACK_S = (0.25, 0.1)  # how far back the earlier frame is, about: for what creeps, for what runs
_KEPT = 12  # frames that are kept at most
_LEAST_PX = 60  # of a thing that can be tried
_SPREAD_PX = 3  # a Gaussian's row stands for the pixels around it
_SURE = 30.0  # squared Mahalanobis distance from rest, six degrees of freedom
_SHIFT_PX = 0.7  # the least shift that counts, ...
_TURN_RAD = 0.05  # ... or turn
_JITTERS = 5.0  # times as much as what rests seems to
_BETTER = 0.75  # of the misfit at rest that may be left
_CLEAR = 0.4  # ... which leaves no doubt
_LOOSE = np.diag(1 / np.square(np.repeat([0.15, 0.3], 3)))  # m, rad: prior of what it did


@dataclass(frozen=True, eq=False)
class Past:
    """An earlier frame."""

    time_s: float
    picture: RgbdPicture
    T_map_camera: Pose


@dataclass(frozen=True, eq=False)
class Trial:
    """A thing that was found to move.

    Attributes:
        shape: its surface, in a frame with its middle as the origin, along the map's axes.
        T_map_then, T_map_now: its poses in the earlier frame and in this one.
        since_s: time of the earlier one.
        fit: to this one.
    """

    shape: Shape
    T_map_then: Pose
    T_map_now: Pose
    since_s: float
    fit: Fit


class Trials:
    """The last frames, and the turn of each piece.

    Args:
        rng: chooses the points that are compared.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._past: deque[Past] = deque(maxlen=_KEPT)
        self._tried: dict[int, int] = {}  # piece: number of the last trial
        self._count = 0
        self._jitter = JitterMeter()

    def add(self, time_s: float, picture: RgbdPicture, T_map_camera: Pose) -> None:
        """Remember a frame."""
        self._past.append(Past(time_s, picture, T_map_camera))

    @property
    def jitter(self) -> Jitter:
        """By how much what rests seems to move."""
        return self._jitter.value

    def earlier(self, back_s: float) -> Past | None:
        """The frame from so long ago, about; None before there is one."""
        if not self._past:
            return None
        last = self._past[-1].time_s
        return min(self._past, key=lambda one: abs(last - one.time_s - back_s))

    def turn(self, pieces: NDArray[np.int64], urgent: Mask) -> Iterator[int]:
        """Some pieces in the order of their turn: the urgent ones, then who waits longest.

        Those below 0 have no name to be known by again: they wait for nothing.
        """
        waited = np.array([self._count - self._tried.get(int(one), 0) for one in pieces])
        order = np.lexsort((-waited, ~urgent))
        self._count += 1
        for one in pieces[order].tolist():
            self._tried[int(one)] = self._count
            yield int(one)

    def move(
        self,
        points: NDArray[np.floating],  # [N, 3] of the thing, map frame, where the map has them
        picture: RgbdPicture,
        T_map_camera: Pose,
        *,
        fast: bool,
    ) -> Trial | bool | None:
        """Whether a thing moved since the earlier frame: how, or False; None if nobody can tell.

        Args:
            points: of the map, on its surface.
            picture: the frame of now.
            T_map_camera: its pose.
            fast: it may be fast: a frame from a moment ago is compared, too.
        """
        found: Trial | bool | None = None
        for back_s in _BACK_S[: 1 + fast]:
            past = self.earlier(back_s)
            if past is None:
                return None
            found = self._since(past, points, picture, T_map_camera)
            if found is not False:
                break
        return found

    def _since(
        self,
        past: Past,
        points: NDArray[np.floating],
        picture: RgbdPicture,
        T_map_camera: Pose,
    ) -> Trial | bool | None:
        """Whether a thing moved since an earlier frame, see `move`."""
        then = seen_at(points, past.picture, past.T_map_camera)
        if then.sum() < _LEAST_PX:
            return None
        T_map_body = np.eye(4)
        T_map_body[:3, 3] = points.mean(0)
        z = float(np.median(past.picture.depth[then]))
        shape = Shape(float(np.clip(1.5 * z / picture.camera.fx, 0.004, 0.03)))
        shape.grow(past.picture, inverse(past.T_map_camera) @ T_map_body, then)
        now = inverse(T_map_camera) @ T_map_body
        free = widened(seen_at(points, picture, T_map_camera), 8) & picture.known
        at_rest = Misfit.of(shape, picture, free, now, self._rng)
        if at_rest is None:
            return None
        if at_rest.value < FITS_WELL:
            return False
        fit = align(shape, picture, free, now, _LOOSE, self._rng)
        moved = _apparent(fit, now, shape, picture, z)
        self._jitter.add(moved.pixels, moved.radians)
        there = Misfit.of(shape, picture, free, fit.T_camera_body, self._rng)
        if there is None or fit.used < 0.6 or there.value > _BETTER * at_rest.value:
            return False
        clear = there.value < _CLEAR * at_rest.value
        if not _significant(fit, moved, self._jitter.value, clear=clear):
            return False
        return Trial(shape, T_map_body, T_map_camera @ fit.T_camera_body, past.time_s, fit)


class _Apparent(NamedTuple):
    """By how much a fit is off rest."""

    twist: NDArray[np.float64]  # [6] shift of the middle and turn, camera axes
    pixels: float
    radians: float


def _apparent(fit: Fit, rest: Pose, shape: Shape, picture: RgbdPicture, z: float) -> _Apparent:
    """The motion of a fit from where the thing is if it rests."""
    off = fit.T_camera_body - rest
    shift = off[:3, :3] @ shape.middle + off[:3, 3]
    turn = turns.vector_of_matrix(fit.T_camera_body[:3, :3] @ rest[:3, :3].T)
    pixels = float(np.linalg.norm(shift)) * picture.camera.fx / z
    return _Apparent(np.concatenate([shift, turn]), pixels, float(np.linalg.norm(turn)))


def _significant(fit: Fit, moved: _Apparent, jitter: Jitter, *, clear: bool) -> bool:
    """Whether a fit is surely not at rest; with `clear` what is seen says so anyway."""
    twist = moved.twist
    sure = clear or float(twist @ (fit.information / 10) @ twist) > _SURE
    far = moved.pixels > max(_SHIFT_PX, _JITTERS * jitter.pixels)
    return sure and (far or moved.radians > max(_TURN_RAD, _JITTERS * jitter.radians))


def seen_at(points: NDArray[np.floating], picture: RgbdPicture, T_map_camera: Pose) -> Mask:
    """[H, W] pixels that show the surface with some points [N, 3] of the map on it."""
    T = inverse(T_map_camera)
    there = points @ T[:3, :3].T + T[:3, 3]
    rows, columns, _ = picture.pixels(there)
    on = picture.shows(there)
    mask = np.zeros(picture.depth.shape, np.uint8)
    mask[rows[on], columns[on]] = 1
    kernel = np.ones((2 * _SPREAD_PX + 1,) * 2, np.uint8)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel) > 0
    return np.asarray(closed & picture.known)
