# SPDX-License-Identifier: Apache-2.0
"""The map with its models loaded and warm, so that the first frame and question are not late."""

from __future__ import annotations

import contextlib
import time
from typing import NamedTuple

import numpy as np

from f4x_ros.core.data import Frame, PinholeCamera
from f4x_ros.core.perception import Perception
from f4x_ros.ros.diagnostics import FOR_EVER_S, Health
from f4x_ros.ros.parameters import Settings
from f4x_ros.ros.questions import use_prompts

_WIDEST = 640  # pixels
_QUESTION = "red thing"  # every extractor with language understands it


class Ready(NamedTuple):
    """A map that can begin, and what it took.

    Attributes:
        perception: the map, empty.
        load_s: seconds until its models were loaded and its prompts understood.
        warm_up_s: seconds of a frame and a question that nobody sees.
    """

    perception: Perception
    load_s: float
    warm_up_s: float

    def __str__(self) -> str:
        """For the log and the diagnostics: "embedded, loaded in 0.4 s, warmed up in 0.3 s"."""
        features = self.perception.config.features.extractor
        return f"{features}, loaded in {self.load_s:.1f} s, warmed up in {self.warm_up_s:.1f} s"


def make_perception(settings: Settings, health: Health, first_track_id: int) -> Ready:
    """The map with its prompts and models, warm; a slow rasteriser is told to `health`.

    Raises:
        ValueError: the configuration, weights, a prompt or a threshold; says which.
    """
    begin = time.monotonic()
    perception = Perception(
        settings.config, first_track_id=first_track_id, cameras=settings["cameras"]
    )
    use_prompts(perception, settings.prompts, settings.thresholds)
    loaded = time.monotonic()
    if perception.backend == "padded":
        text = "no compiled rasteriser: the slow torch one draws (build with a C++ compiler)"
        health.problem("backend", text, hold_s=FOR_EVER_S)
    else:
        health.solved("backend")
    warm_up(perception)
    return Ready(perception, loaded - begin, time.monotonic() - loaded)


def warm_up(perception: Perception) -> None:
    """Let it do all it does at first use, with a frame of the size it maps at, then forget it."""
    width = min(perception.config.mapping.resolution, _WIDEST)  # enough to load all there is
    height = width * 3 // 4
    frame = Frame(
        stamp_ns=1,
        rgb=np.full((height, width, 3), 128, np.uint8),
        camera=PinholeCamera(width, height, width, width, width / 2, height / 2),
        depth=np.ones((height, width), np.float32),
        T_map_camera=np.eye(4),
    )
    perception.process(frame)
    with contextlib.suppress(ValueError):  # an extractor without language
        perception.query(_QUESTION)
    perception.reset()
