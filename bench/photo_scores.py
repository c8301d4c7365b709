# SPDX-License-Identifier: Apache-2.0
"""How well relevancies, masks and answers agree with what was marked in photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from photo_marks import Boxes, Marks, Outline, Outlines, is_coco

from f4x_ros.core.data import Presence
from f4x_ros.eval.metrics.masks import jaccard
from f4x_ros.eval.metrics.queries import presence

Map = NDArray[np.float32]  # [h, w] relevancy, any resolution; covers the whole picture
Pair = tuple[str, str]  # picture, word
_LEVELS = 256  # thresholds that are tried for the best one of a word ...
_FEWER = 64  # ... where each costs a comparison of whole masks


@dataclass
class Relevancies:
    """Relevancies of (picture, word) pairs, and what they were worth; the maps are kept.

    Attributes:
        marks: what is so.
        maps: by pair.
    """

    marks: Marks
    maps: dict[Pair, Map] = field(default_factory=dict)

    def add(self, picture: str, words: Iterable[str], maps: Sequence[Map]) -> None:
        """Note the maps of some words in a picture."""
        self.maps |= {(picture, word): one for word, one in zip(words, maps, strict=True)}

    def hits(self) -> dict[Pair, bool]:
        """Whether the maximum lies in a box of the word, of each pair with boxes."""
        return {
            (picture, word): points_into(self.maps[picture, word], boxes, self.marks.size)
            for picture, words in self.marks.boxes.items()
            for word, boxes in words.items()
        }

    def auroc(self, chosen: Callable[[str], bool]) -> float | None:
        """Best relevancies where the word is shown against those of words that are not there.

        Only pairs with boxes are shown, as they are sure; the words that are not there are the same
        for every choice of the others.
        """
        there = [float(self.maps[pair].max()) for pair in self.hits() if chosen(pair[1])]
        nowhere = [
            float(self.maps[picture, word].max())
            for picture in self.marks.boxes
            for word in self.marks.missing(picture)
        ]
        truth = [True] * len(there) + [False] * len(nowhere)
        return presence(there + nowhere, truth, [False] * len(truth)).auroc

    def best_box_iou(self, chosen: Callable[[str], bool]) -> float | None:
        """Mean over words of the IoU with their boxes at the best threshold of each word."""
        words = [word for word in self.marks.present if chosen(word)]
        return _mean([self._best_box_iou(word) for word in words])

    def _best_box_iou(self, word: str) -> float:
        pairs = [(p, w[word]) for p, w in self.marks.boxes.items() if word in w]
        values, inside = [], []
        for picture, boxes in pairs:
            one = self.maps[picture, word]
            values.append(one.ravel())
            inside.append(box_mask(boxes, self.marks.size, one.shape).ravel())
        return best_iou(np.concatenate(values), np.concatenate(inside))

    def found(self, threshold: float, *, aimed: bool) -> dict[str, list[bool]]:
        """For each word and picture whether its best relevancy reaches a threshold.

        Args:
            threshold: from which on it is taken to be there.
            aimed: of pairs with boxes only, and the maximum must lie in one; else of those of words
                that the picture does not show.
        """
        out: dict[str, list[bool]] = {}
        if aimed:
            for pair, hit in self.hits().items():
                reached = bool(self.maps[pair].max() >= threshold)
                out.setdefault(pair[1], []).append(hit and reached)
            return out
        for picture in self.marks.boxes:
            for word in self.marks.missing(picture):
                reached = bool(self.maps[picture, word].max() >= threshold)
                out.setdefault(word, []).append(reached)
        return out


def place_of_maximum(one: Map) -> tuple[float, float]:
    """x and y of the middle of the most relevant pixel, as shares of width and height."""
    row, column = np.unravel_index(int(np.argmax(one)), one.shape)
    return (float(column) + 0.5) / one.shape[1], (float(row) + 0.5) / one.shape[0]


def points_into(one: Map, boxes: Boxes, size: tuple[int, int]) -> bool:
    """Whether the maximum lies in one of the boxes, which are pixels of `size`."""
    x, y = place_of_maximum(one)
    x, y = x * size[0], y * size[1]
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes)


def box_mask(boxes: Boxes, size: tuple[int, int], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """[h, w] of a shape: pixels whose middle is in a box, which are pixels of `size`."""
    x = (np.arange(shape[1]) + 0.5) * size[0] / shape[1]
    y = (np.arange(shape[0]) + 0.5)[:, None] * size[1] / shape[0]
    mask = np.zeros(shape[:2], bool)
    for x0, y0, x1, y1 in boxes:
        mask |= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    return mask


def best_iou(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> float:
    """The best intersection over union of "at least so much" [N] with a truth [N]."""
    limits = np.quantile(values, np.linspace(0, 1, _LEVELS))
    masks = (values >= limit for limit in np.unique(limits))
    return max(float((m & inside).sum() / (m | inside).sum()) for m in masks)


def mask_ious(
    masks: Mapping[Pair, NDArray[np.bool_]],
    outlines: Outlines,
) -> dict[Pair, float]:
    """IoU of masks with outlines, of all pairs that have an outline; same sizes."""
    return {
        (picture, word): _iou(masks[picture, word], outline)
        for picture, words in outlines.items()
        for word, outline in words.items()
    }


def best_mask_ious(maps: Mapping[Pair, Map], outlines: Outlines) -> dict[Pair, float]:
    """IoU with outlines of "at least so relevant", at the threshold that is best for each word."""
    out: dict[Pair, float] = {}
    for word in sorted({word for words in outlines.values() for word in words}):
        own = {picture: words[word] for picture, words in outlines.items() if word in words}
        large = {picture: enlarged(maps[picture, word], one) for picture, one in own.items()}
        values = np.concatenate([one[::4, ::4].ravel() for one in large.values()])
        tried = [
            {(picture, word): _iou(large[picture] >= limit, one) for picture, one in own.items()}
            for limit in np.unique(np.quantile(values, np.linspace(0, 1, _FEWER)))
        ]
        out |= max(tried, key=lambda ious: sum(ious.values()))
    return out


def enlarged(one: Map, outline: Outline) -> Map:
    """A map in the size of an outline."""
    size = outline.mask.shape[::-1]
    return np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_LINEAR))


def _iou(mask: NDArray[np.bool_], outline: Outline) -> float:
    return jaccard(mask, outline.mask, outline.counted)


def share(flags: Mapping[Pair, bool | float], chosen: Callable[[str], bool]) -> float | None:
    """Mean over the pairs of the words that are chosen; None where there are none."""
    return _mean([float(value) for (_, word), value in flags.items() if chosen(word)])


def said(answers: Mapping[str, Presence], words: Iterable[str], what: Presence) -> list[str]:
    """The words that were answered so; what is not understood has no answer."""
    return [word for word in words if answers.get(word) is what]


def by_word(flags: Mapping[Pair, bool | float]) -> dict[str, tuple[float, int]]:
    """Mean and number of pairs of each word."""
    words = sorted({word for _, word in flags})
    values = {w: [float(v) for (_, own), v in flags.items() if own == w] for w in words}
    return {word: (float(np.mean(own)), len(own)) for word, own in values.items()}


def every(word: str) -> bool:
    """All words."""
    return True


def coco(word: str) -> bool:
    """Words that COCO has a class for."""
    return is_coco(word)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
