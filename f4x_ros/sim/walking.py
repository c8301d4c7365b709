# SPDX-License-Identifier: Apache-2.0
"""A person on the way: legs in step with the ground, arms that swing, or hold and reach.

Legs swing by `shapes.walking_links`; arms that hold something bend at the elbow so that the hand
is where it must be (two bones and a pole, the usual analytic solution).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from f4x_ros.sim.carrying import Carried
from f4x_ros.sim.motion import Motion, Pose, Vec3, pose_from, upright
from f4x_ros.sim.shapes import person_joints, person_stride, walking_links

_SIDES = ("left", "right")
_FOOT = np.array([[-0.035, 0, 0, 1], [0.10, 0, 0, 1]])  # heel and toe in body heights
_HAND = 0.45  # height of the hand of a hanging arm, in body heights
_DOWN = np.array([0.0, 0.0, -1.0])


class Way(Protocol):
    """Where somebody walks: a `Route`, or `Standing`."""

    def __call__(self, t: float) -> Pose: ...

    def distance(self, t: float) -> float:
        """Metres walked."""
        ...

    def pace(self, t: float) -> float:
        """Share of full speed."""
        ...


@dataclass(frozen=True)
class Standing:
    """Stays where it is."""

    x: float
    y: float
    yaw_rad: float = 0.0

    def __call__(self, t: float) -> Pose:
        return upright(self.x, self.y, 0.0, self.yaw_rad)

    def distance(self, t: float) -> float:
        """None."""
        return 0.0

    def pace(self, t: float) -> float:
        """None."""
        return 0.0


@dataclass(frozen=True, eq=False)
class Walker:
    """The motion of a `person` of ``height`` metres on its way; `links` moves its limbs.

    Attributes:
        way: where and when.
        height: the same as that of the person.
        load: what its hands go to.
        grips: where on the load, in its frame, the left and the right hand go; None: nowhere.
        rests: where in the person's frame a hand waits that has nothing to hold; None swings.
    """

    way: Way
    height: float = 1.7
    load: Carried | None = None
    grips: tuple[Vec3 | None, Vec3 | None] = (None, None)
    rests: tuple[Vec3 | None, Vec3 | None] = (None, None)
    _latest: dict[float, dict[str, Pose]] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, t: float) -> Pose:
        legs = self._legs(t)
        feet = _FOOT * [self.height, 1, 1, 1]
        low = min(float((feet @ legs[f"{name} shin"].T)[:, 2].min()) for name in _SIDES)
        return self.way(t) @ upright(0, 0, -low)

    @property
    def links(self) -> Mapping[str, Motion]:
        """Pose of each limb relative to the person."""
        return {name: Limb(self, name) for name in person_joints(self.height)}

    def limbs(self, t: float) -> dict[str, Pose]:
        """Poses of all limbs at time ``t`` [s]."""
        if t not in self._latest:
            poses = self._legs(t)
            for name in _SIDES:
                poses.update(self._reaching(t, name, poses))
            self._latest.clear()  # each moment is asked for once a limb
            self._latest[t] = poses
        return self._latest[t]

    def _legs(self, t: float) -> dict[str, Pose]:
        """Walking limbs, their swing as wide as the pace is fast."""
        phase = 2 * np.pi * self.way.distance(t) / person_stride(self.height)
        walking = walking_links(self.height, phase)
        share = min(max(self.way.pace(t), 0.0), 1.0)
        joints = person_joints(self.height)
        poses = {}
        for name in _SIDES:
            for upper, lower in (("leg", "shin"), ("arm", "forearm")):
                root, tip = walking[f"{name} {upper}"], walking[f"{name} {lower}"]
                bend = _angle(root[:3, :3].T @ tip[:3, :3])
                turned = _about_y(joints[f"{name} {upper}"], share * _angle(root[:3, :3]))
                poses[f"{name} {upper}"] = turned
                poses[f"{name} {lower}"] = turned @ _about_y(
                    joints[f"{name} {lower}"], share * bend
                )
        return poses

    def _reaching(self, t: float, name: str, walking: Mapping[str, Pose]) -> dict[str, Pose]:
        """An arm that holds its grip, or is on its way there or back."""
        number = _SIDES.index(name)
        grip, rest = self.grips[number], self.rests[number]
        held = self.load.gripped(t) if self.load is not None and grip is not None else 0.0
        if held == 0.0 and rest is None:
            return {}
        joints = person_joints(self.height)
        shoulder, elbow = (np.asarray(joints[f"{name} {limb}"]) for limb in ("arm", "forearm"))
        hand = np.array([0.0, shoulder[1], _HAND * self.height])
        free = (walking[f"{name} forearm"] @ np.append(hand, 1.0))[:3]
        goal = free if rest is None else np.asarray(rest)
        if self.load is not None and grip is not None:
            place = np.linalg.inv(self(t)) @ self.load(t) @ np.array([*grip, 1.0])
            goal = goal + held * (place[:3] - goal)
        upper, lower = two_bones(
            goal - shoulder,
            (float(shoulder[2] - elbow[2]), float(elbow[2] - hand[2])),
            (-0.5, 0.35 if name == "left" else -0.35, -1.0),
        )
        if rest is None:  # out of the swing, and back into it
            share = min(1.0, 4 * held)
            upper = _between(walking[f"{name} arm"][:3, :3] @ _DOWN, upper, share)
            lower = _between(walking[f"{name} forearm"][:3, :3] @ _DOWN, lower, share)
        arm, forearm = _turn_from_down(upper), _turn_from_down(lower)
        bent = shoulder + arm @ (elbow - shoulder)
        return {
            f"{name} arm": pose_from(arm, shoulder - arm @ shoulder),
            f"{name} forearm": pose_from(forearm, bent - forearm @ elbow),
        }


@dataclass(frozen=True, eq=False)
class Limb:
    """One limb of a `Walker` over time."""

    walker: Walker
    name: str

    def __call__(self, t: float) -> Pose:
        return self.walker.limbs(t)[self.name]


def two_bones(
    target: ArrayLike, lengths_m: tuple[float, float], pole: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit directions of two bones whose end is at ``target`` seen from the root, or towards it.

    The joint between them points to the side of ``pole``.
    """
    first, second = lengths_m
    goal = np.asarray(target, np.float64)
    far = float(np.clip(np.linalg.norm(goal), abs(first - second) + 1e-3, first + second - 1e-3))
    along = goal / max(float(np.linalg.norm(goal)), 1e-9)
    side = np.asarray(pole, np.float64) - along * (along @ np.asarray(pole, np.float64))
    side /= np.linalg.norm(side)
    cos = (first**2 + far**2 - second**2) / (2 * first * far)
    joint = first * (cos * along + np.sqrt(max(0.0, 1 - cos**2)) * side)
    return joint / first, (along * far - joint) / second


def _about_y(joint: Vec3, angle: float) -> Pose:
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    return pose_from(turn, np.asarray(joint) - turn @ np.asarray(joint))


def _angle(turn: NDArray[np.float64]) -> float:
    """Of a rotation about y."""
    return float(np.arctan2(turn[0, 2], turn[0, 0]))


def _between(
    first: NDArray[np.float64], second: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    mixed = first * (1 - share) + second * share
    return np.asarray(mixed / np.linalg.norm(mixed))


def _turn_from_down(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rotation that takes -z to a unit direction that is not +z (Rodrigues)."""
    axis = np.cross(_DOWN, direction)
    cos = float(_DOWN @ direction)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + cos))
