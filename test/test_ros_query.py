# SPDX-License-Identifier: Apache-2.0
"""Questions over real DDS: exclusion, examples, objects, and whether it is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ros_harness import RED, Robot, Running, eventually, running
from sensor_msgs.msg import Image

from f4x_ros.msg import Track
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.conversions import stamp_msg, stamp_ns
from f4x_ros.srv import Query


def mapped(active: Running, robot: Robot, count: int = 3) -> None:
    for index in range(count):
        robot.send(index)
    active.counted("processed", count)


def mask_of(answer: Query.Response) -> np.ndarray:
    shape = (answer.mask.height, answer.mask.width)
    return np.frombuffer(answer.mask.data, "<f4").reshape(shape)


def test_presence_agrees_with_present_and_a_minus_excludes(active: Running, robot: Robot) -> None:
    mapped(active, robot)
    answer = active.client.query("red")
    assert (answer.presence, answer.present) == (Query.Response.PRESENT, True)
    for prompt in ("yellow", "red -red"):
        answer = active.client.query(prompt)
        assert answer.success, answer.message
        assert (answer.presence, answer.present) == (Query.Response.NOT_PRESENT, False)


def test_an_example_and_an_object_find_the_box(active: Running, robot: Robot) -> None:
    mapped(active, robot)
    example = np.full((12, 16, 3), RED, np.uint8)
    answer = active.client.query(example=example)
    assert answer.success, answer.message
    assert answer.present
    assert mask_of(answer)[24, 32] > 0.5 > mask_of(answer)[2, 2]
    number = answer.tracks[0].id
    assert number > 0
    again = active.client.query(like_object=number)
    assert again.success, again.message
    assert again.tracks[0].id == number


def test_a_track_at_a_past_moment_is_what_it_was_then(active: Running, robot: Robot) -> None:
    sent = [robot.send(index) for index in range(4)]
    active.counted("processed", 4)
    (now,) = active.client.query("red").tracks
    (then,) = active.client.query("red", stamp=stamp_msg(sent[0])).tracks
    assert (now.state, then.state) == (Track.CONFIRMED, Track.TENTATIVE)
    assert then.id == now.id
    assert stamp_ns(then.last_seen) == sent[0]
    assert stamp_ns(now.last_seen) == sent[3]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "-red"}, "wants nothing"),
        ({"prompt": "red", "like_object": 1}, "more than one"),
        ({"like_object": 99}, "like_object is 99"),
        ({"example": np.zeros((4, 4, 3), np.uint8)}, "example is 4x4"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused(
    active: Running, robot: Robot, fields: dict[str, Any], words: str
) -> None:
    mapped(active, robot, 1)
    answer = active.client.query(**fields)
    assert not answer.success
    assert words in answer.message


def test_a_picture_of_an_unknown_encoding_is_refused(active: Running, robot: Robot) -> None:
    mapped(active, robot, 1)
    request: dict[str, Any] = {"encoding": "rgb10", "width": 8, "height": 8, "step": 16}
    example = Image(**request, data=bytes(128))
    answer = active.client._call("query", Query.Request(example=example), 30.0)
    assert not answer.success
    assert "example" in answer.message


def test_what_is_not_understood_is_no_answer_and_the_mask_can_be_left_out(
    active: Running, robot: Robot
) -> None:
    mapped(active, robot, 1)
    answer = active.client.query("red \U0001fab4")
    assert (answer.success, answer.present) == (False, False)
    assert answer.presence == Query.Response.NOT_UNDERSTOOD
    assert "'\U0001fab4' is not understood" in answer.message
    answer = active.client.query("red", want_mask=False, want_mask_png=True)
    assert answer.present
    assert not answer.mask.data
    assert bytes(answer.mask_png.data[:4]) == b"\x89PNG"


def test_a_prompt_that_is_not_understood_is_said_until_there_are_others(
    client: PerceptionClient, robot: Robot
) -> None:
    with running(client, prompts=["red", "\U0001fab4", "blue"]) as run:
        run.client.start()
        robot.wait_until_heard()
        run.says("prompts:", "prompt '\U0001fab4' is not understood")
        mapped(run, robot, 1)
        assert run.client.query("red").present
        run.counted("prompts_not_understood")
        assert run.client.set_prompts(["red"]).success
        eventually(lambda: run.client.values().get("prompts_not_understood") == "0")
        eventually(lambda: "prompts:" not in run.client.status.message)
