# SPDX-License-Identifier: Apache-2.0
"""Points of a surface through time, and how fast each pixel's surface goes (scene flow).

A point belongs to the body whose Gaussians lie around it at its moment, and goes where that body
goes, in sight or not; what is of no body stays. These are the heads "point tracks", "point map" and
"scene flow" of 4D-VGGT, read from the field instead of a network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from f4x_ros.core.base import on_host
from f4x_ros.core.base.limits import (
    MAX_POINT_PICTURES,
    MAX_POINT_PLACES,
    MAX_POINT_STAMPS,
    MAX_POINTS,
    MAX_STEP_S,
    MIN_STEP_S,
    USUAL_POINT_STAMPS,
)
from f4x_ros.core.data import PinholeCamera, PointTracks, Pose, inverse
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.field import EMPTY_ALPHA, MIN_OPACITY, NO_BODY, BodyPaths, Snapshot, take_snapshot
from f4x_ros.core.world.memory import Memory

_AROUND = 12  # Gaussians that say whose a point is
_LEAST_M = 0.02  # how far a Gaussian's word carries at least ...
_NEAR_M = 0.25  # ... and at most
_SEEN_M, _SEEN_SHARE = 0.03, 0.02  # a point in sight is so near to the surface drawn there
_SPAN_S = 0.1  # over which a velocity is taken


def surface_points(
    pixels: ArrayLike, depth: NDArray[np.float32], camera: PinholeCamera, T_map_camera: Pose
) -> NDArray[np.float64]:
    """Points [N, 3] in the map frame that pixels [N, 2] (column, row) of a depth image show.

    Raises:
        BadInputError: not [N, 2], a pixel outside of the picture, or one that shows nothing.
    """
    at = np.asarray(pixels, np.float64)
    if at.ndim != 2 or at.shape[1] != 2 or not len(at):
        raise BadInputError(f"pixels have shape {at.shape}, expected [N, 2] columns and rows")
    height, width = depth.shape
    inside = (at >= 0).all(1) & (at[:, 0] < width) & (at[:, 1] < height)
    if not inside.all():  # (NaN is refused, too)
        raise BadInputError(
            f"pixel {at[~inside][0].tolist()} is outside of the picture of {width}x{height}"
        )
    columns, rows = np.floor(at).astype(int).T
    z = depth[rows, columns].astype(np.float64)
    if not (z > 0).all():
        raise BadInputError(
            f"pixel {at[z <= 0][0].tolist()} shows nothing that is mapped, expected pixels on a "
            "surface"
        )
    rays = np.stack([(at[:, 0] - camera.cx) / camera.fx, (at[:, 1] - camera.cy) / camera.fy], 1)
    there = np.concatenate([rays, np.ones((len(at), 1))], 1) * z[:, None]
    return np.asarray(there @ T_map_camera[:3, :3].T + T_map_camera[:3, 3])


@torch.no_grad()
def followed(
    memory: Memory,
    points: ArrayLike,
    stamp_ns: int,
    stamps_ns: Sequence[int],
    backend: str,
    *,
    want_visible: bool,
) -> PointTracks:
    """Where points of the map's surface are at other times, see `Perception.follow_points`."""
    start = _checked(points)
    most = MAX_POINT_PICTURES if want_visible else MAX_POINT_STAMPS
    most = min(most, MAX_POINT_PLACES // len(start))
    if not 0 < len(stamps_ns) <= most:
        sight = " and what was in sight" if want_visible else ""
        raise BadInputError(
            f"{len(stamps_ns)} moments are asked for, expected 1 to {most} for {len(start)} "
            f"points{sight}"
        )
    last, _, time_s = memory.viewpoint(None, stamp_ns)
    views = [memory.viewpoint(None, stamp) for stamp in stamps_ns]  # checks the stamps
    field = memory.field
    codes = {*field.rest.around(start, _NEAR_M), *memory.went_on(time_s)}
    snapshot = take_snapshot(field, time_s if stamp_ns else None, blocks=sorted(codes))
    bodies = _bodies_at(snapshot, start)
    times_s = [seconds for _, _, seconds in views]
    positions = _carried(field.paths, bodies, start, time_s, times_s)
    visible = None
    if want_visible:
        visible = np.stack(
            [
                _in_sight(memory, where, last.camera, pose, stamp, backend)
                for where, (_, pose, _), stamp in zip(positions, views, stamps_ns, strict=True)
            ]
        )
    return PointTracks(
        stamps_ns=tuple(stamp or memory.stamp_ns for stamp in stamps_ns),
        map_frame=last.map_frame,
        positions=positions,
        bodies=bodies,
        visible=visible,
    )


def moments(memory: Memory, since_ns: int, until_ns: int, step_s: float) -> list[int]:
    """Stamps of a span: every `step_s`, or, if that is 0, of its frames, 200 at most.

    Args:
        memory: the map.
        since_ns: begin; 0 = the first frame.
        until_ns: end; 0 = the last frame.
        step_s: seconds.

    Raises:
        BadInputError: a step, or a span, that is not as expected, or more moments than are told.
    """
    first, last = memory.trajectory.span_ns
    begin, end = since_ns or first, until_ns or last
    for stamp in (begin, end):
        memory.viewpoint(None, stamp)  # checks it
    if end < begin:
        raise BadInputError(
            f"until is {end / 1e9:.3f} s, expected no moment before since, {begin / 1e9:.3f} s"
        )
    if step_s == 0:
        return memory.trajectory.stamps(begin, end, USUAL_POINT_STAMPS)
    if not MIN_STEP_S <= step_s <= MAX_STEP_S:  # (NaN is refused, too)
        raise BadInputError(
            f"step is {step_s:g}, expected 0 or {MIN_STEP_S:g} to {MAX_STEP_S:g} seconds"
        )
    count = int((end - begin) / (step_s * 1e9)) + 1
    if count > MAX_POINT_STAMPS:
        raise BadInputError(
            f"step is {step_s:g} s, which makes {count} moments, expected at most "
            f"{MAX_POINT_STAMPS}"
        )
    return [begin + round(number * step_s * 1e9) for number in range(count)]


def _checked(points: ArrayLike) -> NDArray[np.float64]:
    start = np.asarray(points, np.float64)
    if start.ndim != 2 or start.shape[1] != 3 or not 0 < len(start) <= MAX_POINTS:
        raise BadInputError(
            f"points have shape {start.shape}, expected [N, 3] with N from 1 to {MAX_POINTS}"
        )
    if not np.isfinite(start).all():
        bad = start[~np.isfinite(start).all(1)][0]
        raise BadInputError(f"point {bad.tolist()} is not finite")
    return start


def _bodies_at(snapshot: Snapshot, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Body [N] that most of the Gaussians around each point are of."""
    solid = snapshot.opacities > MIN_OPACITY
    columns = (snapshot.means, snapshot.scales.amax(-1), snapshot.opacities, snapshot.body_ids)
    means, reach, weight, owners = on_host(*(one[solid] for one in columns))
    if not len(means):
        return np.full(len(points), NO_BODY, np.int64)
    count = min(_AROUND, len(means))
    far, at = cKDTree(means).query(points, k=count, distance_upper_bound=_NEAR_M)
    far, at = far.reshape(len(points), count), at.reshape(len(points), count)
    there = at < len(means)
    at = np.where(there, at, 0)
    say = weight[at] * np.exp(-0.5 * np.square(far / np.maximum(reach[at], _LEAST_M)))
    say = np.where(there, say, 0.0)
    names, of = np.unique(owners[at], return_inverse=True)
    votes = np.zeros((len(points), len(names)))
    np.add.at(votes, (np.arange(len(points))[:, None], of.reshape(at.shape)), say)
    chosen = names[votes.argmax(1)].astype(np.int64)
    return np.where(votes.max(1) > 0, chosen, NO_BODY)


def _carried(
    paths: BodyPaths,
    bodies: NDArray[np.int64],
    points: NDArray[np.float64],
    time_s: float,
    times_s: Sequence[float],
) -> NDArray[np.float64]:
    """The points [T, N, 3] where their bodies take them."""
    start = torch.from_numpy(points)
    motion = paths.motion(
        torch.from_numpy(bodies), torch.full((len(bodies),), time_s, dtype=torch.float64), times_s
    )
    there = [
        start if one is None else one._replace(
            turns=one.turns.double(), shifts=one.shifts.double()
        ).means(start)
        for one in motion
    ]  # fmt: skip
    return np.stack([one.numpy() for one in there])


def _in_sight(
    memory: Memory,
    points: NDArray[np.float64],
    camera: PinholeCamera,
    T_map_camera: Pose,
    stamp_ns: int,
    backend: str,
) -> NDArray[np.bool_]:
    """Which points [N, 3] the camera saw, or sees, from where it is."""
    scene = memory.scene(stamp_ns, T_map_camera, camera)
    out = scene.snapshot.render(scene.snapshot.colors, camera, T_map_camera, backend)
    (depth,) = on_host(torch.where(out.alpha > EMPTY_ALPHA, out.expected_depth, 0))
    T = inverse(T_map_camera)
    there = points @ T[:3, :3].T + T[:3, 3]
    z = np.maximum(there[:, 2], 1e-6)
    columns = np.floor(there[:, 0] / z * camera.fx + camera.cx)
    rows = np.floor(there[:, 1] / z * camera.fy + camera.cy)
    inside = (there[:, 2] > 0) & (columns >= 0) & (rows >= 0)
    inside &= (columns < camera.width) & (rows < camera.height)
    at = np.where(inside, rows, 0).astype(int), np.where(inside, columns, 0).astype(int)
    near = np.abs(depth[at] - there[:, 2]) < _SEEN_M + _SEEN_SHARE * z
    return np.asarray(inside & near)


def velocities(snapshot: Snapshot, paths: BodyPaths, time_s: float, last_s: float) -> Tensor:
    """Velocity [N, 3] of each Gaussian of a snapshot at a time, m/s in the map frame.

    Args:
        snapshot: of that time.
        paths: of the field.
        time_s: seconds of the field.
        last_s: of the last frame: what comes after it is not known.
    """
    until = min(time_s + _SPAN_S / 2, last_s)
    since = until - _SPAN_S
    placed = torch.full_like(snapshot.means[:, 0], time_s)
    before, after = paths.motion(snapshot.body_ids, placed, [since, until])
    means = snapshot.means
    ends = [means if one is None else one.means(means) for one in (before, after)]
    return (ends[1] - ends[0]) / _SPAN_S
