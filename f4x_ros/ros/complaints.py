# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a session: counted, held for the diagnostics, and logged now and then."""

from __future__ import annotations

import time
import traceback

from rclpy.node import Node

from f4x_ros.core.errors import F4xError
from f4x_ros.io.cameras import of_camera
from f4x_ros.ros.diagnostics import FOR_EVER_S, CameraHealth, Health
from f4x_ros.ros.frame_queue import Drop, DropCause, FrameJob

_LOG_PERIOD_S = 5.0
_MAX_KINDS = 1000
# How frames that go are counted. What readers of recordings leave out too is called as they do.
_DROPS: dict[DropCause, str] = {
    "superseded": "superseded",
    "queue_full": "queue_full",
    "not_ready": "images_without_pose",
    "stopped": "stopped",
}


def is_expected(error: Exception) -> bool:
    """True for what somebody outside can put right; whatever else is raised is a defect."""
    return isinstance(error, (F4xError, OSError))


def text_of(error: Exception) -> str:
    """What to say to people: a defect is called one."""
    return str(error) if is_expected(error) else f"internal error: {type(error).__name__}: {error}"


def traceback_of(error: Exception) -> str:
    """What to say to those who can put a defect right."""
    return "".join(traceback.format_exception(error))


class Complaints:
    """Tells `health` and the node's log. Any thread may call it.

    Attributes:
        remarks: how the topics are read, in sentences.
        why: by reason for which something was left out, what was said of the first.
    """

    def __init__(self, node: Node, health: Health) -> None:
        self._node = node
        self._health: Health | CameraHealth = health
        self._of_all = health
        self._camera = ""
        self._log_at: dict[str, float] = {}
        self.remarks: list[str] = []
        self.why: dict[str, str] = {}

    def of(self, camera: str) -> Complaints:
        """What is told there is of one of several cameras; "" = itself."""
        if not camera:
            return self
        made = Complaints(self._node, self._of_all)
        made._camera, made._health = camera, self._of_all.of(camera)
        made._log_at, made.remarks, made.why = self._log_at, self.remarks, self.why
        return made

    def bad_input(self, kind: str, counter: str, text: str) -> None:
        """Something is not as expected; `kind` is one of `diagnostics.KINDS`, '' counts nothing."""
        if counter:
            self._health.count(counter)
        self._health.problem(kind, text)
        self._log(kind, text)

    def bad_frame(self, kind: str, reason: str, stamp_ns: int, text: str) -> None:
        """A frame cannot be used; `reason` is counted among what is left out."""
        self.left_out(reason, stamp_ns, text)
        self.bad_input(kind, "", text)

    def bad_transform(self, frame: str, stamp_ns: int, text: str) -> None:
        """A transform is none. It may be that of a frame that nobody needs."""
        self._health.left_out("transforms_unusable", stamp_ns=stamp_ns)
        self._health.problem("tf", text)
        self._log(f"tf of {frame}", text)

    def bad_pose(self, reason: str, stamp_ns: int, text: str) -> None:
        """A pose of the camera's topic cannot be used."""
        self.bad_frame("pose", reason, stamp_ns, text)

    def left_out(self, reason: str, stamp_ns: int, text: str) -> None:
        """A frame cannot be used, and what is wrong is told otherwise."""
        self._health.left_out(reason, stamp_ns=stamp_ns)
        self.why.setdefault(of_camera(reason, self._camera), text)

    def lost_camera(self, text: str) -> None:
        """Nobody knows where the camera is; until somebody says that it was found."""
        self._health.problem("lost", text, hold_s=FOR_EVER_S)
        self._log("lost", text)

    def bad_calibration(self, stamp_ns: int, text: str) -> None:
        """A calibration is none; the one before it stays in force, if there is one."""
        self.bad_frame("camera_info", "calibrations_unusable", stamp_ns, text)

    def several_parents(self, frame: str, text: str) -> None:
        """Two programs say where a frame is."""
        self._health.problem("parents", text, hold_s=FOR_EVER_S)
        if text not in self.remarks:
            self.remarks.append(text)
        self._log(f"parents of {frame}", text)

    def remark(self, text: str) -> None:
        """What people should know of how the topics are read; for the report, too."""
        said = f"camera {self._camera}: {text}" if self._camera else text
        self.remarks.append(said)
        self._node.get_logger().info(said)

    def dropped(self, cause: DropCause, reason: str, stamp_ns: int) -> None:
        """A frame was dropped."""
        self.left_out(_DROPS[cause], stamp_ns, reason)
        if cause == "queue_full":
            self._health.problem("overload", f"frames are dropped: {reason} (queue_size)")
        elif cause == "not_ready":
            self.bad_input("transform", "", reason)

    def worker_dropped(self, drop: Drop) -> None:
        """The worker dropped a frame."""
        self.of(drop.camera_name).dropped(drop.cause, drop.reason, drop.ns)

    def worker_failed(self, error: Exception, job: FrameJob) -> None:
        """A frame failed inside the map: the worker goes on with the next."""
        self.of(job.camera_name).failed(error, job.ns)

    def failed(self, error: Exception, stamp_ns: int) -> None:
        """A frame failed inside the map."""
        self.bad_frame("processing", "failed", stamp_ns, text_of(error))
        if not is_expected(error):
            self._log("traceback", traceback_of(error))

    def no_report(self, error: Exception, left_out: str = "") -> None:
        """The report could not be written; `left_out` says what was not mapped."""
        text = f"{error} (left out: {left_out})" if left_out else str(error)
        self._health.count("reports_failed")
        self._health.problem("report", f"report.dir: {text}", hold_s=FOR_EVER_S)
        self._log("report", f"there is no report: {text}")

    def empty_report(self, text: str) -> None:
        """The report tells of no frame."""
        self._health.problem("report", f"report.dir: {text}", hold_s=FOR_EVER_S)

    def _log(self, kind: str, text: str) -> None:
        """Warn, but about each kind of problem only every few seconds."""
        kind, text = (
            (f"{self._camera} {kind}", f"camera {self._camera}: {text}")
            if self._camera
            else (kind, text)
        )
        now = time.monotonic()
        if len(self._log_at) > _MAX_KINDS:  # frames whose names change all the time
            self._log_at.clear()
        if now - self._log_at.get(kind, -_LOG_PERIOD_S) >= _LOG_PERIOD_S:
            self._log_at[kind] = now
            self._node.get_logger().warning(text)
