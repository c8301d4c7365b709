# SPDX-License-Identifier: Apache-2.0
"""A contact sheet: colour, depth and named instances of a few frames side by side."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.sim.dataset import World
from f4x_ros.sim.language import ROOM_CLASSES
from f4x_ros.sim.truth import WorldTruth

_SMALLEST_NAMED_PX = 60
_SHADE = np.uint8(8)
_MOVES = (255, 235, 60)  # outline and name of what moves
_NAME = (255, 255, 255)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.32

Image = NDArray[np.uint8]
Color = tuple[int, int, int]


def write_sheet(world: World, path: Path, columns: int = 4) -> None:
    """Write ``columns`` frames, evenly spaced in time, as a PNG; raises OSError if it cannot be.

    Rows: colour, depth (violet is near, yellow is far), instances with their names. What ever moves
    or comes and goes is outlined and named in yellow.
    """
    frames = np.linspace(0, len(world) - 1, columns).round().astype(int).tolist()
    truths = [world.truth(index) for index in frames]
    near, far = np.percentile(np.stack([truth.depth for truth in truths]), [1, 99])
    image = np.concatenate(
        [
            np.concatenate(
                [
                    world[index].rgb,
                    _depth(truth, float(near), float(far)),
                    _named_instances(world, truth),
                ]
            )
            for index, truth in zip(frames, truths, strict=True)
        ],
        axis=1,
    )
    image = image // _SHADE * _SHADE  # fewer shades make a much smaller file
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"cannot write {path}")


def _depth(truth: WorldTruth, near_m: float, far_m: float) -> Image:
    # The logarithm shows what is near more finely than what is far.
    share = np.log(np.maximum(truth.depth, 1e-3) / near_m) / np.log(far_m / near_m)
    shades = (np.clip(share, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def _named_instances(world: World, truth: WorldTruth) -> Image:
    """Instances in colours of their own, with a name in the middle of each."""
    shades = np.random.default_rng(3).integers(40, 190, (len(world.labels) + 1, 3), np.uint8)
    image = np.ascontiguousarray(shades[truth.instances])
    changing = {made.label.id for made in world.scene.objects if made.label.moving or made.life}
    names: list[tuple[bool, int, int, int, str]] = []
    for number, label in world.labels.items():
        mask = (truth.instances == number).astype(np.uint8)
        if label.cls in ROOM_CLASSES or not mask.any():
            continue
        moves = number in changing
        if moves:
            outline, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(image, outline, -1, _MOVES, 1)
        if mask.sum() >= _SMALLEST_NAMED_PX:
            # The innermost pixel, so that the name stands on the object.
            inside = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
            y, x = np.unravel_index(inside.argmax(), inside.shape)
            names.append((moves, int(mask.sum()), int(x), int(y), label.name))
    free = np.ones(truth.instances.shape, bool)
    for moves, _, column, row, name in sorted(names, reverse=True):  # what moves first
        _write(image, free, (column, row), name, _MOVES if moves else _NAME)
    return image


def _write(
    image: Image, free: NDArray[np.bool_], at: tuple[int, int], text: str, color: Color
) -> None:
    """Write a name with its middle at a pixel, unless another one is in the way."""
    (width, height), _ = cv2.getTextSize(text, _FONT, _SIZE, 1)
    left = int(np.clip(at[0] - width // 2, 1, max(1, image.shape[1] - width - 1)))
    base = int(np.clip(at[1] + height // 2, height + 1, image.shape[0] - 3))
    place = (slice(base - height - 1, base + 3), slice(left - 1, left + width + 1))
    if not free[place].all():
        return
    free[place] = False
    for right, down in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        put = (left + right, base + down)
        cv2.putText(image, text, put, _FONT, _SIZE, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(image, text, (left, base), _FONT, _SIZE, color, 1, cv2.LINE_AA)
