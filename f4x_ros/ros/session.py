# SPDX-License-Identifier: Apache-2.0
"""Everything a configured node holds: the map, the worker that owns it, and its topics."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from rclpy.node import Node
from rclpy.task import Future

from f4x_ros.ros.asks import Asks
from f4x_ros.ros.camera_poses import CameraPoses
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.edits import Edits
from f4x_ros.ros.frame_queue import FrameQueue
from f4x_ros.ros.inputs import Inputs
from f4x_ros.ros.late import LateListeners
from f4x_ros.ros.odometry_publisher import OdometryPublisher
from f4x_ros.ros.outputs import OutputTopics
from f4x_ros.ros.over_time import OverTime
from f4x_ros.ros.page import open_page
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.processing import Processing
from f4x_ros.ros.questions import Labels, Questions
from f4x_ros.ros.recording import Recording
from f4x_ros.ros.warm_up import make_perception
from f4x_ros.ros.worker import Worker
from f4x_ros.srv import (
    Ask,
    Edit,
    FollowPoints,
    History,
    Query,
    Render,
    Segment,
    SetPrompts,
)


class Session:
    """Lives from configure to cleanup. Frames come in between `activate` and `deactivate`.

    Public methods are called by the node, on its executor's thread; what touches the map runs on
    the worker's.

    Args:
        node: carries the topics.
        settings: the parameters.
        health: what is wrong is told here.
        first_track_id: the lowest track id to give out, to go on from an earlier session.

    Raises:
        ValueError: the configuration, a prompt or a threshold is not as expected.
    """

    def __init__(
        self, node: Node, settings: Settings, health: Health, *, first_track_id: int = 1
    ) -> None:
        self._node, self._settings, self._health = node, settings, health
        self._ready = make_perception(settings, health, first_track_id)
        self._perception = self._ready.perception
        node.get_logger().info(f"features: {self._ready}")
        complaints = Complaints(node, health)
        self._recording = Recording(node, settings, health, complaints, self._perception)
        self._inputs: Inputs | None = None
        with ExitStack() as opened:  # what was opened is closed if a later part fails
            outputs = OutputTopics(node, settings)
            opened.callback(outputs.close)
            self._poses = CameraPoses(
                node, settings, complaints, on_new=lambda: self._worker.wake()
            )
            opened.callback(self._poses.close)
            self._worker = Worker(
                FrameQueue(
                    settings["frames"], settings["queue_size"], settings["transform_timeout_s"]
                ),
                on_drop=complaints.dropped,
                on_error=complaints.failed,
                wake_executor=self._wake_executor,
            )
            opened.callback(self._worker.stop)
            page = open_page(node, settings, self._perception, self._worker, health)
            if page is not None:
                opened.callback(page.close)
            labels = Labels(self._perception, outputs)
            self._questions = Questions(self._perception, self._poses, labels, health, complaints)
            self._asks = Asks(self._perception, health)
            self._over_time = OverTime(self._perception, self._poses, health)
            self._edits = Edits(self._perception, health)
            self._questions.say_not_understood()
            self._odometry: OdometryPublisher | None = None
            if settings["pose_source"] == "odometry":
                self._odometry = OdometryPublisher(node, settings, health, complaints, self._poses)
                opened.callback(self._odometry.close)
            self._processing = Processing(
                node,
                settings,
                perception=self._perception,
                recording=self._recording,
                poses=self._poses,
                outputs=outputs,
                labels=labels,
                health=health,
                complaints=complaints,
                between=self._worker.between,
                odometry=self._odometry,
            )
            self._late = LateListeners(self._perception, outputs, self._worker)
            self._opened = opened.pop_all()

    # --- lifecycle ------------------------------------------------------------------------------

    def activate(self) -> None:
        """Listen to the camera."""
        self._recording.start()
        try:
            self._inputs = Inputs(
                self._node, self._settings, self._health, self._on_set, self._poses.take
            )
        except Exception:  # a qos_override that is none
            self._recording.abandon()
            raise

    def deactivate(self) -> None:
        """Stop listening. Frames that wait are dropped; for a report they are processed first."""
        problem = self._problems()  # those of the topics are forgotten with them
        self._stop_listening()
        if self._recording.runs:
            self._worker.finish_frames()
            self._worker.call(lambda: self._recording.finish(problem))
        else:
            self._worker.drop_frames()

    def close(self) -> None:
        """End the thread and take every topic away.

        A frame at work is broken off, questions that wait are told so, and a report that is not
        finished vanishes.
        """
        self._stop_listening()
        self._opened.close()
        self._recording.abandon()

    def _problems(self) -> str:
        """What is wrong now; that nothing comes any more only if that is all."""
        found = self._health.problems()
        said = [f"{kind}: {text}" for kind, text in found if kind != "silent"]
        return "; ".join(said or [f"{kind}: {text}" for kind, text in found])

    def _stop_listening(self) -> None:
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None

    # --- work -----------------------------------------------------------------------------------

    def query(self, request: Query.Request) -> Future[Query.Response]:
        """Answer on the worker's thread."""
        return self._worker.ask(lambda: self._questions.query(request))

    def ask(self, request: Ask.Request) -> Future[Ask.Response]:
        """Answer on the worker's thread."""
        return self._worker.ask(lambda: self._asks.ask(request))

    def edit(self, request: Edit.Request) -> Future[Edit.Response]:
        """Edit on the worker's thread."""
        return self._worker.ask(lambda: self._edits.edit(request))

    def segment(self, request: Segment.Request) -> Future[Segment.Response]:
        """Answer on the worker's thread."""
        return self._worker.ask(lambda: self._questions.segment(request))

    def history(self, request: History.Request) -> Future[History.Response]:
        """Answer on the worker's thread."""
        return self._worker.ask(lambda: self._over_time.history(request))

    def follow_points(self, request: FollowPoints.Request) -> Future[FollowPoints.Response]:
        """Answer on the worker's thread."""
        return self._worker.ask(lambda: self._over_time.follow_points(request))

    def render(self, request: Render.Request) -> Future[Render.Response]:
        """Draw on the worker's thread."""
        return self._worker.ask(lambda: self._over_time.render(request))

    def set_prompts(self, request: SetPrompts.Request) -> Future[SetPrompts.Response]:
        """Change the prompts on the worker's thread, for the next frame."""
        return self._worker.ask(lambda: self._questions.set_prompts(request))

    def _on_set(self, messages: dict[str, Any]) -> None:
        job = self._processing.job(messages)
        if job is not None:
            self._worker.push(job)

    def _wake_executor(self) -> None:
        executor = self._node.executor
        if executor is not None:
            executor.wake()

    # --- state ----------------------------------------------------------------------------------

    @property
    def reports(self) -> bool:
        """True while there will be a report."""
        return self._recording.runs

    @property
    def next_track_id(self) -> int:
        """The lowest track id that was never given out."""
        return self._perception.next_track_id

    def check(self) -> None:
        """Look at the topics, for the diagnostics, and at who came late to them."""
        self._late.check()
        if self._inputs is not None:
            self._inputs.check()

    def details(self) -> dict[str, object]:
        """More values for the diagnostics."""
        return {
            "waiting": self._worker.waiting(),
            "gaussians": self._perception.gaussians,
            "map_bytes": self._perception.map_bytes,
            "prompts": len(self._perception.prompts),
            "prompts_not_understood": len(self._perception.not_understood),
            "extractor": self._perception.encoder,
            "features": str(self._ready),
            "render_backend": self._perception.backend,
            "device": str(self._perception.device),
            "pose_source": self._settings["pose_source"],
            **(self._odometry.details() if self._odometry is not None else {}),
        }
