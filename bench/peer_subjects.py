# SPDX-License-Identifier: Apache-2.0
"""What takes part in `bench/peers.py`: contestants are `Subject`s of `eval.protocol.evaluate`.

So ours and a peer are measured by the same code, against the same truth, at the same frames.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.over_time import Event, Prediction
from f4x_ros.core.data.percept import RenderedView
from f4x_ros.core.data.poses import Pose
from f4x_ros.core.data.track import Track
from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.subjects.report import Report
from f4x_ros.eval.subjects.subject import Answer, Observed

WARM_UP_FRAMES = 3
"""Frames at the start of a run whose times do not count: libraries wake up, maps are born."""

T = TypeVar("T")


@dataclass
class Seen:
    """What a contestant says about one frame (an `Observed`); None = it does not know."""

    stamp_ns: int
    T_map_camera: Pose
    prompts: tuple[str, ...] = ()
    labels: NDArray[np.uint16] | None = None
    moving: NDArray[np.float32] | None = None
    color: NDArray[np.uint8] | None = None
    tracks: tuple[Track, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class Stopwatch:
    """Wall and processor time of one kind of step."""

    def __init__(self) -> None:
        """Nothing timed yet."""
        self.wall_ms: list[float] = []
        self.cpu_ms: list[float] = []

    def __call__(self, step: Callable[[], T]) -> T:
        """Time one step."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = step()
        self.wall_ms.append((time.perf_counter() - wall) * 1e3)
        self.cpu_ms.append((time.process_time() - cpu) * 1e3)
        return result

    def numbers(self, skip: int = 0) -> dict[str, float | None]:
        """p50 and p95 of the wall time, median of the processor time, and steps a second.

        The first ``skip`` steps are left out. ``cores`` is processor time over wall time: how many
        cores the step kept busy (a busy machine makes it fall).
        """
        wall, cpu = self.wall_ms[skip:], self.cpu_ms[skip:]
        total = sum(wall)
        return {
            "p50_ms": percentile_or_none(wall, 50),
            "p95_ms": percentile_or_none(wall, 95),
            "cpu_p50_ms": percentile_or_none(cpu, 50),
            "hz": len(wall) / total * 1e3 if total else None,
            "cores": sum(cpu) / total if total else None,
        }


class Contestant(ABC):
    """A `Subject` that is timed; a peer says nothing about what it does not do.

    Attributes:
        encoder: name of the feature extractor, "none" without one.
        settings: what it was run with, for the report.
        frame_time: time of each frame.
        ask_time: time of each question about a view.
    """

    encoder = "none"
    finds_pose = False  # frames come with the pose of the camera

    def __init__(self) -> None:
        """Ready for the first frame."""
        self.settings: dict[str, Any] = {}
        self.frame_time = Stopwatch()
        self.ask_time = Stopwatch()

    @abstractmethod
    def step(self, frame: Frame) -> Observed:
        """Take in one frame; this is what is timed."""

    def understood(self, texts: Sequence[str]) -> list[str]:
        """No words by default."""
        return []

    def begin(self, prompts: Sequence[str]) -> None:  # noqa: B027 - most need no preparation
        """Nothing to prepare by default."""

    def process(self, frame: Frame) -> Observed:
        """One timed frame."""
        return self.frame_time(lambda: self.step(frame))

    def ask(self, text: str, stamp_ns: int = 0, view: Pose | None = None) -> Answer:
        """Never asked, since nothing is `understood`."""
        raise ValueError(f"asked {text!r}, but {type(self).__name__} understands no words")

    def render(
        self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int
    ) -> RenderedView | None:
        """No pictures by default."""
        return None

    def cloud(self) -> NDArray[np.float32] | None:
        """No points by default."""
        return None

    def predictions(self) -> tuple[Prediction, ...] | None:
        """None by default."""
        return None

    def events(self) -> tuple[Event, ...] | None:
        """None by default."""
        return None

    def follow(
        self, points: NDArray[np.float64], stamp_ns: int, stamps_ns: Sequence[int]
    ) -> NDArray[np.float64] | None:
        """None by default."""
        return None

    def counts(self) -> dict[str, int | float | None]:
        """Numbers of its own for the report, e.g. "map_bytes"."""
        return {}

    def finish(self) -> Report:
        """Its own numbers."""
        return dict(self.counts())

    def cost(self) -> dict[str, dict[str, float | None]]:
        """Times of frames and questions."""
        return {
            "frame": self.frame_time.numbers(skip=WARM_UP_FRAMES),
            "ask": self.ask_time.numbers(skip=1),
        }
