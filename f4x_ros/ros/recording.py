# SPDX-License-Identifier: Apache-2.0
"""The report a session leaves where `report.dir` asks for one; without it frames just pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rclpy.node import Node

from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame, Outputs, Percept
from f4x_ros.core.errors import NotReadyError
from f4x_ros.core.perception import Perception
from f4x_ros.io.cameras import of_camera
from f4x_ros.ros.channels import IMAGE, INFO, Channels
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
        self._received_before: dict[str, int] = {}
        self._frames_told = 0  # of those recorded, how many are known to be of earlier maps

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
        self._complaints.why.clear()
        self._received_before, self._frames_told = self._received(), 0
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
        """A new map begins; what the report measures is of that, and the frames before are told."""
        if self._recorder is not None:
            frames = self._recorder.frames - self._frames_told
            self._health.left_out("frames_of_earlier_maps", frames)
            self._frames_told += frames
            self._recorder.restart()

    def finish(self, problem: str = "") -> None:
        """Write the report; `problem` is what was wrong last, if there is nothing to report."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        if recorder.frames:
            self._write(recorder)
        else:
            self._write_empty(recorder, problem)

    def abandon(self) -> None:
        """Nothing half-written is left."""
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None

    def _write(self, recorder: RunRecorder, ended_early: str = "") -> None:
        left_out = self._health.left_out_of_report()
        try:
            report = recorder.finish(
                left_out,
                dropped=_lost(left_out, self._settings["cameras"]),
                frames_there=recorder.frames + _missing(left_out, self._settings["cameras"]),
                remarks=self._complaints.remarks,
                ended_early=ended_early,
            )
        except Exception as error:  # the disk; whatever: the node goes on
            self._complaints.no_report(error, _in_words(left_out))
        else:
            self._say(f"report of {report['frames']} frames written to {recorder.out_dir}")

    def _write_empty(self, recorder: RunRecorder, problem: str) -> None:
        """A report of no frames says why."""
        left_out = self._health.left_out_of_report()
        before = self._received_before
        came = ", ".join(f"{n - before[name]} {name}" for name, n in self._received().items())
        why = f"no frame was mapped; received: {came}"
        said = [text for reason in left_out.counts if (text := self._complaints.why.get(reason))]
        if left_out:
            why += f"; left out: {_in_words(left_out)}"
        if said or problem:
            why += f"; {said[0] if said else problem}"
        try:
            written = recorder.finish_empty(
                why,
                left_out,
                dropped=_lost(left_out, self._settings["cameras"]),
                frames_there=_missing(left_out, self._settings["cameras"]),
                remarks=self._complaints.remarks,
            )
        except OSError as error:
            self._complaints.no_report(error, why)
            return
        if written:
            self._complaints.empty_report(why)
            self._say(f"report: {why}; written to {recorder.out_dir}")
        else:
            why += f"; {recorder.out_dir} keeps what an earlier run left there"
            self._complaints.no_report(NotReadyError(why))

    def _received(self) -> dict[str, int]:
        """Messages so far by topic."""
        counts = self._health.counts()
        names = self._settings["cameras"] or ("",)
        cameras = [Channels(name, self._settings["stereo"]) for name in names]
        topics = [one.topic(role) for one in cameras for role in (IMAGE, INFO, one.partner)]
        return {name: counts.get(f"received.{name}", 0) for name in topics}

    def _say(self, text: str) -> None:
        # (after Ctrl-C the logger has lost its topic and complains)
        if self._node.context.ok():
            self._node.get_logger().info(text)
        else:
            print(text)


def _lost(left_out: LeftOut, cameras: Sequence[str]) -> int:
    """Frames of a stream that went on without waiting."""
    reasons = [of_camera(reason, name) for name in ("", *cameras) for reason in LOST_IN_STREAM]
    return sum(left_out[reason] for reason in reasons)


def _missing(left_out: LeftOut, cameras: Sequence[str]) -> int:
    """Frames that were there and not used."""
    none = {of_camera(reason, name) for name in ("", *cameras) for reason in NO_FRAMES}
    return sum(count for reason, count, _ in left_out if reason not in none)


def _in_words(left_out: LeftOut) -> str:
    return ", ".join(f"{count} {reason}" for reason, count, _ in left_out)
