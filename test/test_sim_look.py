# SPDX-License-Identifier: Apache-2.0
"""What a person, and a question for a colour, must find in the demo world."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator

import numpy as np
import pytest

from f4x_ros.sim import World

# Hue in degrees: where each colour word is at home.
HUES = {
    "red": (340, 15),
    "orange": (15, 42),
    "yellow": (42, 65),
    "green": (90, 160),
    "blue": (205, 250),
    "purple": (265, 320),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(width=240, frames=150, cache=tmp_path_factory.mktemp("worlds")) as made:
        yield made


def typical_hue(pixels: np.ndarray) -> float:
    """Hue in degrees of the median pixel."""
    return colorsys.rgb_to_hsv(*(np.median(pixels, 0) / 255))[0] * 360


def test_things_wear_the_colour_they_are_named_after(world: World) -> None:
    checked = set()
    for index in (0, 149):
        frame, truth = world[index], world.truth(index)
        for number, label in world.labels.items():
            mask = truth.instances == number
            if label.color not in HUES or mask.sum() < 40 or label.cls == "potted plant":
                continue
            low, high = HUES[label.color]
            hue = typical_hue(frame.rgb[mask])
            assert (hue - low) % 360 <= (high - low) % 360, (label.name, hue)
            checked.add(label.name)
    asked_for = {"red mug", "red chair", "blue book", "blue rug", "yellow bowl", "green bottle"}
    assert checked >= asked_for | {"yellow rubber duck", "green sofa", "orange toy car"}


def test_eight_everyday_things_are_seen_well_at_once(world: World) -> None:
    truth = world.truth(75)
    structure = {"floor", "wall", "ceiling"}
    seen = {
        label.cls
        for number, label in world.labels.items()
        if (truth.instances == number).sum() >= 60 and label.cls not in structure
    }
    assert len(seen) >= 8, seen


def test_moving_things_stay_in_view(world: World) -> None:
    movers = [number for number, label in world.labels.items() if label.moving]
    for index in (0, 50, 100, 149):
        truth = world.truth(index)
        for number in movers:
            assert (truth.instances == number).sum() > 20, (world.labels[number].name, index)


def test_pictures_are_neither_dark_nor_burnt_out(world: World) -> None:
    for index in (0, 75, 149):
        rgb = world[index].rgb
        assert 60 < rgb.mean() < 160
        assert (rgb.min(-1) > 250).mean() < 0.02


def test_names_are_unique_and_made_of_colour_and_class(world: World) -> None:
    names = [label.name for label in world.labels.values()]
    assert len(set(names)) == len(names)
    assert "red mug" in names
