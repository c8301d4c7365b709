# SPDX-License-Identifier: Apache-2.0
"""The words the colour extractor understands, and what a prompt made of them asks for."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from f4x_ros.core.errors import NotUnderstoodError, shown
from f4x_ros.core.features.color_terms import TERMS

# Word -> terms it covers, and a tone it implies.
_SYNONYMS: dict[str, tuple[tuple[str, ...], str | None]] = {
    **{term: ((term,), None) for term in TERMS},
    "gray": (("grey",), None),
    "silver": (("grey",), None),
    "charcoal": (("grey",), "dark"),
    "ebony": (("black",), None),
    "crimson": (("red",), None),
    "scarlet": (("red",), None),
    "maroon": (("red",), "dark"),
    "golden": (("yellow",), None),
    "olive": (("green",), "dark"),
    "lime": (("green",), "light"),
    "emerald": (("green",), None),
    "navy": (("blue",), "dark"),
    "azure": (("blue",), None),
    "violet": (("purple",), None),
    "lilac": (("purple",), "light"),
    "lavender": (("purple",), "light"),
    "rose": (("pink",), None),
    "tan": (("brown",), "light"),
    "chestnut": (("brown",), None),
    "chocolate": (("brown",), "dark"),
    "colourful": (TERMS[3:], None),
    "colorful": (TERMS[3:], None),
    "colourless": (TERMS[:3], None),
    "colorless": (TERMS[:3], None),
}
_ISH = {
    "blackish": "black",
    "greyish": "grey",
    "grayish": "grey",
    "whitish": "white",
    "reddish": "red",
    "yellowish": "yellow",
    "greenish": "green",
    "bluish": "blue",
    "pinkish": "pink",
    "brownish": "brown",
}
_TONE_WORDS = {"dark": "dark", "dim": "dark", "light": "light", "pale": "light", "bright": "light"}
_TEXTURE_WORDS = {
    "plain": "smooth",
    "smooth": "smooth",
    "uniform": "smooth",
    "textured": "patterned or striped",
    "patterned": "patterned or striped",
    "busy": "patterned or striped",
    "striped": "striped",
    "stripy": "striped",
    "stripes": "striped",
}
_FILLERS = frozenset(
    """
    a an the this that these those any some all every which is are in of with one ones
    thing things object objects item items something anything everything stuff
    surface surfaces area areas region regions part parts place places spot spots
    colour color coloured colored colours colors looking
    """.split()
)


_READS = "the 'color' extractor understands colour and texture words only"


@dataclass(frozen=True)
class ColorPrompt:
    """What is asked for: each group is a union, and all groups that are not empty must hold.

    Attributes:
        terms: basic colour terms.
        tones: "dark", "light".
        textures: "smooth", "patterned", "striped".
    """

    terms: frozenset[str]
    tones: frozenset[str]
    textures: frozenset[str]


def vocabulary() -> str:
    """The words that carry meaning, for messages to people."""
    return ", ".join([*_SYNONYMS, *_TONE_WORDS, *_TEXTURE_WORDS])


def parse(prompt: str) -> ColorPrompt:
    """Understand a prompt such as "dark blue thing" or "a red or orange object".

    Raises:
        ValueError: a word is unknown, no colour or texture is named, or an "or" would have to join
            more than plain alternatives; names the prompt.
    """
    for part in prompt.split():
        if any(_is_symbol(letter) for letter in part):
            raise NotUnderstoodError(prompt, part, _READS)
    words = re.findall(r"[^\W_]+", prompt.lower())
    alternatives = "or" in words or "," in prompt
    parts = [_meaning(word, prompt) for word in words if word not in ("and", "or")]
    named = [part for part in parts if part != _NOTHING]
    if not named:
        raise NotUnderstoodError(
            prompt,
            prompt,
            "the 'color' extractor needs the name of a colour or texture in it; it knows "
            f"{vocabulary()}",
        )
    asked = ColorPrompt(
        frozenset().union(*(part.terms for part in named)),
        frozenset().union(*(part.tones for part in named)),
        frozenset().union(*(part.textures for part in named)),
    )
    groups = sum(bool(group) for group in (asked.terms, asked.tones, asked.textures))
    if groups > 1 and (alternatives or any(p.terms and p.tones and p != asked for p in named)):
        raise NotUnderstoodError(
            prompt,
            prompt,
            "the 'color' extractor joins only plain alternatives ('red or orange'); ask for these "
            "one at a time",
        )
    return asked


_NOTHING = ColorPrompt(frozenset(), frozenset(), frozenset())


def _meaning(word: str, prompt: str) -> ColorPrompt:
    if word in _FILLERS:
        return _NOTHING
    word = _ISH.get(word, word)
    if word in _SYNONYMS:
        terms, tone = _SYNONYMS[word]
        return ColorPrompt(frozenset(terms), frozenset([tone] if tone else []), frozenset())
    if word in _TONE_WORDS:
        return ColorPrompt(frozenset(), frozenset([_TONE_WORDS[word]]), frozenset())
    if word in _TEXTURE_WORDS:
        textures = _TEXTURE_WORDS[word].split(" or ")
        return ColorPrompt(frozenset(), frozenset(), frozenset(textures))
    raise NotUnderstoodError(
        prompt,
        word,
        f"{_READS}; it does not know {shown(word)}. Use features.extractor:=embedded or openclip "
        "for other words",
    )


def _is_symbol(letter: str) -> bool:
    """Emoji and other characters that are neither words nor punctuation."""
    return not letter.isascii() and unicodedata.category(letter)[0:2] in (
        "So", "Sk", "Sm", "Sc", "Co", "Cn",
    )  # fmt: skip
