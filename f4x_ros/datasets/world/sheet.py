# SPDX-License-Identifier: Apache-2.0
"""A contact sheet: colour, depth and named instances of a few frames side by side."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.datasets.world.dataset import World

_FARTHEST_M = 4.0
_SMALLEST_NAMED_PX = 60
_SHADE = np.uint8(8)


def write_sheet(world: World, path: Path, columns: int = 4) -> None:
    """Write ``columns`` frames, evenly spaced in time, as a PNG; raises OSError if it cannot be."""
    frames = np.linspace(0, len(world) - 1, columns).round().astype(int).tolist()
    image = np.concatenate([_column(world, index) for index in frames], axis=1)
    image = image // _SHADE * _SHADE  # fewer shades make a much smaller file
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"cannot write {path}")


def _column(world: World, index: int) -> NDArray[np.uint8]:
    frame, truth = world[index], world.truth(index)
    near = np.clip(truth.depth / _FARTHEST_M, 0, 1) * 255
    depth = cv2.applyColorMap(near.astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return np.concatenate([frame.rgb, depth, _named_instances(world, truth.instances)], axis=0)


def _named_instances(world: World, instances: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Instances in colours of their own, with a name in the middle of each."""
    shades = np.random.default_rng(3).integers(40, 200, (len(world.labels) + 1, 3), np.uint8)
    image = np.ascontiguousarray(shades[instances])
    for number, label in world.labels.items():
        mask = (instances == number).astype(np.uint8)
        if label.cls in ("floor", "wall", "ceiling") or mask.sum() < _SMALLEST_NAMED_PX:
            continue
        # The innermost pixel, so that the name stands on the object.
        inside = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(inside.argmax(), inside.shape)
        text = label.name + (" *" if label.moving else "")
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.3, 1)
        left = int(np.clip(x - width / 2, 0, image.shape[1] - width))
        at = (left, int(y) + 3)
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.3, (255,) * 3, 1, cv2.LINE_AA)
    return image
