# SPDX-License-Identifier: Apache-2.0
"""Our own pipeline as a contestant: `Perception`, fed as `f4x eval` feeds it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from peer_subjects import WARM_UP_FRAMES, Contestant

from f4x_ros.core.config import Config
from f4x_ros.core.data.answer import Presence
from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.percept import Percept, RenderedView
from f4x_ros.core.data.poses import Pose
from f4x_ros.core.perception import Perception
from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.subjects.subject import Answer, is_held_out, understood_by


class Ours(Contestant):
    """Takes the pose of each frame as given: it maps, it does not localise."""

    def __init__(self, config: Config) -> None:
        """Make an empty map."""
        super().__init__()
        self._perception = Perception(config)
        self.encoder = self._perception.encoder
        self.settings = {"backend": self._perception.backend, "encoder": self.encoder}
        self._frames = 0
        self._last: Percept | None = None
        self._stages_ms: dict[str, list[float]] = {}

    def understood(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that can be prompts."""
        return understood_by(self._perception, texts)

    def begin(self, prompts: Sequence[str]) -> None:
        """Set the standing prompts."""
        self._perception.set_prompts(prompts)

    def step(self, frame: Frame) -> Percept:
        """Map and describe a frame; every 8th one is only described, as in `f4x eval`."""
        percept = self._perception.process(frame, hold_out=is_held_out(self._frames))
        self._frames += 1
        self._last = percept
        for stage, ms in percept.timings_ms.items():
            self._stages_ms.setdefault(stage, []).append(ms)
        return percept

    def ask(self, text: str, stamp_ns: int = 0, view: Pose | None = None) -> Answer:
        """One question to the map; timed if it is about a view."""

        def answer() -> Answer:
            found = self._perception.query(text, stamp_ns=stamp_ns, view=view, want_cloud=False)
            unsure = found.presence is Presence.UNSURE
            return Answer(found.present, found.score, found.mask >= found.threshold, unsure)

        return answer() if view is None else self.ask_time(answer)

    def render(self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int) -> RenderedView:
        """The map from a pose."""
        return self._perception.render(camera, T_map_camera, stamp_ns)

    def cloud(self) -> NDArray[np.float32] | None:
        """Points of the map after the last frame."""
        return None if self._last is None else self._perception.cloud().xyz

    def cost(self) -> dict[str, dict[str, float | None]]:
        """Times of frames, questions and of the masks of all standing prompts."""
        stages = [self._stages_ms.get(stage, []) for stage in ("query", "render")]
        masks = [sum(times) for times in zip(*stages, strict=True)][WARM_UP_FRAMES:]
        percent = {f"p{p}_ms": percentile_or_none(masks, p) for p in (50, 95)}
        return {**super().cost(), "masks": percent}

    def counts(self) -> dict[str, int | float | None]:
        """Size of the map and medians of the stages."""
        medians = {
            f"stage_{stage}_p50_ms": percentile_or_none(times[WARM_UP_FRAMES:], 50)
            for stage, times in self._stages_ms.items()
        }
        perception = self._perception
        return {
            "map_bytes": perception.map_bytes,
            "gaussians": perception.gaussians,
            "cloud_points": None if (cloud := self.cloud()) is None else len(cloud),
            **medians,
        }
