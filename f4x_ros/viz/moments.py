# SPDX-License-Identifier: Apache-2.0
"""Movers over time: the past drawn again, one thing at four times, and their ways from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import Prediction, ShownView, ThingStates, Track
from f4x_ros.core.errors import BadInputError
from f4x_ros.viz.boxes import corners, projected_edges
from f4x_ros.viz.palette import Rgb, color_of_label
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
)
from f4x_ros.viz.strip import strip
from f4x_ros.viz.text import Image8, draw_text, fitted, line_height

_WIDTH_PX = 1600
_PLAN_PX = 620  # height
_MARGIN_PX = 14
_CROP_PX = 320
_CROP = 1.5  # of what is cut out, of the size of the box in the picture
_LEAST_CROP = 0.18  # of the picture's height
_BOXES = 7  # along one way
_NAMED = 10
_TITLE_PX = 22
_GROUND: Rgb = (247, 248, 250)
_STILL: Rgb = (172, 176, 184)


@dataclass(frozen=True, eq=False)
class Moments:
    """What the page is drawn from.

    Attributes:
        title: of the page.
        views: one view at rising moments.
        captions: of them.
        things: states of all that was followed, over the whole span.
        followed: id of the thing that is shown at four times; one of `things`.
        predictions: for the end of the span.
        prompts: whose colours are used.
        up: [3] axis of the map that points up.
    """

    title: str
    views: Sequence[ShownView]
    captions: Sequence[str]
    things: Sequence[ThingStates]
    followed: int
    predictions: Sequence[Prediction]
    prompts: tuple[str, ...]
    up: NDArray[np.float64]


def draw_moments(moments: Moments) -> Image8:
    """Draw the page: [H, 1600, 3] uint8 RGB.

    Raises:
        ValueError: there is no view, or `followed` is none of the things.
    """
    named = [thing for thing in moments.things if thing.id == moments.followed]
    if not moments.views or not named:
        raise BadInputError(
            f"{len(moments.views)} views and the thing #{moments.followed}, expected at least one "
            "view and a thing that is there"
        )
    thing = named[0]
    color = color_of_label(thing.label, moments.prompts)
    name = f"{thing.label} #{thing.id}"
    again = strip([_with_way(view, thing, color) for view in moments.views], moments.captions)
    half = _half_px(moments.views, thing)
    crops = [_cut_out(view, thing, half, color) for view in moments.views]
    parts = [
        _heading(moments.title, bold=True),
        _heading(f"The past, drawn again from one view, with the way of {name}"),
        _fitted(again),
        _heading(f"{name} at the same moments"),
        _fitted(strip(crops, moments.captions)),
        _heading("From above: the ways of what moved, boxes along them, and where they go next"),
        _from_above(moments),
    ]
    return np.concatenate(parts)


def _heading(text: str, *, bold: bool = False) -> Image8:
    size = _TITLE_PX if bold else TEXT_PX + 2
    bar: Image8 = np.full((line_height(size) + 12, _WIDTH_PX, 3), 255, np.uint8)
    draw_text(bar, fitted(text, size, _WIDTH_PX - 2 * _MARGIN_PX), _MARGIN_PX, 6, size, INK,
              bold=bold)  # fmt: skip
    return bar


def _fitted(picture: Image8) -> Image8:
    """As wide as the page."""
    scale = (_WIDTH_PX - 2 * _MARGIN_PX) / picture.shape[1]
    size = (_WIDTH_PX - 2 * _MARGIN_PX, round(picture.shape[0] * scale))
    inner = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    page: Image8 = np.full((size[1], _WIDTH_PX, 3), 255, np.uint8)
    page[:, _MARGIN_PX:-_MARGIN_PX] = inner
    return page


def _state(thing: ThingStates, stamp_ns: int) -> Track | None:
    """The latest known state until a moment; None before the first."""
    row = int(np.searchsorted(thing.stamps_ns, stamp_ns, side="right")) - 1
    return thing.states[row] if row >= 0 else None


def _with_way(view: ShownView, thing: ThingStates, color: Rgb) -> Image8:
    """A picture with the box of a thing and the way it has taken until then."""
    scale = max(1, round(640 / view.color.shape[1]))
    out = _enlarged(view.color, scale)
    camera = view.camera.scaled(scale)
    until = [
        state
        for ns, state in zip(thing.stamps_ns, thing.states, strict=True)
        if ns <= view.stamp_ns
    ]
    T = np.linalg.inv(view.T_map_camera)
    if len(until) > 1:
        places = np.array([state.position for state in until]) @ T[:3, :3].T + T[:3, 3]
        pixels = camera.project(places)
        ahead = np.isfinite(pixels).all(1)
        line = np.clip(pixels[ahead], -30000, 30000).round().astype(np.int32)
        cv2.polylines(out, [line.reshape(-1, 1, 2)], False, WHITE, 4, cv2.LINE_AA)
        cv2.polylines(out, [line.reshape(-1, 1, 2)], False, color, 2, cv2.LINE_AA)
    if until:
        _draw_box(out, until[-1], view, scale, color)
    return out


def _draw_box(out: Image8, state: Track, view: ShownView, scale: int, color: Rgb) -> None:
    edges = projected_edges(state, view.camera.scaled(scale), view.T_map_camera)
    for a, b in np.clip(edges, -30000, 30000).round().astype(int).tolist():
        cv2.line(out, a, b, WHITE, 3, cv2.LINE_AA)
        cv2.line(out, a, b, color, 2, cv2.LINE_AA)


def _in_picture(view: ShownView, thing: ThingStates) -> NDArray[np.float64]:
    """Lower and upper corner [2, 2] of its box in the picture; NaN where it is not before it."""
    state = _state(thing, view.stamp_ns)
    edges = np.zeros((0, 2))
    if state is not None:
        edges = projected_edges(state, view.camera, view.T_map_camera).reshape(-1, 2)
    return np.stack([edges.min(0), edges.max(0)]) if len(edges) else np.full((2, 2), np.nan)


def _half_px(views: Sequence[ShownView], thing: ThingStates) -> float:
    """Half the side of what is cut out, the same at all moments: of the usual size of the box."""
    sides = [float(np.ptp(_in_picture(view, thing), axis=0).max()) for view in views]
    known = [side for side in sides if np.isfinite(side)]
    usual = float(np.median(known)) if known else 0.0
    return max(usual * _CROP, _LEAST_CROP * views[0].camera.height) / 2


def _cut_out(view: ShownView, thing: ThingStates, half: float, color: Rgb) -> Image8:
    """The part of a picture around the box of a thing; grey where there is no picture."""
    made: Image8 = np.full((_CROP_PX, _CROP_PX, 3), _STILL, np.uint8)
    low, high = _in_picture(view, thing)
    if not np.isfinite(low).all():
        return made
    scale = _CROP_PX / (2 * half)
    offset = _CROP_PX / 2 - scale * (low + high) / 2
    move = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    made = np.asarray(
        cv2.warpAffine(view.color, move, (_CROP_PX, _CROP_PX), flags=cv2.INTER_CUBIC,
                       borderMode=cv2.BORDER_CONSTANT, borderValue=_STILL), np.uint8
    )  # fmt: skip
    cv2.rectangle(made, (0, 0), (_CROP_PX - 1, _CROP_PX - 1), color, 2)
    return made


def _enlarged(picture: Image8, scale: int) -> Image8:
    size = (picture.shape[1] * scale, picture.shape[0] * scale)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


# --- from above ----------------------------------------------------------------------------------


def _from_above(moments: Moments) -> Image8:
    movers = [thing for thing in moments.things if any(one.moving for one in thing.states)]
    resting = [thing for thing in moments.things if thing not in movers]
    # (a prediction of something fast leads out of the room: the plan shows where it begins)
    shown = movers or resting
    always = np.concatenate([corners(one) for thing in shown for one in thing.states])
    plan = make_plan(np.zeros((0, 3), np.float32), always, moments.up, (_WIDTH_PX, _PLAN_PX))
    image: Image8 = np.full((_PLAN_PX, _WIDTH_PX, 3), _GROUND, np.uint8)
    step = grid_step(plan)
    draw_grid(image, plan, step)
    for thing in resting:
        _footprint(image, plan, thing.states[-1], _STILL, 1)
    for thing in movers:
        color = color_of_label(thing.label, moments.prompts)
        way = plan.pixels(np.array([one.position for one in thing.states]))
        _line(image, way, color, 2)
        chosen = np.linspace(0, len(thing.states) - 1, min(_BOXES, len(thing.states)))
        for row in dict.fromkeys(chosen.round().astype(int).tolist()):
            _footprint(image, plan, thing.states[row], color, 1, nose=True)
        _footprint(image, plan, thing.states[-1], color, 3, nose=True)
    for one in moments.predictions:
        if one.track.moving:
            color = color_of_label(one.track.label, moments.prompts)
            for ahead in one.ahead:
                _footprint(image, plan, ahead, color, 1, dashed=True)
            _line(image, plan.pixels(np.array([one.track.position, one.ahead[-1].position])),
                  color, 1)  # fmt: skip
    for thing in movers[:_NAMED]:
        at = plan.pixels(thing.states[-1].position)[0]
        draw_text(image, f"{thing.label} #{thing.id}", at[0] + 8, at[1] - 22, TEXT_PX, INK)
    draw_scale(image, plan, step)
    draw_axes(image, plan)
    return image


def _footprint(
    image: Image8,
    plan: Plan,
    track: Track,
    color: Rgb,
    width: int,
    *,
    nose: bool = False,
    dashed: bool = False,
) -> None:
    """The outline of a box from above; with `nose` a line to where its x axis points, if known."""
    hull = cv2.convexHull(plan.pixels(corners(track)).astype(np.float32))[:, 0].astype(float)
    closed = np.concatenate([hull, hull[:1]])
    if dashed:
        for a, b in pairwise(closed):
            for share in np.arange(0, 1, 0.25):
                _line(image, np.stack([a + share * (b - a), a + (share + 0.13) * (b - a)]), color,
                      width)  # fmt: skip
    else:
        _line(image, closed, color, width)
    if nose and float(np.diag(track.pose_covariance)[3:].max()) < 0.5:
        ahead = Rotation.from_quat(track.orientation).as_matrix()[:, 0] * track.size[0] / 2
        _line(image, plan.pixels(np.stack([track.position, track.position + ahead])), color, 2)


def _line(image: Image8, pixels: NDArray[np.float64], color: Rgb, width: int) -> None:
    points = np.rint(np.clip(pixels, -3000, 6000) * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(image, [points], False, color, width, cv2.LINE_AA, 4)
