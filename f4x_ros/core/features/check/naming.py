# SPDX-License-Identifier: Apache-2.0
"""Words and what they name, asked of a model that understands words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from f4x_ros.core.features.base import Words
from f4x_ros.core.features.check.outcome import Outcome, See, Trial
from f4x_ros.core.features.check.pictures import (
    COLORS,
    PHOTOGRAPHS,
    THINGS,
    cut_out,
    photograph,
    within,
)

_KIN = (  # a word, one that means nearly the same, one that does not
    ("kitten", "cat", "bulldozer"),
    ("couch", "sofa", "banana"),
    ("mug", "cup", "bicycle"),
    ("laptop", "notebook computer", "pear"),
    ("automobile", "car", "spoon"),
    ("puppy", "dog", "lamp"),
    ("infant", "baby", "hammer"),
    ("ship", "boat", "apple"),
)
_MISSED_PHOTOGRAPHS, _MISSED_COLORS, _MISSED_KIN = 1, 1, 1


def photographs(model: Words, see: See) -> Trial:
    """Each word is most relevant to the photograph of what it names."""
    features = {what: model.dense(see(photograph(what)))[0].mean((1, 2)) for what in PHOTOGRAPHS}
    found = _named(model, {what: what for what in PHOTOGRAPHS}, features, "picture of a ")
    return Trial("photographs", found, max(1, len(found) - _MISSED_PHOTOGRAPHS))


def things(model: Words, see: See, least: float) -> Trial:
    """Each word is most relevant to the drawn thing that it names; for a share of them at least."""
    asked = {what: what for what in THINGS if what != "pear"}  # there are apples, too
    found = _named(model, asked, _of_things(model, see, asked))
    return Trial("drawn things", found, max(1, int(least * len(found))))


def colors(model: Words, see: See) -> Trial:
    """Each colour is most relevant to the drawn thing that has it."""
    found = _named(model, COLORS, _of_things(model, see, COLORS.values()))
    return Trial("colours", found, max(1, len(found) - _MISSED_COLORS))


def kin(model: Words) -> Trial:
    """Words of one meaning are more alike than others; asks the text side alone."""
    found = []
    for word, same, other in _KIN:
        if _understood(model, (word, same, other)):
            own, near, far = model.text([word, same, other])
            right = bool(own @ near > own @ far)
            found.append(Outcome(word, same, same if right else other, right))
    return Trial("words alone", tuple(found), max(1, len(found) - _MISSED_KIN))


def _of_things(model: Words, see: See, names: Iterable[str]) -> dict[str, Tensor]:
    """Mean feature [C] of each drawn thing, magnified."""
    found = {}
    for name in names:
        picture, outline = cut_out(name)
        found[name] = within(model.dense(see(picture))[0], outline)
    return found


def _named(
    model: Words,
    asked: Mapping[str, str],  # words: the candidate that they name
    candidates: Mapping[str, Tensor],  # [C] each
    prefix: str = "",
) -> tuple[Outcome, ...]:
    """For each of the words that are understood the candidate to which it is most relevant."""
    names = list(candidates)
    texts = [text for text in asked if _understood(model, (text,))]
    if not texts:
        return ()
    scores = model.relevancy(torch.stack(list(candidates.values())), model.text(texts))
    found = []
    for column, text in enumerate(texts):
        best = names[int(scores[:, column].argmax())]
        said = f"{prefix}{best} ({float(scores[:, column].max()):.2f})"
        found.append(Outcome(text, prefix + asked[text], said, best == asked[text]))
    return tuple(found)


def _understood(model: Words, texts: Iterable[str]) -> bool:
    """Whether the model takes all of them as prompts; one of colours alone refuses "cat"."""
    try:
        model.text(list(texts))
    except ValueError:
        return False
    return True
