# SPDX-License-Identifier: Apache-2.0
"""How likely a Gaussian belongs to what was clicked, by its looks and its place alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from f4x_ros.core.snapshot import Snapshot

# A logistic regression over clicks on things of random worlds; see doc/clicks.md.
_BIAS = 6.0
_FEATURE = -8.4  # of 1 - cosine
_COLOR = -1.5  # of the difference of colour, RGB 0..1
_DISTANCE = -2.7  # per metre


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


def log_odds(looks: Looks, places: Looks) -> Tensor:
    """Of each Gaussian being of the same object as each place, [N, K]."""
    return (
        _BIAS
        + _FEATURE * (1 - looks.features @ places.features.T)
        + _COLOR * torch.cdist(looks.colors, places.colors)
        + _DISTANCE * torch.cdist(looks.means, places.means)
    )


def alike(looks: Looks, inside: Looks, outside: Looks | None = None) -> NDArray[np.float64]:
    """Probability [N] of the object that has the places `inside`, and not those `outside`."""
    odds = log_odds(looks, inside).max(1).values
    if outside is not None and len(outside.means):
        odds = odds - log_odds(looks, outside).max(1).values.clamp(min=0)
    return np.asarray(torch.sigmoid(odds).double().cpu().numpy())
