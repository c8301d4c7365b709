# SPDX-License-Identifier: Apache-2.0
"""One object of the field as an even cloud of surface points, ready to be compared with another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import MIN_OPACITY, Snapshot
from f4x_ros.core.render.projection import rotation_matrices

_POINTS = 320  # of a cloud; more do not change the answers
_SAMPLES = 12  # of each Gaussian's disc, before thinning
_MIN_GAUSSIANS = 8
_BOX = (0.01, 0.99)  # quantiles of the positions that make the box
_LINK = 4.0  # Gaussians are joined within so many times their usual distance to the fifth
_SHARE = 0.04  # pieces with a smaller share of the Gaussians are strays
_LARGEST = 0.2  # a Gaussian wider than this share of the object belongs to what is behind it
_BODY_LAB = 22.0  # distance in Lab within which a colour is that of the body


@dataclass(frozen=True, eq=False)
class ObjectCloud:
    """P points of an object's surface.

    Attributes:
        points: [P, 3] metres, map frame.
        normals: [P, 3] unit; which of the two sides they point to means nothing.
        lab: [P, 3] CIE Lab.
        body: [P] 1 where the colour is the object's main one, 0 where it is far from it.
        features: [P, C] unit length after their mean was taken away; C may be 0.
        low: [3] lower corner of the box.
        high: [3] upper corner.
    """

    points: Tensor
    normals: Tensor
    lab: Tensor
    body: Tensor
    features: Tensor
    low: Tensor
    high: Tensor

    @property
    def size_m(self) -> float:
        """Largest side of the box."""
        return float((self.high - self.low).max())

    def coarser(self, step: int) -> ObjectCloud:
        """Every `step`-th point, in the same box."""
        return ObjectCloud(
            self.points[::step],
            self.normals[::step],
            self.lab[::step],
            self.body[::step],
            self.features[::step],
            self.low,
            self.high,
        )


def object_cloud(snapshot: Snapshot, features: Tensor | None, members: Tensor) -> ObjectCloud:
    """The surface of the Gaussians `members` [M] (rows) of a snapshot.

    Each Gaussian is a disc across its shortest axis; points spread over the discs are thinned to
    an even cloud, so that places with many small Gaussians do not outweigh the others.

    Args:
        snapshot: N Gaussians.
        features: [N, C] of every Gaussian, or None.
        members: rows of the object.

    Raises:
        ValueError: fewer than 8 solid Gaussians.
    """
    rows = members[snapshot.opacities[members] >= MIN_OPACITY].cpu()
    if len(rows) < _MIN_GAUSSIANS:
        raise BadInputError(
            f"the object has {len(rows)} solid Gaussians, expected at least {_MIN_GAUSSIANS}"
        )
    rows = rows[_joined(snapshot.means[rows].cpu(), snapshot.scales[rows].cpu())]
    scales, order = snapshot.scales[rows].cpu().sort(-1, descending=True)
    axes = rotation_matrices(snapshot.quats[rows].cpu())
    axes = axes.gather(2, order[:, None, :].expand(-1, 3, -1))  # columns: long, middle, short
    disc = _disc(_SAMPLES)
    spread = torch.einsum("si,nri,ni->nsr", disc, axes[:, :, :2], scales[:, :2])
    points = (snapshot.means[rows].cpu()[:, None] + spread).reshape(-1, 3)
    chosen = _thinned(points, _POINTS)
    points, owner = points[chosen], chosen // _SAMPLES
    lab = _lab(snapshot.colors[rows].cpu().clamp(0, 1))[owner]
    low, high = torch.quantile(points, torch.tensor(_BOX), 0)
    own = points.new_zeros(len(points), 0)
    if features is not None and features.shape[1]:
        own = features[rows].cpu().float()[owner]
        own = own - own.mean(0)
        own = own / own.norm(dim=1, keepdim=True).clamp(min=1e-6)
    return ObjectCloud(points, axes[owner, :, 2], lab, _body(lab), own, low, high)


def _joined(points: Tensor, scales: Tensor) -> Tensor:
    """Rows [R] without strays: of pieces with a fair share of the Gaussians, and none too large."""
    gaps, _ = cKDTree(points).query(points, k=min(6, len(points)))
    link_m = _LINK * float(np.median(gaps[:, -1]))
    pairs = cKDTree(points).query_pairs(link_m, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs), bool), pairs.T), shape=(len(points),) * 2)
    _, piece = connected_components(graph, directed=False)
    kept = torch.from_numpy((np.bincount(piece) >= _SHARE * len(points))[piece])
    extent = torch.quantile(points[kept], torch.tensor(_BOX), 0).diff(dim=0).max()
    return torch.nonzero(kept & (scales.amax(1) <= _LARGEST * extent))[:, 0]


def _disc(count: int) -> Tensor:
    """[count, 2] points over a disc of radius 1.5, the first in the middle (sunflower)."""
    k = torch.arange(count, dtype=torch.float32)
    radius, angle = 1.5 * (k / count).sqrt(), k * 2.399963
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)


def _thinned(points: Tensor, count: int) -> Tensor:
    """Rows of about `count` points, one to a cell of the grid that leaves that many."""
    extent = float((points.amax(0) - points.amin(0)).max())
    fine, coarse = extent / 256, extent / 2
    chosen = torch.arange(len(points))
    for _ in range(12):  # bisection of the size of the cells
        cell = (fine * coarse) ** 0.5
        chosen = _one_per_cell(points, cell)
        fine, coarse = (cell, coarse) if len(chosen) > count else (fine, cell)
    return chosen


def _one_per_cell(points: Tensor, cell_m: float) -> Tensor:
    """In each occupied cell the row that lies nearest to the middle of the cell's points."""
    cells = torch.floor((points - points.amin(0)) / max(cell_m, 1e-9)).long()
    _, cell = torch.unique(cells, dim=0, return_inverse=True)
    number = int(cell.max()) + 1
    count = torch.zeros(number).index_add_(0, cell, torch.ones(len(points)))
    middle = torch.zeros(number, 3).index_add_(0, cell, points) / count[:, None]
    off = (points - middle[cell]).norm(dim=1)
    order = torch.argsort(off, descending=True, stable=True)
    chosen = torch.zeros(number, dtype=torch.long)
    chosen[cell[order]] = order  # the last one written is the nearest
    return chosen


def _lab(rgb: Tensor) -> Tensor:
    image: NDArray[np.float32] = rgb.numpy().astype(np.float32)[None]
    return torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[0].astype(np.float32))


def _body(lab: Tensor) -> Tensor:
    """How much each colour [P, 3] is the most common one; shading counts a third."""
    flat = lab * lab.new_tensor([0.35, 1.0, 1.0])
    near = torch.exp(-((torch.cdist(flat, flat) / _BODY_LAB) ** 2))
    return near[int(near.sum(1).argmax())]
