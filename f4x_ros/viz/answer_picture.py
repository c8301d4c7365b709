# SPDX-License-Identifier: Apache-2.0
"""The answer to one question as a picture: mask, boxes with their scores, a line that says it."""

from __future__ import annotations

import cv2
import numpy as np

from f4x_ros.core.data import Presence, QueryResult, Track
from f4x_ros.core.errors import BadInputError
from f4x_ros.viz.boxes import projected_edges
from f4x_ros.viz.marks import Chip, draw_chips
from f4x_ros.viz.overlay import blend_labels
from f4x_ros.viz.palette import Rgb, prompt_colors
from f4x_ros.viz.text import Image8, draw_text, fitted, line_height

_WIDTH_PX = 640  # small pictures are enlarged to about this
_BOXES = 12  # more hide the picture
_GROUND: Rgb = (24, 26, 30)
_INK: dict[Presence, Rgb] = {
    Presence.PRESENT: (120, 230, 130),
    Presence.UNSURE: (250, 210, 90),
    Presence.NOT_PRESENT: (255, 130, 120),
    Presence.NOT_UNDERSTOOD: (200, 200, 200),
}


def answer_picture(rgb: Image8, result: QueryResult) -> Image8:
    """Draw an answer onto what its camera sees.

    Args:
        rgb: [H, W, 3] uint8, of the size of the answer's mask; not changed.
        result: the answer.

    Returns:
        [h, w, 3] uint8, enlarged where it is small, with a line of text below.

    Raises:
        ValueError: the sizes differ.
    """
    if rgb.shape[:2] != result.mask.shape:
        raise BadInputError(f"rgb is {rgb.shape[:2]}, expected {result.mask.shape} like the mask")
    scale = max(1, round(_WIDTH_PX / rgb.shape[1]))
    size = (rgb.shape[1] * scale, rgb.shape[0] * scale)
    out = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    mask = np.asarray(cv2.resize(result.mask, size), np.float32)
    color = prompt_colors([result.prompt])
    labels = (mask >= result.threshold).astype(np.uint16)
    line_px = max(1, round(size[0] / 500))
    blend_labels(out, labels, color, mask, line_px=line_px)
    text_px = max(11, round(size[0] / 42))
    chips = [
        chip
        for track in result.tracks[:_BOXES]
        if (chip := _draw_box(out, track, result, scale, color[0], line_px)) is not None
    ]
    draw_chips(out, chips, text_px, size[1])
    return np.concatenate([out, _line(result, size[0], text_px)])


def _draw_box(
    out: Image8, track: Track, result: QueryResult, scale: int, color: Rgb, line_px: int
) -> Chip | None:
    """The edges of an object's box that are in sight, and its score to be written above."""
    height, width = out.shape[:2]
    edges = projected_edges(track, result.camera.scaled(scale), result.T_map_camera)
    drawn = False
    for a, b in np.clip(edges, -30000, 30000).round().astype(int).tolist():
        visible, p, q = cv2.clipLine((0, 0, width, height), a, b)
        if visible:
            drawn = True
            cv2.line(out, p, q, color, line_px, cv2.LINE_AA)
    if not drawn:
        return None
    x, y = edges.reshape(-1, 2).T
    middle = float(np.clip([x.min(), x.max()], 0, width).mean())
    name = f"#{track.id} {track.score:.2f}" if track.id else f"{track.score:.2f}"
    return Chip(name, middle, float(np.clip(y.min(), 0, height)) - 2, color, True)


def _line(result: QueryResult, width: int, text_px: int) -> Image8:
    """What was asked and what the answer is, on a dark ground."""
    strip = np.full((line_height(text_px) + 6, width, 3), _GROUND, np.uint8)
    presence = result.presence.name.lower().replace("_", " ")
    text = fitted(f"{result.prompt}: {presence} ({result.score:.2f})", text_px, width - 12)
    draw_text(strip, text, 6, 3, text_px, _INK[result.presence])
    return strip
