# SPDX-License-Identifier: Apache-2.0
"""A question in plain form: no capitals, no politeness, one spelling, one way to offer a choice.

Choices become one word each, so that every pattern has them once: LR left or right, FB in front or
behind, HL above or below, TA towards or away.
"""

from __future__ import annotations

import re

_SPELLINGS = (
    ("[\u2019\u00b4`]", "'"),
    (r"\bcolour", "color"),
    (r"\bmeters?\b", "metres"),
    (r"\bgrey\b", "gray"),
    (r"\b(where|what|who|that|it|there|which|how)'s\b", r"\1 is"),
    (r"\b(what|who|where)'re\b", r"\1 are"),
    (r"\b(?:in|inside|within) (?:the|this|our) (?:room|scene|house|hall|world|place)\b", "here"),
    (r"[,;:!\"()]", " , "),
    (r"[?.](?=\s|$)", " "),
    (r"\s+", " "),
    (r"(^[\s,]+|[\s,]+$)", ""),
)
_POLITE = (
    r"(please|ok|okay|hey|hello|hi|so|well|now|then)\b[ ,]*",
    r"(can|could|would|will) you (please )?(tell|show|give|say|name|count|locate|find|list)\b"
    r"( to)?( me)?( out)?",
    r"(do|did) you know\b",
    r"i (want|would like|need|wonder|'d like)( to know)?\b",
    r"(tell|show|give) (me|us)\b",
    r"(tell|show|give|say|name)\b",
    r"which is it\b",
)
_KEEP_VERB = re.compile(r"(count|locate|find|list)\b")
_LATE_POLITE = r"[ ,]*\b(please|for me|thanks|thank you)$"

_POSS = r"(?:the|my|your|its|his|her|their|your own|its own)"
_SIDE = rf"(?:(?:on|to|at) )?(?:{_POSS} )?(?:left|right)(?: hand)?(?: side)?"
_OF = r"(?: of (?=me\b|you\b|it\b|him\b|her\b)(?:me|you|it|him|her))?"
_CHOICES = (
    (rf"\b{_SIDE}{_OF} or {_SIDE}{_OF}(?=$| )", "LR"),
    (r"\b(?:on|at) (?:which|what) side\b", "LR"),
    (r"\b(?:in front of|in front|before|behind)(?: it)? or (?:in front of|in front|before|behind)"
     r"(?: it)?\b", "FB"),
    (r"\b(?:in front of|before|behind) (?P<x>[^,]+?) or (?:in front of|before|behind) it\b",
     r"FB \g<x>"),
    (r"\b(?:at )?(?:a |the )?(?:above|below|over|under|higher|lower|beneath)(?: it)? or "
     r"(?:at )?(?:a |the )?(?:above|below|over|under|higher|lower|beneath)(?: place| position)?"
     r"(?: than)?\b", "HL"),
    (r"\b(?:towards?|away from|approaching|leaving|nearing|closer to|nearer to|farther from|"
     r"further from|farther away from)(?: it)? or (?:towards?|away from|away|approaching|leaving|"
     r"closer to|nearer to|farther from|further from|farther away from)(?: it)?(?=$| )", "TA"),
    (r"\b(?:away from|towards?|closer to) (?P<y>[^,]+?) or (?:towards?|away from|away) it\b",
     r"TA \g<y>"),
    (r"\b(?:growing|increasing|getting larger|shrinking|decreasing|getting smaller) or "
     r"(?:growing|increasing|shrinking|decreasing)\b", "GS"),
)  # fmt: skip


def normal(text: str) -> str:
    """A question in plain form."""
    text = text.strip().lower()
    for pattern, plain in _SPELLINGS:
        text = re.sub(pattern, plain, text)
    return _without_politeness(text)


def with_choices(text: str) -> str:
    """A plain question with each choice as one word."""
    for pattern, word in _CHOICES:
        text = re.sub(pattern, word, text)
    return re.sub(r"\s+", " ", text).strip()


def _without_politeness(text: str) -> str:
    while True:
        shorter = re.sub(_LATE_POLITE, "", text)
        for pattern in _POLITE:
            found = re.match(pattern, shorter)
            if not found or found.end() == len(shorter):
                continue
            verb = _KEEP_VERB.search(found.group())
            rest = shorter[found.end() :].lstrip(" ,")
            shorter = f"{verb.group(1)} {rest}" if verb else rest
            break
        if shorter == text:
            return text
        text = shorter
