# SPDX-License-Identifier: Apache-2.0
"""Which prediction is which true object, frame by frame, by the distance of their centres."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from f4x_ros.eval.metrics.track_states import ObjectStates

_KEPT_MATCH_WORTH = 1000.0  # more than any similarity, so matches of the last frame go on (CLEAR)


@dataclass(frozen=True, eq=False)
class ScoredFrame:
    """What is left of a frame to be scored, and how alike its objects are.

    Attributes:
        truth: T true objects, the ignored ones taken out.
        predicted: P confirmed predictions, those of ignored objects taken out.
        similarity: [T, P] 1 - distance / max_distance_m, not below 0, and 0 across classes.
    """

    truth: ObjectStates
    predicted: ObjectStates
    similarity: NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """One true object and its prediction in one frame: their rows there, and their ids."""

    frame: int
    truth_row: int
    predicted_row: int
    truth_id: int
    predicted_id: int


def scored_frame(
    truth: ObjectStates,
    predicted: ObjectStates,
    max_distance_m: float,
    ignored_ids: Collection[int],
) -> ScoredFrame:
    """Take out what is neither good nor bad, as MOTChallenge's preprocessing does.

    Tentative predictions go first. Then all true objects, ignored ones included, are matched with
    the predictions; the predictions that fall to ignored objects go, and so do those objects.
    """
    if predicted.confirmed is not None:
        predicted = predicted.kept(predicted.confirmed)
    similarity = _similarity(truth, predicted, max_distance_m)
    ignored = np.isin(truth.ids, np.asarray(sorted(ignored_ids), np.int64))
    if ignored.any():
        rows, columns = _assigned(similarity)
        keep = np.ones(len(predicted), bool)
        keep[columns[ignored[rows]]] = False
        truth, predicted = truth.kept(~ignored), predicted.kept(keep)
        similarity = similarity[~ignored][:, keep]
    return ScoredFrame(truth, predicted, similarity)


def _similarity(
    truth: ObjectStates, predicted: ObjectStates, max_distance_m: float
) -> NDArray[np.float64]:
    distances = cdist(truth.positions, predicted.positions)
    similarity = np.maximum(0.0, 1.0 - distances / max_distance_m)
    if truth.classes is not None and predicted.classes is not None:
        similarity[truth.classes[:, None] != predicted.classes[None, :]] = 0.0
    return np.asarray(similarity, np.float64)


def _assigned(worth: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the best assignment whose worth is above 0."""
    rows, columns = linear_sum_assignment(-worth)
    real = worth[rows, columns] > 0
    return rows[real], columns[real]


def follow_matches(frames: Sequence[ScoredFrame]) -> list[Match]:
    """Match frame by frame as CLEAR MOT does (Bernardin and Stiefelhagen 2008).

    A pair that was matched in the frame before and is still similar stays; the rest is assigned
    for the highest sum of similarities.
    """
    matches: list[Match] = []
    last: dict[int, int] = {}
    for index, frame in enumerate(frames):
        if not len(frame.truth) or not len(frame.predicted):
            continue
        kept = np.array([last.get(int(i), -1) for i in frame.truth.ids])
        known = np.array([int(i) in last for i in frame.truth.ids])
        stays = known[:, None] & (kept[:, None] == frame.predicted.ids[None, :])
        worth = np.where(frame.similarity > 0, frame.similarity + _KEPT_MATCH_WORTH * stays, 0.0)
        found = [
            Match(index, int(t), int(p), int(frame.truth.ids[t]), int(frame.predicted.ids[p]))
            for t, p in zip(*_assigned(worth), strict=True)
        ]
        last = {match.truth_id: match.predicted_id for match in found}
        matches += found
    return matches


def trackeval_data(frames: Sequence[ScoredFrame]) -> dict[str, Any]:
    """The frames as TrackEval's metrics take them, ids renumbered from 0."""
    truth_ids, truth_numbers = _renumbered([frame.truth.ids for frame in frames])
    predicted_ids, predicted_numbers = _renumbered([frame.predicted.ids for frame in frames])
    return {
        "num_timesteps": len(frames),
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(predicted_ids),
        "num_gt_dets": sum(len(frame.truth) for frame in frames),
        "num_tracker_dets": sum(len(frame.predicted) for frame in frames),
        "gt_ids": truth_numbers,
        "tracker_ids": predicted_numbers,
        "similarity_scores": [frame.similarity for frame in frames],
    }


def _renumbered(
    ids: Sequence[NDArray[np.integer]],
) -> tuple[NDArray[np.integer], list[NDArray[np.intp]]]:
    distinct = np.unique(np.concatenate(ids)) if ids else np.zeros(0, np.int64)
    return distinct, [np.searchsorted(distinct, part) for part in ids]
