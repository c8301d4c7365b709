# SPDX-License-Identifier: Apache-2.0
"""What a map says of itself that it shows (prompts: auto), against what is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from photo_marks import OURS, Marks

from f4x_ros.core.features.photo.concepts import read_concepts

SETTLED = 40
"""Frames after which names are expected to be nearly settled."""


class Named:
    """The names of a run, frame by frame.

    Attributes:
        names: those of the last frame.
        changes: frames, from 0, with other names than the frame before.
    """

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.changes: list[int] = []
        self._frames = 0

    def add(self, names: tuple[str, ...]) -> None:
        """Those of the next frame."""
        if names != self.names:
            self.changes.append(self._frames)
            self.names = names
        self._frames += 1


def numbers_of(named: Named, marks: Marks, there: Iterable[str]) -> dict[str, Any]:
    """Names that are right and wrong at the end, and how often they changed late.

    What is neither marked nor `there` is wrong.
    """
    right, wrong = judged(named.names, [*marks.present, *there])
    return {
        "auto_right": len(right),
        "auto_wrong": len(wrong),
        "auto_changes": sum(frame >= SETTLED for frame in named.changes),
        "auto_right_names": ", ".join(right),
        "auto_wrong_names": ", ".join(wrong),
        "auto_changed_at": ", ".join(map(str, named.changes)),
    }


def judged(names: Sequence[str], there: Iterable[str]) -> tuple[list[str], list[str]]:
    """The names of what is there and the others; "plastic bag" is right where a "bag" is there."""
    known, right = {*there}, []
    for name in names:
        words = {name}
        for concept in read_concepts():
            if concept.name == name:
                words |= {one.text for one in concept.names}
        if words & known:
            right.append(name)
    return right, [name for name in names if name not in right]


def also_there(folder: Path) -> list[str]:
    """What is to be seen in a recording beside the words that are marked, by our own eyes."""
    path = OURS / f"{folder.resolve().name}_names.json"
    return list(json.loads(path.read_text(encoding="utf-8"))["there"]) if path.is_file() else []
