# SPDX-License-Identifier: Apache-2.0
"""Points that are picked in a frame and followed: where the map says they went, and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.world import surface_points
from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.subjects.subject import Subject
from f4x_ros.sim import World, WorldTruth

AHEAD = 100
"""Frames that points are followed for; in shorter worlds, to the last frame."""

_NEAR_M = 0.05
_STARTS = 5  # frames that points are picked in, at most
_EACH = 40  # points of a frame that are picked anywhere, and as many on movers


@dataclass(frozen=True)
class PointScores:
    """Of points after `AHEAD` frames, in sight or not; None where there is none.

    Attributes:
        within_5cm: share of the points picked anywhere in the picture that are so near to where
            they truly are.
        median_m: their distance.
        movers_within_5cm, movers_median_m: the same of points picked on what ever moves.
        points: how many were followed.
    """

    within_5cm: float | None
    median_m: float | None
    movers_within_5cm: float | None
    movers_median_m: float | None
    points: int


def point_scores(world: World, subject: Subject, seed: int = 0) -> PointScores | None:
    """Pick points in some frames, follow them; None if the subject cannot."""
    rng = np.random.default_rng(seed)
    ahead = min(AHEAD, len(world) - 1)
    movers = [number for number, label in world.labels.items() if label.moving]
    anywhere: list[float] = []
    moving: list[float] = []
    for start in np.unique(np.linspace(0, len(world) - 1 - ahead, _STARTS).astype(int)).tolist():
        truth = world.truth(start)
        for mask, errors in (
            (truth.depth > 0, anywhere),
            (np.isin(truth.instances, movers) & (truth.depth > 0), moving),
        ):
            found = _errors_m(world, subject, truth, _some(mask, rng), (start, start + ahead))
            if found is None:
                return None
            errors += found
    return PointScores(
        within_5cm=_share(anywhere),
        median_m=percentile_or_none(anywhere, 50),
        movers_within_5cm=_share(moving),
        movers_median_m=percentile_or_none(moving, 50),
        points=len(anywhere) + len(moving),
    )


def _some(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Columns and rows [N, 2] of some pixels of a mask [H, W]."""
    at = np.argwhere(mask)[:, ::-1]
    return np.asarray(at[rng.permutation(len(at))[:_EACH]], np.int64)


def _errors_m(
    world: World,
    subject: Subject,
    truth: WorldTruth,
    pixels: NDArray[np.int64],
    frames: tuple[int, int],
) -> list[float] | None:
    """How far off what some pixels [N, 2] of a frame show is at another; None: not said."""
    if not len(pixels):
        return []
    points = surface_points(pixels + 0.5, truth.depth, world.camera, truth.T_map_camera)
    true = world.carried(points, truth.instances[pixels[:, 1], pixels[:, 0]], *frames)
    there = np.isfinite(true).all(1)
    if not there.any():
        return []
    stamp_ns, then_ns = (int(world.stamps_ns[one]) for one in frames)
    said = subject.follow(points[there], stamp_ns, [then_ns])
    if said is None:
        return None
    errors: list[float] = np.linalg.norm(said[0] - true[there], axis=1).tolist()
    return errors


def _share(errors: list[float]) -> float | None:
    return float(np.mean(np.array(errors) < _NEAR_M)) if errors else None
