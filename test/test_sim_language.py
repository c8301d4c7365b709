# SPDX-License-Identifier: Apache-2.0
"""Phrases are true of what they name, other words mean the same, and misses miss."""

from __future__ import annotations

from pathlib import Path

import pytest

from f4x_ros.sim import SCENES, World
from f4x_ros.sim.language import (
    ROOM_CLASSES,
    absent_phrases,
    paraphrases_of,
    phrases_of,
    surface_colors,
)
from f4x_ros.sim.scene import ObjectLabel
from f4x_ros.sim.shapes import CLASS_IDS, CLASSES, called


def label(number: int, cls: str, color: str, material: str = "") -> ObjectLabel:
    at = (0.0, 0.0, 0.0)
    return ObjectLabel(
        number, f"{color} {cls}", cls, CLASS_IDS[cls], color, material, False, at, at
    )


ROOM = [
    label(1, "floor", "white"),
    label(2, "mug", "red", "ceramic"),
    label(3, "mug", "blue"),
    label(4, "football", "white"),
    label(5, "chair", "red", "wooden"),
]


def test_each_phrase_means_all_that_it_is_true_of() -> None:
    found = {phrase.text: phrase for phrase in phrases_of(ROOM)}
    assert found["red mug"].instances == {2}
    assert found["mug"].instances == {2, 3}
    assert found["red thing"].instances == {2, 5}
    assert found["wooden chair"].instances == {5}
    assert found["ball"].instances == found["football"].instances == {4}
    assert found["floor"].kind == "class"
    assert "white thing" in found
    assert 1 not in found["white thing"].instances  # the room's parts have no colour word
    assert "white floor" not in found


def test_people_wear_their_colour() -> None:
    found = {phrase.text for phrase in phrases_of([label(1, "person", "red")])}
    assert {"person in red", "person", "red thing"} <= found
    assert "red person" not in found


def test_other_words_mean_the_same_and_repeat_no_phrase() -> None:
    own = {phrase.text for phrase in phrases_of(ROOM)}
    other = {phrase.text: phrase for phrase in paraphrases_of(ROOM)}
    assert other["cup"].instances == {2, 3}
    assert other["red cup"].instances == {2}
    assert not own & other.keys()


def test_absent_phrases_begin_with_near_misses_and_are_true_of_nothing() -> None:
    absent = absent_phrases(ROOM)
    assert absent[0].endswith(" mug")
    own = {phrase.text for phrase in (*phrases_of(ROOM), *paraphrases_of(ROOM))}
    assert not own & set(absent)
    assert "ball" not in absent
    assert "white ball" not in absent
    assert "sofa" in absent
    assert "purple thing" in absent
    assert len(set(absent)) == len(absent)


@pytest.mark.parametrize("scene", SCENES)
def test_the_words_of_every_scene_are_sound(scene: str, tmp_path: Path) -> None:
    world = World(width=64, frames=1, scene=scene, seed=3, cache=tmp_path)
    things = [made for made in world.labels.values() if made.cls not in ROOM_CLASSES]
    names = {text for phrase in world.phrases for text in [phrase.text]}
    assert {called(made.color, made.cls, made.cls) for made in things} <= names
    assert all(phrase.instances for phrase in (*world.phrases, *world.paraphrases))
    assert not (names | {p.text for p in world.paraphrases}) & set(world.absent_phrases)
    assert len(world.absent_phrases) >= 20


def test_colours_of_the_room_are_not_called_absent() -> None:
    room = SCENES["demo"](0).room
    seen = surface_colors(room)
    assert {"brown", "white"} <= seen  # boards and ceiling
    assert "purple" not in seen
    assert "brown thing" in absent_phrases(ROOM)
    assert "brown thing" not in absent_phrases(ROOM, seen)
    assert "purple thing" in absent_phrases(ROOM, seen)


def test_no_synonym_is_the_name_of_a_class() -> None:
    words = {word for made in CLASSES.values() for word in made.synonyms}
    assert not words & CLASSES.keys()
