# SPDX-License-Identifier: Apache-2.0
"""What follows from the outcomes: does the model make sense, and if not, why probably.

A cause is looked for by trying: the pictures are shown once more with red and blue exchanged, or as
another normalisation would have them. What makes the answers right is what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from f4x_ros.core.errors import UnsupportedError
from f4x_ros.core.features.base import Clicks, Examples, FeatureExtractor, Words
from f4x_ros.core.features.check import clicks, likeness, naming
from f4x_ros.core.features.check.outcome import See, Trial

Ask = Callable[[See], Trial]

_DRAWN_ONLY = ("embedded",)
"""Models judged by drawn things: `embedded` has eyes for cats and cups, none for bricks."""

_THINGS, _OWN_THINGS = 0.5, 0.8  # share of drawn things named; for those that learned from drawn

_VARIANTS: tuple[tuple[str, See], ...] = (
    ("the model wants red and blue exchanged (BGR): the file was trained, or converted, with "
     "channels in another order", lambda picture: picture.flip(1)),
    ("the model wants pixels with less contrast: its mean and std are not those of its training "
     "(0..1 without normalisation?)", lambda picture: picture * 0.225 + 0.45),
    ("the model wants pixels with more contrast: its mean and std are not those of its training",
     lambda picture: ((picture - 0.45) / 0.5 + 0.5).clamp(0, 1)),
)  # fmt: skip


class Verdict(NamedTuple):
    """Whether a model makes sense.

    Attributes:
        trials: what was asked.
        hints: what was asked beyond that, to find a cause; empty for a model that makes sense.
        cause: the likely one, in words; empty for a model that makes sense.
    """

    trials: tuple[Trial, ...]
    hints: tuple[Trial, ...]
    cause: str

    @property
    def sensible(self) -> bool:
        """Whether all trials were passed."""
        return all(trial.passed for trial in self.trials)


def check(model: FeatureExtractor) -> Verdict:
    """Ask a model what it should know; where it does not, look for the cause.

    Raises:
        UnsupportedError: the model has neither words nor clicks nor examples.
    """
    asks = _asks(model)
    trials = _tried(asks, _as_it_is)
    if not trials:
        raise UnsupportedError(
            f"extractor {model.name!r} cannot be checked: it has neither clicks nor examples, and "
            "none of the words that there are pictures for"
        )
    if all(trial.passed for trial in trials):
        return Verdict(trials, (), "")
    hints = _hints(model)
    return Verdict(trials, hints, _cause(model, asks, trials, hints))


def _as_it_is(picture: Tensor) -> Tensor:
    return picture


def _asks(model: FeatureExtractor) -> list[Ask]:
    """What decides, for what the model can do."""
    if isinstance(model, Words):
        words = model
        drawn = model.name in _DRAWN_ONLY
        least = _OWN_THINGS if drawn else _THINGS
        asks: list[Ask] = [] if drawn else [lambda see: naming.photographs(words, see)]
        asks.append(lambda see: naming.things(words, see, least))
        asks.append(lambda see: naming.colors(words, see))
        return asks
    if isinstance(model, Clicks):
        clicked = model
        return [lambda see: clicks.clicks(clicked, see), lambda see: clicks.boxes(clicked, see)]
    if isinstance(model, Examples):
        return [lambda see: likeness.places(model, see)]
    return []


def _tried(asks: Sequence[Ask], see: See) -> tuple[Trial, ...]:
    """Those trials of which the model understands something."""
    return tuple(trial for ask in asks if (trial := ask(see)).outcomes)


def _passes(asks: Sequence[Ask], see: See) -> bool:
    """Whether all trials are passed; the first that is not ends it."""
    trials = (ask(see) for ask in asks)
    return all(trial.passed for trial in trials if trial.outcomes)


def _hints(model: FeatureExtractor) -> tuple[Trial, ...]:
    """The text side alone, and the picture side alone."""
    if not isinstance(model, Words):
        return ()
    drawn = model.name in _DRAWN_ONLY
    found = (naming.kin(model), likeness.places(model, _as_it_is, drawn=drawn))
    return tuple(trial for trial in found if trial.outcomes)


def _cause(
    model: FeatureExtractor, asks: Sequence[Ask], trials: Sequence[Trial], hints: Sequence[Trial]
) -> str:
    if not isinstance(model, Clicks):  # they hardly mind colours or contrast
        for cause, see in _VARIANTS:
            if _passes(asks, see):
                return cause
    none = not any(trial.passed for trial in trials)
    if not isinstance(model, Words):
        return _NOT_TRAINED if none else _PARTLY
    passed = {trial.name: trial.passed for trial in hints}
    text, pictures = passed.get("words alone", True), passed.get("places found again", True)
    if text and pictures:
        return _NOT_TOGETHER if none else _PARTLY
    if text:
        return _PICTURES
    return _TEXT if pictures else _NOT_TRAINED


_NOT_TRAINED = (
    "nothing that it says has to do with what it is shown: the weights are those of another "
    "architecture, damaged, or not trained at all. Compare the file: f4x weights verify NAME"
)
_PARTLY = (
    "some of it is right, too little: the option model is not that of the file (another size, "
    "another activation such as quickgelu, another normalisation), size is far from that of "
    "training, or the model is weaker than those this check was made for"
)
_NOT_TOGETHER = (
    "words are alike as they should be, and so are places in pictures, but words do not name what "
    "is shown: text and image side come from different checkpoints, the projection between them is "
    "missing, or attention is not one for this model"
)
_PICTURES = (
    "words are alike as they should be, places in pictures are not found again: the image side is "
    "wrong (its weights, the size of its patches, the option attention, how pictures are prepared)"
)
_TEXT = (
    "places in pictures are found again, words of one meaning are not alike: the text side is "
    "wrong (its weights, or another tokenizer than that of its training)"
)
