# SPDX-License-Identifier: Apache-2.0
"""Text on pictures, readable from 11 pixels on.

OpenCV 5 carries scalable fonts that know most scripts, so prompts in any language are shown, and no
font of the system nor a further library is needed. With OpenCV 4, which Linux distributions ship,
its stroke font serves: less pretty, and letters beyond ASCII become question marks. Each text
is drawn once and kept as a picture of its coverage, so that a video costs one blend per text. What
is drawn and kept is bounded: of a long text only the beginning is, and few texts are kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.viz.palette import Rgb

Image8 = NDArray[np.uint8]  # [H, W, 3] red, green, blue
Anchor = Literal["left", "center", "right"]

_SCALABLE = hasattr(cv2, "FontFace")
_WEIGHT = {False: 400, True: 650}  # of the scalable font: regular, semi-bold
_MOST_LETTERS = 200  # that are drawn of a text: wider than any picture
_CUT = "..."
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SUPERSAMPLING = 3  # of the stroke font, whose own antialiasing is coarse


def line_height(size_px: int) -> int:
    """Height in pixels of a line of text, with room for accents and descenders."""
    return round(size_px * 1.35)


def text_width(text: str, size_px: int, *, bold: bool = False) -> int:
    """Width in pixels of a text, as it is drawn: of a long one, that of its beginning."""
    return int(_coverage(_drawable(text), size_px, bold).shape[1])


def fitted(text: str, size_px: int, width_px: int, *, bold: bool = False) -> str:
    """The text, shortened with an ellipsis to what fits into `width_px`."""
    return _fitted(_drawable(text), size_px, width_px, bold)


@lru_cache(maxsize=1024)  # of at most 200 letters
def _fitted(text: str, size_px: int, width_px: int, bold: bool) -> str:
    if _coverage(text, size_px, bold).shape[1] <= width_px:
        return text
    low, high = 0, len(text) - 1  # letters that fit, and that may: the more, the wider
    while low < high:
        middle = (low + high + 1) // 2
        if _draw(text[:middle].rstrip() + _CUT, size_px, bold).shape[1] <= width_px:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + _CUT if low else ""


def draw_text(
    image: Image8,
    text: str,
    x: float,
    y: float,
    size_px: int,
    color: Rgb,
    *,
    anchor: Anchor = "left",
    bold: bool = False,
    opacity: float = 1.0,
) -> None:
    """Draw one line in place; (x, y) is the upper edge at the anchor. Cut at the image's edges."""
    coverage = _coverage(_drawable(text), size_px, bold)
    height, width = coverage.shape
    left0 = round(x - {"left": 0.0, "center": width / 2, "right": float(width)}[anchor])
    top0 = round(y)
    left, top = max(0, left0), max(0, top0)
    right, bottom = min(image.shape[1], left0 + width), min(image.shape[0], top0 + height)
    if left >= right or top >= bottom:
        return
    cut = coverage[top - top0 : bottom - top0, left - left0 : right - left0, None]
    cover = cut.astype(np.float32) / 255.0 * opacity
    region = image[top:bottom, left:right]
    region[:] = np.round(region * (1 - cover) + np.array(color, np.float32) * cover)


def _drawable(text: str) -> str:
    """Of a long text the beginning; blanks for what is no letter of any font."""
    if len(text) > _MOST_LETTERS:
        text = text[: _MOST_LETTERS - len(_CUT)] + _CUT
    return _CONTROL.sub(" ", text)


@lru_cache(maxsize=256)  # of at most 0.4 MB, of usual names 5 kB
def _coverage(text: str, size_px: int, bold: bool) -> NDArray[np.uint8]:
    """`_draw`, kept."""
    return _draw(text, size_px, bold)


def _draw(text: str, size_px: int, bold: bool) -> NDArray[np.uint8]:
    """How much of each pixel [h, w] a text covers, 0..255; h depends on the size alone."""
    if not text.strip():
        return np.zeros((line_height(size_px), max(1, len(text) * size_px // 4)), np.uint8)
    return (_scalable if _SCALABLE else _strokes)(text, size_px, bold)


@lru_cache(maxsize=1)
def _font() -> Any:
    return cv2.FontFace("sans")


def _scalable(text: str, size_px: int, bold: bool) -> NDArray[np.uint8]:
    font, weight, baseline = _font(), _WEIGHT[bold], round(size_px * 1.0)
    room = np.zeros((line_height(size_px), size_px * (len(text) * 2 + 2)), np.uint8)
    cv2.putText(room, text, (1, baseline), (255,), font, size_px, weight)
    used = np.flatnonzero(room.any(0))
    return room[:, : int(used[-1]) + 2 if used.size else 1].copy()  # (not all of the room)


def _strokes(text: str, size_px: int, bold: bool) -> NDArray[np.uint8]:
    face, k = cv2.FONT_HERSHEY_SIMPLEX, _SUPERSAMPLING
    ascii_text = text.encode("ascii", "replace").decode()
    thickness = max(1, round(size_px * k / (8 if bold else 12)))
    scale = cv2.getFontScaleFromHeight(face, round(size_px * 0.74 * k), thickness)
    (width, _), _ = cv2.getTextSize(ascii_text, face, scale, thickness)
    large = np.zeros((line_height(size_px) * k, width + 2 * k), np.uint8)
    cv2.putText(large, ascii_text, (k, size_px * k), face, scale, (255,), thickness, cv2.LINE_AA)
    size = (max(1, large.shape[1] // k), line_height(size_px))
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.uint8)
