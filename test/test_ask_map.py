# SPDX-License-Identifier: Apache-2.0
"""A map is asked in words: what is followed and what is only found, now and then; `f4x ask`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import pytest
from ask_scene import small_map
from box_world import STEP_NS, BoxWorld

from f4x_ros.cli.main import main
from f4x_ros.core.ask.dialogue import Answer, Session
from f4x_ros.core.config import Config
from f4x_ros.core.errors import NotReadyError
from f4x_ros.core.perception import Perception


def ask(*texts: str) -> Answer:
    """The last of some questions of one conversation."""
    session = Session()
    return [small_map().ask(text, session) for text in texts][-1]


@pytest.mark.parametrize(
    "texts, value",
    [
        (["How far is the red thing from the blue thing?"], pytest.approx(0.55, abs=0.06)),
        (["How far is the red thing from the blue thing?", "and at 0.5 s?"],
         pytest.approx(0.81, abs=0.06)),
        (["What colour is the red thing?"], "red"),
        (["What moved?"], ["blue thing"]),
        (["How far did the blue thing move?"], pytest.approx(0.28, abs=0.1)),
        (["How fast was the blue thing at 1.7 s?"], pytest.approx(0.2, abs=0.1)),
        (["When did the blue thing stop?"], pytest.approx(2.2, abs=0.3)),
        (["Is the red thing left or right of the blue thing?"], "left"),
        (["Was the blue thing moving to the left or right at 1.7 s?"], None),
        (["Is the red thing visible?"], True),
        (["What is nearest to the red thing?"], "blue thing"),
    ],
)  # fmt: skip
def test_what_is_followed(texts: list[str], value: object) -> None:
    answer = ask(*texts)
    assert answer.outcome == "value", answer.text
    if value is not None:
        assert answer.value == value


def test_what_is_only_found_by_words_has_a_history_too() -> None:
    """The green square was there from 1 s to 2 s; nobody followed it."""
    assert ask("Is there a green thing?").outcome == "not present"
    there = ask("Was there a green thing at 1.5 s?")
    assert there.outcome == "value"
    assert there.result is not None
    assert there.result.ids[0] < 0
    came = ask("When did the green thing appear?")
    assert came.value == pytest.approx(1.0, abs=0.1)
    gone = ask("When did the green thing appear?", "When did it disappear?")
    assert gone.value == pytest.approx(2.0, abs=0.1)
    assert ask("Where was the green thing at 0.5 s?").outcome == "not present"
    assert ask("When did the red thing appear?").outcome == "unsure"  # it was always there


def test_before_is_where_it_was_before_it_moved() -> None:
    now, before = ask("Where is the blue thing?"), ask("Where is the blue thing?", "And before?")
    assert isinstance(now.value, dict)
    assert isinstance(before.value, dict)
    assert before.value["position"][0] == pytest.approx(0.4, abs=0.04)
    assert now.value["position"][0] == pytest.approx(0.12, abs=0.04)


def test_without_a_frame_there_is_nothing_to_ask() -> None:
    perception = Perception(Config.from_dotted({"features.extractor": "color"}))
    with pytest.raises(NotReadyError):
        perception.ask("What moved?")


def test_the_next_frame_is_known_to_the_next_question() -> None:
    options = {"features.extractor": "color", "mapping.iterations": 2, "mapping.resolution": 96}
    perception, world = Perception(Config.from_dotted(options), ["red thing"]), BoxWorld()
    for index in range(4):
        perception.process(world(index))
    first = perception.ask("Where is the red thing?")
    perception.process(world(4))
    second = perception.ask("Where is the red thing?")
    assert first.result is not None
    assert second.result is not None
    assert second.result.stamps_ns[0] - first.result.stamps_ns[0] == STEP_NS
    perception.reset()
    with pytest.raises(NotReadyError):
        perception.ask("Where is the red thing?")


@pytest.fixture(scope="module")
def map_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ask") / "map.f4x"
    small_map().save(path)
    return str(path)


def test_the_command_answers_writes_json_and_a_picture(
    map_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, picture = tmp_path / "answers.json", tmp_path / "answer.png"
    questions = ["How far is the red thing from the blue thing?", "What colour is it?"]
    code = main(["ask", map_file, *questions, "--json", str(out), "--picture", str(picture)])
    assert code == 0
    said = capsys.readouterr().out
    assert "m between the middles of red thing #1 and blue thing #2" in said
    assert "distance(a=red thing, b=blue thing)" in said
    answers = json.loads(out.read_text())
    assert answers[0]["value"] == pytest.approx(0.55, abs=0.06)
    low, high = answers[0]["interval"]
    assert low < answers[0]["value"] < high
    assert answers[0]["steps"][0]["evidence"]
    assert cv2.imread(str(picture)) is not None


def test_what_is_not_understood_has_exit_code_2(
    map_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", map_file, "How heavy is the red thing?", "--json"]) == 2
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["outcome"] == "not understood"
    assert answer["value"] is None


def test_questions_may_be_typed(
    map_file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "Where is the red thing?\nHow far is it from the blue thing?\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert main(["ask", map_file]) == 0
    assert "m between the middles" in capsys.readouterr().out


def test_the_scene_graph_is_written(map_file: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    assert main(["ask", map_file, "--graph", str(path)]) == 0
    graph = json.loads(path.read_text())
    nodes = {node["name"]: node for node in graph["nodes"]}
    assert set(nodes) == {"red thing", "blue thing"}
    assert len(nodes["blue thing"]["history"]) > len(nodes["red thing"]["history"]) == 2


def test_the_tools_are_listed(map_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", map_file, "--tools"]) == 0
    assert "distance(a, [b], [at])" in capsys.readouterr().out


def test_an_endpoint_needs_a_model_and_must_be_there(
    map_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", map_file, "Hi?", "--endpoint", "http://127.0.0.1:9/v1"]) == 2
    assert "--model" in capsys.readouterr().err
    code = main(
        ["ask", map_file, "What moved?", "--endpoint", "http://127.0.0.1:9/v1", "--model", "m"]
    )
    assert code == 2
    assert "cannot be asked" in capsys.readouterr().err
