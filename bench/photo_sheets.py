# SPDX-License-Identifier: Apache-2.0
"""Sheets to look at: what was said of each word over the picture, with boxes and outlines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from photo_marks import Marks, Outlines

if TYPE_CHECKING:
    from photo_scores import Map, Pair, Relevancies

_WIDTH, _COLUMNS = 360, 4
_GREEN, _RED, _WHITE = (60, 220, 60), (60, 60, 240), (255, 255, 255)  # BGR


class Sheets:
    """Writes one PNG for each picture: a tile per word.

    Args:
        folder: where they go; made.
        marks: boxes are drawn in white, the maximum green inside of one and red outside.
        outlines: drawn in green.
    """

    def __init__(
        self,
        folder: Path,
        marks: Marks,
        outlines: Outlines,
    ) -> None:
        self._folder, self._marks, self._outlines = folder, marks, outlines
        folder.mkdir(parents=True, exist_ok=True)

    def draw(
        self,
        file: str,
        picture: str,
        rgb: NDArray[np.uint8],
        said: Relevancies,
        thresholds: Mapping[Pair, float] | None = None,
    ) -> None:
        """One sheet: the words that have boxes, then the absent ones with the highest maxima.

        Args:
            file: its name without suffix.
            picture: whose it is.
            rgb: [H, W, 3].
            said: maps of the words.
            thresholds: where masks begin; None: the maps are shown as heat.
        """
        absent = sorted(self._marks.missing(picture), key=lambda w: -said.maps[picture, w].max())
        words = [*self._marks.boxes[picture], *absent[:4]]
        tiles = []
        for word in words:
            limit = None if thresholds is None else thresholds.get((picture, word), np.inf)
            tiles.append(self._tile(picture, word, rgb, said.maps[picture, word], limit))
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
        rows = [np.hstack(tiles[k : k + _COLUMNS]) for k in range(0, len(tiles), _COLUMNS)]
        cv2.imwrite(str(self._folder / f"{file}.png"), np.vstack(rows))

    def _tile(
        self, picture: str, word: str, rgb: NDArray[np.uint8], one: Map, limit: float | None
    ) -> NDArray[np.uint8]:
        size = (_WIDTH, round(_WIDTH * rgb.shape[0] / rgb.shape[1]))
        out = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)[..., ::-1].copy()
        large = cv2.resize(one, size, interpolation=cv2.INTER_LINEAR)
        if limit is None:
            heat = cv2.applyColorMap((large.clip(0, 1) * 255).astype(np.uint8), cv2.COLORMAP_JET)
            out = cv2.addWeighted(out, 0.5, heat, 0.5, 0)
        else:
            out[large < limit] //= 3
        outline = self._outlines.get(picture, {}).get(word)
        if outline is not None:
            drawn = cv2.resize(outline.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            edges, _ = cv2.findContours(drawn, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(out, edges, -1, _GREEN, 1)
        scale = np.array(size) / np.array(self._marks.size)
        boxes = self._marks.boxes[picture].get(word, ())
        for box in boxes:
            x0, y0, x1, y1 = (np.array(box) * np.tile(scale, 2)).astype(int).tolist()
            cv2.rectangle(out, (x0, y0), (x1, y1), _WHITE, 1)
        self._mark_maximum(out, one, boxes)
        name = f"{word} {one.max():.2f}" + ("" if boxes else " (absent)")
        cv2.putText(out, name, (5, 14), 0, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(out, name, (5, 14), 0, 0.45, _WHITE, 1, cv2.LINE_AA)
        return np.asarray(out)

    def _mark_maximum(self, out: NDArray[np.uint8], one: Map, boxes: object) -> None:
        from photo_scores import place_of_maximum, points_into

        x, y = place_of_maximum(one)
        hit = bool(boxes) and points_into(one, boxes, self._marks.size)  # type: ignore[arg-type]
        place = (int(x * out.shape[1]), int(y * out.shape[0]))
        cv2.circle(out, place, 6, _GREEN if hit else _RED, 2, cv2.LINE_AA)
