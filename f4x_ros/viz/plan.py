# SPDX-License-Identifier: Apache-2.0
"""The frame of a map drawn from above: which way is up, where things lie, grid, scale and axes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.viz.marks import Box
from f4x_ros.viz.palette import Rgb
from f4x_ros.viz.text import Image8, draw_text, text_width

INK: Rgb = (32, 36, 44)
WHITE: Rgb = (255, 255, 255)
TEXT_PX = 14

_LINES: Rgb = (70, 90, 130)
_LINE_OPACITY = 0.22
_OUTLIERS = 0.5  # percent of the points on each side that may lie outside of the picture
_SMALLEST_M = 0.5  # what a picture shows at least


def up_axis(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The axis of the map that points up, as a unit vector [3] with one entry of 1 or -1.

    REP-105 has z up, but folders from headsets and structure from motion have y up or down. People
    and robots hold cameras upright, so this is the axis next to the mean of where images have their
    upper edge.

    Args:
        poses: [..., 4, 4] `T_map_camera` of one or more images.
    """
    mean = -np.asarray(poses, float)[..., :3, 1].reshape(-1, 3).mean(0)
    up = np.zeros(3)
    axis = int(np.argmax(np.abs(mean)))
    up[axis] = 1.0 if mean[axis] >= 0 else -1.0
    return up


@dataclass(frozen=True, eq=False)
class Plan:
    """Where map positions lie in a picture of the map from above.

    `across` and `along` [3] are the map directions of the picture's right and upper edge; they and
    `up` form a right-handed frame, so that nothing is mirrored. `centre` [2] m is in the middle.
    """

    up: NDArray[np.float64]
    across: NDArray[np.float64]
    along: NDArray[np.float64]
    centre: NDArray[np.float64]
    pixels_per_m: float
    size: tuple[int, int]  # width, height in pixels

    def pixels(self, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels [N, 2] of positions [N, 3] m."""
        p = np.asarray(positions, float).reshape(-1, 3)
        flat = np.stack([p @ self.across, p @ self.along], -1) - self.centre
        return flat * [self.pixels_per_m, -self.pixels_per_m] + np.array(self.size) / 2


def make_plan(
    xyz: NDArray[np.float32],
    always: NDArray[np.float64],
    up: NDArray[np.float64],
    size: tuple[int, int],
) -> Plan:
    """The plan that shows nearly all points and all of `always` [N, 3] as large as possible."""
    across = np.roll(up, 1) if abs(up[2]) > 0.5 else np.eye(3)[int(abs(up[0]) > 0.5)]
    across = np.abs(across)
    along = np.cross(up, across)
    bounds = []
    for axis in (across, along):
        values = always @ axis
        if len(xyz):
            low, high = np.percentile(xyz @ axis, [_OUTLIERS, 100 - _OUTLIERS])
            values = np.append(values, [low, high])
        bounds.append((float(values.min()), float(values.max())))
    extent = np.array([high - low for low, high in bounds])
    centre = np.array([(low + high) / 2 for low, high in bounds])
    if (extent[0] < extent[1]) != (size[0] < size[1]):
        across, along = along, -across
        extent, centre = extent[::-1], np.array([centre[1], -centre[0]])
    room = np.array(size) - [24, 44]  # names at the edges, the scale bar
    scale = float((room / np.maximum(extent, _SMALLEST_M)).min())
    return Plan(up, across, along, centre, scale, size)


def grid_step(plan: Plan) -> float:
    """Metres between grid lines: 1, 2 or 5 times a power of ten, at least 60 pixels apart."""
    least = 60 / plan.pixels_per_m
    decade = 10.0 ** np.floor(np.log10(least))
    return float(next(f * decade for f in (1, 2, 5, 10) if f * decade >= least * 0.999))


def draw_grid(image: Image8, plan: Plan, step: float) -> None:
    """Draw lines through whole multiples of `step` metres in place, over what is there."""
    over = image.copy()
    half = np.array(plan.size) / 2 / plan.pixels_per_m
    for axis, (low, high) in enumerate(np.stack([plan.centre - half, plan.centre + half], 1)):
        for number in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1):
            offset = (number * step - plan.centre[axis]) * plan.pixels_per_m
            if axis == 0:
                x = round(plan.size[0] / 2 + offset)
                cv2.line(over, (x, 0), (x, plan.size[1]), _LINES, 1)
            else:
                y = round(plan.size[1] / 2 - offset)
                cv2.line(over, (0, y), (plan.size[0], y), _LINES, 1)
    cv2.addWeighted(over, _LINE_OPACITY, image, 1 - _LINE_OPACITY, 0, image)


def draw_scale(image: Image8, plan: Plan, step: float) -> Box:
    """A bar as long as a grid square, with the directions of the map's axes; returns its box."""
    length = round(step * plan.pixels_per_m)
    left, bottom = 14, image.shape[0] - 14
    text = f"{step:g} m" if step >= 1 else f"{step * 100:g} cm"
    right, top = left + length + text_width(text, TEXT_PX) + 24, bottom - 26
    image[top : bottom + 4, left - 4 : right] = WHITE
    y = bottom - 10
    cv2.line(image, (left + 4, y), (left + 4 + length, y), INK, 3)
    for x in (left + 4, left + 4 + length):
        cv2.line(image, (x, y - 5), (x, y + 5), INK, 2)
    draw_text(image, text, left + length + 12, bottom - 20, TEXT_PX, INK)
    return left - 4, top, right, bottom + 4


def draw_axes(image: Image8, plan: Plan) -> Box:
    """Arrows along the two axes of the map that lie in the picture; returns their box."""
    right, bottom = image.shape[1] - 14, image.shape[0] - 14
    left, top = right - 72, bottom - 72
    image[top:bottom, left:right] = WHITE
    arrows = np.stack([plan.across, -plan.along], -1)  # of x, y and z in pixels
    start = np.array([(left + right) / 2, (top + bottom) / 2]) - 17 * arrows.sum(0)
    for name, arrow in zip("xyz", arrows, strict=True):
        if not arrow.any():
            continue
        x, y, tip_x, tip_y = (round(float(v)) for v in (*start, *(start + 34 * arrow)))
        cv2.arrowedLine(image, (x, y), (tip_x, tip_y), INK, 1, cv2.LINE_AA, 0, 0.2)
        at = start + 46 * arrow
        draw_text(image, name, at[0], at[1] - 9, 13, INK, anchor="center")
    return left, top, right, bottom


def axes_text(up: NDArray[np.float64]) -> str:
    """Which axis of the map points up, e.g. "z up" or "y down"."""
    axis = int(np.argmax(np.abs(up)))
    return f"{'xyz'[axis]} {'up' if up[axis] > 0 else 'down'}"
