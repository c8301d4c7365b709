# SPDX-License-Identifier: Apache-2.0
"""Phrases taken apart: what is sought, and how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
