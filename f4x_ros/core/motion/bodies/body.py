# SPDX-License-Identifier: Apache-2.0
"""One thing that moves, or moved: its shape, its motion, and how it stands with it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.core.motion.bodies.far_side import completed
from f4x_ros.core.motion.bodies.motion import BodyMotion
from f4x_ros.core.motion.bodies.shape import Shape
from f4x_ros.core.motion.bodies.twist_filter import TwistFilter

ESTABLISHED = 4
"""Frames in which a body must be found before it is said to move."""

_SURE_READINGS = 3.0  # of a point, for it to be a part of the body
_TURN_RAD = 0.3  # 1 sigma above which it is not known how a body is turned


class BodyState(Enum):
    """How it stands with a body."""

    NEW = "new"  # something is there that was not, or goes: whether it moves must show
    MOVING = "moving"
    HIDDEN = "hidden"  # it moved when it went out of sight: where it is, is predicted
    STOPPED = "stopped"  # it moved a moment ago, and may go on
    RESTING = "resting"  # it does not move: its Gaussians are the map's again
    LOST = "lost"  # nobody knows where it is


FOLLOWED = (BodyState.NEW, BodyState.MOVING, BodyState.HIDDEN, BodyState.STOPPED)


@dataclass(eq=False)
class Body:
    """A rigid body, or the rigid core of one that bends.

    Attributes:
        id: of it in the field, `body_ids`.
        shape: its surface.
        filter: its pose and twist.
        state: whether it is followed, and how.
        began_s: when it was found, seconds of the field.
        seen_s: when it was fitted last.
        still_s: since when it has not moved.
        fits: frames in which it was found.
        appeared: it came from somewhere, and nobody has asked yet from where.
        misses: frames in a row in which it should have been seen and was not.
        poses: some last times and `T_map_body`, to tell motion from noise.
        has_moved: it was said to move.
        went: frames in a row in which it was seen to go.
        seen: [M, 3] of its surface as the last frame that found it showed it, map frame.
        eye: [3] from where it was seen then.
        seen_by: the camera that fitted it last.
    """

    id: int
    shape: Shape
    filter: TwistFilter
    state: BodyState
    began_s: float
    seen_s: float
    still_s: float
    appeared: bool = False
    misses: int = 0
    went: int = 0
    has_moved: bool = False
    fits: int = 0
    poses: deque[tuple[float, Pose]] = field(default_factory=lambda: deque(maxlen=64))
    seen: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 3)))
    eye: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    seen_by: str = ""

    @classmethod
    def new(
        cls, number: int, shape: Shape, filter_: TwistFilter, time_s: float, seen_by: str
    ) -> Body:
        """A body that was found at a time by a camera."""
        state = BodyState.NEW
        return cls(number, shape, filter_, state, time_s, time_s, time_s, seen_by=seen_by)

    def pose_since(self, time_s: float) -> tuple[float, Pose] | None:
        """The first of the last poses from a time on, or the last but one; None: there is none."""
        first = next((n for n, one in enumerate(self.poses) if one[0] >= time_s), None)
        if first is None:
            return self.poses[-1] if self.poses else None
        return self.poses[max(0, min(first, len(self.poses) - 2))]

    def motion(self) -> BodyMotion:
        """Where it is and how it moves."""
        state = self.filter
        return BodyMotion(
            self.id,
            state.T_map_body,
            state.middle,
            state.twist if self.followed else np.zeros(6),
            state.covariance,
            self.moving,
            self.turns_known,
            self.surface() if self.moving else np.zeros((0, 3)),
        )

    @property
    def followed(self) -> bool:
        """Whether it is looked for in each frame."""
        return self.state in FOLLOWED

    @property
    def moving(self) -> bool:
        """Whether it moves, in sight or out of it."""
        return self.state in (BodyState.MOVING, BodyState.HIDDEN)

    def see(self, points: NDArray[np.float64], eye: NDArray[np.float64]) -> None:
        """Take in the surface [M, 3] that a frame shows from an eye [3], map frame."""
        if len(points):
            self.seen, self.eye = points, eye.copy()

    def surface(self) -> NDArray[np.float64]:
        """[N, 3] of all its surface that is known and sure, and of its guessed far side."""
        sure = self.shape.readings >= _SURE_READINGS
        T = self.filter.T_map_body
        known = self.shape.points[sure] @ T[:3, :3].T + T[:3, 3]
        if not len(self.seen):
            return known
        cells = np.unique(np.floor(self.seen / self.shape.voxel_m), axis=0)
        return completed(np.concatenate([known, (cells + 0.5) * self.shape.voxel_m]), self.eye)

    @property
    def turns_known(self) -> bool:
        """Whether frames tell how it is turned: not of a plain ball."""
        return bool(np.diag(self.filter.covariance)[3:6].max() < _TURN_RAD**2)

    @property
    def surface_m2(self) -> float:
        """How much of its surface is known."""
        return len(self.shape) * self.shape.voxel_m**2

    @property
    def velocity(self) -> NDArray[np.float64]:
        """[3] m/s of the middle, map frame."""
        return self.filter.twist[:3]
