# SPDX-License-Identifier: Apache-2.0
"""How far the map's surfaces are from the true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.metrics.common import SOLID_ALPHA


def depth_l1_m(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], alpha: NDArray[np.floating]
) -> float | None:
    """Mean absolute depth error, metres, where the map claims a surface and there is one.

    None if there is no such pixel. Read it with `depth_coverage`: a map can keep its error low by
    claiming little.

    Args:
        predicted: [H, W] metres along the optical axis, 0 = nothing.
        truth: [H, W] metres, 0 = nothing hit.
        alpha: [H, W] opacity of the map, 0..1; a claim above 0.5.

    Raises:
        ValueError: shapes differ or a value is not finite.
    """
    claimed, exists = _claims(predicted, truth, alpha)
    both = claimed & exists
    if not both.any():
        return None
    return float(np.abs(predicted[both].astype(np.float64) - truth[both]).mean())


def depth_coverage(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], alpha: NDArray[np.floating]
) -> float | None:
    """Share (0..1) of the pixels with a true depth at which the map claims one; None if none has.

    Arguments and errors as in `depth_l1_m`.
    """
    claimed, exists = _claims(predicted, truth, alpha)
    return float(claimed[exists].mean()) if exists.any() else None


def _claims(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], alpha: NDArray[np.floating]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    for name, values in (("predicted", predicted), ("truth", truth), ("alpha", alpha)):
        if values.ndim != 2 or values.shape != truth.shape:
            raise BadInputError(f"{name} has shape {values.shape}, expected [H, W] = {truth.shape}")
        if not np.isfinite(values).all():
            count = np.count_nonzero(~np.isfinite(values))
            raise BadInputError(f"{name} has {count} values that are not finite, expected none")
    return (predicted > 0) & (alpha > SOLID_ALPHA), truth > 0


@dataclass(frozen=True)
class CloudScores:
    """Distances between two clouds (as in Knapitsch et al., Tanks and Temples, 2017).

    Attributes:
        accuracy_m: mean distance from a predicted point to the nearest true one; None unless both
            clouds have points.
        completeness_m: mean distance from a true point to the nearest predicted one; likewise.
        accuracy_ratio: share of predicted points nearer than the threshold to a true one, 0..1;
            None without predicted points.
        completeness_ratio: share of true points nearer than the threshold to a predicted one;
            None without true points.
        f1: harmonic mean of the ratios; None without true points.
        threshold_m: the threshold.
    """

    accuracy_m: float | None
    completeness_m: float | None
    accuracy_ratio: float | None
    completeness_ratio: float | None
    f1: float | None
    threshold_m: float


def cloud_scores(
    predicted: NDArray[np.floating], truth: NDArray[np.floating], threshold_m: float = 0.05
) -> CloudScores:
    """Compare a predicted cloud [N, 3] with a true one [M, 3], both in metres in one frame.

    Both should be spread alike (for instance on one voxel grid), for each point counts the same.

    Raises:
        ValueError: a shape is wrong, a value is not finite, or the threshold is not above 0.
    """
    if not (np.isfinite(threshold_m) and threshold_m > 0):
        raise BadInputError(f"threshold_m is {threshold_m}, expected a number above 0")
    for name, points in (("predicted", predicted), ("truth", truth)):
        if points.ndim != 2 or points.shape[1] != 3:
            raise BadInputError(f"{name} has shape {points.shape}, expected [N, 3]")
        if not np.isfinite(points).all():
            raise BadInputError(f"{name} has values that are not finite, expected none")
    outwards, back = _nearest_m(predicted, truth), _nearest_m(truth, predicted)
    accuracy, completeness = _share(outwards, threshold_m), _share(back, threshold_m)
    both = len(predicted) > 0 and len(truth) > 0
    return CloudScores(
        accuracy_m=float(outwards.mean()) if both else None,
        completeness_m=float(back.mean()) if both else None,
        accuracy_ratio=accuracy,
        completeness_ratio=completeness,
        f1=None if completeness is None else _f1(accuracy or 0.0, completeness),
        threshold_m=threshold_m,
    )


def _nearest_m(points: NDArray[np.floating], to: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distance [N] of each point to the nearest of the others; infinite if there is none."""
    if not len(points) or not len(to):
        return np.full(len(points), np.inf)
    distances, _ = cKDTree(to).query(points)
    return np.asarray(distances, np.float64)


def _share(distances: NDArray[np.float64], threshold_m: float) -> float | None:
    return float((distances < threshold_m).mean()) if len(distances) else None


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
