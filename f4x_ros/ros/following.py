# SPDX-License-Identifier: Apache-2.0
"""Following the camera faster than it is mapped: frames that wait are looked at between two steps.

The map takes the newest frame, and on a slow machine not many. Odometry is quick, and small steps
are surer than large ones, so it looks at the frames in between, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from f4x_ros.core.data import Frame, Percept
from f4x_ros.core.errors import BadSampleError
from f4x_ros.core.perception import Perception
from f4x_ros.core.world.camera_depth import NO_PARALLAX
from f4x_ros.core.world.camera_pose import LOST
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.frames import BadFrameError
from f4x_ros.ros.odometry_publisher import OdometryPublisher
from f4x_ros.ros.outputs import RateLimit
from f4x_ros.ros.parameters import Settings

if TYPE_CHECKING:
    from f4x_ros.ros.processing import Job

_WAITING = 100  # frames at most; the oldest go, and steps are longer


class Following:
    """Estimates and tells the poses of frames, before they are mapped or in place of it.

    `offer` is called by the executor's thread, the rest by the worker's.

    Args:
        settings: `frames`, `odometry.rate_hz`.
        perception: estimates.
        publisher: tells.
        complaints: is told about frames that are left out.
        build: the frame of a job; raises BadFrameError.
    """

    def __init__(
        self,
        settings: Settings,
        perception: Perception,
        publisher: OdometryPublisher,
        complaints: Complaints,
        build: Callable[[Job], Frame],
    ) -> None:
        self._perception, self._publisher = perception, publisher
        self._complaints, self._build = complaints, build
        self._looks_ahead = settings["frames"] == "newest"  # (else all are mapped, in their order)
        self._limit = RateLimit(settings["odometry.rate_hz"])
        self._offered: deque[Job] = deque(maxlen=_WAITING)
        self._newest_ns = -1
        self._epoch = 0

    def offer(self, job: Job) -> None:
        """A frame came."""
        if self._looks_ahead:
            self._offered.append(job)

    def restart(self, epoch: int) -> None:
        """Time has jumped: a new map begins with frames of this epoch."""
        self._newest_ns, self._epoch = -1, epoch
        self._publisher.restart()

    def process(
        self,
        job: Job,
        frame: Frame,
        process: Callable[[Callable[[], None]], Percept],
        between: Callable[[], None],
    ) -> Percept | None:
        """Let a frame be mapped; None if that cannot be.

        Args:
            job: whose turn it is.
            frame: of it, without a pose.
            process: maps it; is given what to call between two steps.
            between: to be called there, too.
        """
        while self._look_at_one(before_ns=job.ns):
            pass
        if job.ns < self._newest_ns:
            self._complaints.dropped("superseded", "a newer frame was followed", job.ns)
            return None
        if job.ns > self._newest_ns:
            self._look(job, frame)

        def look_and_go_on() -> None:
            self._look_at_one()
            between()

        try:
            return process(look_and_go_on)
        except BadSampleError as error:
            if error.reason not in (LOST, NO_PARALLAX):
                raise
            self._complaints.left_out(error.reason, job.ns, str(error))
            return None

    def _look_at_one(self, before_ns: int | None = None) -> bool:
        """Follow the camera through the next frame that waits; False if there is none."""
        while self._offered:
            job = self._offered[0]
            if before_ns is not None and job.ns >= before_ns:
                return False
            if job.epoch > self._epoch or job.missing():
                return False  # in order: later ones wait for it, for as long as it waits itself
            self._offered.popleft()
            if job.epoch < self._epoch or job.ns <= self._newest_ns or not self._limit.due(job.ns):
                continue
            try:
                frame = self._build(job)
            except BadFrameError:  # told when it is its turn; or it is superseded, and counted so
                continue
            self._look(job, frame)
            return True
        return False

    def _look(self, job: Job, frame: Frame) -> None:
        links = job.placement.links
        if links.T_base_camera is not None:
            self._perception.begin_camera_at(links.T_base_camera)
        estimate = self._perception.follow(frame)
        self._newest_ns = job.ns
        self._limit.spend(job.ns)
        self._publisher.tell(estimate, frame.frame_id, links)
