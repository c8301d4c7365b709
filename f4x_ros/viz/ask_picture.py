# SPDX-License-Identifier: Apache-2.0
"""What a tool's result is about, marked in what the camera saw then: boxes, names, trails."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from f4x_ros.core.ask.tools import MapScene, State, Thing, ToolResult
from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.viz.boxes import corner_edges
from f4x_ros.viz.marks import Chip, draw_chips
from f4x_ros.viz.palette import Rgb, color_of
from f4x_ros.viz.text import Image8, draw_text, fitted, line_height

_WIDTH_PX = 640  # small pictures are enlarged to about this
_BOXES = 12  # more hide the picture
_TRAIL_STEP_S = 0.1
_GROUND: Rgb = (24, 26, 30)
_INK: Rgb = (235, 235, 235)


def picture_of_result(
    scene: MapScene, result: ToolResult | None, text: str, stamp_ns: int | None = None
) -> Image8:
    """The map as the camera saw it then, with the things that a result is about.

    Args:
        scene: of the map.
        result: None draws the map alone.
        text: for the line below.
        stamp_ns: the moment; None takes the last one of the result, without one the last frame.

    Returns:
        [h, w, 3] uint8.
    """
    stamps = result.stamps_ns if result is not None else ()
    when = stamp_ns if stamp_ns is not None else (stamps[-1] if stamps else scene.span_ns[1])
    camera, T = scene.view_at(when)
    seen = scene.seen(when, camera, T).color
    scale = max(1, round(_WIDTH_PX / seen.shape[1]))
    size = (seen.shape[1] * scale, seen.shape[0] * scale)
    out = np.asarray(cv2.resize(seen, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    text_px = max(11, round(size[0] / 42))
    chips = []
    for number, one in enumerate((result.ids if result is not None else ())[:_BOXES]):
        thing = scene.thing(one)
        state = thing.state_at(when) if thing is not None else None
        if thing is None or state is None:
            continue
        color = color_of(number)
        if result is not None and len(stamps) > 1:
            _draw_trail(out, thing, (stamps[0], stamps[-1]), camera.scaled(scale), T, color)
        chip = _draw_box(out, thing, state, camera.scaled(scale), T, color)
        if chip is not None:
            chips.append(chip)
    draw_chips(out, chips, text_px, size[1])
    strip = np.full((line_height(text_px) + 6, size[0], 3), _GROUND, np.uint8)
    line = f"{(when - scene.span_ns[0]) / 1e9:.2f} s: {text}"
    draw_text(strip, fitted(line, text_px, size[0] - 12), 6, 3, text_px, _INK)
    return np.concatenate([out, strip])


def _draw_box(
    out: Image8, thing: Thing, state: State, camera: PinholeCamera, T: Pose, color: Rgb
) -> Chip | None:
    """The edges of a box that are in sight, and a name to be written above."""
    height, width = out.shape[:2]
    edges = corner_edges(state.low, state.high, camera, T)
    drawn = False
    for a, b in np.clip(edges, -30000, 30000).round().astype(int).tolist():
        visible, p, q = cv2.clipLine((0, 0, width, height), a, b)
        if visible:
            drawn = True
            cv2.line(out, p, q, color, max(1, width // 500), cv2.LINE_AA)
    if not drawn:
        return None
    x, y = edges.reshape(-1, 2).T
    middle = float(np.clip([x.min(), x.max()], 0, width).mean())
    top = float(np.clip(y.min(), 0, height)) - 2
    return Chip(f"{thing.name} #{thing.id}", middle, top, color, True)


def _draw_trail(
    out: Image8, thing: Thing, span: tuple[int, int], camera: PinholeCamera, T: Pose, color: Rgb
) -> None:
    """The way of a thing in a span as the camera saw it at its end."""
    steps = range(span[0], span[1] + 1, int(_TRAIL_STEP_S * 1e9))
    states = [state for ns in steps if (state := thing.state_at(ns)) is not None]
    if len(states) < 2:
        return
    T_camera_map = inverse(T)
    points = np.array([state.center for state in states])
    seen = points @ T_camera_map[:3, :3].T + T_camera_map[:3, 3]
    pixels = camera.project(seen)
    for a, b in pairwise(pixels):
        if np.isfinite([*a, *b]).all() and np.abs([*a, *b]).max() < 30000:
            p, q = (tuple(np.round(one).astype(int).tolist()) for one in (a, b))
            cv2.line(out, p, q, color, 2, cv2.LINE_AA)
