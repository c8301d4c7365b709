# SPDX-License-Identifier: Apache-2.0
"""Prompts "auto": what the map names by itself, and how steady the names are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fabricated import OnlyWords, track

from f4x_ros.core.ask import AUTO
from f4x_ros.core.ask.namer import Namer, Seen, _Thing
from f4x_ros.core.ask.presence import Judge
from f4x_ros.core.ask.vectors import TextVectors
from f4x_ros.core.config import Config, TracksConfig
from f4x_ros.core.data import Frame, Percept
from f4x_ros.core.errors import BadInputError
from f4x_ros.core.features.calibrated import Calibrated, PeakLine, PeakLines, PresenceCalibration
from f4x_ros.core.perception import Perception
from f4x_ros.core.world.names import MOST_NAMES, StandingNames, revised
from f4x_ros.sim.open import open_source

WORLD = "demo:160x120"
QUICK = Config.from_dotted(
    {"mapping.iterations": 2, "mapping.keyframe_iterations": 4, "features.close_looks": 0}
)
FRAMES = 17  # at 10 Hz: the words are looked through at 0.5 and 1.5 s


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    source = open_source(WORLD)
    return [source[3 * index] for index in range(FRAMES)]  # of 30 Hz every third


@pytest.fixture(scope="module")
def run(frames: list[Frame]) -> tuple[Perception, list[Percept]]:
    perception = Perception(QUICK, AUTO)
    return perception, [perception.process(frame) for frame in frames]


# --- what is named -------------------------------------------------------------------------------


def test_what_is_surely_there_is_named_and_found_as_if_it_had_been_asked(
    run: tuple[Perception, list[Percept]], frames: list[Frame]
) -> None:
    perception, percepts = run
    last = percepts[-1]
    assert perception.names_itself
    assert last.prompts == perception.prompts
    assert "table" in last.prompts
    assert {"floor", "wall", "ceiling", "guitar", "bicycle", "forklift"}.isdisjoint(last.prompts)
    assert last.labels is not None
    assert {one.label for one in last.tracks} <= {*last.prompts}
    asked = Perception(QUICK, last.prompts)
    for frame in frames:
        told = asked.process(frame)
    assert told.labels is not None
    assert (told.labels == last.labels).mean() > 0.97


def test_names_change_only_when_they_are_looked_through(
    run: tuple[Perception, list[Percept]],
) -> None:
    _, percepts = run
    names = [()] + [percept.prompts for percept in percepts]
    changed = [k for k in range(FRAMES) if names[k + 1] != names[k]]
    assert set(changed) <= {5, 15}
    assert names[6] == () or set(names[6]) <= set(names[-1])


def test_no_prompts_are_none_and_not_auto(frames: list[Frame]) -> None:
    perception = Perception(QUICK, ())
    for frame in frames[:7]:
        percept = perception.process(frame)
    assert not perception.names_itself
    assert percept.prompts == percept.tracks == ()


def test_a_new_map_knows_no_names_and_other_prompts_end_them(frames: list[Frame]) -> None:
    perception = Perception(QUICK, AUTO)
    perception._names = script(perception, [Seen(("mug",), frozenset())])
    for frame in frames[:7]:
        perception.process(frame)
    assert perception.prompts == ("mug",)
    perception.reset()
    assert perception.prompts == ()
    assert perception.names_itself
    perception.set_prompts(["sofa"])
    assert (perception.prompts, perception.names_itself) == (("sofa",), False)


def test_names_take_no_thresholds(frames: list[Frame]) -> None:
    perception = Perception(QUICK, ["sofa"])
    with pytest.raises(BadInputError, match="there are 1 thresholds"):
        perception.set_prompts(AUTO, [0.4])
    assert perception.prompts == ("sofa",)


def test_who_cannot_tell_how_sure_it_is_names_nothing() -> None:
    perception = Perception(Config.from_dotted({"features.extractor": "color"}), AUTO)
    assert (perception.prompts, perception.names_itself) == ((), False)


def test_a_stored_map_keeps_its_names_as_prompts(
    run: tuple[Perception, list[Percept]], tmp_path: Path
) -> None:
    perception, _ = run
    perception.save(tmp_path / "map.f4x")
    again = Perception.load(tmp_path / "map.f4x")
    assert again.prompts == perception.prompts != ()


# --- steady --------------------------------------------------------------------------------------


def script(perception: Perception, said: list[Seen]) -> StandingNames:
    """Names of a map that sees what it is told to, look after look; the last for ever."""
    names = perception._names
    assert names is not None
    left: Iterator[Seen] = iter(said)
    now = [said[-1]]

    def seen(*_: object) -> Seen:
        now[0] = next(left, now[0])
        return now[0]

    names._namer.seen = seen  # type: ignore[method-assign]
    return names


def test_a_name_stays_while_it_is_likely_and_goes_when_it_is_not(frames: list[Frame]) -> None:
    perception = Perception(QUICK, AUTO)
    sure, likely, gone = (
        Seen(("purple dragon",), frozenset({"purple dragon"})),
        Seen((), frozenset({"purple dragon"})),
        Seen((), frozenset()),
    )
    perception._names = script(perception, [sure, likely, gone])
    seconds = (0.1, 0.6, 1.0, 1.7, 3.0, 3.9)  # looked through at the second, fourth and last
    prompts = [
        perception.process(replace(frame, stamp_ns=int(1e9 + 1e9 * second))).prompts
        for frame, second in zip(frames, (0.0, *seconds), strict=False)
    ]
    assert [len(one) for one in prompts] == [0, 0, 1, 1, 1, 1, 0]


def test_what_comes_stands_behind_what_is_there() -> None:
    assert revised(["a", "b"], ["c", "b"], {"a"}, []) == ("a", "b", "c")
    assert revised(["a", "b"], ["c"], set(), []) == ("c",)


def test_what_was_seen_longest_ago_makes_room() -> None:
    words = [f"thing {k}" for k in range(MOST_NAMES)]
    tracks = [
        replace(track(k, word, (0, 0, 1)), last_seen_ns=100 + (k * 7) % MOST_NAMES)
        for k, word in enumerate(words)
    ]
    oldest = min(tracks, key=lambda one: one.last_seen_ns).label
    now = revised(words, ["new"], set(words), tracks)
    assert set(words) - set(now) == {oldest}
    assert now[-1] == "new"
    assert revised(words, [*words, "new"], set(words), tracks) == tuple(words)  # all are in sight


# --- which word ----------------------------------------------------------------------------------


class Speaks(OnlyWords):
    """Every word has a direction of its own."""

    calibrated = Calibrated(PeakLines(*[PeakLine(0.0, 0.75)] * 3))

    def text(self, prompts: list[str]) -> torch.Tensor:  # type: ignore[override]
        return torch.nn.functional.normalize(torch.ones(len(prompts), self.dim), dim=1)


def namer(photographs: PresenceCalibration | None) -> Namer:
    words = Speaks()
    encoder = TextVectors(words)
    calibration = PresenceCalibration({"pooled": 1.0}, 0.0, 0.3, 0.6, photographs)
    return Namer(words, encoder, Judge(encoder), calibration, 0.05, TracksConfig())


def thing(index: int, sure: float, members: range, glimpses: float = 0.0) -> _Thing:
    return _Thing(index, sure, torch.arange(members.start, members.stop), not glimpses, glimpses)


def test_what_is_known_by_a_surer_word_has_no_other_name() -> None:
    made = namer(None)
    first, second, third = made._prompts.texts[:3]
    things = [thing(0, 0.9, range(10)), thing(1, 0.95, range(4, 12)), thing(2, 0.85, range(20, 30))]
    assert made._sorted(things, 40) == Seen((second, third), frozenset({second, third}))
    assert first not in made._sorted(things, 40).likely


def test_in_photographs_what_was_seen_oftener_is_believed_first() -> None:
    made = namer(PresenceCalibration({"pooled": 1.0}, 0.0, 0.02, 0.4))
    first, second = made._prompts.texts[:2]
    things = [thing(0, 0.1, range(10), 8), thing(1, 0.9, range(10), 3)]
    assert made._sorted(things, 20).sure == (first,)
    assert made._sorted(things[1:], 20).sure == (second,)
    denied = thing(0, 0.01, range(10), 8)
    assert made._sorted([denied], 20) == Seen((), frozenset())


def test_between_the_limits_a_name_may_stay_and_does_not_come() -> None:
    made = namer(None)
    word = made._prompts.texts[0]
    assert made._sorted([thing(0, 0.6, range(10))], 20) == Seen((), frozenset({word}))


def test_words_that_name_the_room_are_no_names() -> None:
    texts = namer(None)._prompts.texts
    assert {"floor", "wall", "ceiling"}.isdisjoint(texts)
    assert {"table", "person"} <= {*texts}
