# SPDX-License-Identifier: Apache-2.0
"""The map seen from above: points, objects with names, their trails, and the camera's way."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from f4x_ros.core.data import UNLABELLED, Cloud, PinholeCamera, Pose, Track, TrackState
from f4x_ros.viz.boxes import corners
from f4x_ros.viz.marks import Box, Chip, draw_chips
from f4x_ros.viz.overlay import naming_order
from f4x_ros.viz.palette import Rgb, color_of_label, prompt_colors
from f4x_ros.viz.plan import (
    INK,
    TEXT_PX,
    WHITE,
    Plan,
    draw_axes,
    draw_grid,
    draw_scale,
    grid_step,
    make_plan,
    up_axis,
)
from f4x_ros.viz.text import Image8, line_height, text_width

__all__ = ["draw_birdseye", "has_moved", "up_axis"]

_GROUND: Rgb = (247, 248, 250)
_ABOVE_CAMERA_M = 0.25  # what is higher than the camera ever was by more than this hides the room
_ABOVE_OBJECT_M = 0.1
_POINT_M = (0.006, 0.03)  # least and usual largest radius of a point
_LONELY = 6.0  # points so many times as far from others as usual float in the air: drawn small
_MAX_POINTS = 150_000  # of larger clouds every n-th point is drawn
_NAMED_ABOVE_M = 0.1  # points asked for are drawn as if they were higher by this
_MOVED_M = 0.3  # an end closer to the beginning than this is jitter,
_JUMP = 0.3  # and so is a way of which a single step makes up more than this share
_MAX_NAMES = 14
_SUPERSAMPLING = 2
_SHIFT = 4  # OpenCV draws at 1/16 pixel


def draw_birdseye(
    size: tuple[int, int],
    cloud: Cloud,
    tracks: tuple[Track, ...],
    prompts: tuple[str, ...],
    camera_path: NDArray[np.float64],
    trails: Mapping[int, NDArray[np.float64]],
    camera: PinholeCamera,
    T_map_camera: Pose,
    up: NDArray[np.float64],
) -> Image8:
    """Draw the map from above, cut open below its ceiling.

    Args:
        size: (width, height) of the picture in pixels.
        cloud: points; those of a prompt are drawn in its colour, the others grey.
        tracks: objects: their footprint, and the name of those that are not LOST or TENTATIVE.
        prompts: in the order of the labels.
        camera_path: [M, 3] m, oldest first.
        trails: [K, 3] m per track id, oldest first; drawn where the object moves or `has_moved`.
        camera: intrinsics, for the field of view.
        T_map_camera: [4, 4], the camera whose view is shown; often at the end of the path.
        up: [3] unit vector of the map, see `up_axis`.

    Returns:
        [height, width, 3] uint8 RGB.
    """
    labels_of = {track.id: track.label for track in tracks}
    moving = {track.id for track in tracks if track.moving}
    moved = {
        number: np.asarray(trail, float)
        for number, trail in trails.items()
        if len(trail) > 1 and (number in moving or has_moved(trail))
    }
    tracks = tuple(t for t in tracks if t.state is not TrackState.LOST)
    xyz, label, rgb = _open_from_above(cloud, tracks, camera_path, up)
    boxes = [corners(track) for track in tracks]
    always = np.concatenate([camera_path, T_map_camera[None, :3, 3]])
    plan = make_plan(xyz, np.concatenate([always, *boxes, *moved.values()]), up, size)
    image = _draw_points(plan, xyz, rgb, label, prompts)
    step = grid_step(plan)
    draw_grid(image, plan, step)
    for number, trail in moved.items():
        _draw_trail(image, plan, trail, color_of_label(labels_of.get(number, ""), prompts))
    taken = [
        _draw_footprint(image, plan, box, color_of_label(track.label, prompts), track.state)
        for box, track in zip(boxes, tracks, strict=True)
    ]
    _draw_camera(image, plan, camera_path, camera, T_map_camera)
    looks_up = bool(T_map_camera[:3, 2] @ plan.along > 0)
    taken += _draw_ends(image, plan, camera_path, T_map_camera[:3, 3], name_below=looks_up)
    taken += [draw_scale(image, plan, step), draw_axes(image, plan)]
    _draw_names(image, plan, tracks, prompts, taken)
    return image


def has_moved(trail: NDArray[np.float64]) -> bool:
    """Whether a trail [K, 3] m shows motion, not a centre that jumps as more of its object is seen.

    It ends away from where it began, and no single step makes up much of the way.
    """
    trail = np.asarray(trail, float)
    if len(trail) < 2 or np.linalg.norm(trail[-1] - trail[0]) < _MOVED_M:
        return False
    steps = np.linalg.norm(np.diff(trail, axis=0), axis=1)
    return bool(steps.max() < _JUMP * steps.sum())


def _open_from_above(
    cloud: Cloud, tracks: tuple[Track, ...], path: NDArray[np.float64], up: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.uint16], NDArray[np.uint8]]:
    """The points below the cut."""
    tops = [float((corners(t) @ up).max()) + _ABOVE_OBJECT_M for t in tracks]
    cut = max([float((path @ up).max()) + _ABOVE_CAMERA_M, *tops])
    height = cloud.xyz @ up.astype(np.float32)
    rows = np.flatnonzero(np.isfinite(cloud.xyz).all(1) & (height <= cut))
    rows = rows[:: -(-len(rows) // _MAX_POINTS) or 1]
    return cloud.xyz[rows], cloud.label[rows], cloud.rgb[rows]


def _draw_points(
    plan: Plan,
    xyz: NDArray[np.float32],
    rgb: NDArray[np.uint8],
    label: NDArray[np.uint16],
    prompts: tuple[str, ...],
) -> Image8:
    """Discs from low to high, as large as the gaps between them."""
    k = _SUPERSAMPLING
    large = np.full((plan.size[1] * k, plan.size[0] * k, 3), _GROUND, np.uint8)
    named = (label > 0) & (label != UNLABELLED) & (label <= len(prompts))
    paint = _pale(rgb)
    if named.any():
        # A point keeps some of its own light and shade, so that objects look solid.
        shade = 0.8 + 0.2 * rgb[named].astype(np.float32).mean(1, keepdims=True) / 255
        paint[named] = np.round(np.array(prompt_colors(prompts))[label[named] - 1] * shade)
    order = np.argsort(xyz @ plan.up + _NAMED_ABOVE_M * named, kind="stable")
    centres = (plan.pixels(xyz[order]) * (k << _SHIFT)).round().astype(int).tolist()
    radii = (_radii(xyz[order]) * plan.pixels_per_m * (k << _SHIFT)).round().astype(int)
    radii = np.clip(radii, 1 << _SHIFT, 30 << _SHIFT).tolist()
    for centre, radius, color in zip(centres, radii, paint[order].tolist(), strict=True):
        cv2.circle(large, centre, radius, color, -1, cv2.LINE_8, _SHIFT)
    return np.asarray(cv2.resize(large, plan.size, interpolation=cv2.INTER_AREA), np.uint8)


def _radii(xyz: NDArray[np.float32]) -> NDArray[np.float64]:
    """Radius [N] m of each point: half the way to its third neighbour, within bounds."""
    if len(xyz) < 4:
        return np.full(len(xyz), _POINT_M[1])
    gaps = np.asarray(cKDTree(xyz).query(xyz, k=4)[0][:, 3])
    typical = float(np.median(gaps))
    least, largest = _POINT_M
    radii = np.clip(0.5 * gaps, least, max(largest, 0.5 * typical))
    return np.asarray(np.where(gaps > _LONELY * typical, least, radii))


def _pale(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Light greys that keep the order of the points' lightness."""
    grey = rgb.astype(np.float32) @ np.array([0.3, 0.59, 0.11], np.float32)
    return np.repeat((150 + grey * (80 / 255)).astype(np.uint8)[:, None], 3, 1)


def _draw_trail(image: Image8, plan: Plan, trail: NDArray[np.float64], color: Rgb) -> None:
    """Where an object has been: a line with an arrow at its present end."""
    points = plan.pixels(trail)
    _polyline(image, points, WHITE, 6)
    _polyline(image, points, _darker(color), 3)
    end = points[-1]
    before = points[np.linalg.norm(points - end, axis=1) > 8]
    if len(before):
        ahead = (end - before[-1]) / np.linalg.norm(end - before[-1])
        side = np.array([-ahead[1], ahead[0]])
        head = np.stack([end + ahead * 9, end - ahead * 5 + side * 7, end - ahead * 5 - side * 7])
        _fill(image, head, _darker(color))


def _draw_camera(
    image: Image8,
    plan: Plan,
    path: NDArray[np.float64],
    camera: PinholeCamera,
    T_map_camera: Pose,
) -> None:
    """The camera's way, and where it looks."""
    reach = 75 / plan.pixels_per_m
    rays = np.array(
        [[-camera.cx / camera.fx, 0, 1], [(camera.width - camera.cx) / camera.fx, 0, 1]]
    )
    rays = rays @ T_map_camera[:3, :3].T
    rays -= np.outer(rays @ plan.up, plan.up)
    length = np.linalg.norm(rays, axis=1, keepdims=True)
    position = T_map_camera[:3, 3]
    if length.min() > 1e-3:  # else it looks straight up or down
        wedge = plan.pixels(np.stack([position, *(position + rays / length * reach)]))
        over = image.copy()
        _fill(over, wedge, WHITE)
        cv2.addWeighted(over, 0.6, image, 0.4, 0, image)
        _polyline(image, wedge, WHITE, 5, closed=True)
        _polyline(image, wedge, INK, 2, closed=True)
    points = plan.pixels(path)
    _polyline(image, points, WHITE, 5)
    _polyline(image, points, INK, 2)


def _draw_ends(
    image: Image8,
    plan: Plan,
    path: NDArray[np.float64],
    camera: NDArray[np.float64],
    *,
    name_below: bool,
) -> list[Box]:
    """Marks for the path's start and end (rings) and the camera (dot); returns their boxes.

    `name_below` keeps the camera's name out of what it sees.
    """
    start, end, now = plan.pixels(np.stack([path[0], path[-1], camera]))
    height, taken = line_height(TEXT_PX), []
    for point, name, fill in ((start, "start", WHITE), (end, "end", WHITE), (now, "camera", INK)):
        if name != "camera" and np.linalg.norm(point - now) < 40:
            continue  # one place: "camera" says it
        centre = _at(point)
        cv2.circle(image, centre, 8 << _SHIFT, WHITE, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(image, centre, 6 << _SHIFT, INK, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(image, centre, 3 << _SHIFT, fill, -1, cv2.LINE_AA, _SHIFT)
        x, y = round(point[0]), round(point[1])
        taken.append((x - 8, y - 8, x + 8, y + 8))
        low = y + 12 + height if name_below == (name == "camera") else y - 11
        half = text_width(name, TEXT_PX) // 2 + 4
        draw_chips(image, [Chip(name, float(x), float(low), WHITE)], TEXT_PX, image.shape[0])
        taken.append((x - half, low - height - 2, x + half, low))
    return taken


def _draw_footprint(
    image: Image8, plan: Plan, box: NDArray[np.float64], color: Rgb, state: TrackState
) -> Box:
    """The outline of a box from above; thin where the object is not confirmed. Returns its box."""
    hull = cv2.convexHull(plan.pixels(box).astype(np.float32))[:, 0].astype(float)
    thin = state is not TrackState.CONFIRMED
    if not thin:
        _polyline(image, hull, WHITE, 4, closed=True)
    _polyline(image, hull, _darker(color), 1 if thin else 2, closed=True)
    (left, top), (right, bottom) = hull.min(0), hull.max(0)
    return round(left), round(top), round(right), round(bottom)


def _draw_names(
    image: Image8,
    plan: Plan,
    tracks: tuple[Track, ...],
    prompts: tuple[str, ...],
    taken: list[Box],
) -> None:
    """Names of the objects that matter most, beside their footprints."""
    named = [t for t in tracks if t.state in (TrackState.CONFIRMED, TrackState.OCCLUDED)]
    chips = []
    for track in sorted(named, key=naming_order)[:_MAX_NAMES]:
        outline = plan.pixels(corners(track))
        text = f"{track.label} #{track.id}"
        if track.moving:
            text += f"  {np.linalg.norm(track.velocity):.2f} m/s"
        x, y = float(outline[:, 0].mean()), float(outline[:, 1].min()) - 3
        chips.append(Chip(text, x, y, color_of_label(track.label, prompts), track.moving))
    draw_chips(image, chips, TEXT_PX, image.shape[0], around=True, taken=taken)


def _polyline(
    image: Image8,
    points: NDArray[np.float64],
    color: Rgb,
    width_px: int,
    *,
    closed: bool = False,
) -> None:
    fixed = np.round(points * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(image, [fixed], closed, color, width_px, cv2.LINE_AA, _SHIFT)


def _fill(image: Image8, points: NDArray[np.float64], color: Rgb) -> None:
    fixed = np.round(points * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(image, [fixed], color, cv2.LINE_AA, _SHIFT)


def _at(point: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.round(point * (1 << _SHIFT)).astype(int)
    return int(x), int(y)


def _darker(color: Rgb) -> Rgb:
    red, green, blue = (round(c * 0.72) for c in color)
    return red, green, blue
