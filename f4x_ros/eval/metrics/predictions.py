# SPDX-License-Identifier: Apache-2.0
"""How far things are from where they were predicted to be, and whether that was to be expected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from f4x_ros.core.data import Prediction
from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.metrics.track_matching import follow_matches, scored_frame
from f4x_ros.eval.metrics.track_states import ObjectStates

BAND = (float(chi2.ppf(0.025, 3)), float(chi2.ppf(0.975, 3)))
"""Normalised squared errors of a position that 95 % of honest predictions have."""

_NEAR_NS = 20_000_000  # a true state so near to the moment predicted for is of it


@dataclass(frozen=True)
class PredictionScores:
    """Of movers that were predicted for some seconds ahead; None where there is none.

    Attributes:
        position_median_m: distance of the predicted middle of the box from the true one.
        position_p90_m: likewise, 90th percentile.
        still_median_m: what the first would be if all were predicted to stay.
        nees: share of the predictions whose squared error, divided by what their covariance
            expects, is in `BAND` (normalised estimation error squared); honest ones have 0.95.
        overconfident: share above the band: errors larger than was said.
        predictions: how many were scored.
    """

    position_median_m: float | None
    position_p90_m: float | None
    still_median_m: float | None
    nees: float | None
    overconfident: float | None
    predictions: int


def prediction_scores(
    truth: Sequence[ObjectStates],
    tracked: Sequence[ObjectStates],
    predicted: Sequence[Mapping[int, Prediction]],
    ahead_s: Sequence[float],
    max_distance_m: float = 0.5,
    ignore: Sequence[Collection[int]] | None = None,
) -> list[PredictionScores]:
    """Score predictions of a sequence, one result for each of `ahead_s`.

    What a track is, is decided by where it is now, as in `track_scores`; scored is what truly moves
    at the moment of the prediction and is still there at the one predicted for.

    Args:
        truth: the true objects of each frame, with `moving`.
        tracked: what the tracker said of each frame, at the same stamps.
        predicted: by track id, what was predicted at each frame.
        ahead_s: seconds that were predicted for, as `Prediction.ahead` has them.
        max_distance_m: as in `track_scores`.
        ignore: for each frame the true ids that do not count there.

    Raises:
        ValueError: the sequences have different lengths.
    """
    if not len(truth) == len(tracked) == len(predicted):
        raise BadInputError(
            f"{len(truth)} true, {len(tracked)} tracked and {len(predicted)} predicted frames, "
            "expected as many of each"
        )
    ignored = ignore if ignore is not None else [()] * len(truth)
    frames = [
        scored_frame(true, said, max_distance_m, ids)
        for true, said, ids in zip(truth, tracked, ignored, strict=True)
    ]
    matches = follow_matches(frames)
    stamps = np.array([states.stamp_ns for states in truth], np.int64)
    found: list[list[tuple[float, float, float]]] = [[] for _ in ahead_s]
    for match in matches:
        prediction = predicted[match.frame].get(match.predicted_id)
        now = frames[match.frame].truth
        if prediction is None or now.moving is None or not now.moving[match.truth_row]:
            continue
        for own, seconds, then in zip(found, ahead_s, prediction.ahead, strict=True):
            stamp = int(stamps[match.frame]) + round(seconds * 1e9)
            later = int(np.abs(stamps - stamp).argmin())
            rows = np.flatnonzero(truth[later].ids == match.truth_id)
            if abs(int(stamps[later]) - stamp) > _NEAR_NS or not len(rows):
                continue
            there = np.asarray(truth[later].positions[rows[0]], np.float64)
            error = then.position - there
            expected = float(error @ np.linalg.solve(then.pose_covariance[:3, :3], error))
            stayed = float(np.linalg.norm(prediction.track.position - there))
            own.append((float(np.linalg.norm(error)), expected, stayed))
    return [_scores(own) for own in found]


def _scores(own: Sequence[tuple[float, float, float]]) -> PredictionScores:
    errors = [error for error, _, _ in own]
    expected = np.array([value for _, value, _ in own])
    inside = (expected >= BAND[0]) & (expected <= BAND[1])
    return PredictionScores(
        position_median_m=percentile_or_none(errors, 50),
        position_p90_m=percentile_or_none(errors, 90),
        still_median_m=percentile_or_none([stayed for _, _, stayed in own], 50),
        nees=float(inside.mean()) if own else None,
        overconfident=float((expected > BAND[1]).mean()) if own else None,
        predictions=len(own),
    )
