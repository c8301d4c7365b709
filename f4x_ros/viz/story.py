# SPDX-License-Identifier: Apache-2.0
"""One picture that tells what a run has seen, understood and measured, at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Cloud, Percept
from f4x_ros.core.errors import BadInputError
from f4x_ros.viz.birdseye import draw_birdseye
from f4x_ros.viz.marks import draw_legend
from f4x_ros.viz.overlay import overlay
from f4x_ros.viz.palette import Rgb, prompt_colors
from f4x_ros.viz.plan import axes_text, up_axis
from f4x_ros.viz.text import Image8, draw_text, fitted, line_height, text_width

SIZE = (1600, 1000)
"""Width and height of the picture in pixels."""

_PAPER: Rgb = (255, 255, 255)
_INK: Rgb = (32, 36, 44)
_QUIET: Rgb = (112, 118, 130)
_RULE: Rgb = (222, 225, 230)
_EMPTY: Rgb = (52, 54, 60)  # depth where the field has none

_MARGIN = 24
_GAP = 16
_TOP = 96  # below the title and the legend
_CELL_WIDTH = 404
_CAPTION = 30
_TEXT_PX = 15
_ROW = 25  # of the table

_Area = tuple[int, int, int, int]  # left, top, width, height


@dataclass(frozen=True, eq=False)
class Story:
    """What the picture shows.

    Attributes:
        title: one line.
        rgb: [H, W, 3] uint8, the frame that the percept describes.
        percept: with labels and tracks.
        cloud: of the map, labelled as the percept is.
        camera_path: [M, 3] m, map frame, oldest first, M >= 1.
        trails: [K, 3] m, map frame, oldest first, of each track id.
        rows: names and values of the numbers to show, as text.
        up: [3] unit vector of the map, see `up_axis`; None: from the percept's pose alone.

    Raises:
        ValueError: a part of the percept is missing or sizes do not fit; names it.
    """

    title: str
    rgb: Image8
    percept: Percept
    cloud: Cloud
    camera_path: NDArray[np.float64]
    trails: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)
    rows: Sequence[tuple[str, str]] = ()
    up: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.percept.labels is None:
            raise BadInputError("percept has no labels, expected one with them")
        shape = (self.percept.camera.height, self.percept.camera.width, 3)
        if self.rgb.shape != shape:
            raise BadInputError(f"rgb has shape {self.rgb.shape}, expected {shape} as the percept")
        path = np.asarray(self.camera_path)
        if path.ndim != 2 or path.shape[1] != 3 or not len(path):
            raise BadInputError(f"camera_path has shape {path.shape}, expected (M, 3), M >= 1")
        for number, trail in self.trails.items():
            if np.ndim(trail) != 2 or np.shape(trail)[1] != 3:
                raise BadInputError(
                    f"trail of track {number} has shape {np.shape(trail)}, expected (K, 3)"
                )


def draw_story(story: Story) -> Image8:
    """Draw the story.

    Returns:
        [1000, 1600, 3] uint8 RGB: the input, the field's colour and depth and the masks on the
        left, numbers below them, the map seen from above on the right.
    """
    page = np.full((SIZE[1], SIZE[0], 3), _PAPER, np.uint8)
    _draw_header(page, story)
    below = _draw_images(page, story)
    _draw_table(page, story.rows, below)
    _draw_map(page, story)
    return page


def _draw_header(page: Image8, story: Story) -> None:
    percept = story.percept
    width = SIZE[0] - 2 * _MARGIN
    draw_text(page, fitted(story.title, 28, width, bold=True), _MARGIN, 14, 28, _INK, bold=True)
    lead = "Looked for:" if percept.prompts else "Nothing was looked for."
    y = 58
    draw_text(page, lead, _MARGIN, y, _TEXT_PX, _QUIET)
    x = _MARGIN + text_width(lead, _TEXT_PX) + 12
    encoder = f"understood by: {percept.encoder}"
    draw_text(page, encoder, SIZE[0] - _MARGIN, y, _TEXT_PX, _QUIET, anchor="right")
    room = SIZE[0] - _MARGIN - text_width(encoder, _TEXT_PX) - 24 - x
    entries = [
        (prompt, color, 1.0)
        for prompt, color in zip(percept.prompts, prompt_colors(percept.prompts), strict=True)
    ]
    draw_legend(page, entries, (x, y, room), _TEXT_PX, _INK)


def _draw_images(page: Image8, story: Story) -> int:
    """The four views of the camera, two by two; returns the row below them."""
    percept = story.percept
    aspect = story.rgb.shape[0] / story.rgb.shape[1]
    height = min(int(_CELL_WIDTH * aspect + 0.5), 310)
    depth, span = depth_picture(percept.depth)
    views = (
        ("Input", "what the camera saw", story.rgb),
        ("Rendered colour", "the map, seen from there", percept.color),
        ("Rendered depth", "", depth),
        ("Masks and objects", "found in the map by name", story.rgb),
    )
    for index, (name, note, view) in enumerate(views):
        left = _MARGIN + (index % 2) * (_CELL_WIDTH + _GAP)
        top = _TOP + (index // 2) * (height + _CAPTION + _GAP)
        _caption(page, (left, top, _CELL_WIDTH), name, note)
        area = (left, top + _CAPTION, _CELL_WIDTH, height)
        if index == 3:
            _draw_masks(page, story, area)
        else:
            _paste(page, view, area)
        if index == 2:
            _draw_depth_scale(page, (left, top, _CELL_WIDTH), span)
    return _TOP + 2 * (height + _CAPTION + _GAP)


def depth_picture(depth: NDArray[np.float32]) -> tuple[Image8, tuple[float, float]]:
    """Depth [H, W] m as colours, near blue and far red, 0 dark grey; and the range [m] they span.

    The map is "Turbo" (A. Mikhailov, Google, 2019). The range leaves out the outermost 1 % and is
    rounded outwards to 0.1 m.
    """
    known = np.isfinite(depth) & (depth > 0)
    low, high = np.percentile(depth[known], [1, 99]) if known.any() else (0.0, 1.0)
    low, high = np.floor(low * 10) / 10, np.ceil(high * 10) / 10
    high = max(high, low + 0.1)
    share = np.clip((np.where(known, depth, low) - low) / (high - low), 0, 1)
    out = _turbo((share * 255).round().astype(np.uint8))
    out[~known] = _EMPTY
    return out, (float(low), float(high))


def _turbo(values: NDArray[np.uint8]) -> Image8:
    bgr = cv2.applyColorMap(values, cv2.COLORMAP_TURBO)
    return np.ascontiguousarray(bgr[..., ::-1], np.uint8)


def _draw_depth_scale(page: Image8, area: tuple[int, int, int], span: tuple[float, float]) -> None:
    """A bar from near to far at the right of a caption."""
    left, top, width = area
    x, y = left + width, top + 4
    far, near = f"{span[1]:.1f} m", f"{span[0]:.1f} m"
    draw_text(page, far, x, y, 14, _QUIET, anchor="right")
    x -= text_width(far, 14) + 8 + 120
    page[y + 3 : y + 16, x : x + 120] = _turbo(np.linspace(0, 255, 120).astype(np.uint8)[None])
    draw_text(page, near, x - 8, y, 14, _QUIET, anchor="right")


def _draw_masks(page: Image8, story: Story, area: _Area) -> None:
    """The overlay, drawn at the size it is shown at, so that names are sharp."""
    percept = story.percept
    assert percept.labels is not None
    left, top, width, height = _fit(story.rgb.shape, area)
    size = (width, height)
    shown = _resized(story.rgb, size)
    labels = cv2.resize(percept.labels, size, interpolation=cv2.INTER_NEAREST)
    page[area[1] : area[1] + area[3], area[0] : area[0] + area[2]] = _EMPTY
    page[top : top + height, left : left + width] = overlay(
        shown,
        np.asarray(labels, np.uint16),
        percept.prompts,
        None,
        percept.tracks,
        percept.camera.scaled(width / percept.camera.width),
        percept.T_map_camera,
        legend=False,
    )


def _draw_map(page: Image8, story: Story) -> None:
    percept = story.percept
    up = up_axis(percept.T_map_camera) if story.up is None else np.asarray(story.up, float)
    left = _MARGIN + 2 * (_CELL_WIDTH + _GAP) + 8
    width, height = SIZE[0] - _MARGIN - left, SIZE[1] - _MARGIN - _TOP - _CAPTION
    note = f"the map without its ceiling, {axes_text(up)}; grey: not asked for"
    _caption(page, (left, _TOP, width), "Seen from above", note)
    page[_TOP + _CAPTION : _TOP + _CAPTION + height, left : left + width] = draw_birdseye(
        (width, height),
        story.cloud,
        percept.tracks,
        percept.prompts,
        np.asarray(story.camera_path, float),
        story.trails,
        percept.camera,
        percept.T_map_camera,
        up,
    )


def _draw_table(page: Image8, rows: Sequence[tuple[str, str]], top: int) -> None:
    """Names and values in as many columns as needed; says how many did not fit."""
    if not rows:
        return
    width = 2 * _CELL_WIDTH + _GAP
    lines = max(1, (SIZE[1] - _MARGIN - top - _CAPTION) // _ROW)
    columns = min(3, max(2, -(-len(rows) // lines)))
    room = columns * lines
    shown = list(rows)
    if len(shown) > room:
        shown = [*shown[: room - 1], ("and more", f"{len(rows) - room + 1} rows")]
    lines = -(-len(shown) // columns)
    _caption(page, (_MARGIN, top, width), "Numbers", "")
    cell = (width - (columns - 1) * 2 * _GAP) // columns
    for index, (name, value) in enumerate(shown):
        x = _MARGIN + (index // lines) * (cell + 2 * _GAP)
        y = top + _CAPTION + (index % lines) * _ROW
        page[y, x : x + cell] = _RULE
        needed = min(text_width(name, _TEXT_PX), cell // 2) + 10  # a value may have the rest
        value = fitted(value, _TEXT_PX, cell - needed, bold=True)
        space = cell - text_width(value, _TEXT_PX, bold=True) - 10
        offset = (_ROW - line_height(_TEXT_PX)) // 2 + 1
        draw_text(page, fitted(name, _TEXT_PX, space), x, y + offset, _TEXT_PX, _QUIET)
        draw_text(page, value, x + cell, y + offset, _TEXT_PX, _INK, anchor="right", bold=True)


def _caption(page: Image8, area: tuple[int, int, int], name: str, note: str) -> None:
    left, top, width = area
    draw_text(page, name, left, top + 2, 17, _INK, bold=True)
    used = text_width(name, 17, bold=True) + 10
    draw_text(page, fitted(note, 14, width - used), left + used, top + 4, 14, _QUIET)


def _paste(page: Image8, view: Image8, area: _Area) -> None:
    """Put a view into an area, as large as it fits, its sides in proportion."""
    left, top, width, height = _fit(view.shape, area)
    page[area[1] : area[1] + area[3], area[0] : area[0] + area[2]] = _EMPTY
    page[top : top + height, left : left + width] = _resized(view, (width, height))


def _fit(shape: Sequence[int], area: _Area) -> _Area:
    left, top, width, height = area
    scale = min(width / shape[1], height / shape[0])
    w = min(width, max(1, round(shape[1] * scale)))
    h = min(height, max(1, round(shape[0] * scale)))
    return left + (width - w) // 2, top + (height - h) // 2, w, h


def _resized(view: Image8, size: tuple[int, int]) -> Image8:
    smaller = size[0] < view.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(view, size, interpolation=method), np.uint8)
