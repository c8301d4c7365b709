# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from ros_harness import Robot, Running, ros_client, running

from f4x_ros.core.ask.dialogue import MAX_SESSIONS
from f4x_ros.ros.asks import Asks
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.diagnostics import Health
from f4x_ros.srv import Ask


class Asked(NamedTuple):
    """A node that has seen the small world, a red box before a wall."""

    run: Running
    sent: list[int]  # stamps of its frames
    early: list[Ask.Response]  # what it said before it was configured, and before a frame


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    with ros_client() as client, running(client) as run:
        robot = Robot()
        early = [client.ask("Where is the red thing?")]
        client.start()
        early.append(client.ask("Where is the red thing?"))
        robot.wait_until_heard()
        sent = [robot.send(i) for i in range(4)]
        run.counted("processed", 4)
        yield Asked(run, sent, early)
        robot.close()


def test_a_question_is_answered_with_value_interval_ids_stamps_and_evidence(asked: Asked) -> None:
    answer = asked.run.client.ask("How far away is the red thing?")
    assert answer.success
    assert answer.outcome == Ask.Response.VALUE
    assert json.loads(answer.value) == answer.number
    assert answer.unit == "m"
    assert 0 < answer.low < answer.number < answer.high
    assert 1.0 < answer.number < 2.0
    assert len(answer.ids) == 1
    assert [stamp_ns(stamp) for stamp in answer.stamps] == asked.sent[-1:]
    assert answer.map_frame == "map"
    assert answer.evidence
    steps = json.loads(answer.json)["steps"]
    assert steps[-1]["tool"] == "distance"


def test_a_session_remembers_and_others_do_not(asked: Asked) -> None:
    client = asked.run.client
    client.ask("Where is the red thing?", session="a")
    assert client.ask("How far away is it?", session="a").outcome == Ask.Response.VALUE
    assert client.ask("How far away is it?", session="b").outcome == Ask.Response.NOT_UNDERSTOOD
    assert client.ask("How far away is it?").outcome == Ask.Response.NOT_UNDERSTOOD


def test_what_is_not_there_and_what_is_no_question_are_answers(asked: Asked) -> None:
    client = asked.run.client
    missing = client.ask("Where is the purple thing?")
    assert (missing.success, missing.outcome) == (True, Ask.Response.NOT_PRESENT)
    assert missing.value == ""
    strange = client.ask("How heavy is the red thing?")
    assert (strange.success, strange.outcome) == (True, Ask.Response.NOT_UNDERSTOOD)
    assert "how heavy" in strange.message


def test_a_question_too_long_is_refused_with_what_was_expected(asked: Asked) -> None:
    client = asked.run.client
    for given in ({"question": "x" * 501}, {"question": "What moved?", "session": "s" * 65}):
        refused = client.ask(**given)
        assert not refused.success
        assert "expected at most" in refused.message
    asked.run.counted("asks_refused", 2)


def test_without_a_map_it_is_said(asked: Asked) -> None:
    unconfigured, waiting = asked.early
    assert not unconfigured.success
    assert "unconfigured" in unconfigured.message
    assert not waiting.success
    assert "no frame" in waiting.message


def test_conversations_are_bounded() -> None:
    from ask_scene import small_map

    asks = Asks(small_map(), Health())
    for number in range(MAX_SESSIONS + 3):
        asks.ask(Ask.Request(question="What moved?", session=f"s{number}"))
    assert len(asks._sessions) == MAX_SESSIONS
