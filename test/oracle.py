# SPDX-License-Identifier: Apache-2.0
"""A subject of evaluation that knows the truth, and may be made to err in one way at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from f4x_ros.core.data.percept import RenderedView
from f4x_ros.core.data.track import Track, TrackState
from f4x_ros.eval.metrics.clicks import Click
from f4x_ros.eval.subjects.subject import Answer
from f4x_ros.sim import World, WorldTruth


class Oracle:
    """Answers with the truth of `world`, wrong in what `errs` names.

    "shift": masks lie 6 pixels to the right; "swap": tracks change their ids half-way; "late":
    tracks begin half-way; "alarm": every track is called moving; "drift": the camera's path is 10 %
    too long; "boast": everything is present; "blur": pictures are blurred; "near": depth is 10 %
    too small; "deaf": understands no word but colours; "still": nothing moves; "forget": masks of
    what is past lie 6 pixels to the right.
    """

    encoder = "oracle"
    finds_pose = False

    def __init__(self, world: World, errs: str = "") -> None:
        self.world, self.errs = world, errs
        self.prompts: tuple[str, ...] = ()
        self._index = -1
        self._views: dict[tuple[int, bytes], Any] = {}
        self._texts = {
            phrase.text: phrase.instances for phrase in (*world.paraphrases, *world.phrases)
        }

    def understood(self, texts: Sequence[str]) -> list[str]:
        return [text for text in texts if self.errs != "deaf" or text.endswith("thing")]

    def begin(self, prompts: Sequence[str]) -> None:
        self.prompts = tuple(prompts)

    def process(self, frame: Any) -> Any:
        self._index += 1
        truth = self.world.truth(self._index)
        pose = truth.T_map_camera.copy()
        if self.errs == "drift":
            pose[:3, 3] += 0.1 * (pose[:3, 3] - self.world.camera_pose(0)[:3, 3])
        labels = np.zeros(truth.instances.shape, np.uint16)
        for q, text in enumerate(self.prompts):
            labels[self._mask(truth, text)] = q + 1
        moving = truth.moving_mask.astype(np.float32)
        return SimpleNamespace(
            stamp_ns=truth.stamp_ns,
            T_map_camera=pose,
            prompts=self.prompts,
            labels=labels,
            moving=moving * 0 if self.errs == "still" else moving,
            color=self._picture(frame.rgb),
            tracks=self._tracks(truth),
            timings_ms={"total": 10.0},
            counts={"map_bytes": 1000 * self._index},
        )

    def ask(self, text: str, stamp_ns: int = 0, view: Any = None) -> Answer:
        index = int(np.searchsorted(self.world.stamps_ns, stamp_ns or self.world.stamps_ns[-1]))
        pose = self.world.camera_pose(index) if view is None else view
        truth = self._seen(index, pose)[1]
        there = text in self._texts
        mask = self._mask(truth, text) if there else np.zeros(truth.instances.shape, bool)
        if self.errs == "forget" and index < self._index:
            mask = np.roll(mask, 6, 1)
        boasts = self.errs == "boast"
        return Answer(there or boasts, 1.0 if there or boasts else 0.0, mask)

    def segment(
        self, clicks: Sequence[Click], stamp_ns: int = 0, view: Any = None
    ) -> NDArray[np.bool_]:
        """The thing under the first click."""
        index = int(np.searchsorted(self.world.stamps_ns, stamp_ns or self.world.stamps_ns[-1]))
        truth = self._seen(index, self.world.camera_pose(index) if view is None else view)[1]
        number = int(truth.instances[int(clicks[0].y), int(clicks[0].x)])
        mask: NDArray[np.bool_] = truth.mask({number})
        return np.roll(mask, 6, 1) if self.errs == "shift" else mask

    def render(self, camera: Any, T_map_camera: Any, stamp_ns: int) -> RenderedView:
        index = int(np.searchsorted(self.world.stamps_ns, stamp_ns))
        rgb, truth = self._seen(index, T_map_camera)
        depth = truth.depth * np.float32(0.9 if self.errs == "near" else 1.0)
        return RenderedView(self._picture(rgb), depth, np.ones_like(depth))

    def cloud(self) -> Any:
        parts = []
        for index in range(len(self.world)):
            truth = self.world.truth(index)
            local = self.world.camera.unproject(truth.depth).reshape(-1, 3)
            parts.append(local @ truth.T_map_camera[:3, :3].T + truth.T_map_camera[:3, 3])
        return np.concatenate(parts).astype(np.float32)

    def predictions(self) -> None:
        """None: the world ends before there is a later."""

    def events(self) -> None:
        """None: what moves in it never rests."""

    def follow(
        self, points: NDArray[np.float64], stamp_ns: int, stamps_ns: Sequence[int]
    ) -> NDArray[np.float64]:
        index, *later = (
            int(np.searchsorted(self.world.stamps_ns, n)) for n in (stamp_ns, *stamps_ns)
        )
        truth = self.world.truth(index)
        local = (points - truth.T_map_camera[:3, 3]) @ truth.T_map_camera[:3, :3]
        columns, rows = np.floor(self.world.camera.project(local)).astype(int).T
        ids = truth.instances[rows, columns]
        if self.errs == "still":
            return np.stack([points] * len(later))
        return np.stack([self.world.carried(points, ids, index, one) for one in later])

    def finish(self) -> dict[str, Any]:
        return {"fps": 5.0, "map_bytes": 1000, "peak_rss_bytes": 10**8}

    def _seen(self, index: int, pose: Any) -> tuple[Any, WorldTruth]:
        key = (index, pose.tobytes())
        if key not in self._views:
            own = np.array_equal(pose, self.world.camera_pose(index))
            rgb = self.world.drawing(index).rgb
            truth = self.world.truth(index) if own else None
            self._views[key] = (rgb, truth) if truth else self.world.view(index, pose)
        return self._views[key]

    def _mask(self, truth: WorldTruth, text: str) -> Any:
        mask = truth.mask(self._texts[text])
        return np.roll(mask, 6, 1) if self.errs == "shift" else mask

    def _picture(self, rgb: Any) -> Any:
        return cv2.GaussianBlur(rgb, (0, 0), 1.5) if self.errs == "blur" else rgb

    def _tracks(self, truth: WorldTruth) -> tuple[Track, ...]:
        half = self._index >= len(self.world) // 2
        if self.errs == "late" and not half:
            return ()
        shift = 100 if self.errs == "swap" and half else 0
        return tuple(
            self._track(truth, number, number + shift)
            for number, label in self.world.labels.items()
            if number in truth.T_map_center and truth.visibility[number] > 0 and label.id > 3
        )

    def _track(self, truth: WorldTruth, number: int, as_id: int) -> Track:
        pose, label = truth.T_map_center[number], self.world.labels[number]
        return Track(
            id=as_id,
            label=label.name,
            score=1.0,
            state=TrackState.CONFIRMED,
            moving=label.moving or self.errs == "alarm",
            position=pose[:3, 3],
            orientation=Rotation.from_matrix(pose[:3, :3]).as_quat(),
            pose_covariance=np.eye(6),
            velocity=truth.velocity[number],
            angular_velocity=truth.angular_velocity[number],
            twist_covariance=np.eye(6),
            size=np.array(label.size),
            first_seen_ns=0,
            last_seen_ns=truth.stamp_ns,
        )


def oracle_world(cache: Path) -> World:
    """A small and short world with things that move."""
    return World(width=80, frames=14, cache=cache)
