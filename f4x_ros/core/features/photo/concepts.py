# SPDX-License-Identifier: Apache-2.0
"""What photographs are known to show, and which words mean it: the table `concepts.txt`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.photo.nanodet import CLASSES

TABLE = Path(__file__).with_name("concepts.txt")

_IMAGENET = 1000


class Name(NamedTuple):
    """A word for a concept.

    Attributes:
        text: the word.
        kind: whether it names a kind of thing that the concept is one of: "fruit" for an apple.
    """

    text: str
    kind: bool


class Concept(NamedTuple):
    """One thing that photographs show.

    Attributes:
        names: what it is called, the usual name first.
        coco: its classes among those of NanoDet.
        imagenet: its classes among the thousand of ImageNet.
    """

    names: tuple[Name, ...]
    coco: tuple[int, ...]
    imagenet: tuple[int, ...]

    @property
    def name(self) -> str:
        """What it is usually called."""
        return self.names[0].text


def read_concepts(path: Path = TABLE) -> tuple[Concept, ...]:
    """All concepts of a table, in its order.

    Raises:
        OSError: it cannot be read.
        ValueError: a line is not as the head of the table says; names it.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(
        _concept(path, number, line)
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    )


def _concept(path: Path, number: int, line: str) -> Concept:
    columns = [column.strip() for column in line.split("|")]
    if len(columns) != 4 or not columns[0]:
        raise BadInputError(f"line {number} of {path} is {line!r}, expected four columns")
    names = [
        Name(text.strip(), bool(kind))
        for kind, column in enumerate(columns[:2])
        for text in column.split(",")
        if text.strip()
    ]
    try:
        coco = tuple(CLASSES.index(name.strip()) for name in columns[2].split(",") if name.strip())
        imagenet = tuple(int(text) for text in columns[3].split())
    except ValueError as error:
        raise BadInputError(f"line {number} of {path}: {error}") from error
    if not all(0 <= one < _IMAGENET for one in imagenet):
        raise BadInputError(f"line {number} of {path} has {imagenet}, expected 0..{_IMAGENET - 1}")
    return Concept(tuple(names), coco, imagenet)
