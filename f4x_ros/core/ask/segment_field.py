# SPDX-License-Identifier: Apache-2.0
"""Clicks and boxes answered by the field alone: what looks alike and hangs together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor

from f4x_ros.core.ask.scene import QueryScene
from f4x_ros.core.ask.segment_clicks import Clicks, met_by_box, met_by_click
from f4x_ros.core.ask.segment_looks import Looks, alike, log_odds, looks_of
from f4x_ros.core.ask.segment_spread import links_of
from f4x_ros.core.objects import build_graph

LEVEL = 0.5  # of probabilities
_LEVELS = (0.95, 0.9, 0.85, 0.8, 0.75, 0.65, 0.5, 0.3)  # of walks, to choose from
_SHARPNESS = 6.0  # of probabilities: an outline lies where half of a pixel is the object
_EPS = 1e-9
_HELD = 1e4  # conductance that holds clicked Gaussians to what was said
_UNARY = 0.3  # conductance of what a Gaussian looks like; that of an edge of even odds is 1
_EMPTY_ALPHA = 0.3  # a click on less than this is on nothing
_REACHES = (4.0, 2.0, 1.0)  # times the distance of a correcting click from the outline ...
_SPILL = 6.0  # ... that may change so many times the disk within that distance
_SEEN_PX = 0.05  # a Gaussian that draws less of the view is not told by a box in it
_RING = 1.5  # times the size of a box: what is around it
_SAMPLES = 64  # Gaussians that stand for the inside of a box and its surroundings


class Seeds(NamedTuple):
    """Gaussians that clicks met; one row for each click that met any."""

    points: NDArray[np.float64]  # [K, 2] pixels
    shares: NDArray[np.float64]  # [K, N] of each Gaussian in the pixel, summing to 1
    inside: NDArray[np.bool_]  # [K]

    def only(self, rows: Sequence[int] | NDArray[np.int64]) -> Seeds:
        """Some of them."""
        chosen = list(rows)
        return Seeds(self.points[chosen], self.shares[chosen], self.inside[chosen])


class Found(NamedTuple):
    """What a first click or a box selects."""

    probability: NDArray[np.float64]  # [N] of being part of the object
    walk: NDArray[np.float64]  # [N] of a walker from there to end on it


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
    snapshot = scene.snapshot
    if clicks.box is None and not seeds.inside.any():
        return torch.zeros_like(snapshot.opacities), 0.0
    segmenter = FieldSegmenter(scene, features, backend)
    if clicks.box is None:
        first = int(seeds.inside.argmax())
        found, walk = segmenter.by_click(seeds, first)
        rest = [click for click in range(len(seeds.inside)) if click != first]
    else:
        found, walk = segmenter.by_box(clicks.box)
        rest = list(range(len(seeds.inside)))
    for click in rest:
        found = segmenter.corrected(found, seeds, click)
    found = segmenter.connected(found, seeds)
    chosen = found >= LEVEL
    score = float(walk[chosen].mean()) if chosen.any() else 0.0
    return torch.from_numpy(found.astype(np.float32)).to(snapshot.means.device), score


def find_seeds(scene: QueryScene, clicks: Clicks, backend: str) -> Seeds:
    """What each click met; clicks on nothing are left out."""
    met = [
        met_by_click(scene.snapshot, scene.camera, scene.T_map_camera, point, backend)
        for point in clicks.points
    ]
    shares = [one.double().cpu().numpy() for one in met]
    solid = np.array([one.sum() >= _EMPTY_ALPHA for one in shares], bool)
    rows = [one / one.sum() for one, there in zip(shares, solid, strict=True) if there]
    stacked = np.array(rows).reshape(-1, len(scene.snapshot))
    return Seeds(clicks.points[solid], stacked, clicks.inside[solid])


class FieldSegmenter:
    """The graph of a scene, to be asked several times.

    Args:
        scene: the field at a time, seen from a view.
        features: [N, C] of the Gaussians, decoded.
        backend: rasteriser, resolved.
    """

    def __init__(self, scene: QueryScene, features: Tensor, backend: str) -> None:
        self._scene, self._backend = scene, backend
        snapshot = scene.snapshot
        self._looks = looks_of(snapshot, features)
        self._places = snapshot.means.double().cpu().numpy()
        eye = torch.from_numpy(np.asarray(scene.T_map_camera[:3, 3], np.float32))
        self._links = links_of(build_graph(snapshot, features, eye), len(snapshot))

    def by_click(self, seeds: Seeds, click: int) -> Found:
        """What one click alone means.

        How often walkers must end at the click is another matter for a ball than for a table: the
        level is chosen whose outline they cross the least.
        """
        shares = seeds.shares[[click]]
        like = alike(self._looks, self._looks.at(shares))
        walk = self._links.walk(_held(shares) + _UNARY * like, _UNARY * (1 - like))
        contrasts = self._links.contrasts(walk, like, int(shares.argmax()), _LEVELS)
        level = _LEVELS[_last_largest(contrasts)]
        odds = logit(walk.clip(_EPS, 1 - _EPS)) - logit(level)
        found = np.asarray(expit(_SHARPNESS * odds))
        return Found(self.connected(found, seeds.only([click])), walk)

    def by_box(self, box: tuple[float, float, float, float]) -> Found:
        """What a box is around: unlike its surroundings.

        As Rother et al. (GrabCut, 2004) begin: all that a box leaves out is background, and what
        in the box is least like it is the object.
        """
        scene = self._scene
        view = (scene.snapshot, scene.camera, scene.T_map_camera)
        part, pixels = (x.double().cpu().numpy() for x in met_by_box(*view, box, self._backend))
        ring = met_by_box(*view, _around(box), self._backend)[0].double().cpu().numpy()
        seen = pixels >= _SEEN_PX
        within = np.flatnonzero(seen & (part >= LEVEL))
        if not len(within):
            return Found(np.zeros(len(part)), np.zeros(len(part)))
        around = self._some(np.flatnonzero(seen & (part < LEVEL) & (ring >= LEVEL)))
        if len(around.means):
            odds = log_odds(self._looks, around).max(1).values.cpu().numpy()[within]
            within = within[odds <= np.median(odds)]
        like = np.where(seen, alike(self._looks, self._some(within), around), LEVEL)
        outside = _HELD * (seen & (part < LEVEL))
        walk = self._links.walk(_UNARY * like, outside + _UNARY * (1 - like))
        return Found(_largest(walk, pixels * part, self._pieces(walk)), walk)

    def corrected(
        self, found: NDArray[np.float64], seeds: Seeds, click: int
    ) -> NDArray[np.float64]:
        """Probabilities [N] after one more click, unless what was found agrees with it.

        The middle of an error lies as far from the outline as the error is thick, so a click beside
        it is about little: where Gaussians are too large for that, nothing is changed.
        """
        inside = bool(seeds.inside[click])
        column, row = seeds.points[click].astype(int)
        mask, depth_m = self._drawn(found)
        apart_px = _distance_px(mask != inside, column, row)
        if apart_px == 0:
            return found
        change = self._walk(seeds.shares[[click]], seeds.shares[seeds.inside != inside])
        center = (seeds.shares[click][:, None] * self._places).sum(0)  # no BLAS: always the same
        apart_m = np.linalg.norm(self._places - center, axis=1)
        unit_m = apart_px * float(depth_m[row, column]) / self._scene.camera.fx
        for reach in _REACHES:
            near = np.where(apart_m <= reach * unit_m, change, 0)
            tried = np.maximum(found, near) if inside else np.minimum(found, 1 - near)
            changed_px = np.count_nonzero(self._drawn(tried)[0] != mask)
            if changed_px <= _SPILL * np.pi * apart_px**2:
                return tried
        return found

    def connected(self, found: NDArray[np.float64], seeds: Seeds) -> NDArray[np.float64]:
        """`found` with 0 in those of its pieces that no click inside met; needs such a click."""
        clicked = seeds.shares[seeds.inside].argmax(1)
        if not len(clicked):
            return found
        piece = self._pieces(found)
        kept = np.isin(piece, piece[clicked][piece[clicked] >= 0])
        return np.where((piece < 0) | kept, found, 0)

    def _walk(
        self, inside: NDArray[np.float64], outside: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Probability [N] of a walk to end at clicks inside [K, N], not at those outside [L, N]."""
        like = alike(self._looks, self._looks.at(inside), self._looks.at(outside))
        return self._links.walk(_held(inside) + _UNARY * like, _held(outside) + _UNARY * (1 - like))

    def _some(self, rows: NDArray[np.int64]) -> Looks:
        """Looks of an even choice of some Gaussians."""
        chosen = torch.from_numpy(rows[:: max(1, len(rows) // _SAMPLES)])
        return Looks(*(part[chosen.to(part.device)] for part in self._looks))

    def _pieces(self, found: NDArray[np.float64]) -> NDArray[np.int64]:
        """Connected piece [N] of what is selected, -1 elsewhere."""
        return self._links.pieces(found >= LEVEL)

    def _drawn(self, found: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Mask [H, W] of what is found, and the field's depth [H, W] in metres."""
        scene = self._scene
        probability = torch.from_numpy(found).to(scene.snapshot.means)[:, None]
        out = scene.snapshot.render(probability, scene.camera, scene.T_map_camera, self._backend)
        mask = out.image[..., 0] / out.alpha.clamp(min=0.5) >= LEVEL
        return mask.cpu().numpy(), out.expected_depth.cpu().numpy()


def _last_largest(values: NDArray[np.float64]) -> int:
    """Place of the largest value; of equal ones the last."""
    return len(values) - 1 - int(values[::-1].argmax())


def _distance_px(wrong: NDArray[np.bool_], column: int, row: int) -> float:
    """Distance of a pixel from the nearest one that is not wrong; 0 if it is none itself."""
    padded = np.pad(wrong, 1, constant_values=True).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(distance[row + 1, column + 1])


def _held(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conductance [N] that holds the Gaussians of clicks [K, N]."""
    if not len(shares):
        return np.zeros(shares.shape[1])
    return np.asarray(_HELD * (shares / shares.max(1, keepdims=True)).max(0))


def _around(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    dx, dy = (x1 - x0) * (_RING - 1) / 2, (y1 - y0) * (_RING - 1) / 2
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


def _largest(
    found: NDArray[np.float64], pixels: NDArray[np.float64], piece: NDArray[np.int64]
) -> NDArray[np.float64]:
    """`found` with 0 in all its pieces but the one that draws the most pixels."""
    if not (piece >= 0).any():
        return found
    size = np.bincount(piece[piece >= 0], pixels[piece >= 0])
    return np.where((piece < 0) | (piece == size.argmax()), found, 0)
