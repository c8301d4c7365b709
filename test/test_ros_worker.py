# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ros_harness import PATIENCE_S, eventually

from f4x_ros.ros.worker import FrameNotReadyError, Worker


class Log:
    def __init__(self) -> None:
        self.done: list[Any] = []
        self.drops: list[tuple[str, str]] = []
        self.errors: list[Exception] = []


@pytest.fixture
def log() -> Log:
    return Log()


def make(log: Log, *, queue_size: int = 3, wait_s: float = PATIENCE_S) -> Worker:
    return Worker(
        queue_size=queue_size,
        wait_s=wait_s,
        on_drop=lambda cause, reason: log.drops.append((cause, reason)),
        on_error=log.errors.append,
    )


@pytest.fixture
def worker(log: Log) -> Iterator[Worker]:
    made = make(log)
    yield made
    made.stop()


def hold(worker: Worker) -> threading.Event:
    """Keep the worker busy until the event is set."""
    begun, release = threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        release.wait(PATIENCE_S)

    worker.ask(job)
    assert begun.wait(PATIENCE_S)
    return release


def test_frames_and_tasks_keep_their_order(worker: Worker, log: Log) -> None:
    release = hold(worker)
    worker.push(lambda: log.done.append("frame 1"))
    worker.ask(lambda: log.done.append("task"))
    worker.push(lambda: log.done.append("frame 2"))
    release.set()
    worker.call(lambda: None)
    assert log.done == ["frame 1", "task", "frame 2"]


def test_the_oldest_frames_go_and_are_counted_but_no_task_does(worker: Worker, log: Log) -> None:
    release = hold(worker)
    worker.ask(lambda: log.done.append("task"))
    for i in range(5):
        worker.push(lambda i=i: log.done.append(i))  # type: ignore[misc]
    assert worker.waiting() == 3
    release.set()
    worker.call(lambda: None)
    assert log.done == ["task", 2, 3, 4]
    assert [cause for cause, _ in log.drops] == ["queue_full"] * 2


def test_all_runs_on_one_thread_that_is_not_the_callers(worker: Worker) -> None:
    threads = {worker.call(threading.get_ident) for _ in range(3)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_a_frame_waits_until_it_is_ready(worker: Worker, log: Log) -> None:
    ready, tried = threading.Event(), threading.Event()

    def job() -> None:
        tried.set()
        if not ready.is_set():
            raise FrameNotReadyError("map -> camera")
        log.done.append("frame")

    worker.push(job)
    assert tried.wait(PATIENCE_S)
    ready.set()
    worker.wake()
    worker.call(lambda: None)
    assert log.done == ["frame"]
    assert log.drops == []


def test_a_frame_waits_no_longer_than_allowed_and_says_for_what(log: Log) -> None:
    worker = make(log, queue_size=10, wait_s=0.1)

    def job() -> None:
        raise FrameNotReadyError("map -> camera")

    for _ in range(8):
        worker.push(job)
    worker.call(lambda: None)
    worker.stop()
    assert log.drops == [("not_ready", "map -> camera")] * 8


def test_frames_wait_side_by_side_and_not_in_turn(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("f4x_ros.ros.worker.time", clock)
    worker = make(log, queue_size=10, wait_s=0.1)

    def job() -> None:
        log.done.append("tried")
        now[0] = 0.2  # the first try takes longer than any of them may wait
        raise FrameNotReadyError("map -> camera")

    release = hold(worker)
    for _ in range(8):
        worker.push(job)
    release.set()
    worker.call(lambda: None)
    worker.stop()
    assert log.drops == [("not_ready", "map -> camera")] * 8
    assert log.done == ["tried"] * 8


def test_a_waiting_frame_is_the_first_to_go_when_too_many_come(log: Log) -> None:
    worker = make(log, queue_size=2)
    tried = threading.Event()

    def never() -> None:
        tried.set()
        raise FrameNotReadyError("map -> camera")

    worker.push(never)
    assert tried.wait(PATIENCE_S)
    for i in range(2):
        worker.push(lambda i=i: log.done.append(i))  # type: ignore[misc]
    worker.call(lambda: None)
    worker.stop()
    assert log.done == [0, 1]
    assert [cause for cause, _ in log.drops] == ["queue_full"]


def test_an_error_in_a_frame_is_told_and_the_next_one_runs(worker: Worker, log: Log) -> None:
    def fail() -> None:
        raise ZeroDivisionError("no")

    worker.push(fail)
    worker.push(lambda: log.done.append("next"))
    worker.call(lambda: None)
    assert [type(e) for e in log.errors] == [ZeroDivisionError]
    assert log.done == ["next"]


def test_a_task_gives_back_what_it_raised(worker: Worker) -> None:
    def fail() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        worker.call(fail)
    assert worker.call(lambda: 7) == 7


def test_stopping_ends_the_thread_and_leaves_nobody_waiting(log: Log) -> None:
    before = threading.active_count()
    worker = make(log)
    release = hold(worker)
    worker.push(lambda: log.done.append("frame"))
    future = worker.ask(lambda: log.done.append("task"))
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    eventually(lambda: worker.waiting() == 0)  # it is stopping
    release.set()
    stopper.join()
    assert threading.active_count() <= before
    assert log.done == []
    assert log.drops == [("stopped", "the node stopped")]
    assert isinstance(future.exception(), RuntimeError)
    assert isinstance(worker.ask(lambda: None).exception(), RuntimeError)


def test_waiting_costs_no_processor_time(log: Log) -> None:
    worker = make(log, wait_s=0.4)

    def job() -> None:
        log.done.append(1)
        raise FrameNotReadyError("map -> camera")

    worker.push(job)
    worker.call(lambda: None)
    worker.stop()
    assert len(log.done) <= 3


def test_frames_can_be_dropped_while_the_first_one_waits(log: Log) -> None:
    worker = make(log, wait_s=1e6)
    tried = threading.Event()

    def never() -> None:
        tried.set()
        raise FrameNotReadyError("map -> camera")

    worker.push(never)
    worker.push(lambda: log.done.append("frame"))
    assert tried.wait(PATIENCE_S)
    worker.drop_frames()
    worker.push(lambda: log.done.append("later"))
    worker.call(lambda: None)
    worker.stop()
    assert log.done == ["later"]
    assert [cause for cause, _ in log.drops] == ["stopped"] * 2
