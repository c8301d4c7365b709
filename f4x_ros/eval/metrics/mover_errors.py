# SPDX-License-Identifier: Apache-2.0
"""How well the motion of some kind of thing is known, and whether its errors are as was said."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.metrics.track_matching import Match, ScoredFrame

BAND = (float(chi2.ppf(0.025, 6)), float(chi2.ppf(0.975, 6)))
"""Normalised squared errors of a pose, or a twist, that 95 % of honest estimates have."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MoverErrors:
    """Errors over the matches whose true object moves; None where there is none.

    What has turned or gone since a pair's first match is compared with what truly has, as a tracker
    is free to choose the axes of a thing; only matches with enough of the thing in sight count.

    Attributes:
        position_median_m: distance of the centres.
        velocity_median_mps: length of the velocities' difference.
        motion_median_m, motion_p90_m: error of the way since the first match.
        orientation_median_rad, orientation_p90_rad: error of the turn since the first match.
        angular_velocity_median_radps: length of the difference.
        nees_pose, nees_twist: share of the normalised estimation errors squared (position and turn;
            velocity and angular velocity) that are inside `BAND`; honest ones have 0.95.
        nees_pose_over, nees_twist_over: share above it: errors larger than was said.
        matches: pairs of a true object that moves and its track in a frame.
    """

    position_median_m: float | None
    velocity_median_mps: float | None
    motion_median_m: float | None
    motion_p90_m: float | None
    orientation_median_rad: float | None
    orientation_p90_rad: float | None
    angular_velocity_median_radps: float | None
    nees_pose: float | None
    nees_twist: float | None
    nees_pose_over: float | None
    nees_twist_over: float | None
    matches: int


@dataclass(frozen=True, eq=False)
class _Error:
    """One match: what is wrong with it."""

    position: Array  # [3] metres
    velocity: Array  # [3] m/s
    spin: Array  # [3] rad/s
    way: Array | None  # [3] metres since the first match; None: this is the first
    turn: Array | None  # [3] radians, rotation vector
    pose_covariance: Array  # [6, 6]
    twist_covariance: Array  # [6, 6]


def mover_errors(
    frames: Sequence[ScoredFrame],
    matches: Sequence[Match],
    ids: Collection[int],
    least_px: float,
) -> MoverErrors:
    """Errors of the matches of some true objects while they move.

    Args:
        frames: with all columns of both sides; `pixels` and `moving` of the truth.
        matches: of these frames.
        ids: true objects that count.
        least_px: pixels of a thing in sight from which way, turn and spin count.
    """
    first: dict[tuple[int, int], tuple[Array, Rotation, Array, Rotation]] = {}
    errors, clear = [], []
    for match in matches:
        true, said = frames[match.frame].truth, frames[match.frame].predicted
        if match.truth_id not in ids:
            continue
        row, own = match.truth_row, match.predicted_row
        now = (
            np.asarray(true.positions[row], np.float64),
            Rotation.from_quat(_of(true.orientations)[row]),
            np.asarray(said.positions[own], np.float64),
            Rotation.from_quat(_of(said.orientations)[own]),
        )
        pair = match.truth_id, match.predicted_id
        then = first.setdefault(pair, now)
        if not _of(true.moving)[row]:
            continue
        way = turn = None
        if then is not now:
            way = (now[2] - then[2]) - (now[0] - then[0])
            turned = (now[3] * then[3].inv()) * (now[1] * then[1].inv()).inv()
            turn = np.asarray(turned.as_rotvec())
        errors.append(
            _Error(
                position=now[2] - now[0],
                velocity=_of(said.velocities)[own] - _of(true.velocities)[row],
                spin=_of(said.angular_velocities)[own] - _of(true.angular_velocities)[row],
                way=way,
                turn=turn,
                pose_covariance=_of(said.pose_covariances)[own],
                twist_covariance=_of(said.twist_covariances)[own],
            )
        )
        clear.append(bool(_of(true.pixels)[row] >= least_px))
    return _summary(errors, clear)


def _of(column: NDArray[np.generic] | None) -> NDArray[np.generic]:
    assert column is not None  # see `mover_errors`
    return column


def _summary(errors: Sequence[_Error], clear: Sequence[bool]) -> MoverErrors:
    plain = [error for error, shown in zip(errors, clear, strict=True) if shown]
    way = [float(np.linalg.norm(one.way)) for one in plain if one.way is not None]
    turn = [float(np.linalg.norm(one.turn)) for one in plain if one.turn is not None]
    pose = [
        _normalised(np.concatenate([one.position, one.turn]), one.pose_covariance)
        for one in errors
        if one.turn is not None
    ]
    twist = [
        _normalised(np.concatenate([one.velocity, one.spin]), one.twist_covariance)
        for one in errors
    ]
    return MoverErrors(
        position_median_m=percentile_or_none(
            [float(np.linalg.norm(e.position)) for e in errors], 50
        ),
        velocity_median_mps=percentile_or_none(
            [float(np.linalg.norm(e.velocity)) for e in errors], 50
        ),
        motion_median_m=percentile_or_none(way, 50),
        motion_p90_m=percentile_or_none(way, 90),
        orientation_median_rad=percentile_or_none(turn, 50),
        orientation_p90_rad=percentile_or_none(turn, 90),
        angular_velocity_median_radps=percentile_or_none(
            [float(np.linalg.norm(e.spin)) for e in plain], 50
        ),
        nees_pose=_share(pose, *BAND),
        nees_twist=_share(twist, *BAND),
        nees_pose_over=_share(pose, BAND[1], np.inf),
        nees_twist_over=_share(twist, BAND[1], np.inf),
        matches=len(errors),
    )


def _normalised(error: Array, covariance: Array) -> float:
    """Squared Mahalanobis length (Bar-Shalom et al., 2001, "normalised estimation error")."""
    return float(error @ np.linalg.lstsq(covariance, error, rcond=None)[0])


def _share(values: Sequence[float], low: float, high: float) -> float | None:
    if not values:
        return None
    return float(np.mean([low <= value <= high for value in values]))
