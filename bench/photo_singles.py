# SPDX-License-Identifier: Apache-2.0
"""Single pictures through the extractor that is asked, without a map."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from photo_marks import Marks, Outlines, pictures_of
from photo_scores import Map, Pair, Relevancies
from photo_sheets import Sheets

from f4x_ros.core.config import Config
from f4x_ros.core.errors import BadInputError, NotUnderstoodError
from f4x_ros.core.features.base import Words
from f4x_ros.core.features.heads import make_heads
from f4x_ros.core.features.registry import language_of
from f4x_ros.io.images import read_rgb


@dataclass(frozen=True)
class Singles:
    """What the extractor said of each picture.

    Attributes:
        relevancies: of all words in all pictures.
        threshold: the extractor's own, from which on something is taken to be there.
        extractor: its name.
        cpu_ms: processor time of encoding a picture, all threads together.
        not_understood: words that it refused.
    """

    relevancies: Relevancies
    threshold: float
    extractor: str
    cpu_ms: float
    not_understood: tuple[str, ...]

    def masks(self, size: tuple[int, int], outlines: Outlines) -> dict[Pair, NDArray[np.bool_]]:
        """[H, W] of `size` (width, height): where the threshold is reached, of pairs wanted."""
        return {
            (picture, word): self._enlarged(picture, word, size) >= self.threshold
            for picture, words in outlines.items()
            for word in words
        }

    def _enlarged(self, picture: str, word: str, size: tuple[int, int]) -> NDArray[np.float32]:
        small = self.relevancies.maps[picture, word]
        return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))


@torch.no_grad()
def asked_of_pictures(
    folder: Path, marks: Marks, config: Config, sheets: Sheets | None = None
) -> Singles:
    """Ask all words of each picture that has marks, reduced to the width that a map has."""
    words = language_of(make_heads(config.features).words)
    refused = not_understood(words, marks.words)
    asked = [word for word in marks.words if word not in refused]
    vectors, pictures = words.text(asked), pictures_of(folder)
    relevancies, took = Relevancies(marks), 0.0
    for name in marks.boxes:
        if name not in pictures:
            raise BadInputError(f"{folder} has no picture {name}, which has marks")
        rgb = reduced(read_rgb(pictures[name]), config.mapping.resolution)
        image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        began = time.process_time()
        features = words.dense(image)[0]
        took += time.process_time() - began
        maps = words.relevancy(features.flatten(1).T, vectors).T
        shown: list[Map] = list(maps.view(-1, *features.shape[1:]).cpu().numpy())
        none = np.zeros(features.shape[1:], np.float32)
        relevancies.add(name, [*asked, *refused], shown + [none] * len(refused))
        if sheets:
            sheets.draw(f"single_{name}", name, rgb, relevancies)
    ms = 1000 * took / max(1, len(marks.boxes))
    return Singles(relevancies, words.threshold, words.name, ms, tuple(refused))


def not_understood(words: Words, texts: Sequence[str]) -> list[str]:
    """Those that an extractor refuses."""
    refused = []
    for text in texts:
        try:
            words.text([text])
        except NotUnderstoodError:
            refused.append(text)
    return refused


def reduced(rgb: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """A picture made as wide as `width`, unless it is narrower."""
    if rgb.shape[1] <= width:
        return rgb
    size = (width, round(width * rgb.shape[0] / rgb.shape[1]))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
