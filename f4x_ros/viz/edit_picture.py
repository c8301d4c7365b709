# SPDX-License-Identifier: Apache-2.0
"""An edit in pictures: before, after, and after with what was guessed hatched."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import PinholeCamera, Pose, inverse
from f4x_ros.core.edit import Edit, EditResult
from f4x_ros.core.perception import Perception
from f4x_ros.viz.text import Image8, draw_text, fitted, line_height

_WIDTH_PX = 480  # small pictures are enlarged to about this
_HATCH_PX = 6
_GUESSED = (255, 0, 220)
_GROUND = (24, 26, 30)
_INK = (235, 235, 235)
_POSES = 24  # of the camera's way, of which the one that shows most of the edit is taken


def edit_picture(perception: Perception, before: Sequence[Edit], result: EditResult) -> Image8:
    """Before, after, and after with guesses hatched, side by side, seen from the camera's way.

    Args:
        perception: after the edit.
        before: the edits there were before it.
        result: what came of it.

    Returns:
        [h, w, 3] uint8.
    """
    editor = perception.editor
    camera, pose, stamp_ns = best_view(perception, result)
    old = editor.rendered(before, camera, pose, stamp_ns)
    new = perception.render(camera, pose, stamp_ns, layer="edited")
    share = editor.guessed_in(camera, pose, stamp_ns)
    names = ("before", "after", "after, guesses hatched")
    pictures = (old.color, new.color, hatched(new.color, share))
    scale = max(1, round(_WIDTH_PX / camera.width))
    text_px = 13
    strip = np.full((line_height(text_px) + 6, camera.width * scale * 3, 3), _GROUND, np.uint8)
    for k, name in enumerate(names):
        left = k * camera.width * scale + 6
        text = name if k else f"{name}: {result.text}"
        draw_text(strip, fitted(text, text_px, camera.width * scale - 12), left, 3, text_px, _INK)
    wide = np.concatenate(pictures, 1)
    size = (wide.shape[1] * scale, wide.shape[0] * scale)
    large = np.asarray(cv2.resize(wide, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.concatenate([large, strip])


def best_view(perception: Perception, result: EditResult) -> tuple[PinholeCamera, Pose, int]:
    """Camera, pose and stamp at which the camera was nearest in front of what was edited."""
    first, last = perception.span_ns
    regions = [one.region for one in result.edits if one.region is not None]
    if not regions:
        return (*perception.viewpoint(), 0)
    middle = regions[0].inside[:, :3].astype(np.float64).mean(0)
    best: tuple[float, int] = (np.inf, last)
    for step in range(_POSES):
        stamp = first + (last - first) * step // (_POSES - 1)
        camera, pose = perception.viewpoint(None, stamp)
        T = inverse(np.asarray(pose, np.float64))
        x, y, z = T[:3, :3] @ middle + T[:3, 3]
        if z <= 0.1:
            continue
        u = (camera.fx * x / z + camera.cx) / camera.width
        v = (camera.fy * y / z + camera.cy) / camera.height
        off = max(abs(u - 0.5), abs(v - 0.5))
        best = min(best, (off if off < 0.5 else off + 10, stamp))
    stamp = best[1]
    camera, pose = perception.viewpoint(None, stamp)
    return camera, pose, 0 if stamp >= last else stamp


def hatched(picture: Image8, share: NDArray[np.float32]) -> Image8:
    """A picture [H, W, 3] with lines over what is mostly guessed, from shares [H, W]."""
    rows, columns = np.indices(share.shape)
    lines = (rows + columns) % _HATCH_PX < 2
    out = picture.copy()
    out[lines & (share >= 0.5)] = _GUESSED
    return out
