# SPDX-License-Identifier: Apache-2.0
"""Bodies: found by what comes and goes, aligned to each frame, carried with their Gaussians."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.data import Pose, inverse, turns
from f4x_ros.core.field import NO_BODY, NO_PIECE, BodyPaths, GaussianSet
from f4x_ros.core.motion.bodies.align import FITS_WELL, Fit, Misfit, align
from f4x_ros.core.motion.bodies.body import Body, BodyState
from f4x_ros.core.motion.bodies.labels import AtRest, at_rest, claimed, footprint, patches, widened
from f4x_ros.core.motion.bodies.motion import BodyMotion
from f4x_ros.core.motion.bodies.picture import Mask, RgbdPicture
from f4x_ros.core.motion.bodies.shape import Shape
from f4x_ros.core.motion.bodies.trials import Trial, Trials
from f4x_ros.core.motion.bodies.twist_filter import TwistFilter
from f4x_ros.core.motion.passing import on_its_way, rest_s
from f4x_ros.core.observe import View
from f4x_ros.core.render import render

_LEAST_PX = 40  # of a patch at 320x240 from which a body is made
_LARGEST = 0.35  # of the picture: a larger patch is the room, seen wrongly
_ACCELERATION = (1.0, 3.0)  # m/s^2, rad/s^2
_FITS = 0.5  # share of the points in sight that must fit
_COMPARED = 0.2  # of the points that must be in sight to judge
_MISSES = 3  # frames a body may be missing where it should be seen
_LOST_S = 3.0  # a body that moved out of sight is predicted for so long
_MOVING_MPS, _MOVING_RADPS = 0.05, 0.25  # slower than this is rest ...
_SPAN_S = 0.5  # ... as measured over this long
_LEAST_M, _LEAST_RAD = 0.01, 0.08  # a shorter way, or turn, is noise
_LIMB_M = 0.2  # what is within this of a body beside it in the picture may be a limb of it
_LIMB, _YOUNG = 0.5, 1.5  # of its pixels that a patch may have: of one known well, of a new one
_AT_ONCE = 2  # pieces that are tried in a frame
_NEAR_M = 0.06  # Gaussians without a piece that are nearer than this are one
_LEAST_ROWS = 8  # Gaussians in sight of a piece that is tried
_LARGEST_M = 2.5  # a larger piece is the room's
_ESTABLISHED = 4  # fits after which a body may be out of sight
_HELD_S = 0.25  # what moves looks otherwise than if it had rested for so long ...
_BETTER = 0.85  # ... of which misfit so much is left at most
_ON_M = 0.06  # from a surface that a Gaussian on it may be
_GONE_PX = 8  # pixels that may be of a body below which it is not there
_SOLID = 0.9  # alpha of a map that tells how noisy the depth is
_RIM_PX = 3  # from the pixels of a body that its Gaussians may lie
_GATE_M = 0.10  # a reading farther from a body's surface is not of it


class Bodies:
    """What moves in a field.

    Args:
        paths: of the field, where the motions are written down.
        tolerance: depth error of the sensor, share of the depth.
        backend: rasteriser, resolved.
        seed: of the choice of points.
    """

    def __init__(self, paths: BodyPaths, tolerance: float, backend: str, seed: int) -> None:
        self._paths, self._tolerance, self._backend = paths, tolerance, backend
        self._rng = np.random.default_rng(seed)
        self._all: dict[int, Body] = {}
        self._last_s: float | None = None
        self._trials = Trials(self._rng)
        self._candidates: Mask | None = None  # of the last frame: what may be a body
        self.labels: NDArray[np.int32] | None = None  # [H, W] of the last frame, 0 = no body

    @property
    def active(self) -> list[Body]:
        """Those that are followed."""
        return [one for one in self._all.values() if one.followed]

    @property
    def moving(self) -> list[int]:
        """Ids of those that move."""
        return [one.id for one in self._all.values() if one.moving]

    def motions(self) -> dict[int, BodyMotion]:
        """How each body moves that was found and is not lost, by its id."""
        return {
            one.id: BodyMotion(
                one.id,
                one.filter.T_map_body,
                one.filter.middle,
                one.filter.twist if one.followed else np.zeros(6),
                one.filter.covariance,
                one.moving,
                one.turns_known,
                one.surface(),
            )
            for one in self._all.values()
            if one.fits >= _ESTABLISHED and one.state is not BodyState.LOST
        }

    @torch.no_grad()
    def advance(self, view: View, present: GaussianSet, interval_s: float) -> Tensor:
        """Follow the bodies to a new frame, find new ones, and carry their Gaussians there.

        Args:
            view: the frame.
            present: the working set; its columns of places and bodies are written.
            interval_s: usual time from frame to frame.

        Returns:
            [H, W] int32 body of each pixel, 0 = none.
        """
        picture = _picture_of(view)
        self._predict(view.time_s)
        picture, rest = self._at_rest(view, present, picture, interval_s)
        taken = np.zeros(picture.depth.shape, np.int32)
        for body in sorted(self.active, key=lambda one: -one.surface_m2):
            self._follow(body, view, picture, rest, taken)
        self._carry(present, view.time_s)
        self._discover(view, present, picture, rest, taken)
        for body in self.active:
            if body.seen_s == view.time_s:
                body.see(_points(view, picture, taken == body.id), view.T_map_camera[:3, 3])
        self._let_go(view, present, picture, taken)
        self.labels = taken
        return torch.from_numpy(taken).to(view.depth.device)

    @torch.no_grad()
    def pass_by(self, view: View, present: GaussianSet) -> None:
        """Move on to a frame that nothing is learned from."""
        self._predict(view.time_s)
        for body in self.active:
            self._paths.add(body.id, view.time_s, body.filter.T_map_body)
        self._carry(present, view.time_s)
        self.labels = None

    # --- what is known -------------------------------------------------------------------------

    def _predict(self, time_s: float) -> None:
        if self._last_s is not None:
            for body in self.active:
                body.filter.predict(time_s - self._last_s, seen=body.misses == 0)
        self._last_s = time_s

    def _at_rest(
        self, view: View, present: GaussianSet, picture: RgbdPicture, interval_s: float
    ) -> tuple[RgbdPicture, AtRest]:
        """The frame with the noise of its depth, and what the map without the bodies says of it."""
        followed = torch.tensor([one.id for one in self.active], dtype=torch.int32)
        still = ~torch.isin(present["body_ids"], followed.to(present["body_ids"].device))
        rows = still.nonzero()[:, 0]
        lately = on_its_way(present, interval_s) & (
            view.time_s - present["seen_s"] < rest_s(interval_s)
        )
        out = render(
            present["means"][rows],
            present["quats"][rows],
            present["log_scales"][rows].exp(),
            present["logit_opacities"][rows].sigmoid(),
            lately[rows, None].to(torch.float32),
            view.viewmat,
            view.K,
            *view.size,
            backend=self._backend,
        )
        depth, alpha, moves = on_host(out.expected_depth, out.alpha, out.image[..., 0])
        picture = picture.measured(depth, picture.known & (alpha > _SOLID))
        return picture, at_rest(picture, depth, alpha, moves, self._tolerance)

    # --- following -----------------------------------------------------------------------------

    def _follow(
        self, body: Body, view: View, picture: RgbdPicture, rest: AtRest, taken: NDArray[np.int32]
    ) -> None:
        """Align a body to the frame; its pixels are written into `taken`."""
        start, information = body.filter.prior(view.T_map_camera)
        free = picture.known & (taken == 0)
        mask = self._region(body, start, picture, rest, free)
        if mask.sum() < _GONE_PX:
            self._miss(body, view.time_s, expected=_in_sight(body, start, picture))
            self._paths.add(body.id, view.time_s, body.filter.T_map_body)
            return
        upright = inverse(view.T_map_camera)[:3, 2]
        fit = align(
            body.shape, picture, mask, start, information, self._rng, upright=upright
        )
        if fit.used < 0.6 and mask.sum() >= _LEAST_PX // 2:
            other = _at_middle_of(mask, picture, start, body)
            again = align(body.shape, picture, mask, other, information, self._rng, upright=upright)
            fit = again if again.used > fit.used + 0.1 else fit
        body.pixel = _pixel(body, fit.T_camera_body, picture)
        seen = fit.compared >= _COMPARED * min(len(body.shape), 350) and fit.shown > 0.25
        if seen and fit.used >= _FITS:
            still = self._as_well_at_rest(body, view, picture, mask, fit)
            body.filter.correct(view.T_map_camera, fit)
            self._note(body, view.time_s, still=still)
            own = self._own(body, fit, picture, rest, free)
            if fit.shown > 0.5:
                body.shape.grow(picture, fit.T_camera_body, own)
            body.shape.carve(picture, fit.T_camera_body, rest.settled)
            body.filter.local_middle = body.shape.middle
            taken[own] = body.id
        else:
            self._miss(body, view.time_s, expected=seen)
        self._paths.add(body.id, view.time_s, body.filter.T_map_body)

    def _region(
        self, body: Body, start: Pose, picture: RgbdPicture, rest: AtRest, free: Mask
    ) -> Mask:
        """[H, W] pixels that may be of a body that is expected at a pose."""
        drawn = footprint(body.shape, start, picture)
        z = max(float(start[:3, :3][2] @ body.shape.middle + start[2, 3]), 0.1)
        sigma = math.sqrt(float(np.trace(body.filter.covariance[:3, :3])) / 3)
        reach = 3 + min(int(3 * sigma * picture.camera.fx / z), 20)
        near = widened(drawn > 0, reach)
        depth = _spread(drawn, reach)
        fits = np.abs(picture.depth - depth) < _GATE_M + 3 * sigma + body.shape.reach_m * 0.5
        return np.asarray(near & free & fits & ~rest.settled)

    def _own(
        self, body: Body, fit: Fit, picture: RgbdPicture, rest: AtRest, free: Mask
    ) -> Mask:
        """[H, W] pixels of a body that was found."""
        drawn = footprint(body.shape, fit.T_camera_body, picture)
        margin = np.maximum(0.03, 4 * picture.noise_m(picture.depth))
        on = free & (drawn > 0) & (np.abs(picture.depth - drawn) < margin) & ~rest.settled
        reach = 4
        near = widened(drawn > 0, reach)
        close = np.abs(picture.depth - _spread(drawn, reach)) < _GATE_M + 0.3 * body.shape.reach_m
        return claimed(on, near & free & close & (rest.front | rest.moving), picture)

    def _as_well_at_rest(
        self, body: Body, view: View, picture: RgbdPicture, mask: Mask, fit: Fit
    ) -> bool:
        """Whether the frame would fit a body as well that has rested for a while."""
        old = next((p for p in body.places if view.time_s - p[0] <= _HELD_S), None)
        if old is None or view.time_s - old[0] < _HELD_S / 2:
            return False
        pose = np.eye(4)
        pose[:3, :3] = old[2]
        pose[:3, 3] = old[1] - old[2] @ body.filter.local_middle
        where = widened(mask, 2) & picture.known
        held = Misfit.of(body.shape, picture, where, inverse(view.T_map_camera) @ pose, self._rng)
        found = Misfit.of(body.shape, picture, where, fit.T_camera_body, self._rng)
        if held is None or found is None:
            return False
        return held.value < FITS_WELL or found.value > _BETTER * held.value

    def _note(self, body: Body, time_s: float, *, still: bool) -> None:
        """Judge whether a body that was found moves; `still`: it may as well have rested."""
        body.seen_s, body.misses = time_s, 0
        body.fits += 1
        turn = body.filter.T_map_body[:3, :3].copy()
        body.places.append((time_s, body.filter.middle.copy(), turn))
        old = next(one for one in body.places if time_s - one[0] <= _SPAN_S)
        span = time_s - old[0]
        speed = float(np.linalg.norm(body.filter.twist[:3]))
        far = float(np.linalg.norm(body.filter.middle - old[1]))
        angle = float(np.arccos(np.clip((np.trace(old[2].T @ turn) - 1) / 2, -1, 1)))
        moves = speed > _MOVING_MPS and far > 0.5 * _MOVING_MPS * span and far > _LEAST_M
        moves |= body.turns_known and angle > max(_MOVING_RADPS * span, _LEAST_RAD)
        if moves and not still and body.fits >= _ESTABLISHED:
            body.still_s = time_s
            body.state = BodyState.MOVING
        elif time_s - body.still_s > rest_s(0.0):
            body.state = BodyState.RESTING
        elif body.state is BodyState.HIDDEN:
            body.state = BodyState.MOVING

    def _miss(self, body: Body, time_s: float, *, expected: bool) -> None:
        """A body was not found, though it was `expected` to be in sight, or is out of it."""
        body.misses += 1
        unseen = time_s - body.seen_s
        if body.state is BodyState.NEW and body.misses >= 2:
            body.state = BodyState.LOST
        elif body.state is not BodyState.NEW:
            body.state = BodyState.HIDDEN
            if (expected and body.misses >= _MISSES) or unseen > _LOST_S:
                body.state = BodyState.LOST

    def _carry(self, present: GaussianSet, time_s: float) -> None:
        """Bring the Gaussians of all bodies to where they are at a time."""
        moved = self._paths.moved(present, time_s)
        if moved is not None:
            present["means"] = moved.means(present["means"])
            present["quats"] = moved.turned(present["quats"])
        present["placed_s"] = torch.full_like(present["placed_s"], time_s)

    def _let_go(
        self,
        view: View,
        present: GaussianSet,
        picture: RgbdPicture,
        taken: NDArray[np.int32],
    ) -> None:
        """Gaussians of a body on a surface that is not the body's are taken from it."""
        owners = present["body_ids"]
        followed = torch.tensor([one.id for one in self.active], dtype=owners.dtype)
        rows = torch.isin(owners, followed.to(owners.device)).nonzero()[:, 0]
        if not len(rows):
            return
        means, ids = on_host(present["means"][rows], owners[rows])
        number = np.unique(taken)
        near = {one: widened(taken == one, _RIM_PX) for one in number.tolist()}
        stray = np.zeros(len(ids), bool)
        for body in np.unique(ids).tolist():
            if body in near:
                mine = np.flatnonzero(ids == body)
                on, inside = _shown(means[mine], picture, view.T_map_camera, near[body])
                stray[mine] = on & ~inside
        owners[rows[torch.from_numpy(np.flatnonzero(stray)).to(rows.device)]] = NO_BODY

    # --- finding -------------------------------------------------------------------------------

    def _discover(
        self,
        view: View,
        present: GaussianSet,
        picture: RgbdPicture,
        rest: AtRest,
        taken: NDArray[np.int32],
    ) -> None:
        """Give new patches to the bodies they touch; make bodies of those that stay for two frames.

        What the map has and what was seen to move is tried before, see `trials`.
        """
        self._try(view, present, picture, rest, taken)
        new = (rest.front | rest.moving) & (taken == 0)
        before, self._candidates = self._candidates, new
        if before is None or before.shape != new.shape:
            return
        count, parts = patches(new, picture)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        least = _LEAST_PX * new.size / (320 * 240)
        stable = np.bincount(parts[widened(before, 3)], minlength=count + 1)
        for number in range(1, count + 1):
            size = sizes[number]
            if size < least / 4 or size > _LARGEST * new.size:
                continue
            mask = parts == number
            beside = self._beside(mask, picture, taken)
            if beside is not None:
                self._adopt(view, present, picture, beside, mask)
                taken[mask] = beside.id
            elif size >= least and stable[number] > 0.5 * size:
                body = self._begin(view, picture, mask)
                self._adopt(view, present, picture, body, mask)
                taken[mask] = body.id

    def _beside(
        self, mask: Mask, picture: RgbdPicture, taken: NDArray[np.int32]
    ) -> Body | None:
        """The body in sight that a patch [H, W] is a limb of: it touches it, and is smaller."""
        around = widened(mask, 3) & (taken > 0)
        if around.sum() < 4:
            return None
        depth = _spread(np.where(mask, picture.depth, 0).astype(np.float32), 3)
        around &= np.abs(depth - picture.depth) < _LIMB_M
        ids, counts = np.unique(taken[around], return_counts=True)
        if not len(ids) or counts.max() < 4:
            return None
        body = int(ids[counts.argmax()])
        share = _LIMB if self._all[body].fits >= 2 * _ESTABLISHED else _YOUNG
        return self._all[body] if mask.sum() < share * (taken == body).sum() else None

    def _try(
        self,
        view: View,
        present: GaussianSet,
        picture: RgbdPicture,
        rest: AtRest,
        taken: NDArray[np.int32],
    ) -> None:
        """Find out whether some pieces of the map move."""
        means, pieces, owners = on_host(
            present["means"], present["piece_ids"], present["body_ids"]
        )
        followed = np.isin(owners, [one.id for one in self.active])
        free = np.flatnonzero(~followed)
        changed = widened((rest.front | rest.moving) & (taken == 0), 4)
        visible, on_change = _shown(means[free], picture, view.T_map_camera, changed)
        rows, on_change = free[visible], on_change[visible]
        if len(rows):
            own = _with_nameless(means[rows], pieces[rows].astype(np.int64))
            ids, of = np.unique(own, return_inverse=True)
            counts = np.bincount(of)
            touched = np.bincount(of, on_change) > 0.1 * counts
            tried, fit = 0, counts >= _LEAST_ROWS
            for piece in self._trials.turn(ids[fit], touched[fit]):
                mine = rows[own == piece]
                if np.ptp(means[mine], axis=0).max() > _LARGEST_M:
                    continue
                found = self._trials.move(
                    means[mine], picture, view.T_map_camera, fast=bool(on_change[own == piece].any())
                )
                if found is None:
                    continue
                tried += 1
                if isinstance(found, Trial):
                    whole = np.isin(np.arange(len(means)), mine) | (
                        (pieces == piece) & ~followed if piece > NO_PIECE else False
                    )
                    self._take(view, present, picture, found, whole, taken)
                if tried >= _AT_ONCE:
                    break
        self._trials.add(view.time_s, picture, view.T_map_camera)

    def _take(
        self,
        view: View,
        present: GaussianSet,
        picture: RgbdPicture,
        trial: Trial,
        piece: NDArray[np.bool_],
        taken: NDArray[np.int32],
    ) -> None:
        """A piece (mask [N] of the present) is a body from now on."""
        number = self._paths.new_id()
        filter_ = TwistFilter(trial.T_map_now, _ACCELERATION)
        filter_.local_middle = trial.shape.middle
        span = max(view.time_s - trial.since_s, 1e-3)
        turn = turns.vector_of_matrix(trial.T_map_now[:3, :3] @ trial.T_map_then[:3, :3].T)
        before = trial.T_map_then[:3, :3] @ trial.shape.middle + trial.T_map_then[:3, 3]
        filter_.twist = np.concatenate([filter_.middle - before, turn]) / span
        filter_.covariance[6:, 6:] /= 9
        body = Body(
            number, trial.shape, filter_, BodyState.NEW, view.time_s, view.time_s, view.time_s
        )
        body.places.append((trial.since_s, before, trial.T_map_then[:3, :3].copy()))
        self._all[number] = body
        self._paths.add(number, trial.since_s, trial.T_map_then)
        self._paths.add(number, view.time_s, trial.T_map_now)
        rows = torch.from_numpy(np.flatnonzero(piece)).to(present["body_ids"].device)
        present["body_ids"][rows] = number
        # The map has it where it was when its Gaussians came: half way, for want of better.
        present["placed_s"][rows] = trial.since_s
        self._carry(present, view.time_s)
        drawn = footprint(trial.shape, trial.fit.T_camera_body, picture)
        own = (drawn > 0) & (np.abs(picture.depth - drawn) < _GATE_M)
        self._absorb(present, body, own, taken)
        own &= taken == 0
        taken[own] = number
        self._adopt(view, present, picture, body, own)

    def _absorb(
        self, present: GaussianSet, body: Body, own: Mask, taken: NDArray[np.int32]
    ) -> None:
        """Bodies of which most pixels are of another's surface [H, W] are parts of that."""
        numbers, counts = np.unique(taken[own], return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            part = self._all.get(number)
            whole = int((taken == number).sum())
            if part is None or count < 0.5 * whole or whole > own.sum():
                continue
            part.state = BodyState.LOST
            taken[taken == number] = 0
            ids = present["body_ids"]
            ids.masked_fill_(ids == number, body.id)

    def _begin(self, view: View, picture: RgbdPicture, mask: Mask) -> Body:
        """A body of the pixels of a mask [H, W]."""
        points = (picture.rays * picture.depth[..., None])[mask]
        z = float(np.median(points[:, 2]))
        spacing = z / picture.camera.fx
        pose = np.eye(4)
        pose[:3, 3] = view.T_map_camera[:3, :3] @ np.median(points, 0) + view.T_map_camera[:3, 3]
        shape = Shape(float(np.clip(1.5 * spacing, 0.006, 0.03)))
        shape.grow(picture, inverse(view.T_map_camera) @ pose, mask)
        number = self._paths.new_id()
        filter_ = TwistFilter(pose, _ACCELERATION)
        filter_.local_middle = shape.middle
        body = Body(
            number, shape, filter_, BodyState.NEW, view.time_s, view.time_s, view.time_s
        )
        body.places.append((view.time_s, filter_.middle.copy(), np.eye(3)))
        self._all[number] = body
        self._paths.add(number, view.time_s, pose)
        return body

    @staticmethod
    def _adopt(
        view: View, present: GaussianSet, picture: RgbdPicture, body: Body, mask: Mask
    ) -> None:
        """Gaussians on the surface that a mask [H, W] shows are of the body."""
        (means,) = on_host(present["means"])
        T = inverse(view.T_map_camera)
        there = means @ T[:3, :3].T + T[:3, 3]
        u, v = (np.rint(one).astype(int) for one in picture.project(there))
        height, width = mask.shape
        inside = (there[:, 2] > 0.05) & (u >= 0) & (v >= 0) & (u < width) & (v < height)
        u, v = u.clip(0, width - 1), v.clip(0, height - 1)
        margin = np.maximum(0.03, 4 * picture.noise_m(there[:, 2]))
        inside &= mask[v, u] & (np.abs(picture.depth[v, u] - there[:, 2]) < np.maximum(margin, _ON_M))
        rows = torch.from_numpy(np.flatnonzero(inside)).to(present["body_ids"].device)
        present["body_ids"][rows] = body.id


def _picture_of(view: View) -> RgbdPicture:
    rgb, depth = on_host(view.rgb8, view.depth)
    return RgbdPicture(view.camera, rgb, depth)


def _points(view: View, picture: RgbdPicture, mask: Mask) -> NDArray[np.float64]:
    """[M, 3] of the surface that a mask [H, W] shows, map frame."""
    T = view.T_map_camera
    inner = mask & ~picture.jumps
    inner = inner if inner.any() else mask & picture.known
    there = picture.rays[inner] * picture.smooth[inner][:, None]
    return np.asarray(there @ T[:3, :3].T + T[:3, 3])


def _in_sight(body: Body, start: Pose, picture: RgbdPicture) -> bool:
    """Whether most of a body that is expected at a pose should be seen."""
    drawn = footprint(body.shape, start, picture)
    there = (drawn > 0) & picture.known
    if there.sum() < _GONE_PX:
        return False
    margin = picture.noise_m(drawn[there]) * 4 + 0.03
    return bool((picture.depth[there] > drawn[there] - margin).mean() > 0.5)


def _spread(drawn: NDArray[np.float32], pixels: int) -> NDArray[np.float32]:
    """Depth [H, W] carried on to the pixels around it, the nearest one wins."""
    import cv2

    far = np.where(drawn > 0, drawn, np.float32(1e3))
    size = 2 * pixels + 1
    out = np.where(drawn > 0, drawn, cv2.erode(far, np.ones((size, size), np.uint8)))
    return out.astype(np.float32)


def _at_middle_of(mask: Mask, picture: RgbdPicture, start: Pose, body: Body) -> Pose:
    """A pose with the shape's middle shifted to that of a mask."""
    seen = np.median((picture.rays * picture.depth[..., None])[mask], 0)
    out = start.copy()
    drawn = start[:3, :3] @ body.shape.points.T + start[:3, 3:]
    out[:3, 3] += seen - np.median(drawn, 1)
    return out


def _pixel(body: Body, T_camera_body: Pose, picture: RgbdPicture) -> tuple[float, float]:
    at = T_camera_body[:3, :3] @ body.shape.middle + T_camera_body[:3, 3]
    u, v = picture.project(at[None])
    return float(u[0]), float(v[0])


def _shown(
    means: NDArray[np.floating], picture: RgbdPicture, T_map_camera: Pose, where: Mask
) -> tuple[Mask, Mask]:
    """Which points [N, 3] of the map a frame shows, and which lie in a mask [H, W] of it."""
    T = inverse(T_map_camera)
    there = means @ T[:3, :3].T + T[:3, 3]
    u, v = (np.rint(one).astype(int) for one in picture.project(there))
    height, width = picture.depth.shape
    inside = (there[:, 2] > 0.05) & (u >= 0) & (v >= 0) & (u < width) & (v < height)
    u, v = u.clip(0, width - 1), v.clip(0, height - 1)
    margin = np.maximum(0.03, 4 * picture.noise_m(there[:, 2]))
    on = inside & (np.abs(picture.depth[v, u] - there[:, 2]) < margin)
    return on, inside & where[v, u]


def _with_nameless(
    means: NDArray[np.floating], pieces: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pieces [N] of points [N, 3]; those that have none yet are put together by nearness, < 0."""
    out = pieces.copy()
    alone = np.flatnonzero(pieces == NO_PIECE)
    if len(alone):
        pairs = cKDTree(means[alone]).query_pairs(_NEAR_M, output_type="ndarray")
        ones = np.ones(len(pairs), bool)
        graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(alone),) * 2)
        out[alone] = -1 - connected_components(graph, directed=False)[1]
    return out
