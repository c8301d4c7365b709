# SPDX-License-Identifier: Apache-2.0
"""Frames that wait for the map: which one is next, and which ones go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, get_args

from f4x_ros.core.errors import BadInputError

Policy = Literal["newest", "all"]
DropCause = Literal["superseded", "queue_full", "not_ready", "stopped"]


class FrameJob(Protocol):
    """A frame on its way to the map.

    Attributes:
        ns: its stamp.
        epoch: number of jumps back in time before it came.
        camera_name: whose it is, "" where there is one camera.
    """

    ns: int
    epoch: int
    camera_name: str

    def missing(self) -> str:
        """What may still come and is worth waiting for (its transform); '' = nothing.

        Called often, from any thread: it is short and takes no lock for long. Once '' always ''.
        """

    def lacking(self) -> str:
        """After it has waited long enough: what it cannot run without; '' = it can run."""

    def again_s(self) -> float | None:
        """Seconds until it may miss nothing though nothing comes; None = not that is known."""

    def run(self) -> None:
        """Map and publish it."""


class Drop(NamedTuple):
    """A frame that goes, and why, for people."""

    cause: DropCause
    reason: str
    ns: int  # stamp of the frame
    camera_name: str


@dataclass(eq=False)
class _Waiting:
    job: FrameJob
    since: float  # when it came, on the clock of the queue
    deadline: float  # on the clock of the queue, seconds


class FrameQueue:
    """Bounded. Not thread-safe: its owner locks.

    Args:
        policy: "newest": next is the newest frame that misses nothing, those before it go, those
            after it wait on. So what is published is about now, and a frame whose transform is late
            holds up none. "all": one after the other; the first one waits for what it misses.
        size: so many wait at most. Of "all" the oldest goes; of "newest", where none of them is
            ready then, the second oldest: the oldest is the first that can become ready, and if it
            went each time, none ever might.
        wait_s: a frame that misses something is kept for so long.
        clock: seconds.

    Raises:
        BadInputError: a policy that is none, a size below 1.
    """

    def __init__(
        self,
        policy: Policy,
        size: int,
        wait_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if policy not in get_args(Policy):
            raise BadInputError(f"frames is '{policy}', expected one of newest, all")
        if size < 1:
            raise BadInputError(f"queue_size is {size}, expected at least 1")
        self._newest, self._size, self._wait_s = policy == "newest", size, wait_s
        self._clock = clock
        self._frames: list[_Waiting] = []  # in the order they came

    def __len__(self) -> int:
        return len(self._frames)

    def push(self, job: FrameJob) -> list[Drop]:
        """Take a frame in; returns those that go for it."""
        now = self._clock()
        self._frames.append(_Waiting(job, now, now + self._wait_s))
        drops = self._supersede() if self._newest else []
        while len(self._frames) > self._size:
            gone = self._frames.pop(1 if self._newest else 0).job
            text = f"more than {self._size} frames were waiting"
            drops.append(_drop("queue_full", text, gone))
        return drops

    def take(self) -> tuple[FrameJob | None, list[Drop]]:
        """The next frame, None if none is ready; and those that go because of it or of time."""
        job, drops = self.peek()
        if job is not None:
            del self._frames[0]
        return job, drops

    def waited_s(self) -> float:
        """For how long the first one has waited; 0 if none does."""
        return self._clock() - self._frames[0].since if self._frames else 0.0

    def peek(self) -> tuple[FrameJob | None, list[Drop]]:
        """As `take`, but the next frame stays the first one."""
        drops = self._supersede() if self._newest else []
        while self._frames:
            first = self._frames[0]
            overdue = self._clock() >= first.deadline
            missing = first.job.missing()
            if missing and not overdue:
                break
            if missing:
                missing = first.job.lacking()
            if not missing:
                return first.job, drops
            del self._frames[0]
            drops.append(_drop("not_ready", missing, first.job))
        return None, drops

    def left_s(self) -> float | None:
        """Seconds until a frame has waited long enough; None if none waits."""
        if not self._frames:
            return None
        again = [s for one in self._frames if (s := one.job.again_s()) is not None]
        return max(0.0, min([self._frames[0].deadline - self._clock(), *again]))

    def hurry(self, wait_s: float) -> None:
        """No frame waits for longer than this from now on: nothing more will come."""
        latest = self._clock() + wait_s
        for waiting in self._frames:
            waiting.deadline = min(waiting.deadline, latest)

    def clear(self) -> list[Drop]:
        """All go, since the node stops."""
        drops = [_drop("stopped", "the node stopped", one.job) for one in self._frames]
        self._frames = []
        return drops

    def _supersede(self) -> list[Drop]:
        """Let go what is older than the newest frame that is ready."""
        for at in range(len(self._frames) - 1, 0, -1):
            if not self._frames[at].job.missing():
                gone = self._frames[:at]
                del self._frames[:at]
                return [_drop("superseded", "a newer frame was ready", one.job) for one in gone]
        return []


def _drop(cause: DropCause, reason: str, job: FrameJob) -> Drop:
    return Drop(cause, reason, job.ns, job.camera_name)
