# SPDX-License-Identifier: Apache-2.0
"""What else a thing might be: canonical kinds and colours that a question competes with.

As LERF's canonical negatives (Kerr et al. 2023), but things with names: a kettle that is asked for
has to look more like a kettle than like a mug, and a red mug more red than blue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from f4x_ros.core.ask.vectors import TextVectors

COLORS = (
    "red", "orange", "yellow", "green", "blue", "purple", "brown", "black", "white", "gray",
    "pink", "beige",
)  # fmt: skip
"""Colour words, each once; `SAME_COLORS` has others for them."""

SAME_COLORS = {"grey": "gray", "violet": "purple", "tan": "beige"}

MATERIALS = (
    "wooden", "metal", "plastic", "glass", "ceramic", "leather", "fabric", "rubber", "cardboard",
    "paper", "stone", "wicker", "striped", "checked", "dotted", "patterned", "plain", "shiny",
)  # fmt: skip

KINDS = (
    "floor", "wall", "ceiling", "window", "door", "picture", "rug", "table", "chair", "stool",
    "bench", "sofa", "bed", "pillow", "bookshelf", "cabinet", "drawer", "box", "crate", "basket",
    "bucket", "barrel", "trash can", "potted plant", "vase", "candle", "desk lamp", "floor lamp",
    "clock", "globe", "mug", "bowl", "plate", "pan", "bottle", "teapot", "kettle", "can", "apple",
    "banana", "pear", "tangerine", "laptop", "monitor", "keyboard", "computer mouse", "phone",
    "remote control", "book", "shoe", "hat", "umbrella", "backpack", "suitcase", "guitar",
    "hammer", "ladder", "fire extinguisher", "traffic cone", "pallet", "pallet rack", "hand truck",
    "forklift", "bicycle", "robot", "robot vacuum", "toy car", "toy airplane", "rubber duck",
    "teddy bear", "ball", "football", "person", "dog", "cat",
)  # fmt: skip
"""Things of homes, offices and warehouses."""

_ANYTHING = frozenset(
    {"thing", "things", "object", "objects", "something", "anything", "everything", "stuff",
     "item", "items", "one", "ones"}
)  # fmt: skip
_ARTICLES = frozenset({"a", "an", "the", "some", "any"})
_NOUNS = frozenset({"glass", "paper", "stone", "cardboard"})  # materials that are also things


class Described(NamedTuple):
    """A phrase taken apart.

    Attributes:
        kind: what it is, without colours and materials before it; empty for "red thing".
        color: one of `COLORS`, or empty where none or several are named.
        attributes: all colours and materials that are named.
    """

    kind: str
    color: str
    attributes: tuple[str, ...]


def described(phrase: str) -> Described:
    """`"red wooden chair"` is a chair and red; `"person in red"` is a person and red."""
    words = [SAME_COLORS.get(word, word) for word in phrase.lower().split()]
    found: list[str] = []
    if len(words) > 2 and words[-2] == "in" and words[-1] in COLORS:
        found, words = words[-1:], words[:-2]
    while words and (_is_attribute(words) or words[0] in _ARTICLES or words[0] in _ANYTHING):
        found += [words[0]] if _is_attribute(words) else []
        words = words[1:]
        words = words[1:] if found and words[:1] == ["and"] else words
    colors = {word for word in found if word in COLORS}
    kind = " ".join(words)
    return Described(kind, colors.pop() if len(colors) == 1 else "", tuple(found))


def _is_attribute(words: Sequence[str]) -> bool:
    """Whether the first word tells how something is; "glass" as the last word is a thing."""
    noun = len(words) == 1 and words[0] in _NOUNS
    return words[0] in COLORS or (words[0] in MATERIALS and not noun)


class Rivals(NamedTuple):
    """Vectors of what a question competes with.

    Attributes:
        kinds: [K, C] of `KINDS`.
        colors: [12, C] of "red thing" and so on, in the order of `COLORS`.
    """

    kinds: Tensor
    colors: Tensor

    @classmethod
    def of(cls, encoder: TextVectors) -> Rivals | None:
        """Encoded once; None if the extractor does not know all these words."""
        try:
            return cls(
                encoder.encode(KINDS), encoder.encode([f"{color} thing" for color in COLORS])
            )
        except ValueError:
            return None
