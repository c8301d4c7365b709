# SPDX-License-Identifier: Apache-2.0
"""How well objects are followed in 3D: HOTA, CLEAR MOT and identity, by TrackEval."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.metrics.libraries import library
from f4x_ros.eval.metrics.track_errors import StateErrors, moving_errors, state_errors
from f4x_ros.eval.metrics.track_matching import (
    Match,
    ScoredFrame,
    follow_matches,
    scored_frame,
    trackeval_data,
)
from f4x_ros.eval.metrics.track_states import ObjectStates

__all__ = ["ObjectStates", "StateErrors", "TrackScores", "track_scores"]

_ANY_SIMILARITY = 1e-9  # TrackEval's threshold: whatever is nearer than max_distance_m may match


@dataclass(frozen=True)
class TrackScores(StateErrors):
    """Scores of a sequence of tracks.

    A prediction may match a true object if their centres are nearer than `max_distance_m`.

    Attributes:
        hota: 0..1, sqrt(deta assa) averaged over 19 thresholds of the similarity (Luiten et al.,
            IJCV 2020). None if there is neither a true object nor a prediction.
        deta: 0..1, how many objects were found and how few invented. None as `hota`.
        assa: 0..1, how well found objects keep their id. None without a true object or prediction.
        loca: 0..1, mean similarity of what was found. None as `assa`.
        mota: 1 - (missed + invented + id switches) / true, below 0 for the worst (Bernardin and
            Stiefelhagen 2008). None without a true object.
        idf1: 0..1, F1 of the best assignment of whole tracks to whole objects (Ristani et al.
            2016). None as `hota`.
        recall: 0..1, share of true objects found, frame by frame; None without any.
        precision: 0..1, share of predictions that are right; None without any.
        id_switches: how often a true object's match has another id than the one before.
        fragmentations: how often a true object was lost and found again, over the frames in which
            it is scored. (TrackEval's count misses gaps in which nothing at all is predicted.)
        time_to_confirmation_median_s: from an object's first scored frame to its first match with
            a confirmed prediction. One that is never found counts as infinitely late; None if that
            is the median, or without objects.
        never_found: true objects without any match.
        false_tracks: predicted ids without any match.
        objects: true ids that were scored.
        frames: frames scored.
        moving: errors of the matches whose true object moved then; None if truth does not say
            what moves.
    """

    hota: float | None
    deta: float | None
    assa: float | None
    loca: float | None
    mota: float | None
    idf1: float | None
    recall: float | None
    precision: float | None
    id_switches: int
    fragmentations: int
    time_to_confirmation_median_s: float | None
    never_found: int
    false_tracks: int
    objects: int
    frames: int
    moving: StateErrors | None


def track_scores(
    truth: Sequence[ObjectStates],
    predicted: Sequence[ObjectStates],
    max_distance_m: float = 0.5,
    ignore: Sequence[Collection[int]] | None = None,
) -> TrackScores:
    """Score the tracks of a sequence.

    Args:
        truth: the true objects of each frame.
        predicted: what the tracker said about each frame, at the same stamps.
        max_distance_m: similarity falls from 1 to 0 over this distance of the centres.
        ignore: for each frame the true ids that do not count there (hidden or out of view): not
            found is not bad, and found is not good: its prediction is left out.

    Raises:
        ValueError: lengths or stamps differ, stamps do not rise, or the distance is not above 0.
        UnsupportedError: TrackEval is not installed.
    """
    _check_sequences(truth, predicted, max_distance_m, ignore)
    ignored = ignore if ignore is not None else [()] * len(truth)
    frames = [
        scored_frame(true, said, max_distance_m, ids)
        for true, said, ids in zip(truth, predicted, ignored, strict=True)
    ]
    matches = follow_matches(frames)
    return TrackScores(
        **vars(state_errors(frames, matches)),
        **_sequence_scores(trackeval_data(frames)),
        **_discovery(frames, matches),
        frames=len(frames),
        moving=moving_errors(frames, matches),
    )


def _check_sequences(
    truth: Sequence[ObjectStates],
    predicted: Sequence[ObjectStates],
    max_distance_m: float,
    ignore: Sequence[Collection[int]] | None,
) -> None:
    if not (math.isfinite(max_distance_m) and max_distance_m > 0):
        raise BadInputError(f"max_distance_m is {max_distance_m}, expected a number above 0")
    for name, part in (("predicted", predicted), ("ignore", ignore)):
        if part is not None and len(part) != len(truth):
            raise BadInputError(
                f"{name} has {len(part)} frames, expected {len(truth)} as truth has"
            )
    for index, (true, said) in enumerate(zip(truth, predicted, strict=True)):
        if true.stamp_ns != said.stamp_ns:
            raise BadInputError(
                f"predicted[{index}] has stamp {said.stamp_ns}, expected {true.stamp_ns}"
            )
        if index and true.stamp_ns <= truth[index - 1].stamp_ns:
            raise BadInputError(
                f"truth[{index}] has stamp {true.stamp_ns}, expected more than "
                f"{truth[index - 1].stamp_ns}"
            )


def _sequence_scores(data: dict[str, Any]) -> dict[str, Any]:
    """What TrackEval computes, with None for what has nothing to be computed from."""
    metrics = library("trackeval.metrics")
    config = {"THRESHOLD": _ANY_SIMILARITY, "PRINT_CONFIG": False}
    hota = metrics.HOTA().eval_sequence(data)
    clear = metrics.CLEAR(dict(config)).eval_sequence(data)
    identity = metrics.Identity(dict(config)).eval_sequence(data)
    true, said = data["num_gt_dets"] > 0, data["num_tracker_dets"] > 0
    return {
        "hota": float(np.mean(hota["HOTA"])) if true or said else None,
        "deta": float(np.mean(hota["DetA"])) if true or said else None,
        "assa": float(np.mean(hota["AssA"])) if true and said else None,
        "loca": float(np.mean(hota["LocA"])) if true and said else None,
        "mota": float(clear["MOTA"]) if true else None,
        "idf1": float(identity["IDF1"]) if true or said else None,
        "recall": float(clear["CLR_Re"]) if true else None,
        "precision": float(clear["CLR_Pr"]) if said else None,
        "id_switches": int(clear["IDSW"]),
    }


def _discovery(frames: Sequence[ScoredFrame], matches: Sequence[Match]) -> dict[str, Any]:
    """When the objects were found, and what was found that is none."""
    scored_in: dict[int, list[int]] = {}
    for index, frame in enumerate(frames):
        for truth_id in frame.truth.ids.tolist():
            scored_in.setdefault(truth_id, []).append(index)
    found = {(match.truth_id, match.frame) for match in matches}
    histories = [
        (indices, [(truth_id, index) in found for index in indices])
        for truth_id, indices in scored_in.items()
    ]
    delays_s = [_delay_s(frames, indices, hits) for indices, hits in histories]
    median_s = float(np.median(delays_s)) if delays_s else math.inf
    predicted_ids = {i for frame in frames for i in frame.predicted.ids.tolist()}
    return {
        "fragmentations": sum(_gaps(hits) for _, hits in histories),
        "time_to_confirmation_median_s": median_s if math.isfinite(median_s) else None,
        "never_found": sum(not any(hits) for _, hits in histories),
        "false_tracks": len(predicted_ids - {match.predicted_id for match in matches}),
        "objects": len(histories),
    }


def _delay_s(frames: Sequence[ScoredFrame], indices: list[int], hits: list[bool]) -> float:
    """From the first frame to the first hit; infinite without one."""
    if not any(hits):
        return math.inf
    first_hit = indices[hits.index(True)]
    return (frames[first_hit].truth.stamp_ns - frames[indices[0]].truth.stamp_ns) * 1e-9


def _gaps(hits: list[bool]) -> int:
    """How many runs of misses lie between hits."""
    starts = sum(hit and not before for before, hit in zip([False, *hits], hits, strict=False))
    return max(0, starts - 1)
