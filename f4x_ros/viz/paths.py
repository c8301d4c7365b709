# SPDX-License-Identifier: Apache-2.0
"""Two ways of one camera from above: as it was given, and as it was estimated."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.viz.palette import Rgb
from f4x_ros.viz.plan import INK, TEXT_PX, draw_axes, draw_grid, draw_scale, grid_step, make_plan
from f4x_ros.viz.text import Image8, draw_text, line_height, text_width

_SIZE = (960, 720)
_GROUND: Rgb = (247, 248, 250)
_GIVEN: Rgb = (120, 126, 138)
_ESTIMATED: Rgb = (200, 60, 30)
_BETWEEN: Rgb = (225, 165, 150)


def draw_paths(
    given: NDArray[np.float64],
    estimated: NDArray[np.float64],
    up: NDArray[np.float64],
    title: str,
) -> Image8:
    """Draw both paths over a grid, joined by lines where they are at the same time.

    Args:
        given: [N, 3] metres, map frame; NaN where no pose was given. May be all NaN.
        estimated: [N, 3] metres, map frame, at the same stamps.
        up: axis of the map that points up.
        title: one line.
    """
    known = np.asarray(np.isfinite(given).all(1))
    plan = make_plan(np.zeros((0, 3), np.float32), np.concatenate([estimated, given[known]]), up,
                     _SIZE)  # fmt: skip
    image: Image8 = np.full((_SIZE[1], _SIZE[0], 3), _GROUND, np.uint8)
    step = grid_step(plan)
    draw_grid(image, plan, step)
    ours, theirs = plan.pixels(estimated), plan.pixels(np.where(known[:, None], given, 0))
    for i in np.flatnonzero(known)[:: max(1, len(known) // 80)]:
        _line(image, np.stack([ours[i], theirs[i]]), _BETWEEN, 1)
    for run in np.split(np.arange(len(known)), np.flatnonzero(np.diff(known.astype(int))) + 1):
        if len(run) and known[run[0]]:
            _line(image, theirs[run], _GIVEN, 2)
    _line(image, ours, _ESTIMATED, 2)
    start = tuple(round(float(v)) for v in ours[0])
    cv2.circle(image, start, 6, _ESTIMATED, -1, cv2.LINE_AA)
    draw_text(image, "start", start[0] + 10, start[1] - 9, TEXT_PX, INK)
    draw_scale(image, plan, step)
    draw_axes(image, plan)
    draw_text(image, title, 14, 10, TEXT_PX, INK, bold=True)
    _legend(image, bool(known.any()))
    return image


def _line(image: Image8, pixels: NDArray[np.float64], color: Rgb, width: int) -> None:
    points = np.rint(pixels * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(image, [points], False, color, width, cv2.LINE_AA, 4)


def _legend(image: Image8, both: bool) -> None:
    y = 10 + line_height(TEXT_PX)
    entries = [("estimated", _ESTIMATED)] + ([("given", _GIVEN)] if both else [])
    x = 14
    for name, color in entries:
        cv2.line(image, (x, y + 10), (x + 24, y + 10), color, 3, cv2.LINE_AA)
        draw_text(image, name, x + 30, y, TEXT_PX, INK)
        x += 46 + text_width(name, TEXT_PX)
