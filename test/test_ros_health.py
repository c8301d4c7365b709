# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from f4x_ros.ros import camera
from f4x_ros.ros.diagnostics import ERROR, HOLD_S, KINDS, OK, WARN, Health
from f4x_ros.ros.outputs import _TOPICS


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def test_without_problems_all_is_well(health: Health) -> None:
    assert health.verdict() == (OK, "")


def test_the_first_thing_that_is_wrong_is_named(health: Health) -> None:
    health.problem("depth", "in millimetres")
    health.problem("topic", "nobody publishes '/image'")
    health.problem("transform", "'map' -> 'camera'")
    assert health.verdict() == (ERROR, "topic: nobody publishes '/image'")
    assert [kind for kind, _ in health.problems()] == ["topic", "transform", "depth"]


def test_a_warning_hides_no_error(health: Health) -> None:
    health.problem("time", "went back")
    assert health.verdict() == (WARN, "time: went back")
    health.problem("image", "encoding")
    assert health.verdict() == (ERROR, "image: encoding")


def test_a_problem_passes_when_it_is_no_longer_reported(health: Health, clock: Clock) -> None:
    health.problem("image", "encoding")
    clock.now += HOLD_S - 0.1
    assert health.verdict()[0] == ERROR
    clock.now += 0.2
    assert health.verdict() == (OK, "")


def test_a_problem_can_be_taken_back(health: Health) -> None:
    health.problem("qos", "reliability", hold_s=1e9)
    health.solved("qos")
    assert health.verdict() == (OK, "")


def test_counters_that_are_zero_are_among_all(health: Health) -> None:
    assert health.counts()["dropped.superseded"] == health.counts()["time_jumps"] == 0


def test_what_is_left_out_is_counted_with_the_stamp_of_the_first(health: Health) -> None:
    health.left_out("images_without_pose", stamp_ns=5)
    health.begin_report()
    health.left_out("images_without_pose", stamp_ns=9)
    health.left_out("late", 2)
    assert health.counts()["dropped.images_without_pose"] == 2
    assert health.all_left_out().first_ns == {"images_without_pose": 5}
    assert list(health.left_out_of_report()) == [("images_without_pose", 1, 9), ("late", 2, None)]


def test_solved_is_what_was_put_right_and_not_what_was_seen_no_more(
    health: Health, clock: Clock
) -> None:
    health.problem("image", "encoding")
    health.problem("tf", "zeros")
    health.problem("topic", "nobody publishes")
    health.solved("topic")
    health.solved("qos")  # there was no such problem
    assert health.take_solved() == ["topic"]
    clock.now += HOLD_S + 0.1
    assert health.verdict() == (OK, "")
    assert health.take_solved() == []
    health.problem("image", "encoding")
    health.processed(1.0, 1.0)  # a frame came through
    assert health.verdict()[0] == ERROR  # people have to see it
    clock.now += HOLD_S + 0.1
    assert health.take_solved() == ["image"]
    health.problem("silent", "nothing comes")
    health.forget("silent")
    assert health.take_solved() == []


def test_an_unknown_kind_is_refused(health: Health) -> None:
    with pytest.raises(ValueError, match="kind is 'mood', expected one of configuration"):
        health.problem("mood", "bad")


def test_levels_are_those_of_the_message() -> None:
    assert set(KINDS.values()) == {OK, WARN, ERROR}


def test_rate_and_latencies_are_those_of_the_last_frames(health: Health, clock: Clock) -> None:
    assert health.speed() == {}
    for i in range(21):
        clock.now += 0.1
        health.processed(float(i), 7.0)
    speed = health.speed()
    assert float(speed["frame_rate_hz"]) == pytest.approx(10.0, abs=0.01)
    assert float(speed["latency_p50_ms"]) == pytest.approx(10.0)
    assert float(speed["latency_p95_ms"]) == pytest.approx(19.0)
    assert health.counts()["processed"] == 21
    clock.now += 60
    assert health.speed()["frame_rate_hz"] == "0.00"


def test_the_latest_callback_and_the_oldest_frame_are_said_for_ten_seconds(
    health: Health, clock: Clock
) -> None:
    for late_ms, age_ms in ((3.0, 400.0), (21.0, 700.0), (4.0, 500.0)):
        health.called_back(late_ms)
        health.processed(1.0, age_ms)
        clock.now += 1
    speed = health.speed()
    assert (speed["callback_max_ms"], speed["published_age_max_ms"]) == ("21.0", "700.0")
    clock.now += 2 * HOLD_S - 1.5  # the second of them is too long ago
    speed = health.speed()
    assert (speed["callback_max_ms"], speed["published_age_max_ms"]) == ("4.0", "500.0")
    clock.now += 2
    assert "callback_max_ms" not in health.speed()


def test_the_manual_names_every_kind_of_problem_and_every_option_of_the_camera(root: Path) -> None:
    manual = (root / "doc" / "node.md").read_text(encoding="utf-8")
    names = [*KINDS, *(option.name for option in camera.OPTIONS)]
    assert [name for name in names if f"`{name}`" not in manual] == []


def test_the_manual_and_the_readme_name_every_topic_and_the_manual_its_type(root: Path) -> None:
    manual = (root / "doc" / "node.md").read_text(encoding="utf-8")
    readme = (root / "README.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in manual.splitlines() if "|" in line}
    for name, (kind, _) in _TOPICS.items():
        package = kind.__module__.partition(".")[0]
        assert f"`{package}/{kind.__name__}`" in rows[f"`~/{name}`"]
        assert f"`~/{name}`" in readme
