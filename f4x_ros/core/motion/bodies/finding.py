# SPDX-License-Identifier: Apache-2.0
"""New bodies: pieces of the map that move, and what came to where nothing was."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from f4x_ros.core.base import on_host
from f4x_ros.core.data import turns
from f4x_ros.core.field import NO_PIECE, BodyPaths, GaussianSet
from f4x_ros.core.motion.bodies import gaussians
from f4x_ros.core.motion.bodies.body import ESTABLISHED, Body, BodyState
from f4x_ros.core.motion.bodies.jitter import Jitter
from f4x_ros.core.motion.bodies.labels import footprint, patches, widened
from f4x_ros.core.motion.bodies.picture import Mask
from f4x_ros.core.motion.bodies.shape import Shape
from f4x_ros.core.motion.bodies.sight import Sight, spread
from f4x_ros.core.motion.bodies.trials import Trial, Trials
from f4x_ros.core.motion.bodies.twist_filter import TwistFilter

_LEAST_PX = 40  # of a patch at 320x240 from which a body is made
_LIMB_PX = 10  # of one that may be a limb
_LARGEST = 0.35  # of the picture: a larger patch is the room, seen wrongly
_STABLE = 0.5  # share of a patch that was there in the frame before, too
_ACCELERATION = (1.0, 3.0)  # m/s^2, rad/s^2
_VOXEL_PX, _VOXEL_M = 1.5, (0.006, 0.03)  # of a shape
_SIGMAS = 2.0  # of its place that a hidden body is looked for within
_BESIDE_PX = 2  # from a patch is what it is compared with
_STEP_M = 0.02  # in depth, at which a thing ends, ...
_ENDS = 0.25  # ... along such a share of its outline at least
_INNER = 0.15  # share of its pixels that are not at its edge
_LIMB_M = 0.2  # what is within this of a body beside it in the picture may be a limb of it
_LIMB, _YOUNG = 0.5, 1.5  # of its pixels that a patch may have: of one known well, of a new one
_TOUCH_PX = 4  # pixels of a body that a limb of it touches
_AT_ONCE = 2  # pieces that are tried in a frame
_LEAST_ROWS = 8  # Gaussians in sight of a piece that is tried
_LARGEST_M = 2.5  # a larger piece is the room's
_TOUCHED = 0.1  # share of a piece on what changed, for it to be urgent
_NEAR_M = 0.06  # Gaussians without a piece that are nearer than this are one
_GATE_M = 0.10  # a reading farther from a body's surface is not of it
_SURER = 3.0  # the twist of a trial is known so much better than that of what appeared

Known = dict[int, Body]


class Finder:
    """Finds bodies in frames.

    Args:
        paths: where their poses are written down.
        rng: chooses the points that are compared.
    """

    def __init__(self, paths: BodyPaths, rng: np.random.Generator) -> None:
        self._paths, self._trials = paths, Trials(rng)
        self._before: Mask | None = None  # what was changed in the last frame

    @property
    def jitter(self) -> Jitter:
        """By how much what rests seems to move."""
        return self._trials.jitter

    def find(self, sight: Sight, present: GaussianSet, known: Known) -> None:
        """Try some pieces; give patches to the bodies they touch, or make bodies of them.

        Args:
            sight: the frame, with the pixels of the bodies that were found.
            present: the working set; `body_ids` is written.
            known: bodies by id; new ones are added.
        """
        self._try(sight, present, known)
        self._trials.add(sight.time_s, sight.picture, sight.T_map_camera)
        new = sight.changed
        before, self._before = self._before, new
        if before is None or before.shape != new.shape:
            return
        count, parts = patches(new, sight.picture)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        stable = np.bincount(parts[widened(before, 3)], minlength=count + 1)
        scale = new.size / (320 * 240)
        for number in range(1, count + 1):
            size = sizes[number]
            if not _LIMB_PX * scale <= size <= _LARGEST * new.size:
                continue
            mask = parts == number
            body = _beside(mask, sight, known)
            stays = stable[number] > _STABLE * size
            new_one = stays and size >= _LEAST_PX * scale and _is_thing(mask, sight)
            if body is None and new_one and not _awaited(mask, sight, known):
                body = self._appeared(sight, mask)
                known[body.id] = body
            if body is not None:
                gaussians.adopt(present, body.id, sight, mask)
                sight.taken[mask] = body.id

    def _appeared(self, sight: Sight, mask: Mask) -> Body:
        """A body of the pixels of a mask [H, W]."""
        picture = sight.picture
        points = picture.rays[mask] * picture.depth[mask][:, None]
        pose = np.eye(4)
        pose[:3, 3] = sight.T_map_camera[:3, :3] @ np.median(points, 0) + sight.T_map_camera[:3, 3]
        spacing_m = float(np.median(points[:, 2])) / picture.camera.fx
        shape = Shape(float(np.clip(_VOXEL_PX * spacing_m, *_VOXEL_M)))
        shape.grow(picture, sight.T_camera_map @ pose, mask)
        filter_ = TwistFilter(pose, _ACCELERATION)
        filter_.local_middle = shape.middle
        body = Body.new(self._paths.new_id(), shape, filter_, sight.time_s)
        body.appeared = True
        body.poses.append((sight.time_s, pose))
        self._paths.add(body.id, sight.time_s, pose)
        return body

    # --- pieces of the map ---------------------------------------------------------------------

    def _try(self, sight: Sight, present: GaussianSet, known: Known) -> None:
        """Find out whether some pieces of the map move."""
        columns = on_host(present["means"], present["piece_ids"], present["body_ids"])
        means, pieces, owners = columns
        followed = np.isin(owners, [one.id for one in known.values() if one.followed])
        free = np.flatnonzero(~followed)
        visible, on_change = sight.shows(means[free], widened(sight.changed, 4))
        rows, on_change = free[visible], on_change[visible]
        if not len(rows):
            return
        own = _with_nameless(means[rows], pieces[rows].astype(np.int64))
        ids, of = np.unique(own, return_inverse=True)
        counts = np.bincount(of)
        touched = np.bincount(of, on_change) > _TOUCHED * counts
        fit = counts >= _LEAST_ROWS
        tried = 0
        for piece in self._trials.turn(ids[fit], touched[fit]):
            mine = own == piece
            points = means[rows[mine]]
            if np.ptp(points, axis=0).max() > _LARGEST_M:
                continue
            fast = bool(on_change[mine].any())
            found = self._trials.move(points, sight.picture, sight.T_map_camera, fast=fast)
            if isinstance(found, Trial):
                whole = (pieces == piece) & ~followed & (piece > NO_PIECE)
                whole[rows[mine]] = True
                self._moved(sight, present, known, found, whole)
            tried += found is not None
            if tried >= _AT_ONCE:
                break

    def _moved(
        self,
        sight: Sight,
        present: GaussianSet,
        known: Known,
        trial: Trial,
        piece: NDArray[np.bool_],
    ) -> None:
        """A piece (mask [N] of the present) is a body from now on."""
        filter_ = TwistFilter(trial.T_map_now, _ACCELERATION)
        filter_.local_middle = trial.shape.middle
        span = max(sight.time_s - trial.since_s, 1e-3)
        turn = turns.vector_of_matrix(trial.T_map_now[:3, :3] @ trial.T_map_then[:3, :3].T)
        before = trial.T_map_then[:3, :3] @ trial.shape.middle + trial.T_map_then[:3, 3]
        filter_.twist = np.concatenate([filter_.middle - before, turn]) / span
        filter_.covariance[6:, 6:] /= _SURER**2
        body = Body.new(self._paths.new_id(), trial.shape, filter_, sight.time_s)
        body.poses.append((trial.since_s, trial.T_map_then))
        self._paths.add(body.id, trial.since_s, trial.T_map_then)
        self._paths.add(body.id, sight.time_s, trial.T_map_now)
        gaussians.take(present, body.id, piece, trial.since_s)
        gaussians.carry(present, self._paths, sight.time_s)
        drawn = footprint(trial.shape, trial.fit.T_camera_body, sight.picture)
        own = (drawn > 0) & (np.abs(sight.picture.depth - drawn) < _GATE_M)
        _absorb(present, known, body, own, sight.taken)
        known[body.id] = body
        own &= sight.taken == 0
        sight.taken[own] = body.id
        gaussians.adopt(present, body.id, sight, own)


def _absorb(
    present: GaussianSet, known: Known, body: Body, own: Mask, taken: NDArray[np.int32]
) -> None:
    """Bodies of which most pixels are of another's surface [H, W] are parts of that."""
    numbers, counts = np.unique(taken[own], return_counts=True)
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        part, whole = known.get(number), int((taken == number).sum())
        if part is None or 2 * count < whole or whole > own.sum():
            continue
        part.state = BodyState.LOST
        taken[taken == number] = 0
        gaussians.join(present, number, body.id)


def _beside(mask: Mask, sight: Sight, known: Known) -> Body | None:
    """The body in sight that a patch [H, W] is a limb of: it touches it, and is smaller."""
    around = widened(mask, 3) & (sight.taken > 0)
    if around.sum() < _TOUCH_PX:
        return None
    depth = spread(np.where(mask, sight.picture.depth, 0).astype(np.float32), 3)
    around &= np.abs(depth - sight.picture.depth) < _LIMB_M
    ids, counts = np.unique(sight.taken[around], return_counts=True)
    if not len(ids) or counts.max() < _TOUCH_PX:
        return None
    body = known[int(ids[counts.argmax()])]
    share = _LIMB if body.fits >= 2 * ESTABLISHED else _YOUNG
    return body if mask.sum() < share * (sight.taken == body.id).sum() else None


def _awaited(mask: Mask, sight: Sight, known: Known) -> bool:
    """Whether a patch [H, W] is where a hidden body may come out: that is looked for first."""
    middle = np.median(sight.surface(mask), 0)
    for body in known.values():
        if body.state is BodyState.HIDDEN:
            sigma = float(np.sqrt(np.trace(body.filter.covariance[:3, :3]) / 3))
            reach = body.shape.reach_m + _SIGMAS * sigma
            if float(np.linalg.norm(body.filter.middle - middle)) < reach:
                return True
    return False


def _is_thing(mask: Mask, sight: Sight) -> bool:
    """Whether a patch [H, W] may be a thing, no seam of surfaces and no part of one.

    A thing is more than an edge, and somewhere it ends: what is beside it is nearer or farther.
    """
    small = mask.astype(np.uint8)
    inner = cv2.erode(small, np.ones((3, 3), np.uint8), borderValue=0)
    if inner.sum() <= _INNER * mask.sum():
        return False
    picture = sight.picture
    beside = widened(mask, _BESIDE_PX) & ~mask & picture.known
    depth = spread(np.where(mask, picture.depth, 0).astype(np.float32), _BESIDE_PX)[beside]
    step = np.maximum(_STEP_M, 4 * picture.noise_m(depth))
    ends = np.abs(picture.depth[beside] - depth) > step
    return bool(len(ends) > 0 and ends.mean() > _ENDS)


def _with_nameless(means: NDArray[np.floating], pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pieces [N] of points [N, 3]; those that have none yet are put together by nearness, < 0."""
    out = pieces.copy()
    alone = np.flatnonzero(pieces == NO_PIECE)
    if len(alone):
        pairs = cKDTree(means[alone]).query_pairs(_NEAR_M, output_type="ndarray")
        ones = np.ones(len(pairs), bool)
        graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(alone),) * 2)
        out[alone] = -1 - connected_components(graph, directed=False)[1]
    return out
