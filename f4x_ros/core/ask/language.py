# SPDX-License-Identifier: Apache-2.0
"""The little grammar of questions: what is wanted, and what is excluded by a minus sign."""

from __future__ import annotations

import re
from typing import NamedTuple

from f4x_ros.core.base.limits import MAX_PROMPT_LETTERS, check_length, check_letters
from f4x_ros.core.errors import BadInputError, shown

_MINUS = re.compile(r"(?:^|\s)[-\u2212]")  # never inside of a word


class Question(NamedTuple):
    """One question in words.

    Attributes:
        text: as it was asked, without blanks around it.
        wanted: what to find.
        excluded: what it must not be.
    """

    text: str
    wanted: str
    excluded: tuple[str, ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """All that has to be encoded."""
        return (self.wanted, *self.excluded)


def parse_question(text: str) -> Question:
    """Take a question apart: `"chair -wooden chair -red"` wants chairs, neither wooden nor red.

    A minus sign before a word excludes all words up to the next one; inside of a word it is a
    hyphen ("t-shirt").

    Raises:
        NotUnderstoodError: it has characters that are part of no word.
        ValueError: nothing is wanted, nothing follows a minus sign, or it is too long.
    """
    check_length("prompt", text, MAX_PROMPT_LETTERS)
    text = text.strip()
    check_letters(text)
    wanted, *excluded = _MINUS.split(text)
    if not wanted.strip():
        raise BadInputError(
            f"prompt {shown(text)} wants nothing, expected words before what is excluded, as in "
            "'mug -red'"
            if excluded
            else "prompt is blank, expected words"
        )
    if any(part.strip() == "" or part[0].isspace() for part in excluded):
        raise BadInputError(
            f"prompt {shown(text)} has a '-' without a word, expected one: 'mug -red'"
        )
    wanted, *excluded = (" ".join(part.split()) for part in (wanted, *excluded))
    return Question(text, wanted, tuple(dict.fromkeys(excluded)))
