# SPDX-License-Identifier: Apache-2.0
"""What is behind something that is taken away.

What other views saw, or other times, is in the map already: a surface that was only hidden is taken
to have been there always (births in the field). What nobody ever saw is guessed: planes of the
surroundings are continued into it, in the colours of their rim, where the thing hid them and no
view looks through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree
from scipy.spatial.transform import Rotation
from torch import Tensor

from f4x_ros.core.edit.change import joined, made_beside
from f4x_ros.core.edit.views import Look, around_thing, hidden_by_thing
from f4x_ros.core.field import MIN_OPACITY, Snapshot, some_of
from f4x_ros.core.render.projection import rotation_matrices

_RIM_M = 0.10  # at least so far around the thing ...
_RIM_SHARE = 0.5  # ... or this share of its size, surfaces are looked for
_PLANES = 4
_TRIES = 400  # planes tried for each that is found
_FLAT = 0.5  # thickness of a Gaussian that has a normal, share of its width
_FLAT_M = 0.008  # off a plane within which a Gaussian is of it
_MOST = 0.7  # share of all in a plane from which on it is one whatever their normals are
_ALONG = 0.85  # cosine of its normal to that of the plane, from which on
_LEAST = 24  # Gaussians of a plane
_LEAST_SHARE = 0.12  # of the rim
_ONE_SIDE = 0.9  # share of the thing that is on one side of a surface it hides
_CELL_M = (0.006, 0.04)  # between Gaussians that are made
_MOST_CELLS = 40_000  # of one plane
_CLEAN_M = 0.02  # so far from the thing the rim is not stained by it
_COLOR_FROM = 12  # Gaussians of the rim that give a guessed one its colour
_SAME_COLOR, _USUAL = 0.08, 2.5  # off the usual colour (0..1 each); times the usual distance off it
_THIN_M = 0.0015
_OPACITY = 0.97
_SEED = 17

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plane:
    """A surface of the surroundings."""

    normal: Points  # [3] unit
    offset: float  # normal . p
    rows: NDArray[np.int64]  # of the kept Gaussians

    def off(self, points: Points) -> Points:
        """Signed distances [K] in m."""
        return points @ self.normal - self.offset


def guessed(kept: Snapshot, removed: Snapshot, looks: Sequence[Look]) -> Snapshot:
    """Gaussians for what was behind what was removed, and nobody saw.

    Args:
        kept: what is left at the time.
        removed: what was taken away.
        looks: of the map before, along the camera's way.
    """
    none = some_of(kept, torch.zeros(0, dtype=torch.long, device=kept.means.device))
    planes = _planes(kept, removed, looks)
    return joined([none, *(_continued(kept, removed, plane, looks) for plane in planes)])


def _host(values: Tensor) -> Points:
    return values.detach().double().cpu().numpy()


# --- surfaces ------------------------------------------------------------------------------------


def _planes(kept: Snapshot, removed: Snapshot, looks: Sequence[Look]) -> list[Plane]:
    """Flat surfaces around the thing that it lies on one side of, the largest first.

    Sequential RANSAC (Fischler and Bolles, 1981) over places and normals.
    """
    places = _host(removed.means)
    low, high = np.percentile(places, (2, 98), axis=0)
    reach = max(_RIM_M, _RIM_SHARE * float((high - low).max()))
    means = _host(kept.means)
    solid = (kept.opacities >= MIN_OPACITY).cpu().numpy()
    near = np.zeros(len(means), bool)
    boxed = np.flatnonzero(((means >= low - reach) & (means <= high + reach)).all(1))
    near[boxed] = cKDTree(places).query(means[boxed])[0] <= reach
    rows = np.flatnonzero(solid & (near | around_thing(means, looks)))
    if len(rows) < _LEAST:
        return []
    normals = _normals(kept, rows)
    points, rng, total = means[rows], np.random.default_rng(_SEED), len(rows)
    thin = _host(kept.scales.amin(1))[rows]
    thick = max(_FLAT_M, float(np.median(thin)))
    found: list[Plane] = []
    left = np.ones(len(rows), bool)
    for _ in range(_PLANES):
        pool = np.flatnonzero(left)
        if len(pool) < max(_LEAST, _LEAST_SHARE * total):
            break
        best = _best_plane(points, normals, pool, rng, thick)
        if best is None or len(best[2]) < max(_LEAST, _LEAST_SHARE * total):
            break
        normal, offset, members = best
        left[members] = False
        off = places @ normal - offset
        side = max(float((off > -thick).mean()), float((off < thick).mean()))
        if side >= _ONE_SIDE:
            found.append(Plane(normal, offset, rows[members]))
    return found


def _normals(snapshot: Snapshot, rows: NDArray[np.int64]) -> Points:
    """[K, 3] the shortest axes of Gaussians; 0 of those that are not flat, and have none."""
    chosen = torch.from_numpy(rows).to(snapshot.means.device)
    axes = rotation_matrices(snapshot.quats[chosen])
    scales, order = snapshot.scales[chosen].sort(1)
    normals = axes.gather(2, order[:, :1, None].expand(-1, 3, -1))[..., 0]
    return _host(torch.where((scales[:, 0] < _FLAT * scales[:, 1])[:, None], normals, 0))


def _best_plane(
    points: Points,
    normals: Points,
    pool: NDArray[np.int64],
    rng: np.random.Generator,
    thick: float,
) -> tuple[Points, float, NDArray[np.int64]] | None:
    """Normal, offset and rows of the plane that most agree with; None where there is none."""

    def agreeing(normal: Points, offset: float) -> NDArray[np.int64]:
        near = np.abs(points[pool] @ normal - offset) <= thick
        along = near & (np.abs(normals[pool] @ normal) >= _ALONG)
        # Of Gaussians that were hardly refined yet the axes mean nothing: then most must be in it
        most = np.count_nonzero(near) >= _MOST * len(pool)
        return pool[near] if most else pool[along]

    best = pool[:0]
    for _ in range(_TRIES):
        a, b, c = points[rng.choice(pool, 3, replace=False)]
        normal = np.cross(b - a, c - a)
        length = float(np.linalg.norm(normal))
        if length > 1e-9:
            members = agreeing(normal / length, float(normal @ a) / length)
            best = members if len(members) > len(best) else best
    if len(best) < 3:
        return None
    normal, offset = np.zeros(3), 0.0
    for _ in range(3):  # fitted to what agrees with it
        center = points[best].mean(0)
        normal = np.linalg.svd(points[best] - center, full_matrices=False)[2][-1]
        offset = float(normal @ center)
        best = agreeing(normal, offset)
        if len(best) < 3:
            return None
    return normal, offset, best


# --- guesses -------------------------------------------------------------------------------------


def _continued(kept: Snapshot, removed: Snapshot, plane: Plane, looks: Sequence[Look]) -> Snapshot:
    """Gaussians that continue a plane where the thing hid it and nothing is."""
    u = np.cross(plane.normal, np.eye(3)[np.abs(plane.normal).argmin()])
    u /= np.linalg.norm(u)
    axes = np.stack([u, np.cross(plane.normal, u)])  # [2, 3]
    means, rim = _host(kept.means), plane.rows
    flat = means[rim] @ axes.T
    gaps, _ = cKDTree(flat).query(flat, k=2)
    cell = float(np.clip(np.median(gaps[:, 1]), *_CELL_M))
    grid = _cells(flat, cell)
    points = grid @ axes + plane.offset * plane.normal
    if len(points):
        points = points[hidden_by_thing(points, looks)]
    points = _uncovered(points, kept, cell)
    if not len(points):
        return some_of(kept, torch.zeros(0, dtype=torch.long, device=kept.means.device))
    return _discs(points, kept, removed, plane, cell, axes)


def _cells(flat: Points, cell: float) -> Points:
    """Middles [K, 2] of cells among the rim: a plane ends where what is known of it ends."""
    low, high = flat.min(0), flat.max(0)
    size = np.maximum(1, np.ceil((high - low) / cell)).astype(int)
    if size.prod() > _MOST_CELLS:
        raise_to = cell * float(np.sqrt(size.prod() / _MOST_CELLS))
        return _cells(flat, raise_to * 1.05)
    x, y = (low[k] + cell * (np.arange(size[k]) + 0.5) for k in (0, 1))
    cells = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
    try:
        hull = ConvexHull(flat).equations  # [F, 3]: outward normal and offset
    except QhullError:  # all in a line
        return cells[:0]
    within: Points = cells[(cells @ hull[:, :2].T + hull[:, 2] <= 0).all(1)]
    return within


def _uncovered(points: Points, kept: Snapshot, cell: float) -> Points:
    """Those places [K, 3] that no solid Gaussian that is left draws over."""
    if not len(points):
        return points
    low, high = points.min(0) - 0.3, points.max(0) + 0.3
    means = _host(kept.means)
    near = ((means >= low) & (means <= high)).all(1)
    near &= (kept.opacities >= MIN_OPACITY).cpu().numpy()
    rows = torch.from_numpy(np.flatnonzero(near)).to(kept.means.device)
    if not len(rows):
        return points
    axes = _host(rotation_matrices(kept.quats[rows]))
    scales = np.maximum(_host(kept.scales[rows]), 0.25 * cell)
    tree = cKDTree(means[near])
    _, nearest = tree.query(points, k=min(8, len(rows)))
    nearest = nearest.reshape(len(points), -1)
    offset = points[:, None] - means[near][nearest]
    local = np.einsum("knji,knj->kni", axes[nearest], offset) / scales[nearest]
    uncovered: Points = points[(np.linalg.norm(local, axis=-1) > 1.5).all(1)]
    return uncovered


def _like_thing(kept: Snapshot, removed: Snapshot, rim: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the rim have rather the thing's colour than that of the rim."""
    own = _host(kept.colors)[rim]
    of_rim, of_thing = np.median(own, 0), np.median(_host(removed.colors), 0)
    off_thing, off_rim = (np.linalg.norm(own - one, axis=1) for one in (of_thing, of_rim))
    return np.asarray(off_thing < 0.7 * off_rim)


def _usual(colors: Points) -> NDArray[np.bool_]:
    """Which colours [K, 3] are as those of the surface: not contact shadows, nor a thing's rest."""
    if not len(colors):
        return np.zeros(0, bool)
    off = np.linalg.norm(colors - np.median(colors, 0), axis=1)
    return np.asarray(off <= max(_SAME_COLOR, _USUAL * float(np.median(off))))


def _discs(
    points: Points, kept: Snapshot, removed: Snapshot, plane: Plane, cell: float, axes: Points
) -> Snapshot:
    """Flat Gaussians in places, in the colours of the clean rim nearest to each."""
    device, like = kept.means.device, kept.means
    rim = plane.rows
    means = _host(kept.means)
    apart, _ = cKDTree(_host(removed.means)).query(means[rim])
    clean = rim[(apart >= _CLEAN_M) & ~_like_thing(kept, removed, rim)]
    clean = clean[_usual(_host(kept.colors)[clean])]
    rim = clean if len(clean) >= _COLOR_FROM else rim
    near, rows = cKDTree(means[rim]).query(points, k=min(_COLOR_FROM, len(rim)))
    near, rows = near.reshape(len(points), -1), rows.reshape(len(points), -1)
    weights = 1 / np.maximum(near, 0.5 * cell) ** 2
    weights /= weights.sum(1, keepdims=True)
    colors = np.einsum("kn,knc->kc", weights, _host(kept.colors)[rim][rows])
    nearest = torch.from_numpy(rim[rows[:, 0]]).to(device)
    turn = np.stack([*axes, np.cross(axes[0], axes[1])], 1)
    x, y, z, w = Rotation.from_matrix(turn).as_quat().tolist()
    scales = like.new_tensor([0.7 * cell, 0.7 * cell, _THIN_M]).expand(len(points), 3).clone()
    return made_beside(some_of(kept, nearest), points, colors, scales, [w, x, y, z], _OPACITY)
