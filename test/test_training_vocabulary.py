# SPDX-License-Identifier: Apache-2.0
"""Which words are true of what, and that what is held out stays out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from f4x_ros.sim.language import absent_phrases, paraphrases_of, phrases_of
from f4x_ros.sim.materials import PALETTE
from f4x_ros.sim.scene import build_scene
from f4x_ros.sim.scenes.anything import anything
from f4x_ros.sim.shapes import CLASSES, called

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `training` is not installed

from training.vocabulary import (
    FALSE,
    FINAL,
    TRUE,
    UNKNOWN,
    Kind,
    Split,
    Vocabulary,
    all_kinds,
    kind_of,
    with_kinds,
)
from training.words import ABSENT, GROUPS, MORE_NAMES, UNCERTAIN


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(all_kinds())


def truth_of(vocabulary: Vocabulary, kind: Kind, text: str) -> int:
    return int(vocabulary.truth[vocabulary.kinds.index(kind), vocabulary.number[text]])


@pytest.mark.parametrize("seed", [8000, 8001])
def test_what_is_true_in_a_world_is_true_in_the_vocabulary(
    vocabulary: Vocabulary, seed: int
) -> None:
    labels = [made.label for made in build_scene(anything(seed)).objects]
    assert {kind_of(label) for label in labels} <= set(vocabulary.kinds)
    for phrase in (*phrases_of(labels), *paraphrases_of(labels)):
        for label in labels:
            told = truth_of(vocabulary, kind_of(label), phrase.text)
            if label.id in phrase.instances:
                assert told == TRUE, (phrase.text, label.name)
            else:
                assert told != TRUE, (phrase.text, label.name)
    for text in absent_phrases(labels):
        if text in vocabulary.number:
            assert all(truth_of(vocabulary, kind_of(label), text) != TRUE for label in labels)


@pytest.mark.parametrize(
    "kind, text, told",
    [
        (Kind("mug", "red", "ceramic"), "red mug", TRUE),
        (Kind("mug", "red", "ceramic"), "cup", TRUE),
        (Kind("person", "red", "fabric"), "man in red", TRUE),
        (Kind("person", "red", "fabric"), "man in blue", FALSE),
        (Kind("mug", "red", "ceramic"), "ceramic mug", TRUE),
        (Kind("mug", "red", "ceramic"), "something red", TRUE),
        (Kind("mug", "red", "ceramic"), "red tableware", TRUE),
        (Kind("mug", "red", "ceramic"), "blue mug", FALSE),
        (Kind("mug", "red", "ceramic"), "metal mug", FALSE),
        (Kind("mug", "red", "ceramic"), "red bowl", FALSE),
        (Kind("mug", "red", "ceramic"), "giraffe", FALSE),
        (Kind("crate", "brown", "wooden"), "box", TRUE),
        (Kind("bowl", "red", "ceramic"), "dish", UNKNOWN),
        (Kind("bowl", "red", "ceramic"), "red dish", UNKNOWN),
        (Kind("wall", "", ""), "white thing", UNKNOWN),
        (Kind("wall", "", ""), "mug", FALSE),
    ],
)
def test_examples(vocabulary: Vocabulary, kind: Kind, text: str, told: int) -> None:
    assert truth_of(vocabulary, kind, text) == told


def test_what_is_held_out_is_never_trained(vocabulary: Vocabulary) -> None:
    split = vocabulary.split
    trained = {vocabulary.texts[place].text for place in vocabulary.trainable()}
    synonyms = {word for about in CLASSES.values() for word in about.synonyms}
    secret = {word for word in synonyms if split.hides_synonym(word)}
    assert 0.05 < len(secret) / len(synonyms) < 0.2
    for word in secret:
        assert word not in trained
        assert not any(f"{color} {word}" in trained for color in PALETTE)
    for row, kind in enumerate(vocabulary.kinds):
        if kind.cls in split.classes:
            assert vocabulary.hidden[row]
            assert kind.cls not in trained
        if split.hides_combination(kind):
            assert vocabulary.hidden[row]
            assert called(kind.color, kind.cls, kind.cls) not in trained
    assert "mug" in trained
    assert "red thing" in trained
    assert 0.05 < vocabulary.hidden.mean() < 0.25


def test_for_the_final_weights_only_words_are_held_out() -> None:
    vocabulary = Vocabulary(all_kinds(), FINAL)
    assert not vocabulary.hidden.any()
    held_out = [text for text in vocabulary.texts if text.held_out]
    assert held_out
    assert {text.group for text in held_out} == {"synonym", "absent"}


def test_more_words_are_of_known_classes_and_no_others_words() -> None:
    split = Split()
    names = {word for cls, about in CLASSES.items() for word in (cls, *about.synonyms)}
    assert set(MORE_NAMES) == set(CLASSES)
    for cls, words in MORE_NAMES.items():
        assert not set(words) & names, cls
        assert not any(split.hides_synonym(word) and word in names for word in words)
    for table in (GROUPS, UNCERTAIN):
        for word, classes in table.items():
            assert set(classes) <= set(CLASSES), word
    mine = {word for words in MORE_NAMES.values() for word in words} | set(GROUPS)
    absent = {" ".join(word.split()) for word in ABSENT}
    assert not absent & (mine | names)
    assert len(absent) == len(ABSENT)


def test_kinds_of_scenes_are_appended_once() -> None:
    known = all_kinds()
    new = Kind("mug", "red", "stone")
    assert with_kinds(known, [known[5], new, new]) == (*known, new)
