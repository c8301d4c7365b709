# SPDX-License-Identifier: Apache-2.0
"""One thread that owns the map: frames and questions are its tasks, in the order they came."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from rclpy.task import Future

from f4x_ros.core.errors import BadInputError

Result = TypeVar("Result")
DropCause = Literal["queue_full", "not_ready", "stopped"]


class FrameNotReadyError(Exception):
    """A frame lacks something that may still come (its transform); the message names it."""


@dataclass(eq=False)
class _Frame:
    job: Callable[[], None]
    deadline: float  # monotonic seconds


@dataclass(eq=False)
class _Task:
    job: Callable[[], Any]
    future: Future[Any]


class Worker:
    """Runs jobs one after the other on a thread of its own.

    Frames are bounded: beyond `queue_size` the oldest is dropped. A frame that raises
    FrameNotReadyError is tried again at each `wake`, until `wait_s` after it was pushed. Tasks are
    never dropped; each has a future that `async def` service handlers await, so that their executor
    stays live.
    """

    def __init__(
        self,
        *,
        queue_size: int,
        wait_s: float,
        on_drop: Callable[[DropCause, str], None],
        on_error: Callable[[Exception], None],
        wake_executor: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread.

        `on_drop` (cause, reason) and `on_error` (what a frame's job raised) are called on the
        worker's thread, the former also on that of `push`. `wake_executor` is called when a task is
        done, for executors poll the coroutines that wait only when they wake.
        """
        if queue_size < 1:
            raise BadInputError(f"queue_size is {queue_size}, expected at least 1")
        self._queue_size, self._wait_s = queue_size, wait_s
        self._on_drop, self._on_error, self._wake_executor = on_drop, on_error, wake_executor
        self._queue: deque[_Frame | _Task] = deque()
        self._changed = threading.Condition()
        self._wakes = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="f4x-worker")
        self._thread.start()

    def push(self, job: Callable[[], None]) -> None:
        """Append a frame; the oldest one goes if there are too many."""
        with self._changed:
            if self._stopping:
                return
            self._queue.append(_Frame(job, time.monotonic() + self._wait_s))
            dropped = self._trim()
            self._changed.notify_all()
        for _ in range(dropped):
            self._on_drop("queue_full", f"more than {self._queue_size} frames were waiting")

    def ask(self, job: Callable[[], Result]) -> Future[Result]:
        """Append a task; its future gets the result, or what it raised."""
        future: Future[Result] = Future()
        future.add_done_callback(lambda _: self._wake_executor())
        with self._changed:
            if not self._stopping:
                self._queue.append(_Task(job, future))
                self._changed.notify_all()
                return future
        future.set_exception(RuntimeError("the node is shutting down"))
        return future

    def call(self, job: Callable[[], Result]) -> Result:
        """`ask` and wait, for callers that must block (lifecycle transitions)."""
        done = threading.Event()
        future = self.ask(job)
        future.add_done_callback(lambda _: done.set())
        done.wait()
        return future.result()  # type: ignore[return-value]

    def wake(self) -> None:
        """Something came that a waiting frame may need."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def waiting(self) -> int:
        """Frames in the queue."""
        with self._changed:
            return self._frames()

    def drop_frames(self) -> None:
        """Drop all frames that wait and return when the job at work is done."""
        with self._changed:
            dropped = self._frames()
            self._queue = deque(e for e in self._queue if isinstance(e, _Task))
            self._changed.notify_all()
        for _ in range(dropped):
            self._on_drop("stopped", "the node stopped")
        self.call(lambda: None)

    def stop(self) -> None:
        """End after the job at work; what waits is dropped and counted, or told so."""
        with self._changed:
            self._stopping = True
            left = list(self._queue)
            self._queue.clear()
            self._changed.notify_all()
        self._thread.join()
        for entry in left:
            if isinstance(entry, _Task):
                entry.future.set_exception(RuntimeError("the node is shutting down"))
            else:
                self._on_drop("stopped", "the node stopped")

    def _frames(self) -> int:
        return sum(isinstance(entry, _Frame) for entry in self._queue)

    def _is_next(self, frame: _Frame) -> bool:
        return bool(self._queue) and self._queue[0] is frame

    def _trim(self) -> int:
        """Drop the oldest frames that are too many; return how many."""
        excess = max(0, self._frames() - self._queue_size)
        for entry in [e for e in self._queue if isinstance(e, _Frame)][:excess]:
            self._queue.remove(entry)
        return excess

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stopping)
                if self._stopping:
                    return
                entry = self._queue.popleft()
                seen = self._wakes
            if isinstance(entry, _Task):
                self._run_task(entry)
            else:
                self._run_frame(entry, seen)

    @staticmethod
    def _run_task(task: _Task) -> None:
        try:
            result = task.job()
        except Exception as error:
            task.future.set_exception(error)
        else:
            task.future.set_result(result)

    def _run_frame(self, frame: _Frame, seen: int) -> None:
        try:
            frame.job()
        except FrameNotReadyError as error:
            if time.monotonic() >= frame.deadline:
                self._on_drop("not_ready", str(error))
            else:
                self._put_back(frame, seen)
        except Exception as error:
            self._on_error(error)

    def _put_back(self, frame: _Frame, seen: int) -> None:
        """Wait with a frame at the head of the queue until it may be ready or is too late."""
        with self._changed:
            self._queue.appendleft(frame)
            dropped = self._trim()
            self._changed.wait_for(
                lambda: self._stopping or self._wakes != seen or not self._is_next(frame),
                timeout=max(0.0, frame.deadline - time.monotonic()),
            )
        for _ in range(dropped):
            self._on_drop("queue_full", f"more than {self._queue_size} frames were waiting")
