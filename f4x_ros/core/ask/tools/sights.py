# SPDX-License-Identifier: Apache-2.0
"""Tools about sight: whether something is visible from somewhere, and what is in the way.

The pixels on which a thing's box falls are asked for the depth that is there: before the box
something hides it, in the box it is seen, behind it one looks past it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.ask.tools.resolve import CAMERA, Moment, moment, named, thing_at
from f4x_ros.core.ask.tools.result import Outcome, ToolResult, not_present, unsure
from f4x_ros.core.ask.tools.scene import ROOM, Scene, State, Thing, Vector
from f4x_ros.core.data import PinholeCamera, Pose

_SEEN = 0.25  # share of a thing's pixels from which it is visible ...
_HIDDEN = 0.12  # ... and to which it is hidden
_WHOLE = 0.92  # from this share on nothing hides it
_MARGIN_M = 0.04
_LEAST_PX = 3
_EYE_M = 0.3  # above the top of the thing from which one looks
_BESIDE = 0.08  # of the pixels before a thing that must lie in a box for it to be what hides it


class Sight(NamedTuple):
    """What a view shows where a thing is.

    Attributes:
        share: of the thing's pixels that show it, 0..1; 0 where it is out of the picture.
        pixels: on which its box falls, in the picture.
        in_picture: share of its box in the picture.
        blockers: [M, 3] points of the map before it.
    """

    share: float
    pixels: int
    in_picture: float
    blockers: Vector


def visible(scene: Scene, thing: str, view: str = CAMERA, at: float | None = None) -> ToolResult:
    """Whether something can be seen from the camera as it was, or from where a thing is."""
    then = moment(scene, at)
    one, state = thing_at(scene, thing, then)
    sight, name = _sight(scene, one, state, view, then)
    ids = (one.id,)
    evidence = (
        f"{sight.in_picture:.0%} of its box is in the picture, {sight.share:.0%} of that is seen",
    )
    if sight.pixels < _LEAST_PX or sight.in_picture < 0.1:
        value, why = False, "it is out of the picture"
    elif sight.share >= _SEEN:
        value, why = True, evidence[0]
    elif sight.share <= _HIDDEN:
        value, why = False, "something is in the way"
    else:
        raise unsure(
            f"{named(one)} can only be seen in part by {name} at {then}: {evidence[0]}",
            ids, (then.ns,),
        )  # fmt: skip
    return ToolResult(
        "visible", Outcome.VALUE, value,
        f"{named(one)} is {'visible' if value else 'not visible'} from {name} at {then}: {why}",
        ids=ids, stamps_ns=(then.ns,), evidence=evidence,
    )  # fmt: skip


def hidden_by(scene: Scene, thing: str, view: str = CAMERA, at: float | None = None) -> ToolResult:
    """What is in the way of seeing something."""
    then = moment(scene, at)
    one, state = thing_at(scene, thing, then)
    sight, name = _sight(scene, one, state, view, then)
    if sight.pixels < _LEAST_PX:
        raise unsure(f"{named(one)} is out of the picture at {then}", (one.id,), (then.ns,))
    if sight.share > _WHOLE:
        raise not_present(
            f"{sight.share:.0%} of {named(one)} is seen by {name} at {then}: nothing hides it",
            (one.id,), (then.ns,),
        )  # fmt: skip
    shares = sorted(
        ((_share_in(sight.blockers, box), other) for other, box in _others(scene, one, then)),
        key=lambda row: -row[0],
    )
    shares = [row for row in shares if row[0] >= _BESIDE]
    if not shares:
        raise unsure(
            f"what hides {named(one)} for {name} at {then} is none of the known things",
            (one.id,), (then.ns,),
        )  # fmt: skip
    best = shares[0][1]
    return ToolResult(
        "hidden_by", Outcome.VALUE, best.name,
        f"{named(best)} is before {named(one)} for {name} at {then}",
        ids=(best.id, one.id), stamps_ns=(then.ns,),
        evidence=(f"{1 - sight.share:.0%} of {named(one)} is hidden",
                  *(f"{share:.0%} of what is before it lies in the box of {named(other)}"
                    for share, other in shares[:3])),
    )  # fmt: skip


def sight_of(
    state: State, depth: NDArray[np.float32], camera: PinholeCamera, T_map_camera: Pose
) -> Sight:
    """What a picture's depth [H, W] says of a thing in it."""
    T = np.asarray(T_map_camera, np.float64)
    corners = np.array(np.meshgrid(*zip(state.low, state.high, strict=True))).reshape(3, -1).T
    seen = (corners - T[:3, 3]) @ T[:3, :3]
    if seen[:, 2].max() <= 0.05:
        return Sight(0.0, 0, 0.0, np.zeros((0, 3)))
    pixels = camera.project(np.maximum(seen, [-np.inf, -np.inf, 0.05]))
    low, high = np.floor(pixels.min(0)), np.ceil(pixels.max(0))
    first = np.clip(low, 0, [camera.width, camera.height]).astype(int)
    last = np.clip(high, 0, [camera.width, camera.height]).astype(int)
    whole = float(np.prod(np.maximum(high - low, 1)))
    if (last <= first).any():
        return Sight(0.0, 0, 0.0, np.zeros((0, 3)))
    rays = camera.pixel_rays()[first[1] : last[1], first[0] : last[0]].reshape(-1, 3)
    there = depth[first[1] : last[1], first[0] : last[0]].reshape(-1).astype(np.float64)
    ways = rays @ T[:3, :3].T
    near, far = _through(T[:3, 3], ways, state.low, state.high)
    hit = far > np.maximum(near, 0.05)
    known = hit & (there > 0)
    before = known & (there < near - _MARGIN_M)
    inside = known & ~before & (there <= far + _MARGIN_M)
    counted = int(before.sum() + inside.sum())
    share = float(inside.sum()) / counted if counted else 0.0
    points = T[:3, 3] + ways[before] * there[before, None]
    in_picture = float(np.prod(last - first)) / whole
    return Sight(share, int(hit.sum()), min(in_picture, 1.0), points)


def _through(eye: Vector, ways: Vector, low: Vector, high: Vector) -> tuple[Vector, Vector]:
    """Where rays [M, 3] enter and leave a box, in units of the rays (depths)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (low - eye) / ways, (high - eye) / ways
    near = np.nanmax(np.minimum(first, second), axis=1)
    far = np.nanmin(np.maximum(first, second), axis=1)
    return near, far


def _sight(scene: Scene, one: Thing, state: State, view: str, then: Moment) -> tuple[Sight, str]:
    """The sight of a thing from the camera as it was, or from above a thing towards it."""
    camera, T = scene.view_at(then.ns)
    name = CAMERA
    if view != CAMERA:
        viewer, stand = thing_at(scene, view, then)
        eye = np.array([*stand.center[:2], stand.high[2] + _EYE_M])
        T, name = look_at(eye, state.center), named(viewer)
    return sight_of(state, scene.depth(then.ns, camera, T), camera, T), name


def look_at(eye: Vector, target: Vector) -> Pose:
    """`T_map_camera` [4, 4] of a camera at a place that looks at another, its down down."""
    ahead = target - eye
    ahead = ahead / max(float(np.linalg.norm(ahead)), 1e-9)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-6:
        right = np.array([0.0, -1.0, 0.0])
    right = right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(ahead, right), ahead], axis=1)
    pose[:3, 3] = eye
    return pose


def _others(scene: Scene, one: Thing, then: Moment) -> list[tuple[Thing, State]]:
    found = [(other, other.state_at(then.ns)) for other in scene.things_at(then.ns)]
    return [(other, state) for other, state in found
            if state is not None and other.id != one.id and other.name not in ROOM]  # fmt: skip


def _share_in(points: Vector, box: State) -> float:
    inside = (points >= box.low - _MARGIN_M).all(1) & (points <= box.high + _MARGIN_M).all(1)
    return float(inside.mean())
