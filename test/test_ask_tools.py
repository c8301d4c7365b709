# SPDX-License-Identifier: Apache-2.0
"""Each tool on things whose answers are known by hand; "not present" and "unsure" are answers."""

from __future__ import annotations

import json

import pytest
from ask_scene import END_S, MadeUp, at, toolbox

from f4x_ros.core.ask.dialogue import Dialogue
from f4x_ros.core.ask.tools import TOOLS, Outcome, Toolbox, scene_graph
from f4x_ros.core.errors import BadInputError, F4xError, NotUnderstoodError

# The camera is at (0, 0, 1) and looks along +x: +y is left.


def rolls(t: float) -> tuple[float, float, float]:
    """Along +y from 1 s to 2 s and from 3 s on, at 0.5 m/s."""
    return 3.0, -1.0 + 0.5 * (min(max(t - 1, 0), 1) + max(t - 3, 0)), 0.1


@pytest.fixture
def room() -> Toolbox:
    return toolbox(
        MadeUp(1, "brown table", at(3, 1, 0.35), (1.0, 1.0, 0.7), color="brown"),
        MadeUp(2, "red mug", at(3, 1, 0.75), (0.1, 0.1, 0.1)),
        MadeUp(3, "blue mug", at(3.3, 1.3, 0.75), (0.1, 0.1, 0.1), color="blue", span=(2, END_S)),
        MadeUp(4, "green sofa", at(3, -2, 0.4), (1.0, 1.6, 0.8), color="green"),
        MadeUp(5, "ball", rolls, color="white"),
        MadeUp(6, "white bowl", at(2.7, 0.7, 0.75), (0.2, 0.2, 0.1), color="", span=(0, 3)),
        MadeUp(7, "dark lamp", at(4.5, 1.3, 0.2), (0.2, 0.2, 0.4), color="black"),
        MadeUp(8, "grim gnome", at(1, 3, 0.2), unsure=True),
    )


@pytest.mark.parametrize(
    "tool, arguments, value",
    [
        ("count", {"thing": "mug"}, 2),
        ("count", {"thing": "mug", "at": 1}, 1),
        ("count", {"thing": "guitar"}, 0),
        ("count", {"thing": "things", "relation": "on", "to": "table"}, 2),
        ("count", {"thing": "things", "relation": "on", "to": "table", "at": 2.5}, 3),
        ("distance", {"a": "table", "b": "sofa"}, pytest.approx(3.0, abs=0.01)),
        ("distance", {"a": "red mug"}, pytest.approx((9 + 1 + 0.0625) ** 0.5)),
        ("side", {"thing": "table", "of": "sofa"}, "left"),
        ("side", {"thing": "sofa"}, "right"),
        ("side", {"thing": "sofa", "of": "ball", "view": "ball", "at": 1.5}, None),  # behind it
        ("side", {"thing": "lamp", "of": "ball", "view": "ball", "at": 1.5}, "right"),
        ("side", {"thing": "sofa", "of": "lamp", "view": "lamp", "towards": "table"}, "left"),
        ("front", {"thing": "table", "of": "lamp"}, "in front of"),
        ("front", {"thing": "lamp", "of": "table"}, "behind"),
        ("direction", {"thing": "table", "of": "sofa"}, "+y"),
        ("direction", {"thing": "table", "of": "lamp"}, "-x"),
        ("height", {"thing": "red mug", "of": "sofa"}, "above"),
        ("relation", {"thing": "mug", "relation": "on", "to": "table"}, True),
        ("relation", {"thing": "sofa", "relation": "on", "to": "table"}, False),
        ("relation", {"thing": "ball", "relation": "between", "to": "table", "to2": "sofa"}, True),
        ("support", {"thing": "red mug"}, "brown table"),
        ("support", {"thing": "sofa"}, "floor"),
        ("nearest", {"to": "red mug"}, "brown table"),
        ("nearest", {"to": "red mug", "which": "farthest"}, "green sofa"),
        ("nearest", {"to": "sofa", "thing": "mug"}, "red mug"),
        ("closer", {"to": "sofa", "among": ["red mug", "lamp", "ball"]}, "ball"),
        ("size", {"thing": "table", "dimension": "height"}, pytest.approx(0.7)),
        ("size", {"thing": "sofa", "dimension": "width"}, pytest.approx(1.6)),
        ("color", {"thing": "sofa"}, "green"),
        ("color", {"thing": "bowl", "at": 1}, None),  # nothing is known of it
        ("compare", {"quantity": "size", "among": ["table", "sofa"]}, "sofa"),
        ("compare", {"quantity": "height", "among": ["table", "lamp"], "which": "least"}, "lamp"),
        ("compare", {"quantity": "speed", "among": ["ball", "sofa"], "at": 1.5}, "ball"),
        ("speed", {"thing": "ball", "at": 1.5}, pytest.approx(0.5)),
        ("speed", {"thing": "ball", "at": 2.5}, 0.0),
        ("towards", {"thing": "ball", "to": "sofa", "at": 1.5}, "away"),
        ("towards", {"thing": "ball", "to": "table", "at": 1.5}, "towards"),
        ("towards", {"thing": "ball", "to": "table", "at": 0.5}, None),  # it rests
        ("travelled", {"thing": "ball"}, pytest.approx(1.5, abs=0.1)),
        ("travelled", {"thing": "ball", "since": 1, "until": 2}, pytest.approx(0.5, abs=0.05)),
        ("changed", {"event": "moved"}, ["ball"]),
        ("changed", {"event": "moved", "until": 0.8}, []),
        ("changed", {"event": "moving", "at": 1.5}, ["ball"]),
        ("changed", {"event": "appeared"}, ["blue mug"]),
        ("changed", {"event": "left"}, ["white bowl"]),
        ("changed", {"event": "left", "since": 3.5}, []),
        ("changed", {"event": "moved", "among": ["sofa", "ball"]}, ["ball"]),
        ("when", {"thing": "ball", "event": "stopped"}, pytest.approx(2.0, abs=0.1)),
        ("when", {"thing": "ball", "event": "started"}, pytest.approx(3.0, abs=0.1)),
        ("when", {"thing": "blue mug", "event": "appeared"}, pytest.approx(2.0)),
        ("when", {"thing": "sofa", "event": "stopped"}, None),
        ("visible", {"thing": "red mug"}, True),
        ("visible", {"thing": "gnome"}, None),
        ("visible", {"thing": "lamp"}, False),  # the table and what is on it are before it
        ("hidden_by", {"thing": "lamp"}, "brown table"),
        ("hidden_by", {"thing": "table"}, None),
    ],
)
def test_values(room: Toolbox, tool: str, arguments: dict[str, object], value: object) -> None:
    result = room.call(tool, arguments)
    if value is None:
        assert result.outcome in (Outcome.UNSURE, Outcome.NOT_PRESENT), result.text
        assert result.value is None
        return
    assert result.outcome is Outcome.VALUE, result.text
    assert result.value == value
    assert result.text
    assert result.stamps_ns


def test_heading_has_the_camera_s_words_and_the_map_s(room: Toolbox) -> None:
    value = room.call("heading", {"thing": "ball", "at": 1.5}).value
    assert isinstance(value, dict)
    assert (value["main"], value["map"], value["degrees"]) == ("left", "+y", 90.0)


def test_order_of_events(room: Toolbox) -> None:
    events = [{"thing": "ball", "event": "stopped"}, {"thing": "ball", "event": "started"},
              {"thing": "bowl", "event": "left"}]  # fmt: skip
    assert room.call("order", {"events": events}).value == [
        "ball started", "ball stopped", "bowl left",
    ]  # fmt: skip


def test_what_is_not_there_is_not_present_and_what_may_be_is_unsure(room: Toolbox) -> None:
    assert room.call("where", {"thing": "guitar"}).outcome is Outcome.NOT_PRESENT
    assert room.call("find", {"thing": "blue mug", "at": 1}).outcome is Outcome.NOT_PRESENT
    assert room.call("where", {"thing": "#3", "at": 1}).outcome is Outcome.NOT_PRESENT
    unsure = room.call("where", {"thing": "gnome"})
    assert unsure.outcome is Outcome.UNSURE
    assert "0.20" in unsure.text


def test_two_that_may_be_meant_are_listed(room: Toolbox) -> None:
    result = room.call("where", {"thing": "mug"})
    assert result.outcome is Outcome.UNSURE
    assert set(result.ids) == {2, 3}
    assert "#2" in result.text
    assert room.call("where", {"thing": "#2"}).outcome is Outcome.VALUE


def test_doubt_about_places_makes_intervals_and_unsure_sides() -> None:
    tools = toolbox(
        MadeUp(1, "box", at(3, 0.05, 0.5), sigma=0.1), MadeUp(2, "can", at(3, 0, 0.5), sigma=0.1)
    )
    distance = tools.call("distance", {"a": "box"})
    assert distance.interval is not None
    assert distance.interval[1] - distance.interval[0] == pytest.approx(2 * 1.645 * 0.1, rel=0.01)
    assert tools.call("side", {"thing": "box", "of": "can"}).outcome is Outcome.UNSURE


@pytest.mark.parametrize(
    "tool, arguments, named",
    [
        ("fly", {}, "no tool 'fly'"),
        ("distance", {}, "needs a"),
        ("distance", {"a": "mug", "c": 1}, "no argument 'c'"),
        ("distance", {"a": 3}, "a is '3'"),
        ("distance", {"a": "mug", "at": "soon"}, "at is 'soon'"),
        ("distance", {"a": "mug", "at": 99}, "at is 99 s, expected 0 to 5.00 s"),
        ("distance", {"a": "mug", "at": float("nan")}, "at is nan"),
        ("where", {"thing": "#99"}, "'#99'"),
        ("where", {"thing": "#x"}, "'#x'"),
        ("where", {"thing": " "}, "thing is ' '"),
        ("where", {"thing": "x" * 300}, "at most 200"),
        ("related", {"relation": "around", "to": "table"}, "relation is 'around'"),
        ("closer", {"to": "table", "among": "mug"}, "among is 'mug'"),
        ("closer", {"to": "table", "among": []}, "expected a list"),
        ("closer", {"to": "table", "among": ["mug"] * 21}, "at most 20"),
        ("order", {"events": [{"thing": "mug"}]}, "thing and event"),
        ("order", {"events": [{"thing": "mug", "event": "sang"}]}, "'sang'"),
        ("travelled", {"thing": "ball", "since": 3, "until": 2}, "the span is 3.00 s to 2.00 s"),
    ],
)
def test_wrong_calls_say_what_was_expected(
    room: Toolbox, tool: str, arguments: dict[str, object], named: str
) -> None:
    with pytest.raises(BadInputError) as told:
        room.call(tool, arguments)
    assert named in str(told.value)
    assert isinstance(told.value, F4xError)


def test_words_that_nobody_knows_are_not_understood(room: Toolbox) -> None:
    with pytest.raises(NotUnderstoodError):
        room.call("where", {"thing": "nonsense"})


def test_every_tool_has_a_schema_and_says_what_it_was_called_with(room: Toolbox) -> None:
    assert len({tool.name for tool in TOOLS}) == len(TOOLS) == 25
    for tool in TOOLS:
        schema = json.loads(json.dumps(tool.schema()))
        assert schema["type"] == "object"
        assert set(schema["required"]) <= set(schema["properties"])
        assert all("description" in one for one in schema["properties"].values())
    result = room.call("distance", {"a": "table", "b": None, "at": 1})
    assert result.arguments == {"a": "table", "at": 1.0}
    json.dumps(result.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    "text, outcome, value",
    [
        ("How far is the red mug on the table from the sofa?", "value", pytest.approx(3, abs=0.05)),
        ("What colour is the thing that moved?", "value", "white"),
        ("How tall is the biggest thing?", "value", pytest.approx(0.8)),
        ("Where is the mug next to the sofa?", "not present", None),
        ("What is the red mug on?", "value", "brown table"),
        ("How far is the mug from the sofa?", "unsure", None),
        ("Is the ball moving towards the table at 1.5 s?", "value", "towards"),
        ("Where was the ball at 77 s?", "not understood", None),
    ],
)  # fmt: skip
def test_questions_are_answered_by_chains_of_tools(
    room: Toolbox, text: str, outcome: str, value: object
) -> None:
    answer = Dialogue(room).ask(text)
    assert (answer.outcome, answer.value) == (outcome, value), answer.text
    assert answer.text


def test_yes_and_no_follow_the_question(room: Toolbox) -> None:
    dialogue = Dialogue(room)
    assert dialogue.ask("Is the ball moving towards the table at 1.5 s?").text.startswith("yes: ")
    assert dialogue.ask("Is the ball moving away from the table at 1.5 s?").text.startswith("no: ")
    assert dialogue.ask("Was the red mug hidden at 1 s?").text.startswith("no: ")


def test_it_is_what_was_found_and_before_is_before_it_moved(room: Toolbox) -> None:
    dialogue = Dialogue(room)
    assert dialogue.ask("What is nearest to the green sofa?").value == "ball"
    assert dialogue.ask("What colour is it?").value == "white"
    now = dialogue.ask("Where is it?").value
    before = dialogue.ask("And where was it before?").value
    assert isinstance(now, dict)
    assert isinstance(before, dict)
    assert now["position"][1] == pytest.approx(0.5, abs=0.01)
    assert before["position"][1] == pytest.approx(-0.5, abs=0.01)


def test_the_scene_graph_has_things_relations_and_histories(room: Toolbox) -> None:
    graph = json.loads(json.dumps(scene_graph(room.scene), allow_nan=False))
    nodes = {node["name"]: node for node in graph["nodes"]}
    assert nodes["blue mug"]["appeared_ns"] is not None
    assert {"from": 2, "relation": "on", "to": 1, "gap_m": 0.0} in graph["edges"]
    assert len(nodes["ball"]["history"]) > 20
    assert len(nodes["green sofa"]["history"]) == 2
