# SPDX-License-Identifier: Apache-2.0
"""Clicks and boxes answered by the field alone: what looks alike and hangs together."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn.functional import normalize

from f4x_ros.core.query.scene import QueryScene
from f4x_ros.core.query.segment_clicks import Clicks, met_by_click
from f4x_ros.core.query.segment_graph import build_graph
from f4x_ros.core.query.segment_spread import conductances, spread

_HELD = 1e4  # conductance that holds clicked Gaussians to what was said
_EMPTY_ALPHA = 0.3  # a click on less than this is on nothing
_UNARY = 1.0  # conductance of what a Gaussian looks like, against that of edges (1 = even odds)
_LIKE_BIAS = 6.0
_LIKE_FEATURE = -8.4  # of 1 - cosine to the nearest click of the object ...
_LIKE_COLOR = -1.5  # of the difference of colour, 0..1
_LIKE_DISTANCE = -2.7  # per metre from it
_REACH = 4.0  # times the distance of a correcting click from the outline
_LEVEL = 0.85  # walkers from within an object end in it so often


class Seeds(NamedTuple):
    """Gaussians that clicks met; one row for each click that met any."""

    points: NDArray[np.float64]  # [K, 2] pixels
    shares: NDArray[np.float64]  # [K, N] of each Gaussian in the pixel, summing to 1
    inside: NDArray[np.bool_]  # [K]

    def only(self, rows: list[int]) -> Seeds:
        """Some of them."""
        return Seeds(self.points[rows], self.shares[rows], self.inside[rows])


def members_by_field(
    scene: QueryScene, features: Tensor, clicks: Clicks, backend: str
) -> tuple[Tensor, float]:
    """Probability [N] that each Gaussian is part of the object, and how sure that is, 0..1.

    The first click selects what it means; each further one that the mask contradicts corrects it,
    about as far around as it lies from the outline.

    Args:
        scene: the field at the time and the view of the clicks.
        features: [N, C] of the Gaussians, decoded.
        clicks: at least one inside, or a box.
        backend: rasteriser, resolved.
    """
    snapshot = scene.snapshot
    seeds = find_seeds(scene, clicks, backend)
    if not seeds.inside.any():
        return torch.zeros_like(snapshot.opacities), 0.0
    eye = torch.from_numpy(np.asarray(scene.T_map_camera[:3, 3], np.float32))
    conductance = conductances(build_graph(snapshot, features, eye), len(snapshot))
    first = int(seeds.inside.argmax())
    one = seeds.only([first])
    walk = _walk(conductance, one, likeness(scene, features, one))
    found = walk ** (np.log(0.5) / np.log(_LEVEL))
    for click in range(len(seeds.inside)):
        reach = _reach(scene, found, seeds.points[click], bool(seeds.inside[click]), backend)
        if click == first or reach == 0:
            continue
        rivals = np.flatnonzero(seeds.inside != seeds.inside[click])
        both = seeds.only([click, *rivals])
        both = both._replace(inside=both.inside == seeds.inside[click])
        change = _walk(conductance, both, likeness(scene, features, both))
        places = snapshot.means.double().cpu().numpy()
        far = np.linalg.norm(places - seeds.shares[click] @ places, axis=1) > reach
        change[far] = 0
        found = np.maximum(found, change) if seeds.inside[click] else np.minimum(found, 1 - change)
    found = _connected(found, conductance, seeds)
    chosen = found >= 0.5
    score = float(walk[chosen].mean()) if chosen.any() else 0.0
    return torch.from_numpy(found.astype(np.float32)).to(snapshot.means.device), score


def _reach(
    scene: QueryScene,
    found: NDArray[np.float64],
    point: NDArray[np.float64],
    inside: bool,
    backend: str,
) -> float:
    """Metres around a click within which it corrects the mask of what is found; 0 = it agrees."""
    snapshot, camera = scene.snapshot, scene.camera
    probability = torch.from_numpy(found).to(snapshot.means)[:, None]
    out = snapshot.render(probability, camera, scene.T_map_camera, backend)
    mask = (out.image[..., 0] / out.alpha.clamp(min=0.5) >= 0.5).cpu().numpy()
    agreeing = mask if inside else ~mask
    column, row = int(point[0]), int(point[1])
    if agreeing[row, column]:
        return 0.0
    apart = cv2.distanceTransform(
        np.pad((~agreeing).astype(np.uint8), 1, constant_values=1),
        cv2.DIST_L2,
        cv2.DIST_MASK_PRECISE,
    )[row + 1, column + 1]
    depth = float(out.expected_depth[row, column])
    return _REACH * float(apart) * depth / camera.fx


def _walk(conductance: csr_matrix, seeds: Seeds, alike: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability [N] that a walker ends on the object."""
    held = _HELD * seeds.shares / seeds.shares.max(1, keepdims=True)
    inside = held[seeds.inside].max(0) + _UNARY * alike
    outside = held[~seeds.inside].max(0, initial=0.0) + _UNARY * (1 - alike)
    return spread(conductance, inside, outside)


def find_seeds(scene: QueryScene, clicks: Clicks, backend: str) -> Seeds:
    """What each click met; clicks on nothing are left out."""
    met = [
        met_by_click(scene.snapshot, scene.camera, scene.T_map_camera, point, backend)
        for point in clicks.points
    ]
    shares = [one.double().cpu().numpy() for one in met]
    solid = np.array([one.sum() >= _EMPTY_ALPHA for one in shares], bool)
    rows = [one / one.sum() for one, there in zip(shares, solid, strict=True) if there]
    shares_found = np.array(rows).reshape(-1, len(scene.snapshot))
    return Seeds(clicks.points[solid], shares_found, clicks.inside[solid])


def likeness(scene: QueryScene, features: Tensor, seeds: Seeds) -> NDArray[np.float64]:
    """Probability [N] that a Gaussian is of the object, by its looks and place alone."""
    shares = torch.from_numpy(seeds.shares).to(features.device, torch.float32)
    unit = normalize(features.float(), dim=1)
    cosine = unit @ normalize(shares @ unit, dim=1).T  # [N, K]
    snapshot = scene.snapshot
    color = torch.cdist(snapshot.colors, shares @ snapshot.colors)
    distance = torch.cdist(snapshot.means, shares @ snapshot.means)
    odds = (
        _LIKE_BIAS + _LIKE_FEATURE * (1 - cosine) + _LIKE_COLOR * color + _LIKE_DISTANCE * distance
    )
    inside = torch.from_numpy(seeds.inside)
    best = odds[:, inside].max(1).values
    if not bool(inside.all()):
        best = best - odds[:, ~inside].max(1).values.clamp(min=0)
    return np.asarray(torch.sigmoid(best).double().cpu().numpy())


def _connected(
    walk: NDArray[np.float64], conductance: csr_matrix, seeds: Seeds
) -> NDArray[np.float64]:
    """`walk` with 0 in the pieces of what is selected that no click inside met."""
    chosen = np.flatnonzero(walk >= 0.5)
    _, piece = connected_components(conductance[chosen][:, chosen], directed=False)
    clicked = np.isin(chosen, seeds.shares[seeds.inside].argmax(1))
    lost = chosen[~np.isin(piece, piece[clicked])]
    out = walk.copy()
    out[lost] = 0
    return out
