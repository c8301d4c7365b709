# SPDX-License-Identifier: Apache-2.0
"""The report a session leaves where `report.dir` asks for one; without it frames just pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rclpy.node import Node

from f4x_ros.core.data import Frame, Outputs, Percept
from f4x_ros.core.perception import Perception
from f4x_ros.ros.complaints import Complaints
from f4x_ros.ros.counters import LOST_IN_STREAM, NO_FRAMES
from f4x_ros.ros.diagnostics import Health
from f4x_ros.ros.parameters import Settings

if TYPE_CHECKING:
    from f4x_ros.eval.subjects.run_recorder import RunRecorder


class Recording:
    """Stands between the frames and the map. `start` comes before frames; the rest is the worker's.

    Args:
        node: names the report and logs where it is.
        settings: the parameters `report.*`.
        health: counts the dropped frames.
        complaints: is told when there is no report.
        perception: the map.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        health: Health,
        complaints: Complaints,
        perception: Perception,
    ) -> None:
        self._node, self._settings, self._health = node, settings, health
        self._complaints, self._perception = complaints, perception
        self._recorder: RunRecorder | None = None

    @property
    def runs(self) -> bool:
        """True while there will be a report."""
        return self._recorder is not None

    def start(self) -> None:
        """Begin a report, if one is asked for; raises OSError or ValueError of `report.dir`."""
        if not self._settings["report.dir"]:
            return
        # Imported here: it draws pictures and videos, which nobody else needs.
        from f4x_ros.eval.subjects.run_recorder import RunRecorder

        self._health.begin_report()
        self._recorder = RunRecorder(
            self._perception,
            self._settings["report.dir"],
            holdout_every=self._settings["report.holdout_every"],
            source=self._settings["report.source"] or self._node.get_fully_qualified_name(),
        )

    def process(self, frame: Frame, outputs: Outputs, between: Callable[[], None]) -> Percept:
        """What the map says; for a report everything is computed, as by `f4x run`.

        `between` is called between two steps.
        """
        if self._recorder is None:
            return self._perception.process(frame, outputs, between=between)
        try:
            return self._recorder.process(frame, between=between)
        except OSError as error:  # a full disk ends the report, not the map
            recorder, self._recorder = self._recorder, None
            self._complaints.no_report(error)
            if recorder.frames:  # what was mapped until now is kept, if the disk takes it
                self._write(recorder, ended_early=str(error))
            else:
                recorder.close()
            raise

    def restart(self) -> None:
        """A new map begins, and the report with it."""
        if self._recorder is not None:
            self._recorder.restart()

    def finish(self) -> None:
        """Write the report."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        self._write(recorder)

    def abandon(self) -> None:
        """Nothing half-written is left."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None

    def _write(self, recorder: RunRecorder, ended_early: str = "") -> None:
        left_out = self._health.left_out_of_report()
        lost = sum(left_out[reason] for reason in LOST_IN_STREAM)
        missing = sum(count for reason, count, _ in left_out if reason not in NO_FRAMES)
        try:
            report = recorder.finish(
                left_out,
                dropped=lost,
                frames_there=recorder.frames + missing,
                remarks=self._complaints.remarks,
                ended_early=ended_early,
            )
        except Exception as error:  # the disk; whatever: the node goes on
            what = ", ".join(f"{count} {reason}" for reason, count, _ in left_out)
            self._complaints.no_report(error, what)
        else:
            # (after Ctrl-C the logger has lost its topic and complains)
            say = self._node.get_logger().info if self._node.context.ok() else print
            say(f"report of {report['frames']} frames written to {recorder.out_dir}")
