# SPDX-License-Identifier: Apache-2.0
"""Is it there? The evidence of one object, and what a calibration makes of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from f4x_ros.core.distil import Distiller
from f4x_ros.core.features.base import PresenceCalibration
from f4x_ros.core.frame import Presence
from f4x_ros.core.query.cosines import cosines
from f4x_ros.core.query.prompts import Wanted
from f4x_ros.core.query.vectors import pooled
from f4x_ros.core.snapshot import Snapshot

_LEAST = 1e-4  # probabilities are kept so far from 0 and 1 where their logarithm is taken
_PEAK = 0.9  # quantile of its members' relevancies that stands for the best of an object


class Evidence(NamedTuple):
    """What speaks for an object being what was asked for.

    Attributes:
        pooled: log odds of the relevancy of the object's mean feature.
        peak: log odds of the relevancy that its best tenth reaches.
        size: logarithm of its number of Gaussians.
        coherence: length of its mean feature; of unit features 0..1, less where parts differ.
    """

    pooled: float
    peak: float
    size: float
    coherence: float


def gather(
    snapshot: Snapshot,
    distiller: Distiller,
    wanted: Wanted,
    index: int,
    scores: Tensor,  # [N] relevancy to that thing
    objects: list[NDArray[np.int64]],  # rows of the snapshot
) -> list[Evidence]:
    """The evidence for each object to be thing `index` of those that are wanted."""
    if not objects:
        return []
    chosen = [torch.from_numpy(rows).to(scores.device) for rows in objects]
    latents = torch.stack([pooled(snapshot, rows) for rows in chosen])
    means = wanted.relevancy(distiller, latents)[:, index]
    _, lengths = cosines(distiller, latents, latents.new_zeros(0, distiller.words.dim))
    return [
        Evidence(
            pooled=log_odds(float(means[k])),
            peak=log_odds(float(scores[rows].quantile(_PEAK))),
            size=math.log(len(rows)),
            coherence=float(lengths[k]),
        )
        for k, rows in enumerate(chosen)
    ]


def log_odds(probability: float) -> float:
    """The logit, of probabilities not too near to 0 and 1."""
    p = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(p / (1 - p))


def probability_of(evidence: Evidence, calibration: PresenceCalibration) -> float:
    """Calibrated probability that it is what was asked for; ValueError on unknown evidence."""
    unknown = set(calibration.weights) - set(Evidence._fields)
    if unknown:
        raise ValueError(
            f"presence calibration weighs {', '.join(sorted(unknown))}, "
            f"expected some of {', '.join(Evidence._fields)}"
        )
    total = calibration.bias
    for name, weight in calibration.weights.items():
        total += weight * float(getattr(evidence, name))
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


def decide(probability: float, calibration: PresenceCalibration) -> Presence:
    """Present, not present, or unsure where the probability is between the two limits."""
    if probability >= calibration.yes:
        return Presence.PRESENT
    return Presence.NOT_PRESENT if probability < calibration.no else Presence.UNSURE
