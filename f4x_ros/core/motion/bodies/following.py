# SPDX-License-Identifier: Apache-2.0
"""One body from frame to frame: where it is, which pixels are its own, whether it moves."""

from __future__ import annotations

import math

import numpy as np

from f4x_ros.core.data import Pose, inverse
from f4x_ros.core.motion.bodies.align import FITS_WELL, Fit, Misfit, align
from f4x_ros.core.motion.bodies.body import ESTABLISHED, Body, BodyState
from f4x_ros.core.motion.bodies.labels import claimed, footprint, widened
from f4x_ros.core.motion.bodies.picture import Mask
from f4x_ros.core.motion.bodies.sight import Sight, spread
from f4x_ros.core.motion.passing import rest_s

_AROUND_PX = 28  # beyond a body's outline that is looked at
_GATE_M = 0.10  # a reading farther from a body's surface is not of it
_GONE_PX = 8  # pixels that may be of a body below which it is not there
_AGAIN_PX = 20  # pixels that may be of it from which another start is tried
_FITS = 0.5  # share of the points in sight that must fit ...
_BADLY = 0.6  # ... and below which another start is tried
_JUMP_SIGMAS, _JUMP_M = 4.0, 0.05  # from where a body is expected that it can be
_WRONG = 0.35  # misfit from which it is something else
_COMPARED, _MOST = 0.2, 350  # share of its points, or of so many, that must be in sight to judge
_WHOLLY = 0.6  # share of a body from which it must be found where it should be
_SHOWN = 0.25  # share of a body below which it is hidden
_MISSES = 3  # frames a body may be missing where it should be seen
_NEW_MISSES = 2  # the same of one that nobody knows yet
_LOST_S = 5.0  # a body that moved out of sight is predicted for so long, at most ...
_LEAST_S = 1.0
_WHOLE = 100  # ... if so many points of it are known
_MOVING_MPS, _MOVING_RADPS = 0.03, 0.25  # slower than this is rest ...
_SPAN_S = 0.5  # ... as measured over this long
_LEAST_M, _LEAST_RAD = 0.01, 0.08  # a shorter way, or turn, is noise
_PAUSE_S = 0.3  # what has not gone for so long has stopped
_SURE = 2  # frames in a row in which it must go
_JITTERS = (4.0, 2.0)  # times as much as what rests seems to: to begin to move, to go on
_HELD_S = 0.25  # what moves looks otherwise than if it had rested for so long ...
_BETTER = 0.85  # ... of which misfit so much is left at most
_GROW_PX = 4  # beyond a body's outline that it may grow in a frame


def follow(body: Body, sight: Sight, rng: np.random.Generator) -> None:
    """Align a body to a frame; its pixels are written into `taken`, its state is judged.

    Args:
        body: predicted to the time of the frame.
        sight: the frame.
        rng: chooses the points that are compared.
    """
    start, information = body.filter.prior(sight.T_map_camera)
    drawn = body.shape.points @ start[:3, :3].T + start[:3, 3]
    part = sight.around(drawn, _AROUND_PX)
    if part is None:
        _miss(body, sight.time_s, expected=False)
        return
    mask = _region(body, start, part)
    if mask.sum() < _GONE_PX:
        _miss(body, sight.time_s, expected=_in_sight(body, start, part))
        return
    upright = part.T_camera_map[:3, 2]
    fit = align(body.shape, part.picture, mask, start, information, rng, upright=upright)
    if fit.used < _BADLY and mask.sum() >= _AGAIN_PX:
        other = _at_middle_of(mask, part, start, body)
        again = align(body.shape, part.picture, mask, other, information, rng, upright=upright)
        fit = again if again.used > fit.used + 0.1 else fit
    seen = fit.compared >= _COMPARED * min(len(body.shape), _MOST) and fit.shown > _SHOWN
    if not seen or fit.used < _FITS:
        _miss(body, sight.time_s, expected=seen and fit.shown > _WHOLLY)
        return
    where = widened(mask, 2) & part.picture.known
    found = Misfit.of(body.shape, part.picture, where, fit.T_camera_body, rng)
    if found is None or found.value > _WRONG or _jumps(body, start, fit):
        _miss(body, sight.time_s, expected=fit.shown > _WHOLLY)
        return
    still = _as_well_at_rest(body, part, where, found, rng)
    body.filter.correct(sight.T_map_camera, fit)
    _note(body, sight, still=still)
    own = _own(body, fit, part)
    if fit.shown > 0.5:
        body.shape.grow(part.picture, fit.T_camera_body, own)
    body.shape.carve(part.picture, fit.T_camera_body, part.rest.settled)
    body.filter.local_middle = body.shape.middle
    part.taken[own] = body.id


def _region(body: Body, start: Pose, sight: Sight) -> Mask:
    """[H, W] pixels that may be of a body that is expected at a pose."""
    picture = sight.picture
    drawn = footprint(body.shape, start, picture)
    z = max(float(start[2, :3] @ body.shape.middle + start[2, 3]), 0.1)
    sigma = _sigma_m(body)
    reach = 3 + min(int(3 * sigma * picture.camera.fx / z), 20)
    off = np.abs(picture.depth - spread(drawn, reach))
    fits = off < _GATE_M + 3 * sigma + body.shape.reach_m * 0.5
    free = picture.known & (sight.taken == 0)
    return np.asarray(widened(drawn > 0, reach) & free & fits & ~sight.rest.settled)


def _own(body: Body, fit: Fit, sight: Sight) -> Mask:
    """[H, W] pixels of a body that was found."""
    picture, rest = sight.picture, sight.rest
    drawn = footprint(body.shape, fit.T_camera_body, picture)
    margin = np.maximum(0.03, 4 * picture.noise_m(picture.depth))
    free = picture.known & (sight.taken == 0)
    on = free & (drawn > 0) & (np.abs(picture.depth - drawn) < margin) & ~rest.settled
    off = np.abs(picture.depth - spread(drawn, _GROW_PX))
    close = widened(drawn > 0, _GROW_PX) & (off < _GATE_M + 0.3 * body.shape.reach_m)
    return claimed(on, close & free & (rest.front | rest.moving), picture)


def _in_sight(body: Body, start: Pose, sight: Sight) -> bool:
    """Whether most of a body that is expected at a pose should be seen."""
    picture = sight.picture
    drawn = footprint(body.shape, start, picture)
    there = (drawn > 0) & picture.known
    if there.sum() < _GONE_PX:
        return False
    margin = picture.noise_m(drawn[there]) * 4 + 0.03
    return bool((picture.depth[there] > drawn[there] - margin).mean() > 0.5)


def _at_middle_of(mask: Mask, sight: Sight, start: Pose, body: Body) -> Pose:
    """A pose with the shape's middle shifted to that of a mask [H, W]."""
    seen = np.median(sight.picture.rays[mask] * sight.picture.depth[mask][:, None], 0)
    drawn = start[:3, :3] @ body.shape.points.T + start[:3, 3:]
    out = start.copy()
    out[:3, 3] += seen - np.median(drawn, 1)
    return out


def _jumps(body: Body, start: Pose, fit: Fit) -> bool:
    """Whether a body was found where it cannot have gone: that is something else."""
    motion = fit.T_camera_body - start
    far = float(np.linalg.norm(motion[:3, :3] @ body.shape.middle + motion[:3, 3]))
    return far > _JUMP_SIGMAS * _sigma_m(body) + _JUMP_M


def _sigma_m(body: Body) -> float:
    """By how much its place is not known, along one axis."""
    return math.sqrt(float(np.trace(body.filter.covariance[:3, :3])) / 3)


def _as_well_at_rest(
    body: Body, sight: Sight, where: Mask, found: Misfit, rng: np.random.Generator
) -> bool:
    """Whether the frame would fit a body as well that has rested for a while."""
    old = body.pose_since(sight.time_s - _HELD_S)
    if old is None or sight.time_s - old[0] < _HELD_S / 2:
        return False
    rested = inverse(sight.T_map_camera) @ old[1]
    held = Misfit.of(body.shape, sight.picture, where, rested, rng)
    if held is None:
        return False
    return held.value < FITS_WELL or found.value > _BETTER * held.value


def _note(body: Body, sight: Sight, *, still: bool) -> None:
    """Judge whether a body that was found moves; `still`: it may as well have rested."""
    time_s = sight.time_s
    if body.misses and body.moving:  # nobody knows whether it moved all the while
        body.still_s = time_s
        body.poses.clear()
    body.seen_s, body.misses, body.fits = time_s, 0, body.fits + 1
    body.poses.append((time_s, body.filter.T_map_body.copy()))
    body.went = 0 if still or not _moves(body, sight) else body.went + 1
    if body.went:
        body.still_s = time_s
    if body.went >= _SURE and body.fits >= ESTABLISHED:
        body.state, body.has_moved = BodyState.MOVING, True
    elif time_s - body.still_s > rest_s(sight.interval_s):
        body.state = BodyState.RESTING
    elif body.moving and body.went == 0 and time_s - body.still_s > _pause_s(sight):
        body.state = BodyState.STOPPED
    elif body.state is BodyState.HIDDEN:
        body.state = BodyState.MOVING


def _pause_s(sight: Sight) -> float:
    return max(_PAUSE_S, sight.interval_s)


def _moves(body: Body, sight: Sight) -> bool:
    """Whether a body's way of late is one, and more than the jitter of what rests."""
    old = body.pose_since(sight.time_s - _SPAN_S)
    if old is None:
        return False
    span, motion = sight.time_s - old[0], body.filter.T_map_body @ inverse(old[1])
    middle = body.filter.middle
    before = inverse(motion)[:3, :3] @ middle + inverse(motion)[:3, 3]
    far = float(np.linalg.norm(middle - before))
    distance = float(np.linalg.norm(middle - sight.T_map_camera[:3, 3]))
    times = _JITTERS[body.moving]
    noise_m = times * sight.jitter.pixels * distance / sight.picture.camera.fx
    if far > max(0.5 * _MOVING_MPS * span, _LEAST_M, noise_m):
        return float(np.linalg.norm(body.velocity)) > _MOVING_MPS
    angle = float(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1)))
    limit = max(_MOVING_RADPS * span, _LEAST_RAD, times * sight.jitter.radians)
    return body.turns_known and angle > limit


def _miss(body: Body, time_s: float, *, expected: bool) -> None:
    """A body was not found, though it was `expected` to be in sight, or is out of it."""
    body.misses += 1
    if body.state is BodyState.NEW:
        if body.misses >= _NEW_MISSES:
            body.state = BodyState.LOST
        return
    gone = expected and body.misses >= _MISSES
    # What was seen for a moment, and scraps, are not waited for as long.
    seen_for = body.seen_s - body.began_s
    patience = min(_LOST_S, _LEAST_S + 2 * seen_for) * min(1.0, len(body.shape) / _WHOLE) ** 2
    lost = gone or time_s - body.seen_s > patience
    hidden = BodyState.HIDDEN if body.state is not BodyState.STOPPED else BodyState.STOPPED
    body.state = BodyState.LOST if lost else hidden
