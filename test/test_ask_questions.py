# SPDX-License-Identifier: Apache-2.0
"""The ruler: questions with exact answers, what is right, and reasoning on true boxes alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from f4x_ros.cli.main import main
from f4x_ros.core.ask.dialogue import Answer
from f4x_ros.core.ask.tools import Outcome, ToolResult, Value
from f4x_ros.core.errors import NotUnderstoodError
from f4x_ros.eval.protocol.asked import ask_all, draw_questions, invented_questions
from f4x_ros.eval.protocol.asked_facts import Facts
from f4x_ros.eval.protocol.asked_kinds import KINDS
from f4x_ros.eval.protocol.asked_question import Asked, chance_of
from f4x_ros.eval.subjects.true_scene import TrueScene
from f4x_ros.sim import World

pytest.importorskip("embreex", reason="needs the extra [sim]")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    cache = tmp_path_factory.mktemp("worlds")
    return World(96, 72, 120, seed=3, cache=cache, scene="random")


def answered(
    value: Value, outcome: str = "value", interval: tuple[float, float] | None = None
) -> Answer:
    step = ToolResult("x", Outcome(outcome), value, "", interval=interval)
    return Answer("?", outcome, "", (step,))


def test_reasoning_on_the_truth_is_right_and_takes_nothing_for_there_that_is_not(
    world: World,
) -> None:
    questions = draw_questions(world)
    tally = ask_all(TrueScene(world), questions, invented_questions(world, 20))
    wrong = [(q.text, q.truth, a.text) for q, a in tally.asked if not q.is_right(a)]
    assert len({question.kind for question in questions}) >= 14
    assert len(wrong) <= 0.03 * len(questions), wrong
    assert tally.answered_invented() == 0
    assert len(tally.invented) == 20
    numbers = tally.numbers()
    assert numbers["asked"] == len(questions)
    assert numbers["right"] == tally.right()
    assert set(numbers["per_kind"]) <= set(KINDS)


def test_the_same_world_has_the_same_questions_none_twice(world: World) -> None:
    first, again = (draw_questions(world, 2) for _ in range(2))
    assert [one.text for one in first] == [one.text for one in again]
    assert len({one.text for one in first}) == len(first)
    for question in first:
        assert question.is_number or question.truth in question.choices


def test_facts_agree_with_the_truth_of_frames(world: World) -> None:
    facts, truth = Facts(world), world.truth(30)
    for number in facts.things:
        if number not in truth.T_map_center:
            assert not facts.exists(number, 1.0)
            continue
        center = truth.T_map_center[number][:3, 3]
        assert facts.middle(number, 1.0) == pytest.approx(center, abs=1e-5)
        assert facts.velocity(number, 1.0) == pytest.approx(truth.velocity[number], abs=1e-3)


def test_the_true_scene_knows_names_synonyms_and_what_is_no_name(world: World) -> None:
    scene = TrueScene(world)
    thing = scene.things_at(scene.span_ns[0])[0]
    assert scene.find(thing.name, scene.span_ns[0]).things
    with pytest.raises(NotUnderstoodError):
        scene.find("flumph", scene.span_ns[0])


@pytest.mark.parametrize(
    "question, answer, right",
    [
        (Asked("x", "", 2.0, tolerance=0.2), answered(2.1), True),
        (Asked("x", "", 2.0, tolerance=0.2), answered(2.3), False),
        (Asked("x", "", 2.0, tolerance=0.2), answered(True), False),
        (Asked("x", "", 2.0, tolerance=0.2), answered("two"), False),
        (Asked("x", "", "left", ("left", "right")), answered("left"), True),
        (Asked("x", "", "yes", ("yes", "no")), answered(True), True),
        (Asked("x", "", "mug", ("mug", "cup")), answered(["mug"]), True),
        (Asked("x", "", "mug", ("mug", "cup")), answered(["mug", "cup"]), False),
        (Asked("x", "", "left", ("left", "right")), answered(None, "unsure"), False),
        (Asked("x", "", "left", ("left", "right")), answered(None, "not present"), False),
    ],
)
def test_what_is_right(question: Asked, answer: Answer, right: bool) -> None:
    assert question.is_right(answer) is right


def test_intervals_hold_or_not_where_there_are_any() -> None:
    question = Asked("x", "", 2.0, tolerance=0.2)
    assert question.in_interval(answered(2.3, interval=(1.9, 2.7))) is True
    assert question.in_interval(answered(2.3, interval=(2.1, 2.7))) is False
    assert question.in_interval(answered(2.3)) is None
    assert question.in_interval(answered(None, "unsure")) is None


def test_chance_is_that_of_a_guess() -> None:
    choices = [Asked("x", "", "a", ("a", "b")), Asked("x", "", "a", ("a", "b", "c", "d"))]
    assert chance_of(choices) == pytest.approx((1 / 2 + 1 / 4) / 2)
    numbers = [Asked("x", "", value, tolerance=0.2) for value in (1.0, 1.1, 3.0)]
    assert chance_of(numbers) == pytest.approx((0.5 + 0.5 + 0.0) / 3)
    assert chance_of([]) == 0.0


def test_the_command_leaves_questions_and_refuses_what_has_no_truth(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "out"
    arguments = ["eval", "random:5:64x48:60", "--questions", "--truth-only", "--out", str(out)]
    assert main(arguments) == 0
    report = json.loads((out / "questions.json").read_text())
    assert report["questions"]["reasoning_right"] > 0.9
    assert report["answers"]
    assert "reasoning" in capsys.readouterr().out
    recording = tmp_path / "recording"
    from eval_scene import write_folder

    write_folder(recording, 3)
    assert main(["eval", str(recording), "--questions", "--out", str(out)]) == 2
    assert "expected a drawn world" in capsys.readouterr().err
