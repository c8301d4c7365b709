# SPDX-License-Identifier: Apache-2.0
"""Things that are picked up, carried and put down elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from f4x_ros.sim.motion import Motion, Pose, pose_from, smooth_step


class Errand(NamedTuple):
    """One carry within the period: lifted from ``pick_s`` on, set down and let go at ``put_s``."""

    pick_s: float
    put_s: float


@dataclass(frozen=True, eq=False)
class Carried:
    """Rests at a spot, is carried to the next, rests there, and so on round all spots.

    Attributes:
        carrier: pose of who carries, map frame.
        hold: pose in the carrier's frame while it is carried.
        spots: poses at rest, map frame; errand ``k`` takes it from spot ``k`` to spot ``k + 1``
            (round, so that there are as many spots as errands).
        errands: in order of time, none across the end of the period.
        period_s: after which all repeats.
        lift_s: time to lift it up, and to set it down.
        reach_s: time before and after in which hands go to it and leave it.
        start_s: how far in the play it is at t = 0.
    """

    carrier: Motion
    hold: Pose
    spots: tuple[Pose, ...]
    errands: tuple[Errand, ...]
    period_s: float
    lift_s: float = 0.8
    reach_s: float = 0.6
    start_s: float = 0.0

    def __call__(self, t: float) -> Pose:
        now = (t + self.start_s) % self.period_s
        for number, errand in enumerate(self.errands):
            if now < errand.pick_s:
                return self.spots[number]
            if now < errand.put_s:
                held = np.asarray(self.carrier(t) @ self.hold)
                if now < errand.put_s - self.lift_s:
                    share = smooth_step((now - errand.pick_s) / self.lift_s)
                    return blend(self.spots[number], held, share)
                share = smooth_step((errand.put_s - now) / self.lift_s)
                return blend(self.spots[(number + 1) % len(self.spots)], held, share)
        return self.spots[0]

    def gripped(self, t: float) -> float:
        """How far hands are at it: 1 from picking up to letting go, 0 when it is left alone."""
        now = (t + self.start_s) % self.period_s
        return max(
            (
                smooth_step(1 - max(pick - near, near - put) / self.reach_s)
                for pick, put in self.errands
                for near in (now, now - self.period_s, now + self.period_s)
            ),
            default=0.0,
        )


def blend(first: Pose, second: Pose, share: float) -> Pose:
    """Between two poses: a straight line and the shortest turn."""
    if share in (0.0, 1.0):
        return second if share else first
    turns = Rotation.from_matrix(np.stack([first[:3, :3], second[:3, :3]]))
    turn = Slerp([0.0, 1.0], turns)(share).as_matrix()
    return pose_from(turn, first[:3, 3] + share * (second[:3, 3] - first[:3, 3]))
