# SPDX-License-Identifier: Apache-2.0
"""The way of a frame: from a set of messages through the map to the topics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rclpy.node import Node

from f4x_ros.core.data import Frame, Percept
from f4x_ros.core.perception import Perception
from f4x_ros.ros.camera_poses import CameraPoses, Placement
from f4x_ros.ros.channels import DEPTH, DEPTH_INFO, IMAGE, INFO, RIGHT, RIGHT_INFO, Channels
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.conversions import stamp_ns
from f4x_ros.ros.diagnostics import CameraHealth, Health
from f4x_ros.ros.following import Following
from f4x_ros.ros.frames import BadFrameError, FrameBuilder, StampOrder
from f4x_ros.ros.inputs import partner_info_topic
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
        camera_name: whose they are.
    """

    def __init__(
        self,
        messages: dict[str, Any],
        epoch: int,
        look_up: Callable[[float], Placement],
        process: Callable[[Job], None],
        camera_name: str = "",
    ) -> None:
        self.messages, self.epoch, self.camera_name = messages, epoch, camera_name
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


class _Line:
    """What belongs to one of several cameras.

    Attributes:
        poses: where it is.
        epoch: number of jumps back in time that it, or another, has made.
        depth_ns: stamp of the depth of the last frame in order.
        mapped_ns: stamp of its last frame that went into the map.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        channels: Channels,
        poses: CameraPoses,
        complaints: Complaints,
        health: Health | CameraHealth,
    ) -> None:
        self.channels, self.poses = channels, poses
        self.complaints, self.health = complaints, health
        self.order = StampOrder(settings["time_jump_s"])
        self.epoch = self.depth_ns = self.mapped_ns = 0
        topics = {role: channels.topic(role) for role in channels.roles}
        topics[channels.partner_info] = partner_info_topic(node, channels)
        self.builder = FrameBuilder(
            map_frame=settings["map_frame"],
            camera_frame=settings["camera_frame"],
            rectified=settings["image_rectified"],
            names={role: node.resolve_topic_name(topic) for role, topic in topics.items()},
            on_remark=complaints.remark,
            on_bad_calibration=complaints.bad_calibration,
            channels=channels,
        )

    def refuse(self, error: BadFrameError, ns: int) -> None:
        """A frame cannot be used."""
        self.complaints.bad_frame(error.kind, error.reason, ns, str(error))


class Processing:
    """Makes jobs, on the executor's thread, which process a frame each, on the worker's thread.

    Args:
        node: no frame is published after its context has ended.
        settings: frames, `time_jump_s`, `on_time_jump`.
        perception: the map, begun anew when time jumps.
        recording: takes the frames to the map.
        channels: the cameras, and what frames of each are made of.
        poses: where each camera is.
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
        channels: Sequence[Channels],
        poses: Mapping[str, CameraPoses],
        outputs: OutputTopics,
        labels: Labels,
        health: Health,
        complaints: Complaints,
        between: Callable[[], None],
        odometry: OdometryPublisher | None = None,
    ) -> None:
        self._node, self._perception, self._recording = node, perception, recording
        self._outputs, self._labels, self._between = outputs, labels, between
        self._ignores_jumps = settings["on_time_jump"] == "ignore_frames"
        self._jump_ns = int(settings["time_jump_s"] * 1e9)
        self._epoch = 0  # of the frame that came last
        self._epoch_newest_ns = 0  # newest stamp of it
        self._epoch_mapped = 0
        self._mapped_ns = 0  # stamp of the last frame of all that went into the map
        self._lines = {
            one.camera: _Line(
                node,
                settings,
                one,
                poses[one.camera],
                complaints.of(one.camera),
                health.of(one.camera),
            )
            for one in channels
        }
        self._following: Following | None = None
        if odometry is not None:
            self._following = Following(settings, perception, odometry, complaints, self._frame)

    # --- the executor's thread ------------------------------------------------------------------

    def job(self, messages: dict[str, Any], camera_name: str = "") -> Job | None:
        """The work that a set of messages makes; None if it can be seen that they are of no use.

        Nothing is decoded here: most frames of a fast camera are never taken.
        """
        line = self._lines[camera_name]
        image, partner = messages[IMAGE], messages[line.channels.partner]
        ns, depth_ns = (stamp_ns(message.header.stamp) for message in (image, partner))
        if not self._in_order(line, ns, depth_ns):
            return None
        line.depth_ns = depth_ns
        self._epoch_newest_ns = max(self._epoch_newest_ns, ns)
        try:
            frame_id = line.builder.frame_id(image)
            depth_frame = line.builder.depth_frame(image, partner)
        except BadFrameError as error:
            line.refuse(error, ns)
            return None

        def look_up(waited_s: float) -> Placement:
            return line.poses.place(frame_id, depth_frame, ns, waited_s=waited_s)

        job = Job(messages, self._epoch, look_up, self._process, camera_name)
        # Look the pose up at once if it is there: a bag that starts again empties the buffer, and
        # the last frames before that may still wait for the worker.
        job.missing()
        if self._following is not None:
            self._following.offer(job)
        return job

    def _in_order(self, line: _Line, ns: int, depth_ns: int) -> bool:
        """False for a frame from the past; a jump back in time begins a new map, if so set."""
        verdict = line.order.check(ns)
        if line.epoch != self._epoch:
            return self._joins(line, ns)
        if verdict == "next" or (verdict == "resumed" and ns > line.mapped_ns):
            return True
        back_s = line.order.behind_s(ns)
        if verdict == "resumed":  # the one that leapt ahead is in the map
            back_s = (line.mapped_ns - ns) / 1e9
        behind = f"the stamp of image went back by {back_s:.3f} s"
        if verdict == "late" and back_s == 0:  # a message that came twice, as readers count it
            text = "image has the stamp of the frame before it: frame dropped"
            line.complaints.bad_frame("time", "images_with_repeated_stamp", ns, text)
            if depth_ns == line.depth_ns:
                reason = line.channels.repeated(line.channels.partner)
                line.health.left_out(reason, stamp_ns=depth_ns)
            return False
        if verdict == "late":
            line.complaints.bad_frame("time", "late", ns, f"{behind}: frame dropped")
            return False
        if self._ignores_jumps:
            text = f"{behind}: ignored until time has caught up"
            line.complaints.bad_frame("time", "late", ns, text)
            return False
        line.complaints.bad_input("time", "time_jumps", f"{behind}: a new map begins")
        line.order.restart(ns)
        self._epoch += 1
        line.epoch, self._epoch_newest_ns = self._epoch, ns
        return True

    def _joins(self, line: _Line, ns: int) -> bool:
        """Whether a frame is of the new time that another camera has begun."""
        ahead_s = (ns - self._epoch_newest_ns) / 1e9
        if ns > self._epoch_newest_ns + self._jump_ns:
            text = (
                f"image is {ahead_s:.3f} s ahead of the other cameras, whose time has jumped back"
            )
            line.complaints.bad_frame("time", "late", ns, f"{text}: frame dropped")
            return False
        line.epoch, line.mapped_ns = self._epoch, 0
        line.order.restart(ns)
        return True

    # --- the worker's thread --------------------------------------------------------------------

    def _process(self, job: Job) -> None:
        """One frame, through the map to the topics."""
        line = self._lines[job.camera_name]
        if job.epoch > self._epoch_mapped:
            self._restart(job)
        behind_s = (self._mapped_ns - job.ns) / 1e9
        if job.camera_name and (job.epoch < self._epoch_mapped or behind_s > 0):
            text = f"another camera's frame of {behind_s:.3f} s later is in the map: frame dropped"
            line.complaints.bad_frame("time", "late", job.ns, text)
            return
        try:
            frame = self._frame(job)
        except BadFrameError as error:
            line.refuse(error, job.ns)
            return
        if frame.depth is not None and not frame.depth.any():  # (of its colour the map learns)
            topic = line.channels.topic(line.channels.partner)
            text = f"{self._node.resolve_topic_name(topic)}: no pixel has a reading"
            line.complaints.bad_frame("depth", "depth_without_reading", job.ns, text)
        # (after Ctrl-C frames are still mapped for the report, and nobody hears of them)
        heard = self._node.context.ok()
        wanted = self._outputs.wanted(job.ns, job.camera_name) if heard else Wanted(frozenset())
        labels = self._labels.in_force  # others may be set before the frame is done
        percept = self._take_in(job, frame, wanted)
        if percept is None:  # which was told
            return
        self._mapped_ns = line.mapped_ns = job.ns
        self._labels.used_at(job.ns, labels)
        if self._node.context.ok():  # not after Ctrl-C
            p = self._perception
            self._outputs.publish(
                frame, percept, wanted, p.cloud, p.predictions,
                lambda: p.show(
                    want_labels=False, want_velocity=True, camera_name=frame.camera_name
                ),
            )  # fmt: skip
        age_ns = self._node.get_clock().now().nanoseconds - job.ns
        line.health.processed((time.monotonic() - job.since_s) * 1e3, age_ns / 1e6)

    def _frame(self, job: Job) -> Frame:
        """What the messages show, made once; raises BadFrameError."""
        if job.frame is None:
            messages, placement = job.messages, job.placement
            line = self._lines[job.camera_name]
            image, info = messages[IMAGE], messages[INFO]
            if line.channels.stereo:
                job.frame = line.builder.build_pair(
                    image, info, messages[RIGHT], messages[RIGHT_INFO], placement.T_map_camera
                )
            else:
                job.frame = line.builder.build(
                    image,
                    info,
                    messages[DEPTH],
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
