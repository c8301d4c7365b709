# SPDX-License-Identifier: Apache-2.0
"""Places that are seen again: recognised, checked, and the way between pulled into shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.core.data.poses import rotation_angle_rad
from f4x_ros.core.motion.odometry.estimate import between
from f4x_ros.core.motion.odometry.keyframes import (
    RECENT,
    OdometryKeyframe,
    OdometryKeyframes,
    view_distance,
)
from f4x_ros.core.motion.odometry.pose_graph import Edge, optimised

_LOOKED_AT = 2  # places of either kind that are tried for a keyframe
_NEAR = 3.0  # difference of views within which a place is looked for where it should be
_SIGMAS, _LEAST_M, _LEAST_RAD = 6.0, 0.15, 0.1  # how far off a place may be found
_WORTH_M, _WORTH_RAD = 0.01, 0.005  # a smaller correction waits for a larger one
_LOOP = (0.005, 0.004)  # standard deviations of what was recognised, metres and radians
_STILL = (0.003, 0.002)  # the same of a step between keyframes, ...
_SHARE = (0.01, 0.02)  # ... and of each metre and radian of it

Check = Callable[[OdometryKeyframe], Pose | None]
"""Where the camera is as seen from a place, `T_map_camera`; None if that cannot be told."""


@dataclass(frozen=True, eq=False)
class _Loop:
    place: OdometryKeyframe
    again: OdometryKeyframe
    T_place_again: Pose


class LoopCloser:
    """Remembers which keyframes see the same place, and corrects the keyframes by it.

    What lies between two keyframes that follow each other is as they have it; loops that were
    found earlier hold on, as long as both their keyframes are kept.
    """

    def __init__(self) -> None:
        self._loops: list[_Loop] = []

    def close(self, keyframes: OdometryKeyframes, check: Check) -> bool:
        """See whether the last keyframe closes a loop; if so, correct all of them.

        Args:
            keyframes: changed in place.
            check: aligns the last keyframe's picture to a place.

        Returns:
            Whether poses were changed.
        """
        last = keyframes.last
        known = keyframes.kept[:-RECENT]
        found = self._recognised(last, known, check)
        if found is None:
            return False
        self._loops.append(found)
        kept = {id(one) for one in keyframes.kept}
        self._loops = [one for one in self._loops if {id(one.place), id(one.again)} <= kept]
        corrected = found.place.T_map_camera @ found.T_place_again
        shift = float(np.linalg.norm(corrected[:3, 3] - last.T_map_camera[:3, 3]))
        if shift < _WORTH_M and rotation_angle_rad(corrected, last.T_map_camera) < _WORTH_RAD:
            return False
        self._correct(keyframes, found)
        return True

    @staticmethod
    def _recognised(
        last: OdometryKeyframe, known: Sequence[OdometryKeyframe], check: Check
    ) -> _Loop | None:
        """The first of the places most alike, and of those near by, where the keyframe fits."""
        if not known:
            return None
        scores = np.stack([one.thumbnail for one in known]) @ last.thumbnail
        away = [view_distance(one.T_map_camera, last.T_map_camera) for one in known]
        near = [i for i in np.argsort(away)[:_LOOKED_AT] if away[i] < _NEAR]
        for i in dict.fromkeys([*near, *np.argsort(-scores)[:_LOOKED_AT]]):
            pose = check(known[i])
            if pose is not None and _possible(last, pose):
                return _Loop(known[i], last, between(known[i].T_map_camera, pose))
        return None

    def _correct(self, keyframes: OdometryKeyframes, found: _Loop) -> None:
        kept = keyframes.kept
        index = {id(one): i for i, one in enumerate(kept)}
        poses = [one.T_map_camera for one in kept]
        steps = [_step(i, between(a, b)) for i, (a, b) in enumerate(pairwise(poses))]
        loops = [
            Edge(index[id(one.place)], index[id(one.again)], one.T_place_again, _LOOP)
            for one in self._loops
        ]
        new = optimised(poses, steps + loops)
        first = index[id(found.place)]
        made = [
            one.moved_to(pose, _bridged(one, found, inside=i > first))
            for i, (one, pose) in enumerate(zip(kept, new, strict=True))
        ]
        by_old = {id(old): now for old, now in zip(kept, made, strict=True)}
        self._loops = [
            replace(one, place=by_old[id(one.place)], again=by_old[id(one.again)])
            for one in self._loops
        ]
        keyframes.kept = made


def _step(i: int, T_a_b: Pose) -> Edge:
    """What odometry says between two keyframes that follow each other."""
    shift = float(np.linalg.norm(T_a_b[:3, 3]))
    turn = rotation_angle_rad(np.eye(4), T_a_b)
    return Edge(i, i + 1, T_a_b, (_STILL[0] + _SHARE[0] * shift, _STILL[1] + _SHARE[1] * turn))


def _possible(last: OdometryKeyframe, pose: Pose) -> bool:
    """Whether it may be there, by how sure odometry was of where it is."""
    deviations = np.sqrt(np.maximum(0, np.diag(last.covariance)))
    shift = float(np.linalg.norm(pose[:3, 3] - last.T_map_camera[:3, 3]))
    turn = rotation_angle_rad(pose, last.T_map_camera)
    return shift < _LEAST_M + _SIGMAS * float(
        np.linalg.norm(deviations[:3])
    ) and turn < _LEAST_RAD + _SIGMAS * float(np.linalg.norm(deviations[3:]))


def _bridged(one: OdometryKeyframe, found: _Loop, *, inside: bool) -> NDArray[np.float64]:
    """Covariance of a keyframe once both ends of its way are known: that of a Brownian bridge."""
    start = float(np.trace(found.place.covariance))
    length = float(np.trace(found.again.covariance)) - start
    if not inside or length <= 0:
        return one.covariance
    share = float(np.clip((np.trace(one.covariance) - start) / length, 0, 1))
    return np.asarray(one.covariance * (1 - share) + found.place.covariance * share)
