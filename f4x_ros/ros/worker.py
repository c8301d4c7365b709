# SPDX-License-Identifier: Apache-2.0
"""One thread that owns the map: it runs frames, and between two of their steps the questions."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from rclpy.task import Future

from f4x_ros.core.errors import NotReadyError
from f4x_ros.ros.camera_queues import CameraQueues
from f4x_ros.ros.frame_queue import Drop, FrameJob, FrameQueue

Result = TypeVar("Result")

_LAST_CALL_S = 1.0
"""So long a frame still waits for its transform when no more frames will come."""


class StoppedError(NotReadyError):
    """The worker ended before it came to this."""

    def __init__(self) -> None:
        super().__init__("the node stopped before it came to this, ask again once it is configured")


@dataclass(eq=False)
class _Task:
    job: Callable[[], Any]
    future: Future[Any]

    def run(self) -> None:
        try:
            result = self.job()
        except Exception as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Worker:
    """Runs frames one after the other on a thread of its own, and tasks whenever it can.

    A task (a question, new prompts) waits for no frame: it runs between two steps of the one at
    work, which calls `between` there; while a frame waits for its transform; and at once when there
    is nothing to do. Tasks keep their order among themselves and are never dropped; each has a
    future that `async def` service handlers await, so that their executor stays live.

    What a job raises ends the job and not the thread.
    """

    def __init__(
        self,
        frames: FrameQueue | CameraQueues,
        *,
        on_drop: Callable[[Drop], None],
        on_error: Callable[[Exception, FrameJob], None],
        wake_executor: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread.

        Args:
            frames: the queue, from now on used by nobody else.
            on_drop: told of each frame that is not processed, on the worker's thread or on that of
                the caller.
            on_error: told what a frame raised, on the worker's thread.
            wake_executor: called when a task is done, for executors poll the coroutines that wait
                only when they wake.
        """
        self._frames = frames
        self._on_drop, self._on_error, self._wake_executor = on_drop, on_error, wake_executor
        self._tasks: deque[_Task] = deque()  # only the worker's thread takes from it
        self._changed = threading.Condition()
        self._busy = False  # with a frame
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="f4x-worker")
        self._thread.start()

    # --- any thread -----------------------------------------------------------------------------

    def push(self, job: FrameJob) -> None:
        """Add a frame."""
        with self._changed:
            if self._stopping:
                return
            drops = self._frames.push(job)
            self._changed.notify_all()
        self._tell(drops)

    def ask(self, job: Callable[[], Result]) -> Future[Result]:
        """Add a task; its future gets the result, or what it raised, or StoppedError."""
        future: Future[Result] = Future()
        future.add_done_callback(lambda _: self._wake_executor())
        with self._changed:
            if not self._stopping:
                self._tasks.append(_Task(job, future))
                self._changed.notify_all()
                return future
        future.set_exception(StoppedError())
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
            if len(self._frames):
                self._changed.notify_all()

    def waiting(self) -> int:
        """Frames in the queue."""
        with self._changed:
            return len(self._frames)

    def finish_frames(self) -> None:
        """Return when no frame waits and none is at work; nobody may push any more.

        What a frame misses then has little time left to come.
        """
        with self._changed:
            self._frames.hurry(_LAST_CALL_S)
            self._changed.notify_all()
            self._changed.wait_for(lambda: not len(self._frames) and not self._busy)

    def drop_frames(self) -> None:
        """Drop all frames that wait and return when the one at work is done."""
        with self._changed:
            drops = self._frames.clear()
            self._changed.wait_for(lambda: not self._busy)
        self._tell(drops)

    def stop(self) -> None:
        """Break off the frame at work at its next step, end the thread, leave nobody waiting.

        Frames are counted as dropped, tasks get StoppedError.
        """
        with self._changed:
            self._stopping = True
            drops = self._frames.clear()
            self._changed.notify_all()
        self._thread.join()
        self._tell(drops)
        while self._tasks:
            self._tasks.popleft().future.set_exception(StoppedError())

    # --- the worker's thread --------------------------------------------------------------------

    def between(self) -> None:
        """Run the tasks that wait by now; for frames, between two steps, on the worker's thread.

        Those that come meanwhile have to wait for the next step, so that a frame comes to its end
        however much is asked.

        Raises:
            StoppedError: the frame is to be broken off.
        """
        for _ in range(len(self._tasks)):
            if self._stopping:
                break
            self._tasks.popleft().run()
        if self._stopping:
            raise StoppedError

    def _run(self) -> None:
        try:
            while True:
                self.between()
                job = self._next_frame()
                if job is not None:
                    self._run_frame(job)
        except StoppedError:
            pass

    def _next_frame(self) -> FrameJob | None:
        """The next frame; without one that is ready, wait until something changes."""
        with self._changed:
            job, drops = self._frames.take()
            self._busy = job is not None
            if drops:
                self._changed.notify_all()  # (`finish_frames` may wait for it)
            elif job is None and not self._tasks and not self._stopping:
                self._changed.wait(self._frames.left_s())
        self._tell(drops)
        return job

    def _run_frame(self, job: FrameJob) -> None:
        try:
            job.run()
        except StoppedError:
            self._on_drop(Drop("stopped", "the node stopped", job.ns, job.camera_name))
        except Exception as error:
            self._on_error(error, job)
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _tell(self, drops: list[Drop]) -> None:
        for drop in drops:
            self._on_drop(drop)
