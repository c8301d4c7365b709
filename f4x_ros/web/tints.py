# SPDX-License-Identifier: Apache-2.0
"""Masks and pictures as a browser shows them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.viz.palette import Rgb

_SELECTED = 0.5
_TINT, _FAINT = 115, 60  # alpha, 0..255, of what is there and of what may be there
_RIM = (255, 255, 255, 210)
_SMALLEST_PX = 4  # side of a square; dots that are smaller are noise between splats


def tinted_png(
    masks: Sequence[NDArray[np.float32]], colors: Sequence[Rgb], sure: Sequence[bool]
) -> bytes:
    """A picture with an alpha channel to lay over the view: each mask tinted, with its outline.

    Args:
        masks: [H, W] probabilities, one or more of one size.
        colors: one for each.
        sure: whether the thing is there; of what may be there the tint is fainter.

    Returns:
        PNG, 8 bits RGBA.
    """
    stack = np.stack(masks)
    winner, best = stack.argmax(0), stack.max(0)
    out = np.zeros((*best.shape, 4), np.uint8)
    for number, (color, is_sure) in enumerate(zip(colors, sure, strict=True)):
        mask = _without_dots((winner == number) & (best > _SELECTED))
        bgr = color[::-1]
        out[mask] = (*bgr, _TINT if is_sure else _FAINT)
        edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(out, edges, -1, _RIM, 3)  # seen on a thing of the same colour, too
        cv2.drawContours(out, edges, -1, (*bgr, 255), 1)
    return _encoded(".png", out)


def jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """A picture [H, W, 3] as JPEG."""
    return _encoded(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])


def _without_dots(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    keep = stats[:, cv2.CC_STAT_AREA] >= _SMALLEST_PX**2
    keep[0] = False
    if not keep[1:count].any():  # a thing far away is all there is
        return mask
    return np.asarray(keep[pieces])


def _encoded(kind: str, image: NDArray[np.uint8], options: Sequence[int] = ()) -> bytes:
    done, data = cv2.imencode(kind, np.ascontiguousarray(image), list(options))
    assert done
    return bytes(data.tobytes())
