# SPDX-License-Identifier: Apache-2.0
"""Errors of tracked objects' positions, orientations, velocities and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.metrics.track_matching import Match, ScoredFrame


@dataclass(frozen=True)
class StateErrors:
    """Errors of matched objects, over all matches of all frames; None where there is none.

    Attributes:
        position_median_m: distance of the centres.
        position_p95_m: likewise, 95th percentile.
        orientation_median_rad: angle by which the object's turn since the match began is wrong. A
            tracker is free to choose the axes of its object, so its first orientation of an object
            is taken for right and only what follows is an error.
        velocity_median_mps: length of the velocities' difference.
        velocity_p95_mps: likewise, 95th percentile.
        size_median_m: mean difference of the boxes' edges, both sorted by length.
        matches: pairs of a true object and its prediction in a frame.
    """

    position_median_m: float | None
    position_p95_m: float | None
    orientation_median_rad: float | None
    velocity_median_mps: float | None
    velocity_p95_mps: float | None
    size_median_m: float | None
    matches: int


def moving_errors(frames: Sequence[ScoredFrame], matches: Sequence[Match]) -> StateErrors | None:
    """Errors of the matches whose true object moved; None if truth does not say what moves."""
    flags = [frame.truth.moving for frame in frames if frame.truth.moving is not None]
    if not frames or len(flags) < len(frames):
        return None
    chosen = np.array([flags[m.frame][m.truth_row] for m in matches], np.bool_)
    return state_errors(frames, matches, chosen)


def state_errors(
    frames: Sequence[ScoredFrame],
    matches: Sequence[Match],
    chosen: NDArray[np.bool_] | None = None,
) -> StateErrors:
    """Errors of the chosen matches; all if None."""
    chosen = np.ones(len(matches), bool) if chosen is None else chosen
    position = _distances(_pairs(frames, matches, "positions"), chosen)
    velocity = _distances(_pairs(frames, matches, "velocities"), chosen)
    return StateErrors(
        position_median_m=percentile_or_none(position, 50),
        position_p95_m=percentile_or_none(position, 95),
        orientation_median_rad=percentile_or_none(_turn_errors(frames, matches, chosen), 50),
        velocity_median_mps=percentile_or_none(velocity, 50),
        velocity_p95_mps=percentile_or_none(velocity, 95),
        size_median_m=percentile_or_none(
            _edge_errors(_pairs(frames, matches, "sizes"), chosen), 50
        ),
        matches=int(np.count_nonzero(chosen)),
    )


_Pairs = tuple[NDArray[np.float64], NDArray[np.float64]]


def _pairs(frames: Sequence[ScoredFrame], matches: Sequence[Match], field: str) -> _Pairs | None:
    """True and predicted values [M, k] of all matches; None if a frame or side lacks them."""
    true = [getattr(frames[match.frame].truth, field) for match in matches]
    said = [getattr(frames[match.frame].predicted, field) for match in matches]
    if not matches or any(values is None for values in (*true, *said)):
        return None
    return (
        np.stack([v[m.truth_row] for v, m in zip(true, matches, strict=True)]).astype(np.float64),
        np.stack([v[m.predicted_row] for v, m in zip(said, matches, strict=True)]).astype(
            np.float64
        ),
    )


def _distances(pairs: _Pairs | None, chosen: NDArray[np.bool_]) -> list[float]:
    if pairs is None:
        return []
    return list(np.linalg.norm(pairs[1] - pairs[0], axis=1)[chosen])


def _edge_errors(pairs: _Pairs | None, chosen: NDArray[np.bool_]) -> list[float]:
    if pairs is None:
        return []
    return list(np.abs(np.sort(pairs[1], 1) - np.sort(pairs[0], 1)).mean(1)[chosen])


def _turn_errors(
    frames: Sequence[ScoredFrame], matches: Sequence[Match], chosen: NDArray[np.bool_]
) -> list[float]:
    """Angles between R_map_prediction and R_map_object R_object_prediction, radians.

    The last factor is the one of the pair's first match, which itself is no measurement.
    """
    pairs = _pairs(frames, matches, "orientations")
    if pairs is None:
        return []
    truth, predicted = Rotation.from_quat(pairs[0]), Rotation.from_quat(pairs[1])
    ids = np.array([(match.truth_id, match.predicted_id) for match in matches])
    _, first, pair = np.unique(ids, axis=0, return_index=True, return_inverse=True)
    offsets = (truth.inv() * predicted)[first][pair.reshape(-1)]
    angles = ((truth * offsets).inv() * predicted).magnitude()
    later = np.ones(len(matches), bool)
    later[first] = False
    return list(angles[later & chosen])
