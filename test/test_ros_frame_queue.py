# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f4x_ros.core.errors import BadInputError
from f4x_ros.ros.frame_queue import FrameQueue, Policy


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Frame:
    name: int
    lacks: str = ""
    needs: str | None = None  # when it has waited long enough; None = the same
    camera_name: str = ""
    epoch: int = 0

    @property
    def ns(self) -> int:
        return self.name

    def missing(self) -> str:
        return self.lacks

    def again_s(self) -> float | None:
        return None

    def lacking(self) -> str:
        return self.lacks if self.needs is None else self.needs

    def run(self) -> None:
        raise AssertionError("a queue runs nothing")


class Queue:
    """A queue of numbered frames, and what became of them."""

    def __init__(self, policy: Policy, size: int = 4, wait_s: float = 0.5) -> None:
        self.clock = Clock()
        self._frames = FrameQueue(policy, size, wait_s, self.clock)
        self.frames: dict[int, Frame] = {}
        self.drops: list[str] = []
        self.reasons: list[str] = []

    def push(self, *names: int, lacks: str = "") -> None:
        for name in names:
            self.frames[name] = Frame(name, lacks)
            self._count(self._frames.push(self.frames[name]))

    def take(self) -> int | None:
        job, drops = self._frames.take()
        self._count(drops)
        assert job is None or isinstance(job, Frame)
        return None if job is None else job.name

    def hurry(self, wait_s: float) -> None:
        self._frames.hurry(wait_s)

    def left_s(self) -> float | None:
        return self._frames.left_s()

    def __len__(self) -> int:
        return len(self._frames)

    def clear(self) -> None:
        self._count(self._frames.clear())

    def _count(self, drops: Any) -> None:
        self.drops += [drop.cause for drop in drops]
        self.reasons += [drop.reason for drop in drops]


LATE = "no transform 'map' -> 'eye'"


def test_the_newest_is_taken_and_the_others_are_counted() -> None:
    queue = Queue("newest")
    queue.push(1, 2, 3)
    assert queue.take() == 3
    assert queue.take() is None
    assert queue.drops == ["superseded"] * 2
    assert queue.reasons[0] == "a newer frame was ready"


def test_what_is_superseded_goes_at_once_and_not_only_when_the_owner_is_free() -> None:
    queue = Queue("newest")
    queue.push(1, 2, 3)
    assert len(queue) == 1


def test_a_late_transform_of_the_newest_does_not_hold_up_the_one_before_it() -> None:
    queue = Queue("newest")
    queue.push(1, 2)
    queue.push(3, 4, lacks=LATE)
    assert queue.take() == 2
    assert queue.take() is None
    assert len(queue) == 2
    queue.frames[4].lacks = ""
    assert queue.take() == 4
    assert queue.drops == ["superseded"] * 2


def test_a_frame_that_was_ready_is_not_kept_for_one_that_came_later_and_is_ready_first() -> None:
    queue = Queue("newest")
    queue.push(1, lacks=LATE)
    queue.push(2)
    assert queue.take() == 2
    queue.frames[1].lacks = ""
    assert queue.take() is None


def test_transforms_that_are_later_than_the_queue_is_long_starve_nobody() -> None:
    queue = Queue("newest", size=3, wait_s=10.0)
    taken = []
    for i in range(50):
        queue.push(i, lacks=LATE)
        if i >= 10:  # (each transform comes ten frames later, the queue is three long)
            queue.frames[i - 10].lacks = ""
        if (name := queue.take()) is not None:
            taken.append(name)
    assert len(taken) >= 4
    assert taken == sorted(taken)
    assert len(queue) == 3


def test_too_many_that_wait_for_transforms_are_counted_and_the_newest_stay() -> None:
    queue = Queue("newest", size=3)
    queue.push(1, 2, 3, 4, 5, lacks=LATE)
    for frame in queue.frames.values():
        frame.lacks = ""
    assert queue.drops == ["queue_full"] * 2
    assert queue.take() == 5


def test_all_are_taken_in_their_order() -> None:
    queue = Queue("all")
    queue.push(1, 2, 3, 4)
    assert [queue.take() for _ in range(5)] == [1, 2, 3, 4, None]
    assert queue.drops == []


def test_of_all_the_oldest_goes_when_there_are_too_many() -> None:
    queue = Queue("all", size=2)
    queue.push(1, 2, 3)
    assert [queue.take() for _ in range(3)] == [2, 3, None]
    assert queue.drops == ["queue_full"]
    assert queue.reasons == ["more than 2 frames were waiting"]


def test_all_wait_for_the_first() -> None:
    queue = Queue("all")
    queue.push(1, lacks=LATE)
    queue.push(2)
    assert queue.take() is None
    queue.frames[1].lacks = ""
    assert [queue.take(), queue.take()] == [1, 2]


@pytest.mark.parametrize("policy", ["newest", "all"])
def test_a_frame_waits_no_longer_than_allowed_and_says_for_what(policy: Policy) -> None:
    queue = Queue(policy)
    queue.push(1, lacks=LATE)
    queue.clock.now += 0.2
    queue.push(2, lacks=LATE)
    assert queue.left_s() == pytest.approx(0.3)
    queue.clock.now += 0.31
    assert queue.take() is None
    assert queue.reasons == [LATE]
    assert queue.left_s() == pytest.approx(0.19)
    queue.clock.now += 1
    assert queue.take() is None
    assert queue.drops == ["not_ready"] * 2
    assert queue.left_s() is None


@pytest.mark.parametrize("policy", ["newest", "all"])
def test_a_frame_that_got_ready_is_taken_however_late_the_owner_is(policy: Policy) -> None:
    queue = Queue(policy)
    queue.push(1, lacks=LATE)
    queue.clock.now += 5
    queue.frames[1].lacks = ""
    assert queue.take() == 1


def test_clearing_counts() -> None:
    queue = Queue("all")
    queue.push(1, 2)
    queue.clear()
    assert queue.drops == ["stopped"] * 2
    assert queue.take() is None


@given(
    policy=st.sampled_from(["newest", "all"]),
    size=st.integers(1, 4),
    events=st.lists(st.tuples(st.sampled_from(["push", "late", "ready", "take"]), st.integers(0))),
)
def test_every_frame_is_taken_once_or_counted_and_order_is_kept(
    policy: Policy, size: int, events: list[tuple[str, int]]
) -> None:
    queue = Queue(policy, size)
    taken = []
    for what, number in events:
        if what in ("push", "late"):
            queue.push(len(queue.frames), lacks=LATE if what == "late" else "")
        elif what == "ready" and queue.frames:
            queue.frames[number % len(queue.frames)].lacks = ""
        elif (name := queue.take()) is not None:
            taken.append(name)
        assert len(queue) <= size
    assert taken == sorted(set(taken))
    assert len(taken) + len(queue.drops) + len(queue) == len(queue.frames)


@pytest.mark.parametrize(
    ("policy", "size", "words"),
    [("oldest", 1, "frames is 'oldest'"), ("all", 0, "queue_size is 0")],
)
def test_a_bad_option_is_named(policy: Any, size: int, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        FrameQueue(policy, size, 0.5)


@pytest.mark.parametrize("policy", ["newest", "all"])
def test_a_frame_that_can_do_without_what_it_waited_for_runs_in_the_end(policy: Policy) -> None:
    queue = Queue(policy)
    queue.push(1, 2, lacks="a newer pose")
    queue.frames[1].needs = ""
    assert queue.take() is None
    queue.clock.now += 0.5
    assert queue.take() == 1
    assert queue.take() is None
    assert (queue.drops, queue.reasons) == (["not_ready"], ["a newer pose"])


def test_when_nothing_more_comes_frames_wait_no_longer_than_that() -> None:
    queue = Queue("all", wait_s=60.0)
    queue.push(1, lacks="a pose")
    queue.hurry(1.0)
    assert queue.left_s() == pytest.approx(1.0)
    queue.clock.now += 1.0
    assert queue.take() is None
    assert queue.drops == ["not_ready"]
