# SPDX-License-Identifier: Apache-2.0
"""Words for the things of a scene: phrases that are true, other words for the same, and misses."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from f4x_ros.sim.materials import PALETTE
from f4x_ros.sim.scene import ObjectLabel, Room
from f4x_ros.sim.shapes import CLASSES, called

#: Parts of the room: they have names but no colour word.
ROOM_CLASSES = ("floor", "wall", "ceiling")

_SAMPLES = 400  # points of each surface


@dataclass(frozen=True)
class Phrase:
    """A text and the instances that it means.

    Attributes:
        text: e.g. "red mug".
        kind: "object" (colour and class), "material" (material and class), "class" or "color"
            ("red thing").
        instances: ids of all objects of the scene that it is true of.
    """

    text: str
    kind: str
    instances: frozenset[int]


def phrases_of(labels: Iterable[ObjectLabel]) -> tuple[Phrase, ...]:
    """All phrases of a scene, each text once: objects, materials, classes, colours."""
    return _grouped((kind, text, label.id) for label in labels for kind, text in _texts(label))


def paraphrases_of(labels: Iterable[ObjectLabel]) -> tuple[Phrase, ...]:
    """The same with a synonym in the place of the class: "red cup", "cup"."""
    things = list(labels)
    own = {text for label in things for _, text in _texts(label)}
    found = _grouped(
        (kind, text, label.id)
        for label in things
        for name in _names(label)
        for synonym in CLASSES[name].synonyms
        for kind, text in (("object", called(label.color, synonym, label.cls)), ("class", synonym))
        if label.cls not in ROOM_CLASSES
    )
    return tuple(phrase for phrase in found if phrase.text not in own)


def absent_phrases(
    labels: Iterable[ObjectLabel], surfaces: Collection[str] = ()
) -> tuple[str, ...]:
    """Phrases that are true of nothing in the scene.

    First the classes of the scene in a colour that none of them has (one each), then classes that
    are not there, then colours that are not there.

    Args:
        labels: all objects.
        surfaces: colour words of floor, walls and ceiling, see `surface_colors`: no colour that
            somebody may see there is called absent.
    """
    there = [label for label in labels if label.cls not in ROOM_CLASSES]
    classes = list(dict.fromkeys(label.cls for label in there))
    taken = {(label.color, name) for label in there for name in _names(label)}
    wrong_color = [
        called(color, cls, cls)
        for number, cls in enumerate(classes)
        if (color := _free_color(cls, number, taken))
    ]
    named = {name for label in there for name in _names(label)}
    known = {*named, *(word for name in named for word in CLASSES[name].synonyms)}
    missing = [cls for cls in CLASSES if cls not in (*ROOM_CLASSES, *known)]
    colors = {label.color for label in there} | set(surfaces)
    return (*wrong_color, *missing, *(f"{c} thing" for c in PALETTE if c not in colors))


def surface_colors(room: Room) -> frozenset[str]:
    """Colour words that come near what floor, walls and ceiling of a room look like."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 2, (_SAMPLES, 3)).astype(np.float32)
    normals = np.eye(3, dtype=np.float32)[rng.integers(0, 3, _SAMPLES)]
    words = list(PALETTE)
    palette = np.array(list(PALETTE.values()))
    near: set[str] = set()
    for material in (room.floor, room.wall, room.ceiling):
        albedo = np.clip(material.texture(points, normals), 0, 1)
        shades = np.concatenate([albedo ** (1 / 2.2) * light for light in (0.5, 0.75, 1.0)])
        gaps = np.linalg.norm(shades[:, None] - palette[None], axis=-1)
        near |= {words[k] for k in np.unique(gaps.argmin(1))}
    return frozenset(near)


def _names(label: ObjectLabel) -> tuple[str, ...]:
    """Class names that are true of an object: a football is a ball as well."""
    return (label.cls, *CLASSES[label.cls].also)


def _texts(label: ObjectLabel) -> list[tuple[str, str]]:
    if label.cls in ROOM_CLASSES:
        return [("class", label.cls)]
    texts = [("color", f"{label.color} thing")]
    for name in _names(label):
        texts += [("object", called(label.color, name, label.cls)), ("class", name)]
        if label.material:
            texts.append(("material", f"{label.material} {name}"))
    return texts


def _free_color(cls: str, number: int, taken: set[tuple[str, str]]) -> str | None:
    """A colour the class could have but has not here; ``number`` makes them differ."""
    natural = CLASSES[cls].colors or tuple(PALETTE)
    free = [color for color in natural if (color, cls) not in taken]
    free = free or [color for color in PALETTE if (color, cls) not in taken]
    return free[number % len(free)] if free else None


def _grouped(found: Iterable[tuple[str, str, int]]) -> tuple[Phrase, ...]:
    by_text: dict[tuple[str, str], set[int]] = {}
    for kind, text, number in found:
        by_text.setdefault((kind, text), set()).add(number)
    return tuple(Phrase(text, kind, frozenset(ids)) for (kind, text), ids in by_text.items())
