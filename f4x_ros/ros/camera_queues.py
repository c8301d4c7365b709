# SPDX-License-Identifier: Apache-2.0
"""Frames of several cameras that wait for the map: each camera has a queue, time is common."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from f4x_ros.core.motion import Pace
from f4x_ros.ros.frame_queue import Drop, FrameJob, FrameQueue, Policy

_DUE = 0.8  # of its usual interval after which a camera's next frame may be expected
_SILENT_S, _SILENT_FRAMES = 1.0, 3.0  # a camera from which nothing came for so long is not due


class _Heard:
    """What one camera has sent."""

    def __init__(self, now: float, job: FrameJob) -> None:
        self.pace = Pace()
        self.at, self.newest = now, (job.epoch, job.ns)

    def add(self, now: float, job: FrameJob) -> None:
        if job.epoch == self.newest[0]:
            self.pace.add((job.ns - self.newest[1]) / 1e9)
        self.at, self.newest = now, (job.epoch, job.ns)

    def is_due_before(self, job: FrameJob, now: float) -> bool:
        """Whether a frame of it that is before another in time may be on its way."""
        interval_s = self.pace.interval_s
        if now - self.at > max(_SILENT_S, _SILENT_FRAMES * interval_s):
            return False
        epoch, ns = self.newest
        return (epoch, ns + int(_DUE * interval_s * 1e9)) < (job.epoch, job.ns)


class CameraQueues:
    """As `FrameQueue`, with one for each camera: none pushes out frames of another.

    Next is the oldest of the frames that are next for their camera. As times of the map do not go
    back, a frame of one camera is held for a moment while one of another is due that is older; a
    camera that is silent is not waited for.

    Args:
        cameras: their names.
        policy, size, wait_s, clock: of each queue.
        hold_s: a frame is held for so long at most.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        policy: Policy,
        size: int,
        wait_s: float,
        hold_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises BadInputError as `FrameQueue`."""
        self._queues = {name: FrameQueue(policy, size, wait_s, clock) for name in cameras}
        self._hold_s, self._clock = min(hold_s, wait_s), clock
        self._heard: dict[str, _Heard] = {}
        self._ending = False

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def push(self, job: FrameJob) -> list[Drop]:
        """Take a frame in; returns those that go for it."""
        known, now = self._heard.get(job.camera_name), self._clock()
        if known is None:
            self._heard[job.camera_name] = _Heard(now, job)
        else:
            known.add(now, job)
        return self._queues[job.camera_name].push(job)

    def take(self) -> tuple[FrameJob | None, list[Drop]]:
        """The next frame, None if none is ready; and those that go because of it or of time."""
        job, drops = self._next()
        if job is None or self._held_s(job) > 0:
            return None, drops
        taken, more = self._queues[job.camera_name].take()
        return taken, drops + more

    def _next(self) -> tuple[FrameJob | None, list[Drop]]:
        found = [queue.peek() for queue in self._queues.values()]
        ready = [job for job, _ in found if job is not None]
        drops = [drop for _, gone in found for drop in gone]
        return min(ready, key=lambda job: (job.epoch, job.ns), default=None), drops

    def _held_s(self, job: FrameJob) -> float:
        """Seconds for which a frame is held back still; 0 = it is its turn."""
        left_s = self._hold_s - self._queues[job.camera_name].waited_s()
        if left_s <= 0 or self._ending:
            return 0.0
        now = self._clock()
        due = any(
            heard.is_due_before(job, now)
            for name, heard in self._heard.items()
            if name != job.camera_name
        )
        return left_s if due else 0.0

    def left_s(self) -> float | None:
        """Seconds until a frame has waited long enough; None if none waits."""
        left = [s for queue in self._queues.values() if (s := queue.left_s()) is not None]
        held = [self._hold_s - queue.waited_s() for queue in self._queues.values() if len(queue)]
        return min([*left, *(s for s in held if s > 0)], default=None)

    def hurry(self, wait_s: float) -> None:
        """No frame waits for longer than this from now on: nothing more will come."""
        self._ending = True
        for queue in self._queues.values():
            queue.hurry(wait_s)

    def clear(self) -> list[Drop]:
        """All go, since the node stops."""
        return [drop for queue in self._queues.values() for drop in queue.clear()]
