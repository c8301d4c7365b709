# SPDX-License-Identifier: Apache-2.0
"""Views of a world from where no camera was, and which of what they show was ever in sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Pose
from f4x_ros.eval.protocol.frame_scores import least_visible_px
from f4x_ros.eval.subjects.subject import is_held_out
from f4x_ros.sim import World, WorldTruth
from f4x_ros.sim.mesh import rotation

_ANGLES_DEG = (30.0, 24.0, 18.0, 12.0)  # the first that is inside of the room and clear of things
_CLEAR_M = 0.2  # a camera nearer than this to something is inside of it
_SAME_DEPTH = 0.03  # share of the depth by which two views of one surface may differ
_SAME_PLACE_M = 0.03  # what has moved by less is where it was
_ABOUT_NS = 500_000_000  # before or after a moment a thing that moves is much as it is then
_SEEN_EVERY = 4  # frames; what only others show is seldom


@dataclass(frozen=True, eq=False)
class AsideView:
    """A moment of a run from where no camera was."""

    index: int  # of the frame
    rgb: NDArray[np.uint8]  # [H, W, 3]
    truth: WorldTruth
    seen: NDArray[np.bool_]  # [H, W] whether the surface can be known, see `seen_in_run`


def views_aside(world: World, moments: Sequence[int]) -> list[AsideView]:
    """Some moments from the left and from the right of where the camera was then.

    The camera turns about the vertical through what it looks at, by 30 degrees or, where that is
    outside of the room or inside of something, by less; a side without any such place is left out.
    """
    views = []
    for index in moments:
        pose = world.camera_pose(index)
        depth = world.drawing(index).depth
        pivot = pose[:3, 3] + pose[:3, 2] * float(np.median(depth[depth > 0]))
        for side in (-1.0, 1.0):
            for angle in _ANGLES_DEG:
                there = _turned_about(pose, pivot, side * np.deg2rad(angle))
                if not _is_inside(world, there):
                    continue
                rgb, truth = world.view(index, there)
                if (truth.depth > _CLEAR_M).all():
                    views.append(AsideView(index, rgb, truth, seen_in_run(world, index, truth)))
                    break
    return views


def seen_in_run(world: World, index: int, truth: WorldTruth) -> NDArray[np.bool_]:
    """[H, W] whether the surface at each pixel of a view was in sight of some mapped frame.

    Any frame of the run counts, as the map is asked when it is over. Surfaces of a thing that moves
    are followed in the thing's own frame, for half a second before and after frame `index`, the
    moment of the view, if the camera shows some of the thing at that moment; from other times they
    count only where they stood as they stand then, as nobody can know where a thing has gone, or
    what it has turned to, that is out of sight.
    """
    camera = world.camera
    shape = truth.instances.shape
    in_map = camera.unproject(truth.depth).reshape(-1, 3) @ truth.T_map_camera[:3, :3].T
    in_map = in_map + truth.T_map_camera[:3, 3]
    ids, seen = truth.instances.ravel(), np.zeros(truth.instances.size, bool)
    movers = [n for n, label in world.labels.items() if label.moving and n in truth.T_map_object]
    then = world.truth(index)
    shown = {n for n in movers if then.mask({n}).sum() >= least_visible_px(then)}
    for other in range(0, len(world), _SEEN_EVERY):
        if is_held_out(other):
            continue
        frame = world.truth(other)
        about_then = abs(frame.stamp_ns - then.stamp_ns) <= _ABOUT_NS
        points, known = in_map.copy(), np.ones(len(ids), bool)
        for number in movers:
            rows = ids == number
            if number in frame.T_map_object:
                motion = frame.T_map_object[number] @ np.linalg.inv(truth.T_map_object[number])
                points[rows] = points[rows] @ motion[:3, :3].T + motion[:3, 3]
                moved = np.linalg.norm(points[rows] - in_map[rows], axis=1) > _SAME_PLACE_M
                known[rows] = (about_then and number in shown) | ~moved
        seen |= known & _in_sight(world, frame, points, ids)
    return seen.reshape(shape)


def _in_sight(
    world: World, frame: WorldTruth, points: NDArray[np.float64], ids: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """[N] which points [N, 3] of instances [N] a frame shows."""
    camera = world.camera
    T_camera_map = np.linalg.inv(frame.T_map_camera)
    here = points @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    pixels = np.nan_to_num(camera.project(here), nan=-1.0, posinf=-1.0, neginf=-1.0)
    column, row = np.floor(np.clip(pixels, -1, 1e6)).astype(np.int64).T
    inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    column, row = np.where(inside, column, 0), np.where(inside, row, 0)
    near = np.abs(frame.depth[row, column] - here[:, 2]) < _SAME_DEPTH * here[:, 2]
    return np.asarray(inside & near & (frame.instances[row, column] == ids))


def _is_inside(world: World, pose: Pose) -> bool:
    """Whether a camera stands in the room; the map frame is in the middle of the floor."""
    x, y, z = world.scene.spec.room.size
    place = np.abs(pose[:3, 3] - [0, 0, z / 2])
    return bool((place < np.array([x, y, z]) / 2 - _CLEAR_M / 2).all())


def _turned_about(pose: Pose, pivot: NDArray[np.float64], angle_rad: float) -> Pose:
    turn = rotation("z", angle_rad)
    out = pose.copy()
    out[:3, :3] = turn @ pose[:3, :3]
    out[:3, 3] = pivot + turn @ (pose[:3, 3] - pivot)
    return out
