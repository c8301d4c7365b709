# SPDX-License-Identifier: Apache-2.0
"""An edit asks back where the look at its own selection speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from box_world import BoxWorld

from f4x_ros.core.ask import QueryScene
from f4x_ros.core.ask.tools import State
from f4x_ros.core.config import Config
from f4x_ros.core.data import Presence
from f4x_ros.core.edit.choose import Chosen
from f4x_ros.core.edit.doubts import doubt_of, otherwise, taken_along
from f4x_ros.core.edit.words import read_wish
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {"features.extractor": "color", "mapping.iterations": 4, "mapping.keyframe_iterations": 6}
)


@pytest.fixture(scope="module")
def perception() -> Perception:
    made = Perception(QUICK, ("red thing", "blue thing"))
    for index in range(10):
        made.process(BoxWorld()(index))
    return made


@pytest.fixture
def scene(perception: Perception) -> QueryScene:
    return perception._memory.scene(everything=True)


def box(x: float = 0.0) -> State:
    nothing = np.zeros(3)
    return State(np.array([x, 0.0, 0.0]), np.full(3, 0.2), nothing, nothing, nothing, False, True)


def found(*places: float, presence: Presence = Presence.PRESENT) -> Callable[[str], Any]:
    tracks = tuple(
        SimpleNamespace(position=np.array([x, 0.0, 0.0]), size=np.full(3, 0.2)) for x in places
    )
    return lambda words: SimpleNamespace(presence=presence, tracks=tracks)


def doubt(scene: QueryScene, words: str = "mug", shown: bool = True, **other: Any) -> str:
    rows = torch.zeros(len(scene.snapshot), dtype=torch.bool)
    chosen = Chosen(**{"rows": rows, "limit": 1.0, "compact": 1.0, "left": False} | other)
    return doubt_of(scene, chosen, words, box(), 0, found(), lambda: shown)


def test_what_is_one_thing_and_gone_without_it_is_no_doubt(scene: QueryScene) -> None:
    assert doubt(scene) == ""
    assert "still found in its place" in doubt(scene, left=True)
    assert "only 60 % of it hang together" in doubt(scene, compact=0.6)
    assert "no view of the camera shows it" in doubt(scene, shown=False)


def test_another_thing_that_would_be_taken_along_is_named(scene: QueryScene) -> None:
    ids = {track.label: track.id for track in scene.tracks}
    everything = torch.ones(len(scene.snapshot), dtype=torch.bool)
    blue = f"blue thing #{ids['blue thing']}"
    assert taken_along(scene, everything, "red thing", ids["red thing"]) == blue
    red = scene.snapshot.object_ids == ids["red thing"]
    assert taken_along(scene, red, "red thing", ids["red thing"]) == ""
    assert taken_along(scene, everything, "thing", 0) == ""  # all of them are called that


def test_what_its_kind_alone_does_not_mean_is_doubtful() -> None:
    assert otherwise("red toy car", box(), found(0.1)) == ""
    assert "'toy car' means something else, at (3.00, 0.00" in otherwise(
        "red toy car", box(), found(3.0)
    )
    # The kind alone says nothing: there is no kind, nothing is found, or the words are the kind
    assert otherwise("red thing", box(), found(3.0)) == ""
    assert otherwise("red toy car", box(), found(3.0, presence=Presence.UNSURE)) == ""
    assert otherwise("toy car", box(), found(3.0)) == ""


def test_it_is_asked_back_and_done_anyway(
    perception: Perception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("f4x_ros.core.edit.choose.compactness", lambda *_: 0.5)
    asked = perception.edit("remove the red thing")
    assert asked.outcome == "unsure"
    assert "only 50 % of it hang together" in asked.message
    assert "'... anyway'" in asked.message
    assert perception.edits == ()
    assert perception.edit("remove the red thing anyway").done
    assert perception.undo() is not None


def test_anyway_is_read() -> None:
    for text in ("remove the mug anyway", "remove the mug, all the same.", "Remove the mug ANYWAY"):
        wish = read_wish(text)
        assert wish.anyway
        assert (wish.kind, str(wish.thing)) == ("remove", "mug")
    assert not read_wish("remove the mug").anyway
    assert read_wish("extract the mug to Mug.ply anyway").file == "Mug.ply"
