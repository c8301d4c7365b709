# SPDX-License-Identifier: Apache-2.0
"""What the node does while it is at work: questions, new prompts, newer frames, the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from ros_harness import PATIENCE_S, Robot, Running, eventually, running, stamps
from sensor_msgs.msg import Image

from f4x_ros.core.perception import Perception
from f4x_ros.msg import LabelMap, TrackArray
from f4x_ros.ros.client import PerceptionClient
from f4x_ros.ros.session import Session
from f4x_ros.srv import Query


@pytest.fixture
def live(client: PerceptionClient, robot: Robot) -> Iterator[Running]:
    """A node as on a robot: it takes the newest frame, and waits for transforms with patience."""
    with running(client, frames="newest", transform_timeout_s=60.0) as run:
        run.client.start()
        robot.wait_until_heard()
        yield run


class Held:
    """The map's next frames: each stays at its first step, where tasks run, until `release`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self._go = threading.Event(), threading.Event()
        original = Perception.process

        def process(perception: Any, frame: Any, outputs: Any, *, between: Any) -> Any:
            def hold() -> None:
                self.begun.set()
                while not self._go.wait(0.005):
                    between()
                between()

            return original(perception, frame, outputs, between=hold)

        monkeypatch.setattr(Perception, "process", process)

    def wait(self) -> None:
        assert self.begun.wait(PATIENCE_S)

    def release(self) -> None:
        self._go.set()


@pytest.fixture
def held(live: Running, robot: Robot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """A map of one frame, and a second one at work."""
    robot.send(0)
    live.counted("processed")
    made = Held(monkeypatch)
    robot.send(1)
    made.wait()
    yield made
    made.release()


def test_questions_are_answered_while_a_frame_is_processed(live: Running, held: Held) -> None:
    answer = live.client.query("red")
    assert answer.success, answer.message
    assert answer.present
    clicked = live.client.segment([(32, 24)])
    assert clicked.success, clicked.message
    assert live.client.values().get("processed") == "1"
    held.release()
    live.counted("processed", 2)


def test_an_answer_in_between_is_about_the_last_frame_that_was_finished(
    live: Running, robot: Robot, held: Held
) -> None:
    during = live.client.query("red").mask.header.stamp
    held.release()
    live.counted("processed", 2)
    after = live.client.query("red").mask.header.stamp
    assert (after.nanosec - during.nanosec) % 10**9 == 10**8  # one frame


def test_prompts_set_in_between_are_those_of_the_next_frame(
    live: Running, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot.send(0)
    live.counted("processed")
    heard = live.hear(labels=LabelMap, masks=Image)
    held = Held(monkeypatch)
    robot.send(1)
    held.wait()
    answer = live.client.set_prompts(["grey", "red"])
    assert answer.success, answer.message
    eventually(lambda: heard["labels"][-1].prompts == ["grey", "red"])
    held.release()
    eventually(lambda: len(heard["masks"]) == 1)
    assert _label_in_the_middle(heard["masks"][-1]) == 1  # red, of the prompts of before
    live.counted("processed", 2)
    live.client.query("red")  # (what the second frame did is done)
    assert stamps(heard["labels"])[-1] == 0  # no frame has the new ones yet
    ns = robot.send(2)
    eventually(lambda: stamps(heard["labels"])[-1] == ns)
    assert heard["labels"][-1].prompts == ["grey", "red"]
    eventually(lambda: len(heard["masks"]) == 2)
    assert _label_in_the_middle(heard["masks"][-1]) == 2


def _label_in_the_middle(masks: Image) -> int:
    labels = np.frombuffer(masks.data, "<u2").reshape(masks.height, masks.width)
    return int(labels[masks.height // 2, masks.width // 2])


def test_questions_are_answered_while_a_frame_waits_for_its_transform(
    live: Running, robot: Robot
) -> None:
    heard = live.hear(tracks=TrackArray)
    first = robot.send(0)
    live.counted("processed")
    second = robot.send(1, tf=False)
    live.counted("waiting")
    assert live.client.query("red").present
    assert live.client.values()["waiting"] == "1"
    robot.send(2)  # its transform is the one that the frame before it needed, too
    eventually(lambda: len(heard["tracks"]) >= 2)
    assert stamps(heard["tracks"])[0] == first
    assert stamps(heard["tracks"])[1] >= second


def test_the_newest_frame_is_next_and_those_before_it_are_counted(
    live: Running, robot: Robot, held: Held
) -> None:
    heard = live.hear(tracks=TrackArray)
    sent = [robot.send(i) for i in range(2, 7)]
    live.counted("dropped.superseded", 4)
    held.release()
    # (nobody listened yet when the frame at work began)
    eventually(lambda: stamps(heard["tracks"]) == sent[-1:])
    live.counted("processed", 3)
    assert live.client.values()["dropped.superseded"] == "4"
    assert "problem.overload" not in live.client.values()  # it is meant to be so


def test_a_frame_that_is_ready_is_taken_while_the_transform_of_a_newer_one_is_late(
    live: Running, robot: Robot, held: Held
) -> None:
    heard = live.hear(tracks=TrackArray)
    ready = robot.send(2)
    late = robot.send(3, tf=False)
    live.counted("waiting", 2)
    held.release()
    eventually(lambda: stamps(heard["tracks"])[-1:] == [ready])
    robot.send(4)
    eventually(lambda: stamps(heard["tracks"])[-1] >= late)


def test_of_all_frames_none_is_lost_while_there_is_room(
    client: PerceptionClient, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(client, frames="all", queue_size=5, transform_timeout_s=60.0) as run:
        run.client.start()
        robot.wait_until_heard()
        held = Held(monkeypatch)
        heard = run.hear(tracks=TrackArray)
        sent = [robot.send(0)]
        held.wait()
        sent += [robot.send(i) for i in range(1, 6)]
        run.counted("waiting", 5)
        held.release()
        eventually(lambda: stamps(heard["tracks"]) == sent)


def test_a_time_jump_is_seen_even_if_its_first_frame_is_not_mapped(
    live: Running, robot: Robot
) -> None:
    robot.send(90)
    live.counted("processed")
    with pytest.MonkeyPatch.context() as patch:
        held = Held(patch)
        robot.send(91)
        held.wait()
        robot.send(5)
        robot.send(6)
        live.counted("dropped.superseded")
        held.release()
        live.counted("processed", 3)
    assert live.client.values()["time_jumps"] == "1"
    assert live.client.values()["dropped.failed"] == "0"


# --- defects ------------------------------------------------------------------------------------


def test_a_defect_is_answered_as_one_and_logged_and_the_next_question_is_answered(
    live: Running, held: Held, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def defect(self: Any, *args: Any, **options: Any) -> Any:
        raise ZeroDivisionError("out of luck")

    with monkeypatch.context() as patch:
        patch.setattr(Perception, "query", defect)
        patch.setattr(Perception, "segment", defect)
        patch.setattr(Perception, "set_prompts", defect)
        answers = [
            live.client.query("red"),
            live.client.segment([(32, 24)]),
            live.client.set_prompts(["red"]),
        ]
    assert {answer.success for answer in answers} == {False}
    assert {a.message for a in answers} == {"internal error: ZeroDivisionError: out of luck"}
    assert live.client.query("red").success
    live.counted("services_failed", 3)
    said = capfd.readouterr().err
    assert "Traceback" in said
    assert "in defect" in said


def test_what_a_caller_can_put_right_is_no_defect(
    live: Running, held: Held, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = live.client.query("red", threshold=7.0)
    assert not answer.success
    assert answer.message.startswith("threshold is 7")
    assert "Traceback" not in capfd.readouterr().err


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("transition", ["deactivate", "cleanup"])
def test_whoever_waits_for_an_answer_gets_one_when_the_node_stops(
    live: Running, robot: Robot, monkeypatch: pytest.MonkeyPatch, transition: str
) -> None:
    robot.send(0)
    live.counted("processed")
    if transition == "cleanup":
        live.client.change_state("deactivate")
    begun, go = threading.Event(), threading.Event()
    original = Perception.query

    def slow(self: Any, *args: Any, **options: Any) -> Any:
        begun.set()
        assert go.wait(PATIENCE_S)
        return original(self, *args, **options)

    monkeypatch.setattr(Perception, "query", slow)
    waiting = _ask(live, 3)
    assert begun.wait(PATIENCE_S)
    name = {"deactivate": "deactivate", "cleanup": "close"}[transition]
    end = getattr(Session, name)

    def end_after_all(self: Any) -> None:
        go.set()
        end(self)

    monkeypatch.setattr(Session, name, end_after_all)
    live.client.change_state(transition, PATIENCE_S)
    eventually(lambda: all(f.done() for f in waiting))
    answers = [future.result() for future in waiting]
    assert all(a.success or "the node stopped before it came to this" in a.message for a in answers)


def _ask(run: Running, times: int) -> list[Any]:
    """Questions of somebody who waits for none of them before asking the next."""
    asks = run.client.node.create_client(Query, "/perception/query")
    assert asks.wait_for_service(PATIENCE_S)
    run.client.state()  # answers arrive
    ask: Callable[[Any], Any] = asks.call_async
    return [ask(Query.Request(prompt="red")) for _ in range(times)]


# --- how late it is -----------------------------------------------------------------------------


def test_the_diagnostics_say_how_late_callbacks_and_frames_are(live: Running, robot: Robot) -> None:
    robot.send(0)
    live.counted("processed")
    eventually(lambda: "published_age_max_ms" in live.client.values())
    assert float(live.client.values()["callback_max_ms"]) >= 0
    assert float(live.client.values()["published_age_max_ms"]) > 0  # stamps of years ago
