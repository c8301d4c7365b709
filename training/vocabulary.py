# SPDX-License-Identifier: Apache-2.0
"""Which words are true of which kinds of things, and what of it is kept out of training.

A kind is a class in a colour and a material. Whether a text is true of it is decided by
`datasets.world.language`, as in the worlds themselves; `words` adds more texts. A text that is true
of no kind that carries it is false of all others, except where `words.UNCERTAIN` says so.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from f4x_ros.sim.language import ROOM_CLASSES, paraphrases_of, phrases_of
from f4x_ros.sim.materials import PALETTE
from f4x_ros.sim.scene import ObjectLabel
from f4x_ros.sim.shapes import CLASS_IDS, CLASSES, called
from training.words import ABSENT, GROUPS, MORE_NAMES, UNCERTAIN

TRUE, FALSE, UNKNOWN = 1, 0, -1


class Kind(NamedTuple):
    """What a thing is called; the parts of the room have no colour and no material."""

    cls: str
    color: str
    material: str

    def label(self) -> ObjectLabel:
        """A label of such a thing, for the functions of `language`."""
        nowhere = (0.0, 0.0, 0.0)
        return ObjectLabel(1, self.cls, self.cls, CLASS_IDS[self.cls], self.color, self.material,
                           False, nowhere, nowhere)  # fmt: skip


class Text(NamedTuple):
    """A text of the vocabulary."""

    text: str
    group: str  # own, synonym, extra or absent
    kind: str  # as `language.Phrase.kind`; "" for absent things
    held_out: bool  # never trained on


@dataclass(frozen=True)
class Split:
    """What is kept out of training, to measure how well it is understood all the same.

    Chosen by a checksum of the words, so it does not change when classes are added.

    Attributes:
        synonyms: keep every tenth synonym of the worlds out, and every fourth word for things that
            no world has.
        combinations: keep every twelfth combination of colour and class out.
        classes: whole classes that are kept out.
    """

    synonyms: bool = True
    combinations: bool = True
    classes: tuple[str, ...] = ("bench", "bucket", "kettle", "pear")

    def hides_kind(self, kind: Kind) -> bool:
        """Whether things of this kind are left out of the loss."""
        return kind.cls in self.classes or self.hides_combination(kind)

    def hides_combination(self, kind: Kind) -> bool:
        """Whether this colour of this class is left out."""
        natural = CLASSES[kind.cls].colors or tuple(PALETTE)
        return (
            self.combinations
            and kind.cls not in ROOM_CLASSES
            and len(natural) > 3
            and zlib.crc32(f"{kind.color} {kind.cls}".encode()) % 12 == 0
        )

    def hides_synonym(self, word: str) -> bool:
        """Whether this synonym is left out, with and without a colour."""
        return self.synonyms and zlib.crc32(word.encode()) % 10 == 0

    def secret_synonyms(self, cls: str, color: str) -> set[str]:
        """All synonyms of a class that are left out, with and without a colour."""
        names = (name for owner in (cls, *CLASSES[cls].also) for name in CLASSES[owner].synonyms)
        words = [word for word in names if self.hides_synonym(word)]
        return {*words, *(called(color, word, cls) for word in words)}

    def hides_absent(self, word: str) -> bool:
        """Whether this word for something that no world has is left out."""
        return self.synonyms and zlib.crc32(word.encode()) % 4 == 0


FINAL = Split(combinations=False, classes=())
"""For the weights that are shipped: all things are trained on, the held-out synonyms are not."""


@dataclass(frozen=True)
class Vocabulary:
    """All texts, and of which kinds they are true.

    Attributes:
        kinds: that can be told apart by words.
        split: what is held out.
    """

    kinds: tuple[Kind, ...]
    split: Split = field(default_factory=Split)

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """Each text once; held out are secret ones and those of hidden kinds alone."""
        groups: dict[str, tuple[str, str]] = {}
        secret, shown = set(), set()
        for kind in self.kinds:
            hidden = self.split.hides_kind(kind)
            for text in self._texts_of(kind):
                groups.setdefault(text.text, (text.group, text.kind))
                if text.held_out:
                    secret.add(text.text)
                if not hidden:
                    shown.add(text.text)
        for word in ABSENT:
            text_of = " ".join(word.split())
            groups.setdefault(text_of, ("absent", ""))
            if not self.split.hides_absent(text_of):
                shown.add(text_of)
        return tuple(
            Text(text, group, kind, text in secret or text not in shown)
            for text, (group, kind) in groups.items()
        )

    @cached_property
    def number(self) -> dict[str, int]:
        """Place of each text in `texts`."""
        return {text.text: place for place, text in enumerate(self.texts)}

    @cached_property
    def truth(self) -> NDArray[np.int8]:
        """[kinds, texts] `TRUE`, `FALSE` or `UNKNOWN`."""
        out = np.zeros((len(self.kinds), len(self.texts)), np.int8)
        for row, kind in enumerate(self.kinds):
            unsure = {word for word, classes in UNCERTAIN.items() if kind.cls in classes}
            if kind.cls in ROOM_CLASSES:  # it has a colour, but nobody says which
                unsure |= {text for color in PALETTE for text in _of_color(color)}
            for word in (*unsure, *(called(kind.color, word, kind.cls) for word in unsure)):
                if word in self.number:
                    out[row, self.number[word]] = UNKNOWN
            for text in self._texts_of(kind):
                out[row, self.number[text.text]] = TRUE
        return out

    @cached_property
    def hidden(self) -> NDArray[np.bool_]:
        """[kinds] those that are left out of training."""
        return np.array([self.split.hides_kind(kind) for kind in self.kinds])

    def trainable(self) -> NDArray[np.intp]:
        """Numbers of the texts that may be trained on."""
        usable = [not text.held_out for text in self.texts]
        return np.flatnonzero(usable)

    def _texts_of(self, kind: Kind) -> list[Text]:
        """All texts that are true of things of a kind, `held_out` where the word is secret."""
        label = [kind.label()]
        own = called(kind.color, kind.cls, kind.cls) if self.split.hides_combination(kind) else ""
        texts = [Text(p.text, "own", p.kind, p.text == own) for p in phrases_of(label)]
        secret = self.split.secret_synonyms(kind.cls, kind.color)
        texts += [Text(p.text, "synonym", p.kind, p.text in secret) for p in paraphrases_of(label)]
        return [*texts, *(Text(text, "extra", "extra", False) for text in _extra(kind))]


def _extra(kind: Kind) -> list[str]:
    groups = [group for group, classes in GROUPS.items() if kind.cls in classes]
    names = [*MORE_NAMES.get(kind.cls, ()), *groups]
    if kind.cls in ROOM_CLASSES:
        return names
    material = [f"{kind.material} {word}" for word in ("thing", "object") if kind.material]
    return [
        *names,
        *(called(kind.color, name, kind.cls) for name in names),
        *_of_color(kind.color)[1:],
        *material,
    ]


def _of_color(color: str) -> tuple[str, ...]:
    return f"{color} thing", f"{color} object", f"something {color}"


def all_kinds() -> tuple[Kind, ...]:
    """Every class in all colours and materials it comes in."""
    found: dict[Kind, None] = {}
    for cls, about in CLASSES.items():
        if cls in ROOM_CLASSES:
            found[Kind(cls, "", "")] = None
            continue
        words = dict.fromkeys(finish.word for finish in (about.finish, *about.finishes))
        for color in about.colors or tuple(PALETTE):
            found.update({Kind(cls, color, word): None for word in words})
    return tuple(found)


def kind_of(label: ObjectLabel) -> Kind:
    """What a thing of a scene is called."""
    if label.cls in ROOM_CLASSES:
        return Kind(label.cls, "", "")
    return Kind(label.cls, label.color, label.material)


def with_kinds(kinds: Sequence[Kind], more: Iterable[Kind]) -> tuple[Kind, ...]:
    """Kinds that scenes have beyond the usual ones, behind those, each once."""
    return tuple(dict.fromkeys((*kinds, *more)))
