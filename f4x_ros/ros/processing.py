# SPDX-License-Identifier: Apache-2.0
"""The way of a frame: from a set of messages through the map to the topics."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rclpy.node import Node

from f4x_ros.core.data import Pose
from f4x_ros.core.perception import Perception
from f4x_ros.ros.camera_poses import CameraPoses
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.frames import BadFrameError, FrameBuilder, StampOrder
from f4x_ros.ros.outputs import OutputTopics
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.questions import Labels
from f4x_ros.ros.recording import Recording
from f4x_ros.ros.worker import FrameNotReadyError


class Job:
    """A set of messages on its way through the worker, which calls it until its pose is there."""

    def __init__(self, process: Callable[[Job], None], messages: dict[str, Any]) -> None:
        self._process, self.messages = process, messages
        self.since_s = time.monotonic()
        self.ordered = False
        self.pose: Pose | None = None

    def __call__(self) -> None:
        self._process(self)


class Processing:
    """Makes jobs, on any thread, which process a frame each, on the worker's thread.

    Args:
        node: no frame is published after its context has ended.
        settings: frames, `time_jump_s`, `on_time_jump`.
        perception: the map, begun anew when time jumps.
        recording: takes the frames to the map.
        poses: where the camera is.
        outputs: the topics.
        labels: what the labels of a frame mean.
        health: counts frames and takes their latency.
        complaints: is told about frames that cannot be used.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        *,
        perception: Perception,
        recording: Recording,
        poses: CameraPoses,
        outputs: OutputTopics,
        labels: Labels,
        health: Health,
        complaints: Complaints,
    ) -> None:
        self._node, self._perception, self._recording = node, perception, recording
        self._poses, self._outputs, self._labels = poses, outputs, labels
        self._health, self._complaints = health, complaints
        self._ignores_jumps = settings["on_time_jump"] == "ignore_frames"
        self._order = StampOrder(settings["time_jump_s"])
        self._builder = FrameBuilder(
            map_frame=settings["map_frame"],
            camera_frame=settings["camera_frame"],
            rectified=settings["image_rectified"],
        )

    def job(self, messages: dict[str, Any]) -> Job:
        """The work that a set of messages makes."""
        job = Job(self._process, messages)
        image = messages["image"]
        # Look the pose up at once if it is there: a bag that starts again empties the buffer, and
        # the last frames before that still wait for the worker.
        with suppress(BadFrameError, FrameNotReadyError):
            frame_id = self._builder.frame_id(image)
            job.pose = self._poses.camera(frame_id, stamp_ns(image.header.stamp))
        return job

    def _process(self, job: Job) -> None:
        """One frame, perhaps not for the first time (FrameNotReadyError)."""
        image = job.messages["image"]
        ns = stamp_ns(image.header.stamp)
        if not job.ordered:
            job.ordered = True
            if not self._in_order(ns):
                return
        try:
            if job.pose is None:
                job.pose = self._poses.camera(self._builder.frame_id(image), ns)
            frame = self._builder.build(
                image, job.messages["camera_info"], job.messages["depth/image"], job.pose
            )
        except BadFrameError as error:
            self._complaints.bad_input(error.kind, f"dropped.bad_{error.kind}", str(error))
            return
        wanted = self._outputs.wanted(ns)
        percept = self._recording.process(frame, wanted.outputs)
        self._labels.used_at(ns)
        if self._node.context.ok():  # not after Ctrl-C
            self._outputs.publish(frame, percept, wanted)
        self._health.processed((time.monotonic() - job.since_s) * 1000)

    def _in_order(self, ns: int) -> bool:
        """False for a frame from the past; a jump back in time begins a new map, if so set."""
        verdict = self._order.check(ns)
        if verdict == "next":
            return True
        back_s = self._order.behind_s(ns)
        behind = f"the stamp of image went back by {back_s:.3f} s"
        if back_s == 0:
            behind = "image has the stamp of the frame before it"
        if verdict == "late":
            self._complaints.bad_input("time", "dropped.late", f"{behind}: frame dropped")
            return False
        if self._ignores_jumps:
            text = f"{behind}: ignored until time has caught up"
            self._complaints.bad_input("time", "dropped.late", text)
            return False
        self._complaints.bad_input("time", "time_jumps", f"{behind}: a new map begins")
        self._restart(ns)
        return True

    def _restart(self, ns: int) -> None:
        """A new map from this stamp on."""
        self._order.restart(ns)
        self._perception.reset()
        self._labels.restart()
        self._recording.restart()
        self._poses.forget_future()
        self._outputs.clear_markers(ns)
