# SPDX-License-Identifier: Apache-2.0
"""The way of a frame: from a set of messages through the map to the topics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from f4x_ros.core.data import Frame, Percept
from f4x_ros.core.perception import Perception
from f4x_ros.ros.camera_poses import CameraPoses, Placement
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.following import Following
from f4x_ros.ros.frames import TOPICS, BadFrameError, FrameBuilder, StampOrder
from f4x_ros.ros.inputs import DEPTH_INFO, depth_info_topic
from f4x_ros.ros.odometry_publisher import OdometryPublisher
from f4x_ros.ros.outputs import OutputTopics, Wanted
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.questions import Labels
from f4x_ros.ros.recording import Recording
from f4x_ros.ros.transform_buffer import FOR_EVER_S, TransformUnavailableError


class Job:
    """A set of messages on its way through the worker; see `frame_queue.FrameJob`.

    Attributes:
        messages: by topic.
        ns: stamp of the image.
        epoch: number of jumps back in time before it came.
        since_s: when it came, monotonic.
        frame: what the messages show, once somebody has looked.
    """

    def __init__(
        self,
        messages: dict[str, Any],
        epoch: int,
        look_up: Callable[[float], Placement],
        process: Callable[[Job], None],
    ) -> None:
        self.messages, self.epoch = messages, epoch
        self.ns = stamp_ns(messages["image"].header.stamp)
        self.since_s = time.monotonic()
        self._look_up, self._process = look_up, process
        self._placement: Placement | None = None
        self._held_after_s: float | None = None
        self.frame: Frame | None = None

    @property
    def placement(self) -> Placement:
        """Where the cameras are; raises what looking it up raises."""
        if self._placement is None:
            self._placement = self._look_up(0.0)
        return self._placement

    def missing(self) -> str:
        """Name the transform that is not there yet; '' if it is."""
        return self._missing(time.monotonic() - self.since_s)

    def lacking(self) -> str:
        """Name the transform without which there is no frame; '' where a held one will do."""
        return self._missing(FOR_EVER_S)

    def again_s(self) -> float | None:
        """Seconds until a transform that is not there will be held; None = not that is known."""
        if self._held_after_s is None:
            return None
        return max(0.0, self.since_s + self._held_after_s - time.monotonic())

    def _missing(self, waited_s: float) -> str:
        try:
            if self._placement is None:
                self._placement = self._look_up(waited_s)
            self._held_after_s = None
        except TransformUnavailableError as error:
            self._held_after_s = error.after_s
            return str(error)
        except Exception:  # whatever it is, `run` meets it again, where it is told
            pass
        return ""

    def run(self) -> None:
        """Map and publish it."""
        self._process(self)


class Processing:
    """Makes jobs, on the executor's thread, which process a frame each, on the worker's thread.

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
        between: called between two steps of a frame.
        odometry: tells where the camera is, if the node estimates it.
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
        between: Callable[[], None],
        odometry: OdometryPublisher | None = None,
    ) -> None:
        self._node, self._perception, self._recording = node, perception, recording
        self._poses, self._outputs, self._labels = poses, outputs, labels
        self._health, self._complaints, self._between = health, complaints, between
        self._ignores_jumps = settings["on_time_jump"] == "ignore_frames"
        self._order = StampOrder(settings["time_jump_s"])
        self._epoch = 0  # of the frame that came last
        self._epoch_mapped = 0
        self._depth_ns = 0  # stamp of the depth of the last frame in order
        self._mapped_ns = 0  # stamp of the last frame that went into the map
        self._builder = FrameBuilder(
            map_frame=settings["map_frame"],
            camera_frame=settings["camera_frame"],
            rectified=settings["image_rectified"],
            names={name: node.resolve_topic_name(name) for name in TOPICS}
            | {DEPTH_INFO: node.resolve_topic_name(depth_info_topic(node))},
            on_remark=complaints.remark,
            on_bad_calibration=complaints.bad_calibration,
        )
        self._following: Following | None = None
        if odometry is not None:
            self._following = Following(settings, perception, odometry, complaints, self._frame)

    # --- the executor's thread ------------------------------------------------------------------

    def job(self, messages: dict[str, Any]) -> Job | None:
        """The work that a set of messages makes; None if it can be seen that they are of no use.

        Nothing is decoded here: most frames of a fast camera are never taken.
        """
        image = messages["image"]
        ns, depth_ns = (stamp_ns(messages[t].header.stamp) for t in ("image", "depth/image"))
        if not self._in_order(ns, depth_ns):
            return None
        self._depth_ns = depth_ns
        try:
            frame_id = self._builder.frame_id(image)
            depth_frame = self._builder.depth_frame(image, messages["depth/image"])
        except BadFrameError as error:
            self._refuse(error, ns)
            return None

        def look_up(waited_s: float) -> Placement:
            return self._poses.place(frame_id, depth_frame, ns, waited_s=waited_s)

        job = Job(messages, self._epoch, look_up, self._process)
        # Look the pose up at once if it is there: a bag that starts again empties the buffer, and
        # the last frames before that may still wait for the worker.
        job.missing()
        if self._following is not None:
            self._following.offer(job)
        return job

    def _in_order(self, ns: int, depth_ns: int) -> bool:
        """False for a frame from the past; a jump back in time begins a new map, if so set."""
        verdict = self._order.check(ns)
        if verdict == "next" or (verdict == "resumed" and ns > self._mapped_ns):
            return True
        back_s = self._order.behind_s(ns)
        if verdict == "resumed":  # the one that leapt ahead is in the map
            back_s = (self._mapped_ns - ns) / 1e9
        behind = f"the stamp of image went back by {back_s:.3f} s"
        if verdict == "late" and back_s == 0:  # a message that came twice, as readers count it
            text = "image has the stamp of the frame before it: frame dropped"
            self._complaints.bad_frame("time", "images_with_repeated_stamp", ns, text)
            if depth_ns == self._depth_ns:
                self._health.left_out("depth_with_repeated_stamp", stamp_ns=depth_ns)
            return False
        if verdict == "late":
            self._complaints.bad_frame("time", "late", ns, f"{behind}: frame dropped")
            return False
        if self._ignores_jumps:
            text = f"{behind}: ignored until time has caught up"
            self._complaints.bad_frame("time", "late", ns, text)
            return False
        self._complaints.bad_input("time", "time_jumps", f"{behind}: a new map begins")
        self._order.restart(ns)
        self._epoch += 1
        return True

    def _refuse(self, error: BadFrameError, ns: int) -> None:
        self._complaints.bad_frame(error.kind, error.reason, ns, str(error))

    # --- the worker's thread --------------------------------------------------------------------

    def _process(self, job: Job) -> None:
        """One frame, through the map to the topics."""
        if job.epoch != self._epoch_mapped:
            self._restart(job)
        try:
            frame = self._frame(job)
        except BadFrameError as error:
            self._refuse(error, job.ns)
            return
        if frame.depth is not None and not frame.depth.any():  # (of its colour the map learns)
            text = f"{self._node.resolve_topic_name('depth/image')}: no pixel has a reading"
            self._complaints.bad_frame("depth", "depth_without_reading", job.ns, text)
        # (after Ctrl-C frames are still mapped for the report, and nobody hears of them)
        wanted = self._outputs.wanted(job.ns) if self._node.context.ok() else Wanted(frozenset())
        labels = self._labels.in_force  # others may be set before the frame is done
        percept = self._take_in(job, frame, wanted)
        if percept is None:  # which was told
            return
        self._mapped_ns = job.ns
        self._labels.used_at(job.ns, labels)
        if self._node.context.ok():  # not after Ctrl-C
            p = self._perception
            self._outputs.publish(
                frame, percept, wanted, p.cloud, p.predictions,
                lambda: p.show(want_labels=False, want_velocity=True),
            )  # fmt: skip
        age_ns = self._node.get_clock().now().nanoseconds - job.ns
        self._health.processed((time.monotonic() - job.since_s) * 1e3, age_ns / 1e6)

    def _frame(self, job: Job) -> Frame:
        """What the messages show, made once; raises BadFrameError."""
        if job.frame is None:
            messages, placement = job.messages, job.placement
            job.frame = self._builder.build(
                messages["image"],
                messages["camera_info"],
                messages["depth/image"],
                placement.T_map_camera,
                depth_info=messages.get(DEPTH_INFO),
                T_color_depth=placement.T_color_depth,
            )
        return job.frame

    def _take_in(self, job: Job, frame: Frame, wanted: Wanted) -> Percept | None:
        """Map it; None if nobody knows where the camera is."""

        def process(between: Callable[[], None]) -> Percept:
            return self._recording.process(frame, wanted.outputs, between)

        if self._following is None:
            return process(self._between)
        return self._following.process(job, frame, process, self._between)

    def _restart(self, job: Job) -> None:
        """A new map from this frame on."""
        self._epoch_mapped, self._mapped_ns = job.epoch, 0
        self._perception.reset()
        if self._following is not None:
            self._following.restart(job.epoch)
        self._labels.restart()
        self._recording.restart()
        self._outputs.clear_markers(job.ns)
