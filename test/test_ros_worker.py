# SPDX-License-Identifier: Apache-2.0
"""The owner of the map.

Nothing here depends on how fast the machine is: `PATIENCE_S` ends a test that would hang.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rclpy.task import Future
from ros_harness import PATIENCE_S, eventually

from f4x_ros.core.errors import BadInputError
from f4x_ros.ros.frame_queue import FrameQueue, Policy
from f4x_ros.ros.worker import StoppedError, Worker


class Log:
    def __init__(self) -> None:
        self.done: list[Any] = []
        self.drops: list[tuple[str, str]] = []
        self.errors: list[Exception] = []


class Frame:
    """A job that waits for its transform and runs a function."""

    def __init__(self, run: Callable[[], Any], lacks: str = "") -> None:
        self._run, self.lacks, self.ns = run, lacks, 0
        self.epoch, self.camera_name = 0, ""
        self.looked_at = threading.Event()

    def missing(self) -> str:
        self.looked_at.set()
        return self.lacks

    def lacking(self) -> str:
        return self.lacks

    def again_s(self) -> float | None:
        return None

    def run(self) -> None:
        self._run()


@pytest.fixture
def log() -> Log:
    return Log()


Make = Callable[..., Worker]


@pytest.fixture
def make(log: Log) -> Iterator[Make]:
    made: list[Worker] = []

    def worker(policy: Policy = "all", queue_size: int = 10, wait_s: float = PATIENCE_S) -> Worker:
        made.append(
            Worker(
                FrameQueue(policy, queue_size, wait_s),
                on_drop=lambda drop: log.drops.append((drop.cause, drop.reason)),
                on_error=lambda error, job: log.errors.append(error),
            )
        )
        return made[-1]

    yield worker
    for one in made:
        one.stop()


def wait(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S)


def answer(future: Future[Any]) -> Any:
    """What a task gave; raises what it raised."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    wait(done)
    return future.result()


class Held:
    """A frame at work that ends, or comes to its next step, when it is told to."""

    def __init__(self, worker: Worker) -> None:
        self._begun, self._go = threading.Event(), threading.Event()
        self._worker, self._steps = worker, 0
        worker.push(Frame(self._run))
        wait(self._begun)

    def _run(self) -> None:
        self._begun.set()
        wait(self._go)
        for _ in range(self._steps):
            self._worker.between()

    def release(self, steps: int = 0) -> None:
        self._steps = steps
        self._go.set()


# --- questions ----------------------------------------------------------------------------------


def test_a_task_runs_between_two_steps_of_a_frame(make: Make, log: Log) -> None:
    worker, begun, asked = make(), threading.Event(), threading.Event()

    def frame() -> None:
        log.done.append("step 1")
        begun.set()
        wait(asked)
        worker.between()
        log.done.append("step 2")

    worker.push(Frame(frame))
    wait(begun)
    future = worker.ask(lambda: log.done.append("task"))
    asked.set()
    answer(future)
    worker.finish_frames()
    assert log.done == ["step 1", "task", "step 2"]


def test_tasks_keep_their_order(make: Make, log: Log) -> None:
    worker = make()
    held = Held(worker)
    futures = [worker.ask(lambda i=i: log.done.append(i)) for i in range(5)]  # type: ignore[misc]
    held.release(steps=1)
    for future in futures:
        answer(future)
    assert log.done == [0, 1, 2, 3, 4]


def test_a_frame_comes_to_its_end_however_much_is_asked(make: Make, log: Log) -> None:
    worker = make()
    held = Held(worker)

    def ask_again() -> None:
        if len(log.done) < 100:
            log.done.append("task")
            worker.ask(ask_again)

    worker.ask(ask_again)
    worker.push(Frame(lambda: log.done.append("next frame")))
    held.release(steps=3)
    worker.finish_frames()
    # (one task a step, and one before the next frame)
    assert log.done.index("next frame") <= 4


def test_a_task_runs_while_a_frame_waits_for_its_transform(make: Make, log: Log) -> None:
    for policy in ("newest", "all"):
        worker = make(policy)
        frame = Frame(lambda: log.done.append("frame"), lacks="map -> camera")
        worker.push(frame)
        wait(frame.looked_at)
        assert worker.call(lambda: "answered") == "answered"
        assert worker.waiting() == 1
        frame.lacks = ""
        worker.wake()
        worker.finish_frames()
    assert log.done == ["frame"] * 2
    assert log.drops == []


def test_all_runs_on_one_thread_that_is_not_the_callers(make: Make, log: Log) -> None:
    worker = make()
    threads = {worker.call(threading.get_ident) for _ in range(3)}
    worker.push(Frame(lambda: log.done.append(threading.get_ident())))
    worker.finish_frames()
    assert threads == set(log.done)
    assert threads != {threading.get_ident()}


def test_the_executor_is_woken_when_a_task_is_done(log: Log) -> None:
    woken = threading.Event()
    worker = Worker(
        FrameQueue("all", 1, 1.0),
        on_drop=lambda drop: None,
        on_error=lambda error, job: log.errors.append(error),
        wake_executor=woken.set,
    )
    worker.call(lambda: None)
    worker.stop()
    wait(woken)


# --- frames -------------------------------------------------------------------------------------


def test_the_newest_frame_is_taken_and_the_others_are_counted(make: Make, log: Log) -> None:
    worker = make("newest")
    held = Held(worker)
    for i in range(5):
        worker.push(Frame(lambda i=i: log.done.append(i)))  # type: ignore[misc]
    assert worker.waiting() == 1
    held.release()
    worker.finish_frames()
    assert log.done == [4]
    assert [cause for cause, _ in log.drops] == ["superseded"] * 4


def test_of_all_none_is_lost_as_long_as_they_find_room(make: Make, log: Log) -> None:
    worker = make("all", queue_size=5)
    held = Held(worker)
    for i in range(5):
        worker.push(Frame(lambda i=i: log.done.append(i)))  # type: ignore[misc]
    held.release()
    worker.finish_frames()
    assert log.done == [0, 1, 2, 3, 4]
    assert log.drops == []


def test_what_finds_no_room_is_counted(make: Make, log: Log) -> None:
    worker = make("all", queue_size=3)
    held = Held(worker)
    for i in range(5):
        worker.push(Frame(lambda i=i: log.done.append(i)))  # type: ignore[misc]
    held.release()
    worker.finish_frames()
    assert log.done == [2, 3, 4]
    assert [cause for cause, _ in log.drops] == ["queue_full"] * 2


def test_a_frame_that_is_ready_is_taken_while_a_newer_one_waits(make: Make, log: Log) -> None:
    worker = make("newest")
    held = Held(worker)
    newest = Frame(lambda: log.done.append("newest"), lacks="map -> camera")
    ran = threading.Event()

    def run() -> None:
        log.done.append("before it")
        ran.set()

    worker.push(Frame(run))
    worker.push(newest)
    held.release()
    wait(ran)
    newest.lacks = ""
    worker.wake()
    worker.finish_frames()
    assert log.done == ["before it", "newest"]
    assert log.drops == []


def test_a_frame_that_waits_too_long_is_counted_with_what_it_lacks(make: Make, log: Log) -> None:
    worker = make(wait_s=0.01)
    worker.push(Frame(lambda: log.done.append("frame"), lacks="map -> camera"))
    worker.finish_frames()
    worker.call(lambda: None)  # (it tells of a drop before it takes the next task)
    assert log.drops == [("not_ready", "map -> camera")]
    assert log.done == []


def test_waiting_costs_no_processor_time(make: Make) -> None:
    worker = make()
    frame = Frame(lambda: None, lacks="map -> camera")
    looked: list[int] = []
    frame.missing = lambda: looked.append(1) or frame.lacks  # type: ignore[func-returns-value,method-assign]
    worker.push(frame)
    for _ in range(3):
        worker.call(lambda: None)
    frame.lacks = ""
    worker.wake()
    worker.finish_frames()
    # Each push, task and wake makes it look again, once before and once after it; no clock does.
    assert len(looked) <= 2 * (1 + 3 + 1) + 1


def test_frames_can_be_dropped_while_one_waits_for_its_transform(make: Make, log: Log) -> None:
    worker = make("newest")
    worker.push(Frame(lambda: log.done.append("frame"), lacks="map -> camera"))
    worker.push(Frame(lambda: log.done.append("frame"), lacks="map -> camera"))
    worker.drop_frames()
    worker.push(Frame(lambda: log.done.append("later")))
    worker.finish_frames()
    assert log.done == ["later"]
    assert [cause for cause, _ in log.drops] == ["stopped"] * 2


def test_dropping_frames_waits_for_the_one_at_work(make: Make, log: Log) -> None:
    worker = make()
    held = Held(worker)
    worker.push(Frame(lambda: log.done.append("no")))

    def drop() -> None:
        worker.drop_frames()
        log.done.append("dropped")

    dropping = threading.Thread(target=drop)
    dropping.start()
    eventually(lambda: not worker.waiting())
    worker.ask(lambda: log.done.append("task"))
    held.release(steps=1)
    dropping.join(PATIENCE_S)
    assert log.done == ["task", "dropped"]


# --- what fails ---------------------------------------------------------------------------------


def fail() -> None:
    raise ZeroDivisionError("no")


def test_a_defect_in_a_frame_is_told_and_the_next_one_runs(make: Make, log: Log) -> None:
    worker = make()
    worker.push(Frame(fail))
    worker.push(Frame(lambda: log.done.append("next")))
    worker.finish_frames()
    assert [type(e) for e in log.errors] == [ZeroDivisionError]
    assert log.done == ["next"]


@pytest.mark.parametrize("error", [ZeroDivisionError("no"), BadInputError("x is 1, expected 2")])
def test_a_task_gives_back_what_it_raised_and_the_worker_lives(
    make: Make, log: Log, error: Exception
) -> None:
    worker = make()

    def bad() -> None:
        raise error

    held = Held(worker)
    future = worker.ask(bad)
    held.release(steps=1)
    with pytest.raises(type(error), match=str(error)):
        answer(future)
    worker.finish_frames()
    assert log.errors == []  # it is the task that failed, not the frame
    assert worker.call(lambda: 7) == 7


# --- the end ------------------------------------------------------------------------------------


def test_stopping_leaves_nobody_waiting(make: Make, log: Log) -> None:
    worker = make()
    held = Held(worker)
    worker.push(Frame(lambda: log.done.append("frame")))
    futures = [worker.ask(lambda: log.done.append("task")) for _ in range(3)]
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    eventually(lambda: not worker.waiting())  # it has been told to stop
    held.release()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()
    assert log.done == []
    assert log.drops == [("stopped", "the node stopped")]
    assert all(isinstance(future.exception(), StoppedError) for future in futures)
    assert isinstance(worker.ask(lambda: None).exception(), StoppedError)
    assert "f4x-worker" not in [thread.name for thread in threading.enumerate()]


def test_stopping_breaks_a_frame_off_at_its_next_step_and_counts_it(make: Make, log: Log) -> None:
    worker, begun = make(), threading.Event()

    def endless() -> None:
        begun.set()
        while True:
            worker.between()

    worker.push(Frame(endless))
    wait(begun)
    worker.stop()
    assert log.drops == [("stopped", "the node stopped")]
    assert log.errors == []


def test_stopping_while_a_frame_waits_for_its_transform_ends_at_once(make: Make, log: Log) -> None:
    worker = make()
    frame = Frame(lambda: None, lacks="map -> camera")
    worker.push(frame)
    wait(frame.looked_at)
    worker.stop()
    assert log.drops == [("stopped", "the node stopped")]
