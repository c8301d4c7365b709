# SPDX-License-Identifier: Apache-2.0
"""Clicks and boxes answered by the field alone, at a cost that grows with the object."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.ask.segment_clicks import Clicks
from f4x_ros.core.ask.segment_field import LEVEL, FieldSegmenter, Seeds, find_seeds

_REACHED_M = 0.6  # around clicks; what is farther is asked only if an object reaches ...
_RIM = 0.8  # ... beyond this share of it


def members_by_field(
    scene: QueryScene, features: Tensor, clicks: Clicks, backend: str
) -> tuple[Tensor, float]:
    """Probability [N] that each Gaussian is part of the object, and how sure that is, 0..1.

    Sure is how often walkers from within the object end on it; that is not calibrated.

    The first click, or the box, selects what it means; each further click that the mask contradicts
    corrects it, about as far around as it lies from the outline.

    Args:
        scene: the field at the time and the view of the clicks.
        features: [N, C] of the Gaussians, decoded.
        clicks: at least one inside, or a box.
        backend: rasteriser, resolved.
    """
    seeds = find_seeds(scene, clicks, backend)
    if clicks.box is None and not seeds.inside.any():
        return torch.zeros_like(scene.snapshot.opacities), 0.0
    if clicks.box is not None:
        found, score = _members(FieldSegmenter(scene, features, backend), seeds, clicks.box)
    else:
        found, score = _members_around(scene, features, seeds, backend)
    return torch.from_numpy(found.astype(np.float32)).to(scene.snapshot.means.device), score


def _members_around(
    scene: QueryScene, features: Tensor, seeds: Seeds, backend: str
) -> tuple[NDArray[np.float64], float]:
    """`_members` of clicks, from what is around them; from all if the object reaches farther."""
    places = scene.snapshot.means.double().cpu().numpy()
    centers = np.einsum("kn,nd->kd", seeds.shares[seeds.inside], places)
    apart_m = cKDTree(centers).query(places)[0]
    met = seeds.shares[seeds.inside].max(0) > 0  # also what lies behind a click, at an edge
    near = (apart_m <= _REACHED_M) | met
    found, score = _members(FieldSegmenter(scene, features, backend, near), seeds, None)
    chosen = (found >= LEVEL) & ~met
    if not chosen.any() or apart_m[chosen].max() <= _RIM * _REACHED_M:
        return found, score
    return _members(FieldSegmenter(scene, features, backend), seeds, None)


def _members(
    segmenter: FieldSegmenter, seeds: Seeds, box: tuple[float, float, float, float] | None
) -> tuple[NDArray[np.float64], float]:
    """Probability [N] of each Gaussian, and how sure that is."""
    seeds = segmenter.of(seeds)
    if box is None:
        first = int(seeds.inside.argmax())
        found, walk = segmenter.by_click(seeds, first)
        rest = [click for click in range(len(seeds.inside)) if click != first]
    else:
        found, walk = segmenter.by_box(box)
        rest = list(range(len(seeds.inside)))
    for click in rest:
        found = segmenter.corrected(found, seeds, click)
    found = segmenter.connected(found, seeds)
    chosen = found >= LEVEL
    return segmenter.of_all(found), float(walk[chosen].mean()) if chosen.any() else 0.0
