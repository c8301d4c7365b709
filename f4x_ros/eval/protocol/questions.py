# SPDX-License-Identifier: Apache-2.0
"""Questions in words, asked during a run and when it is over, and how good the answers are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from f4x_ros.eval.metrics.queries import PhraseIou, Presence, presence
from f4x_ros.eval.protocol.asides import AsideView
from f4x_ros.eval.protocol.frame_scores import countable, least_visible_px
from f4x_ros.eval.subjects.subject import Subject
from f4x_ros.sim import Phrase, World, WorldTruth
from f4x_ros.sim.shapes import called

_PAST_VIEWS = 5  # moments of the run at which every phrase is asked again
_ASIDE_MOMENTS = 3  # of them, those also seen from cameras that were never there

#: What a phrase must have shown to count as present, pixels of one frame at 320x240.
_SEEN_PX = 150


@dataclass
class Answers:
    """What came of the questions.

    Attributes:
        phrases: masks of the scene's own phrases at moments of the run, from the camera's view.
        paraphrases: the same for other words.
        at_the_time: the same phrases at the same moments, asked while each was the present: what
            `phrases` loses against it is what the past costs, less what later views taught.
        aside: masks of the scene's own phrases from cameras that never were there.
        aside_seen: the same, only at pixels whose surface was in sight during the run.
        beside: masks of the same phrases and moments from the camera's own view.
        presence: "is it there?" now, over present and absent phrases.
        understood: share of the scene's phrases that the encoder accepts.
        refused: own phrases that it does not accept.
        refused_visible: those of them whose objects were in view when the others were asked.
        examples: frame, view, phrase, answer and truth of some masks, for pictures.
    """

    phrases: PhraseIou = field(default_factory=PhraseIou)
    paraphrases: PhraseIou = field(default_factory=PhraseIou)
    at_the_time: PhraseIou = field(default_factory=PhraseIou)
    aside: PhraseIou = field(default_factory=PhraseIou)
    aside_seen: PhraseIou = field(default_factory=PhraseIou)
    beside: PhraseIou = field(default_factory=PhraseIou)
    presence: Presence | None = None
    understood: float = 0.0
    refused: tuple[str, ...] = ()
    refused_visible: set[str] = field(default_factory=set)
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Example:
    """One mask and its truth."""

    index: int
    phrase: Phrase
    predicted: NDArray[np.bool_]
    truth: NDArray[np.bool_]


@dataclass(frozen=True)
class Vocabulary:
    """The words of a world, as far as an encoder understands them."""

    phrases: tuple[Phrase, ...]
    paraphrases: tuple[Phrase, ...]
    absent: tuple[str, ...]
    refused: tuple[Phrase, ...]
    own_names: frozenset[str]  # of objects and classes as the scene calls them

    @classmethod
    def of(cls, world: World, subject: Subject) -> Vocabulary:
        """Try every word once."""
        return cls.understood(world, subject.understood)

    @classmethod
    def understood(
        cls, world: World, accepted: Callable[[Sequence[str]], Sequence[str]]
    ) -> Vocabulary:
        """The words of a world of which `accepted` returns those that it can be asked."""
        texts = [phrase.text for phrase in (*world.phrases, *world.paraphrases)]
        known = set(accepted([*dict.fromkeys(texts), *world.absent_phrases]))

        labels = world.labels.values()
        return cls(
            phrases=tuple(phrase for phrase in world.phrases if phrase.text in known),
            paraphrases=tuple(phrase for phrase in world.paraphrases if phrase.text in known),
            absent=tuple(text for text in world.absent_phrases if text in known),
            refused=tuple(phrase for phrase in world.phrases if phrase.text not in known),
            own_names=frozenset(
                text for a in labels for text in (a.cls, called(a.color, a.cls, a.cls))
            ),
        )

    def standing(self) -> tuple[Phrase, ...]:
        """Phrases to follow all the time: those of objects, or at least those of colours.

        Of an object that has two names ("white football", "white ball") only its own counts here,
        as a pixel of the published masks has one label.
        """
        for kind in ("object", "class", "color"):
            of_kind = [phrase for phrase in self.phrases if phrase.kind == kind]
            chosen = [p for p in of_kind if kind == "color" or p.text in self.own_names]
            if chosen:
                return tuple(chosen)
        return ()


def ask_at_the_time(
    world: World, subject: Subject, words: Vocabulary, index: int, into: PhraseIou
) -> None:
    """The scene's own phrases right after frame `index` was taken in, if it is a moment to ask."""
    if index in past_indices(len(world)):
        truth = world.truth(index)
        for phrase in words.phrases:
            mask = _ask(world, subject, index, truth, phrase)
            _count(world, truth, phrase, mask, into)


def ask_everything(
    world: World,
    subject: Subject,
    words: Vocabulary,
    aside: Sequence[AsideView],
    seen_px: Mapping[int, int],
    at_the_time: PhraseIou,
) -> Answers:
    """All questions to a finished run.

    Args:
        world: what was seen.
        subject: who is asked.
        words: what can be asked.
        aside: views from where no camera was.
        seen_px: most pixels that each instance had in any frame.
        at_the_time: what `ask_at_the_time` gathered during the run.
    """
    total = len(words.phrases) + len(words.refused)
    answers = Answers(
        at_the_time=at_the_time,
        understood=len(words.phrases) / total if total else 0.0,
        refused=tuple(phrase.text for phrase in words.refused),
    )
    beside = {view.index for view in aside}
    for index in past_indices(len(world)):
        truth = world.truth(index)
        for phrase in words.phrases:
            mask = _ask(world, subject, index, truth, phrase)
            _count(world, truth, phrase, mask, answers.phrases)
            if index in beside:
                _count(world, truth, phrase, mask, answers.beside)
            if truth.mask(phrase.instances).sum() >= least_visible_px(truth):
                true = truth.mask(phrase.instances)
                answers.examples.append(Example(index, phrase, mask, true))
        for phrase in words.paraphrases:
            mask = _ask(world, subject, index, truth, phrase)
            _count(world, truth, phrase, mask, answers.paraphrases)
        seen = set(np.unique(truth.instances).tolist())
        answers.refused_visible |= {p.text for p in words.refused if p.instances & seen}
    for view in aside:
        for phrase in words.phrases:
            mask = _ask(world, subject, view.index, view.truth, phrase)
            _count(world, view.truth, phrase, mask, answers.aside)
            _count(world, view.truth, phrase, mask, answers.aside_seen, view.seen)
    answers.presence = _presence(world, subject, words, seen_px)
    return answers


def past_indices(frames: int) -> list[int]:
    """Frames evenly spaced over a run, neither the first nor the last."""
    return sorted({round(k * (frames - 1) / _PAST_VIEWS) for k in range(1, _PAST_VIEWS)})


def aside_moments(frames: int) -> list[int]:
    """Those of `past_indices` at which the phrases are asked from other cameras, too."""
    return past_indices(frames)[:_ASIDE_MOMENTS]


def _ask(
    world: World, subject: Subject, index: int, truth: WorldTruth, phrase: Phrase
) -> NDArray[np.bool_]:
    """The mask [H, W] of a phrase at a frame's moment, seen from where `truth` is."""
    return subject.ask(phrase.text, int(world.stamps_ns[index]), truth.T_map_camera).mask


def _count(
    world: World,
    truth: WorldTruth,
    phrase: Phrase,
    mask: NDArray[np.bool_],
    into: PhraseIou,
    where: NDArray[np.bool_] | None = None,
) -> None:
    valid = countable(world, truth, phrase)
    into.add(
        phrase.text, mask, truth.mask(phrase.instances), valid if where is None else valid & where
    )


def _presence(
    world: World, subject: Subject, words: Vocabulary, seen_px: Mapping[int, int]
) -> Presence | None:
    """Ask for what is certainly there now and for what certainly is not."""
    present, absent = presence_texts(world, words, seen_px, len(world) - 1)
    texts: Sequence[str] = [*present, *absent]
    if not texts:
        return None
    answers = [subject.ask(text) for text in texts]
    return presence(
        [answer.score for answer in answers],
        [True] * len(present) + [False] * len(absent),
        [answer.present for answer in answers],
        np.array([answer.unsure for answer in answers], bool),
    )


def presence_texts(
    world: World, words: Vocabulary, seen_px: Mapping[int, int], last: int
) -> tuple[list[str], list[str]]:
    """What is certainly there at frame `last`, and what certainly is not.

    Phrases whose objects were hardly seen, or are gone, are in neither: either answer is right.
    """
    seen = _certainly_there(world, seen_px, last)
    return [p.text for p in words.phrases if p.instances & seen], list(words.absent)


def present_in_other_words(
    world: World, words: Vocabulary, seen_px: Mapping[int, int], last: int
) -> list[str]:
    """Other words for what is certainly there at frame `last`."""
    seen = _certainly_there(world, seen_px, last)
    return [p.text for p in words.paraphrases if p.instances & seen]


def _certainly_there(world: World, seen_px: Mapping[int, int], last: int) -> set[int]:
    there = world.truth(last).T_map_object
    least = _SEEN_PX * world.camera.width * world.camera.height / (320 * 240)
    return {number for number in there if seen_px.get(number, 0) >= least}
