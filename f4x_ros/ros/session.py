# SPDX-License-Identifier: Apache-2.0
"""Everything a configured node holds: the map, the worker that owns it, and its topics."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.task import Future

from f4x_ros.core.camera import PinholeCamera
from f4x_ros.core.frame import Frame, Outputs, Percept
from f4x_ros.core.pipeline import Perception
from f4x_ros.core.poses import Pose
from f4x_ros.msg import LabelMap
from f4x_ros.ros.conversions import header, label_map_msg, pose_from_msg, stamp_ns, track_msg
from f4x_ros.ros.diagnostics import FOR_EVER_S, Health
from f4x_ros.ros.frames import BadInputError, FrameBuilder, StampOrder
from f4x_ros.ros.images import image_msg
from f4x_ros.ros.inputs import Inputs
from f4x_ros.ros.outputs import OutputTopics
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.pointcloud import cloud_msg
from f4x_ros.ros.transforms import TransformBuffer, Transforms, TransformUnavailableError, listen
from f4x_ros.ros.worker import DropCause, NotReadyError, Worker
from f4x_ros.srv import Query, SetPrompts

if TYPE_CHECKING:
    from f4x_ros.eval.run_recorder import RunRecorder

_LOG_PERIOD_S = 5.0


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
        self._perception = Perception(
            settings.config, settings.prompts, first_track_id=first_track_id
        )
        if settings.thresholds:
            self._perception.set_prompts(settings.prompts, settings.thresholds)
        if self._perception.backend == "padded":
            text = "no compiled rasteriser: the slow torch one draws (build with a C++ compiler)"
            health.problem("backend", text, hold_s=FOR_EVER_S)
        else:
            health.solved("backend")
        warm_up(self._perception)
        self._builder = FrameBuilder(
            map_frame=settings["map_frame"],
            camera_frame=settings["camera_frame"],
            rectified=settings["image_rectified"],
        )
        self._order = StampOrder(settings["time_jump_s"])
        self._labels_since: int | None = None  # the first frame with the labels in force
        self._inputs: Inputs | None = None
        self._recorder: RunRecorder | None = None
        self._dropped_before = 0
        self._log_at: dict[str, float] = {}
        self._poses = TransformBuffer(jump_s=settings["time_jump_s"])
        with ExitStack() as opened:  # what was opened is closed if a later part fails
            self._outputs = OutputTopics(node, settings)
            opened.callback(self._outputs.close)
            self._transforms: Transforms = listen(
                node,
                on_new=lambda: self._worker.wake(),
                on_bad=partial(self._bad_input, "pose", "transforms_rejected"),
                jump_s=settings["time_jump_s"],
            )
            opened.callback(self._transforms.close)
            self._worker = Worker(
                queue_size=settings["queue_size"],
                wait_s=settings["transform_timeout_s"],
                on_drop=self._on_drop,
                on_error=self._on_error,
                wake_executor=self._wake_executor,
            )
            opened.callback(self._worker.stop)
            self._opened = opened.pop_all()
        self._publish_labels()

    # --- lifecycle ------------------------------------------------------------------------------

    def activate(self) -> None:
        """Listen to the camera."""
        if self._settings["report.dir"]:
            # Imported here: it draws pictures and videos, which nobody else needs.
            from f4x_ros.eval.run_recorder import RunRecorder

            self._dropped_before = self._dropped()
            self._recorder = RunRecorder(
                self._perception,
                self._settings["report.dir"],
                holdout_every=self._settings["report.holdout_every"],
                source=self._settings["report.source"] or self._node.get_fully_qualified_name(),
            )
        self._inputs = Inputs(self._node, self._settings, self._health, self._on_set, self._on_pose)

    def deactivate(self) -> None:
        """Stop listening. Frames that wait are dropped; for a report they are processed first."""
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None
        if self._recorder is not None:
            self._worker.call(self._finish_report)
        else:
            self._worker.drop_frames()

    def close(self) -> None:
        """End the thread and take every topic away. A report that is not finished vanishes."""
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None
        self._opened.close()
        self._abandon_report()

    @property
    def next_track_id(self) -> int:
        """The lowest track id that was never given out."""
        return self._perception.next_track_id

    def check(self) -> None:
        """Look at the topics, for the diagnostics."""
        if self._inputs is not None:
            self._inputs.check()

    def details(self) -> dict[str, object]:
        """More values for the diagnostics."""
        return {
            "waiting": self._worker.waiting(),
            "gaussians": self._perception.gaussians,
            "map_bytes": self._perception.map_bytes,
            "prompts": len(self._perception.prompts),
            "extractor": self._perception.encoder,
            "render_backend": self._perception.backend,
            "device": str(self._perception.device),
        }

    # --- frames ---------------------------------------------------------------------------------

    def _on_set(self, messages: dict[str, Any]) -> None:
        job = _Job(self._process, messages)
        image = messages["image"]
        # Look the pose up at once if it is there: a bag that starts again empties the buffer, and
        # the last frames before that still wait for the worker.
        with suppress(BadInputError, NotReadyError):
            job.pose = self._pose(self._builder.frame_id(image), stamp_ns(image.header.stamp))
        self._worker.push(job)

    def _on_pose(self, message: PoseStamped) -> None:
        """A pose of the camera in the map, of a topic."""
        map_frame = self._settings["map_frame"]
        if message.header.frame_id != map_frame:
            text = f"pose is in frame '{message.header.frame_id}', expected '{map_frame}'"
            self._bad_input("pose", "poses_rejected", text)
            return
        try:
            pose = pose_from_msg(message.pose)
        except ValueError as error:
            self._bad_input("pose", "poses_rejected", str(error))
            return
        self._poses.add(map_frame, _CAMERA, stamp_ns(message.header.stamp), pose)
        self._worker.wake()

    def _process(self, job: _Job) -> None:
        """One frame on the worker's thread, perhaps not for the first time (NotReadyError)."""
        image = job.messages["image"]
        ns = stamp_ns(image.header.stamp)
        if not job.ordered:
            job.ordered = True
            if not self._in_order(ns):
                return
        try:
            if job.pose is None:
                job.pose = self._pose(self._builder.frame_id(image), ns)
            frame = self._builder.build(
                image, job.messages["camera_info"], job.messages["depth/image"], job.pose
            )
        except BadInputError as error:
            self._bad_input(error.kind, f"dropped.bad_{error.kind}", str(error))
            return
        wanted = self._outputs.wanted(ns)
        percept = self._perceive(frame, wanted.outputs)
        if self._labels_since is None:
            self._labels_since = ns
            self._publish_labels()
        if self._node.context.ok():  # not after Ctrl-C
            self._outputs.publish(frame, percept, wanted)
        self._health.processed((time.monotonic() - job.since_s) * 1000)

    def _perceive(self, frame: Frame, outputs: Outputs) -> Percept:
        """What the map says; for a report everything is computed, as by `f4x run`."""
        if self._recorder is None:
            return self._perception.process(frame, outputs)
        try:
            return self._recorder.process(frame)
        except OSError as error:  # a full disk ends the report, not the map
            self._abandon_report()
            self._report_failed(error)
            raise

    def _pose(self, frame_id: str, ns: int) -> Pose:
        map_frame = self._settings["map_frame"]
        try:
            if self._settings["pose_source"] == "topic":
                return self._poses.lookup(map_frame, _CAMERA, ns)
            return self._transforms.lookup(map_frame, frame_id, ns)
        except TransformUnavailableError as error:
            raise NotReadyError(str(error)) from error

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
            self._bad_input("time", "dropped.late", f"{behind}: frame dropped")
            return False
        if self._settings["on_time_jump"] == "ignore_frames":
            self._bad_input("time", "dropped.late", f"{behind}: ignored until time has caught up")
            return False
        self._bad_input("time", "time_jumps", f"{behind}: a new map begins")
        self._order.restart(ns)
        self._perception.reset()
        self._labels_since = None
        if self._recorder is not None:
            self._recorder.restart()
        self._transforms.forget_future()
        self._outputs.clear_markers(ns)
        return True

    # --- services -------------------------------------------------------------------------------

    def query(self, request: Query.Request) -> Future[Query.Response]:
        """Answer on the worker's thread."""
        return self._worker.ask(lambda: self._answer(request))

    def set_prompts(self, request: SetPrompts.Request) -> Future[SetPrompts.Response]:
        """Change the prompts on the worker's thread, between two frames."""
        return self._worker.ask(lambda: self._change_prompts(request))

    def _answer(self, request: Query.Request) -> Query.Response:
        try:
            view = self._view(request.view)
            result = self._perception.query(
                request.prompt,
                threshold=request.threshold,
                stamp_ns=stamp_ns(request.stamp),
                view=view,
                want_cloud=request.want_cloud,
                max_results=request.max_results,
            )
        except (ValueError, TransformUnavailableError) as error:
            self._health.count("queries_refused")
            return Query.Response(success=False, message=str(error))
        self._health.count("queries")
        mask_frame = request.view.header.frame_id or result.frame_id
        in_map = header(result.stamp_ns, result.map_frame)
        cloud = cloud_msg(result.cloud if request.want_cloud else None, in_map)
        return Query.Response(
            success=True,
            message=result.message,
            present=result.present,
            score=float(result.score),
            threshold=float(result.threshold),
            encoder=result.encoder,
            mask=image_msg(result.mask, "32FC1", header(result.stamp_ns, mask_frame)),
            cloud=cloud,
            tracks=[track_msg(track) for track in result.tracks],
        )

    def _view(self, view: PoseStamped) -> Pose | None:
        """`T_map_camera` of the viewpoint asked for; None for the camera's own."""
        if not view.header.frame_id:
            return None
        T_frame_view = pose_from_msg(view.pose)
        map_frame, ns = self._settings["map_frame"], stamp_ns(view.header.stamp)
        if view.header.frame_id == map_frame:
            return T_frame_view
        return self._transforms.lookup(map_frame, view.header.frame_id, ns) @ T_frame_view

    def _change_prompts(self, request: SetPrompts.Request) -> SetPrompts.Response:
        try:
            self._perception.set_prompts(list(request.prompts), list(request.thresholds))
        except ValueError as error:
            self._bad_input("prompts", "prompts_refused", str(error))
            return SetPrompts.Response(success=False, message=str(error), labels=self._labels())
        self._health.solved("prompts")
        self._labels_since = None
        self._publish_labels()
        count = len(self._perception.prompts)
        message = f"{count} prompt{'' if count == 1 else 's'} from the next frame on"
        return SetPrompts.Response(success=True, message=message, labels=self._labels())

    def _labels(self) -> LabelMap:
        p = self._perception
        return label_map_msg(p.prompts, p.thresholds, p.encoder, self._labels_since or 0)

    def _publish_labels(self) -> None:
        self._outputs.publish_labels(self._labels())

    # --- what goes wrong ------------------------------------------------------------------------

    def _on_drop(self, cause: DropCause, reason: str) -> None:
        self._health.count(f"dropped.{_DROPS[cause]}")
        if cause == "queue_full":
            self._health.problem("overload", f"frames are dropped: {reason} (queue_size)")
        elif cause == "not_ready":
            self._bad_input("transform", "", reason)

    def _on_error(self, error: Exception) -> None:
        """A frame failed inside the map: the worker goes on with the next."""
        text = f"{type(error).__name__}: {error}"
        self._bad_input("processing", "dropped.failed", text)
        self._log("traceback", "".join(traceback.format_exception(error)))

    def _bad_input(self, kind: str, counter: str, text: str) -> None:
        if counter:
            self._health.count(counter)
        self._health.problem(kind, text)
        self._log(kind, text)

    def _log(self, kind: str, text: str) -> None:
        """Warn, but about each kind of problem only every few seconds."""
        now = time.monotonic()
        if now - self._log_at.get(kind, -_LOG_PERIOD_S) >= _LOG_PERIOD_S:
            self._log_at[kind] = now
            self._node.get_logger().warning(text)

    def _finish_report(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        try:
            report = recorder.finish(dropped=self._dropped() - self._dropped_before)
        except Exception as error:  # the disk; whatever: the node goes on
            self._report_failed(error)
        else:
            # (after Ctrl-C the logger has lost its topic and complains)
            say = self._node.get_logger().info if self._node.context.ok() else print
            say(f"report of {report['frames']} frames written to {recorder.out_dir}")

    def _abandon_report(self) -> None:
        """Nothing half-written is left."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None

    def _report_failed(self, error: Exception) -> None:
        self._health.count("reports_failed")
        self._health.problem("report", f"report.dir: {error}", hold_s=FOR_EVER_S)
        self._log("report", f"there is no report: {error}")

    def _dropped(self) -> int:
        """Frames that came and were not processed, whatever the reason."""
        counts = self._health.counts()
        return sum(n for name, n in counts.items() if name.startswith("dropped."))

    def _wake_executor(self) -> None:
        executor = self._node.executor
        if executor is not None:
            executor.wake()


class _Job:
    """A set of messages on its way through the worker."""

    def __init__(self, process: Callable[[_Job], None], messages: dict[str, Any]) -> None:
        self._process, self.messages = process, messages
        self.since_s = time.monotonic()
        self.ordered = False
        self.pose: Pose | None = None

    def __call__(self) -> None:
        self._process(self)


_CAMERA = "camera"  # the child of the poses that come from a topic
_DROPS: dict[DropCause, str] = {
    "queue_full": "queue_full",
    "not_ready": "no_transform",
    "stopped": "stopped",
}


def warm_up(perception: Perception) -> None:
    """Load what is loaded at first use, on a tiny frame, so that the first real one is not late."""
    side = 32
    frame = Frame(
        stamp_ns=1,
        rgb=np.full((side, side, 3), 128, np.uint8),
        camera=PinholeCamera(side, side, side, side, side / 2, side / 2),
        depth=np.ones((side, side), np.float32),
        T_map_camera=np.eye(4),
    )
    perception.process(frame)
    perception.reset()
