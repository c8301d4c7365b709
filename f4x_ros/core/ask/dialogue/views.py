# SPDX-License-Identifier: Apache-2.0
"""From where a question looks, and the question without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from f4x_ros.core.ask.dialogue.nouns import NotANounError, noun
from f4x_ros.core.ask.dialogue.request import Ref
from f4x_ros.core.ask.tools.resolve import CAMERA

_VIEW = r"(?:own )?(?:point of view|points of view|view|viewpoint|perspective|front|eyes|side)"
_STAND = (
    r"(?:(?:if|when|suppose|imagine|say|assume) )?(?:(?:i|you|we|one|somebody|someone) )?"
    r"(?:am|are|is|were|was|stood|stand|stands|standing|sat|sit|sitting|positioned)"
    r"(?: there)?(?: at| by| on| next to| near)"
)
_LOOK = (
    r"(?:(?:i|you|we|one) )?(?:and )?(?:i |you )?"
    r"(?:facing|face|faced|faces|looking|look|looked|looks|turned|turning|towards?)"
    r"(?: at| to| towards?| in the direction of)?"
)
_CAMERA_VIEWS = (
    r"\b(?:as )?(?:seen|viewed|observed|looking) (?:by|from) (?:the |your |my )?(?:camera|you|me)"
    r"(?: as it was)?\b",
    rf"\bfrom (?:the camera's|my|your|the) {_VIEW}(?: of the camera)?\b",
    r"\b(?:as|like) (?:the )?(?:camera|you|i) sees? it\b",
    r"^from the camera\b",
    r"\bfor the camera\b",
    r"\bin (?:the|your) (?:camera|picture|image)$",
)
_OWN_VIEWS = (
    rf"\b(?:seen |viewed )?from (?P<v>[^,]+?)'s? {_VIEW}\b",
    rf"\bfrom (?:the )?{_VIEW} of (?P<v>[^,]+?)(?=,|$)",
    r"\b(?:as )?(?:seen|viewed) by (?P<v>[^,]+?)(?=,|$)",
    r"\bas (?P<v>[^,]+?) sees it\b",
    r"\bfacing the way (?P<v>[^,]+?) (?:drives|moves|goes|walks|is going|is moving|rolls)\b",
    r"^for (?P<v>[^,]+?),",
)
_ITS_OWN = (
    rf"\bfrom (?:its|his|her|their) {_VIEW}\b",
    r"\b(?:seen )?in (?:its|his|her|their) (?:direction of travel|way|direction)\b",
    r"\b(?:as )?(?:seen|viewed) by (?:that|the same) \w+\b",
)
_STANDS = (
    rf"\b(?:{_STAND}) (?P<a>[^,]+?),? (?:and |or )?{_LOOK} (?P<b>[^,]+?)"
    r"(?=,| ,|$| would| which| is | are | on which| FROM)",
    r"\b(?:seen|viewed|looking|look) (?:from|out from) (?P<a>[^,]+?),? "
    rf"(?:{_LOOK}) (?P<b>[^,]+?)(?=,|$| is | which| would)",
    rf"^from (?P<a>[^,]+?),? (?:{_LOOK}) (?P<b>[^,]+?)(?=,|$| is | which| would)",
)


class View(NamedTuple):
    """Who looks.

    Attributes:
        who: the camera or a thing; None where nothing was said.
        towards: what is looked at.
        own: by the front of the thing that the question is about ("its own view").
    """

    who: Ref | None = None
    towards: Ref | None = None
    own: bool = False


_RULES: tuple[tuple[str, Callable[[re.Match[str]], View]], ...] = (
    *((pattern, lambda found: View(noun(found["a"]), noun(found["b"]))) for pattern in _STANDS),
    *((pattern, lambda found: View(Ref(CAMERA))) for pattern in _CAMERA_VIEWS),
    *((pattern, lambda found: View(own=True)) for pattern in _ITS_OWN),
    *((pattern, lambda found: View(noun(found["v"]))) for pattern in _OWN_VIEWS),
)
"""In the order in which they are tried."""


def without_view(text: str) -> tuple[str, View]:
    """A plain question without what it says of a viewer, and that."""
    for pattern, make in _RULES:
        found = re.search(pattern, text)
        if found is None:
            continue
        try:
            return _cut(text, found), make(found)
        except NotANounError:
            continue
    return text, View()


def _cut(text: str, found: re.Match[str]) -> str:
    left = f"{text[: found.start()]} {text[found.end() :]}"
    left = re.sub(r"\s*,\s*(?=,|$)|^\s*,", " ", left)
    return re.sub(r"\s+", " ", left).strip(" ,")
