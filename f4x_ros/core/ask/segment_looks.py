# SPDX-License-Identifier: Apache-2.0
"""How likely a Gaussian belongs to what was clicked, by its looks and its place alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from f4x_ros.core.field import Snapshot

# A logistic regression over clicks on things of random worlds, by bench/fit_clicks.py.
_BIAS = 6.45
_WEIGHTS = {
    "feature": -13.2,  # 1 - cosine
    "color": -1.68,  # difference of RGB, 0..1
    "distance": -1.36,  # metres
}


class Looks(NamedTuple):
    """What tells Gaussians apart: N of a field, or K places in it."""

    features: Tensor  # [N, C] unit length
    colors: Tensor  # [N, 3] 0..1
    means: Tensor  # [N, 3] metres

    def at(self, shares: NDArray[np.float64]) -> Looks:
        """Of K places, each a mixture of Gaussians by shares [K, N] that sum to 1."""
        mix = torch.from_numpy(shares).to(self.means)
        return Looks(normalize(mix @ self.features, dim=1), mix @ self.colors, mix @ self.means)


def looks_of(snapshot: Snapshot, features: Tensor) -> Looks:
    """Of the Gaussians of a snapshot with their decoded features [N, C]."""
    return Looks(normalize(features.float(), dim=1), snapshot.colors, snapshot.means)


def look_cues(looks: Looks, places: Looks) -> dict[str, Tensor]:
    """How each Gaussian differs from each place, [N, K]."""
    return {
        "feature": 1 - looks.features @ places.features.T,
        "color": _apart(looks.colors, places.colors),
        "distance": _apart(looks.means, places.means),
    }


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """Distances [N, K]; exact, as by products near ones would lose their digits."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def log_odds(looks: Looks, places: Looks) -> Tensor:
    """Of each Gaussian being of the same object as each place, [N, K]."""
    cues = look_cues(looks, places)
    return torch.stack([weight * cues[name] for name, weight in _WEIGHTS.items()]).sum(0) + _BIAS


def alike(looks: Looks, inside: Looks, outside: Looks | None = None) -> NDArray[np.float64]:
    """Probability [N] of the object that has the places `inside`, and not those `outside`."""
    odds = log_odds(looks, inside).max(1).values
    if outside is not None and len(outside.means):
        odds = odds - log_odds(looks, outside).max(1).values.clamp(min=0)
    return np.asarray(torch.sigmoid(odds).double().cpu().numpy())
