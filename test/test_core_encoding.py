# SPDX-License-Identifier: Apache-2.0
"""Frames that show nothing new are not encoded again."""

from __future__ import annotations

import pytest
from box_world import BoxWorld, still

from f4x_ros.core.config import Config
from f4x_ros.core.perception import Perception
from f4x_ros.core.world import memory

QUICK = {
    "features.extractor": "color",
    "mapping.iterations": 1,
    "mapping.keyframe_iterations": 2,
    "mapping.bodies": False,
}
LOOKS, FRAMES = 3, 10


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_LOOKS", LOOKS)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes at the rims of squares while they are optimised is not looked at."""
    monkeypatch.setattr(memory, "_MANY", 50)


def encoded(world: BoxWorld, frames: int = FRAMES, **options: int) -> list[int]:
    """Of each frame whether it was encoded, as it is counted and as it took time."""
    names = {name.replace("__", "."): value for name, value in options.items()}
    perception = Perception(Config.from_dotted(QUICK | names), ["red thing"])
    out = []
    for index in range(frames):
        percept = perception.process(world(index))
        out.append(percept.counts["encoded"])
        assert out[-1] == ("features" in percept.timings_ms)
    assert percept.labels is not None
    assert (percept.labels == 1).any()
    return out


@pytest.mark.usefixtures("exact")
def test_from_one_place_some_looks_are_enough() -> None:
    assert encoded(BoxWorld(speed_m=0)) == [1] * LOOKS + [0] * (FRAMES - LOOKS)


def test_what_came_little_by_little_is_looked_at_once() -> None:
    """At the rims of squares Gaussians come while they are optimised, two or three a frame."""
    seen = encoded(BoxWorld(speed_m=0), frames=20)
    assert seen[:LOOKS] == [1] * LOOKS
    assert 1 <= sum(seen[LOOKS:]) <= 4


def test_a_camera_that_moves_on_sees_new_things() -> None:
    assert encoded(BoxWorld(speed_m=0.06)) == [1] * FRAMES


@pytest.mark.usefixtures("exact")
def test_what_comes_into_a_view_that_stays_is_looked_at() -> None:
    def comes(index: int) -> tuple[float, float, float]:
        return (0.0, 0.0, 1.4 if index >= 6 else 9.0)  # before it is behind the wall

    squares = {"red": still(-0.4, 0.0, 1.6), "green": comes}
    seen = encoded(BoxWorld(squares, speed_m=0))
    assert seen[:6] == [1] * LOOKS + [0] * (6 - LOOKS)
    assert seen[6:9] == [1, 1, 1]


@pytest.mark.usefixtures("exact")
def test_frames_that_were_not_due_count_as_no_look() -> None:
    assert encoded(BoxWorld(speed_m=0), features__every=2) == [1, 0, 1, 0, 1, 0, 0, 0, 0, 0]
