# SPDX-License-Identifier: Apache-2.0
"""Handing the frames of a source on, one by one: one that cannot be used costs itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError, BadSampleError, F4xError
from f4x_ros.io.cameras import of_camera

_STILL_THERE = "frames_without_"  # sources count these, too, and have them all the same


class Frames(Protocol):
    """What is read of a source; `io.Source` and `cli.sources.Part` are some.

    Properties:
        name: of the source.
        left_out: what it did not make a frame of.
        frames_there: frames, and what could have been some.
    """

    @property
    def name(self) -> str: ...
    @property
    def left_out(self) -> LeftOut: ...
    @property
    def frames_there(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Frame: ...


class Feed:
    """The frames of a source on their way, and the count of those that got lost.

    Attributes:
        used: frames that were taken.
        lost: frames that were not, by reason, with the stamp of the first.
        why: by reason, what the first error said.
    """

    def __init__(
        self, source: Frames, *, needs_pose: bool = True, needs_depth: bool = True
    ) -> None:
        """Hand on the frames of a source; those without pose or depth if they need none."""
        self._needs_pose, self._needs_depth = needs_pose, needs_depth
        self.used = 0
        self.lost = LeftOut()
        self.why: dict[str, str] = {}
        self._source = source
        self._last_ns: dict[str, int] = {}  # by camera

    @property
    def left_out(self) -> LeftOut:
        """What the source left out and what got lost here; every frame once."""
        total = LeftOut()
        for reason, count, first_ns in self._source.left_out:
            if not reason.startswith(_STILL_THERE):
                total.add(reason, count, first_ns)
        total.extend(self.lost)
        return total

    def run(
        self, process: Callable[[Frame], object], done: Callable[[int], None] = lambda count: None
    ) -> None:
        """Give every frame to `process`; after each, used or not, say how many are done.

        A frame is lost if reading or processing it raises an F4xError, or reading it an OSError.

        Raises:
            BadInputError: not one of them could be used; says what was wrong with the first.
            Exception: anything else that `process` raises; frames that were not reached are in
                `lost`.
        """
        index = 0
        try:
            for index in range(len(self._source)):
                self._one(index, process)
                done(index + 1)
        except BaseException:
            self.lost.add("frames_not_reached", len(self._source) - index)
            raise
        if not self.used:
            raise BadInputError(self._nothing_used())

    def _one(self, index: int, process: Callable[[Frame], object]) -> None:
        try:
            frame = self._source[index]
        except (F4xError, OSError) as error:
            self._lose(error, "frames_unreadable", self._stamp_ns(index), self._camera(index))
            return
        try:
            self._check(frame)
            process(frame)
        except F4xError as error:
            self._lose(error, "frames_refused", frame.stamp_ns, frame.camera_name)
            return
        self._last_ns[frame.camera_name] = frame.stamp_ns
        self.used += 1

    def _check(self, frame: Frame) -> None:
        """What a map needs of every frame."""
        if self._needs_depth and frame.depth is None:
            raise BadSampleError(
                "frames_without_depth",
                "the frame has no depth, expected RGB-D, or the option depth.source=motion, with "
                "which f4x run and f4x eval measure it",
            )
        if self._needs_pose and frame.T_map_camera is None:
            raise BadSampleError(
                "frames_without_pose",
                "the frame has no pose, expected one, or the option pose.source=odometry, with "
                "which f4x run and f4x eval estimate it",
            )
        last_ns = self._last_ns.get(frame.camera_name, -1)
        if frame.stamp_ns <= last_ns:
            raise BadSampleError(
                "frames_out_of_order",
                f"the frame's stamp is {frame.stamp_ns} ns, expected more than {last_ns} of the "
                "frame before it",
            )

    def _lose(
        self, error: Exception, otherwise: str, stamp_ns: int | None, camera_name: str
    ) -> None:
        reason = error.reason if isinstance(error, BadSampleError) else otherwise
        reason = of_camera(reason, camera_name)
        self.lost.add(reason, 1, stamp_ns)
        self.why.setdefault(reason, str(error))

    def _stamp_ns(self, index: int) -> int | None:
        """Stamp of a frame that could not be read, if the source knows it beforehand."""
        stamps = getattr(self._source, "stamps_ns", None)
        return None if stamps is None else int(stamps[index])

    def _camera(self, index: int) -> str:
        """Whose frame it is that could not be read; "" = that of the only camera."""
        camera_of = getattr(self._source, "camera_of", None)
        return str(camera_of(index)) if camera_of is not None else ""

    def _nothing_used(self) -> str:
        from f4x_ros.eval.subjects.report import in_words

        parts = ", ".join(in_words(reason, count) for reason, count, _ in self.left_out)
        first = next(iter(self.why.values()), "")
        because = f" (the first: {first})" if first else ""
        return f"{self._source.name}: no frame could be used, left out: {parts}{because}"
