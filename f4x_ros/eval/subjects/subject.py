# SPDX-License-Identifier: Apache-2.0
"""What is evaluated: anything that takes frames, describes them and answers questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import (
    Event,
    Frame,
    PinholeCamera,
    Pose,
    Prediction,
    Presence,
    RenderedView,
    Track,
)
from f4x_ros.core.perception import Perception
from f4x_ros.eval.metrics.clicks import Click, as_arguments
from f4x_ros.eval.subjects.report import Report
from f4x_ros.eval.subjects.run_recorder import RunRecorder
from f4x_ros.io.source import Source

HOLDOUT_EVERY = 8
"""Frame 7, 15, 23, ... of a run is not mapped: it measures the map."""


def is_held_out(index: int) -> bool:
    """Whether a frame is described but not mapped."""
    return index % HOLDOUT_EVERY == HOLDOUT_EVERY - 1


class Answer(NamedTuple):
    """The answer to one question."""

    present: bool
    score: float  # 0..1
    mask: NDArray[np.bool_]  # [H, W] pixels that the question selects
    unsure: bool = False  # neither present nor not present


class Observed(Protocol):
    """What came back for one frame; `core.data.frame.Percept` is one.

    Properties:
        stamp_ns: stamp of the frame.
        T_map_camera: ``[4, 4]`` pose of the optical frame that was used; None = not known.
        prompts: standing prompts.
        labels: ``[H, W]`` uint16, 0 background, q + 1 prompt q, 65535 unlabelled; None = not known.
        moving: ``[H, W]`` probability that a pixel shows what moves; None = not known.
        color: ``[H, W, 3]`` uint8, the map seen from the camera; None = not known.
        tracks: objects of the standing prompts.
        timings_ms: wall time of each stage and "total".
        counts: numbers of the map, "map_bytes" among them.
    """

    @property
    def stamp_ns(self) -> int: ...
    @property
    def T_map_camera(self) -> Pose | None: ...
    @property
    def prompts(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> NDArray[np.uint16] | None: ...
    @property
    def moving(self) -> NDArray[np.float32] | None: ...
    @property
    def color(self) -> NDArray[np.uint8] | None: ...
    @property
    def tracks(self) -> tuple[Track, ...]: ...
    @property
    def timings_ms(self) -> dict[str, float]: ...
    @property
    def counts(self) -> dict[str, int]: ...


class Subject(Protocol):
    """A system under test: the library itself, or the node on the other side of ROS.

    Attributes:
        encoder: name of the feature extractor.
        finds_pose: it estimates where the camera is, and is told the first pose alone.
        finds_depth: it measures how deep frames are; with `finds_pose` it is told poses until it
            has begun, which say how large everything is.
    """

    encoder: str
    finds_pose: bool
    finds_depth: bool

    def understood(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that the encoder accepts as a prompt, in their order."""

    def begin(self, prompts: Sequence[str]) -> None:
        """Set the standing prompts, before the first frame."""

    def process(self, frame: Frame) -> Observed:
        """Take in the next frame; every ``HOLDOUT_EVERY``-th one is only described, not mapped."""

    def ask(self, text: str, stamp_ns: int = 0, view: Pose | None = None) -> Answer:
        """One question in words, at a stamp (0 = now) from ``view`` (None = the camera's own)."""

    def render(
        self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int
    ) -> RenderedView | None:
        """The map seen from a pose at a stamp; None where the subject cannot be asked for it."""

    def cloud(self) -> NDArray[np.float32] | None:
        """Points ``[N, 3]`` of the map now, map frame; None where there is none."""

    def predictions(self) -> tuple[Prediction, ...] | None:
        """Where the tracks of the last frame are going to be, `AHEAD_S` after it; None: unknown."""

    def events(self) -> tuple[Event, ...] | None:
        """What moved, appeared and left in the run, after its last frame; None: unknown."""

    def follow(
        self, points: NDArray[np.float64], stamp_ns: int, stamps_ns: Sequence[int]
    ) -> NDArray[np.float64] | None:
        """Where points ``[N, 3]``, on a surface at a stamp, are at others, ``[T, N, 3]``.

        None if it cannot say.
        """

    def finish(self) -> Report:
        """End the run and leave its files."""


def understood_by(perception: Perception, texts: Sequence[str]) -> list[str]:
    """Those of the texts that its encoder accepts as a prompt; leaves other prompts standing."""

    def accepts(text: str) -> bool:
        try:
            perception.set_prompts([text])
        except ValueError:
            return False
        return True

    def accepts_all() -> bool:
        try:
            perception.set_prompts(tuple(dict.fromkeys(texts)))
        except ValueError:
            return False
        return True

    if accepts_all():  # the usual case, in one go
        return list(texts)
    return [text for text in texts if accepts(text)]


class LibrarySubject:
    """`Perception`, the same door that the node uses, recorded by a `RunRecorder`.

    Use it in a `with` statement, so that a run that fails leaves nothing half-written.

    Args:
        perception: without prompts and frames.
        out_dir: where the recorder leaves its files.
        source: name for the report.
        recording: where the frames come from; the report says how it was read, and what of it was
            left out when the run ended.
    """

    def __init__(
        self,
        perception: Perception,
        out_dir: Path,
        *,
        source: str,
        recording: Source | None = None,
    ) -> None:
        self._perception, self._recording = perception, recording
        self._frames_there = None if recording is None else recording.frames_there
        self._options: dict[str, Any] = {"holdout_every": HOLDOUT_EVERY, "source": source}
        self._out_dir = out_dir
        self._recorder: RunRecorder | None = None
        self.encoder = perception.encoder
        self.finds_pose = not perception.needs_pose
        self.finds_depth = not perception.needs_depth

    def understood(self, texts: Sequence[str]) -> list[str]:
        return understood_by(self._perception, texts)

    def begin(self, prompts: Sequence[str]) -> None:
        self._perception.set_prompts(prompts)
        self._recorder = RunRecorder(self._perception, self._out_dir, **self._options)

    def process(self, frame: Frame) -> Observed:
        assert self._recorder is not None
        return self._recorder.process(frame)

    def ask(self, text: str, stamp_ns: int = 0, view: Pose | None = None) -> Answer:
        found = self._perception.query(
            text, stamp_ns=self._known(stamp_ns), view=view, want_cloud=False
        )
        unsure = found.presence is Presence.UNSURE
        return Answer(found.present, found.score, found.mask >= found.threshold, unsure)

    def segment(
        self, clicks: Sequence[Click], stamp_ns: int = 0, view: Pose | None = None
    ) -> NDArray[np.bool_]:
        given = as_arguments(clicks)
        found = self._perception.segment(
            **given, stamp_ns=self._known(stamp_ns), view=view, want_cloud=False
        )
        return np.asarray(found.mask >= found.threshold)

    def render(self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int) -> RenderedView:
        return self._perception.render(camera, T_map_camera, self._known(stamp_ns))

    def _known(self, stamp_ns: int) -> int:
        """A moment before the map began, as frames may be without depth at first, is its first."""
        return max(stamp_ns, self._perception.span_ns[0]) if stamp_ns else 0

    def cloud(self) -> NDArray[np.float32] | None:
        return self._perception.cloud().xyz

    def predictions(self) -> tuple[Prediction, ...]:
        return self._perception.predictions()

    def events(self) -> tuple[Event, ...]:
        return self._perception.history(want_states=False).events

    def follow(
        self, points: NDArray[np.float64], stamp_ns: int, stamps_ns: Sequence[int]
    ) -> NDArray[np.float64]:
        found = self._perception.follow_points(
            points=points, stamp_ns=stamp_ns, stamps_ns=stamps_ns, want_visible=False
        )
        return found.positions

    def finish(self) -> Report:
        assert self._recorder is not None
        if self._recording is None:
            return self._recorder.finish()
        return self._recorder.finish(
            self._recording.left_out,
            frames_there=self._frames_there,
            remarks=self._recording.remarks,
        )

    def __enter__(self) -> LibrarySubject:
        return self

    def __exit__(self, *error: object) -> None:
        """Remove what is not finished."""
        if self._recorder is not None:
            self._recorder.close()
