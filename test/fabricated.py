# SPDX-License-Identifier: Apache-2.0
"""Percepts made of a scene's geometry instead of a field, to test pictures and reports quickly.

And an extractor of which only the words are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from f4x_ros.core.data.camera import PinholeCamera
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.percept import Cloud, Outputs, Percept, RenderedView
from f4x_ros.core.data.poses import Pose
from f4x_ros.core.data.track import Track, TrackState
from f4x_ros.core.features import Words

PROMPTS = ("red ball", "blue box")
STEP_NS = 100_000_000


def camera(width: int = 64, height: int = 48) -> PinholeCamera:
    return PinholeCamera(width, height, width, width, width / 2, height / 2)


def pose(index: int) -> Pose:
    """A camera that looks along the map's x axis, z up, and walks along y."""
    T = np.eye(4)
    T[:3, :3] = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]], float)
    T[:3, 3] = [0.0, 0.05 * index, 1.2]
    return T


def frame(index: int, size: tuple[int, int] = (64, 48)) -> Frame:
    """A wall 2 m ahead with a gradient, and noise that no video codec or PNG can drop."""
    cam = camera(*size)
    rng = np.random.default_rng(index)
    rgb = np.zeros((cam.height, cam.width, 3), np.uint8)
    rgb[..., 0] = np.linspace(20, 200, cam.width)
    rgb[..., 1] = np.linspace(200, 20, cam.height)[:, None]
    rgb[..., 2] = rng.integers(0, 60, (cam.height, cam.width))
    depth = np.full((cam.height, cam.width), 2.0, np.float32)
    depth[: cam.height // 4] = 0
    return Frame(1_000_000_000 + index * STEP_NS, rgb, cam, depth, pose(index))


def track(
    number: int, label: str, position: tuple[float, float, float], **changes: object
) -> Track:
    made = Track(
        id=number,
        label=label,
        score=0.9,
        state=TrackState.CONFIRMED,
        moving=False,
        position=np.array(position),
        orientation=np.array([0.0, 0.0, 0.0, 1.0]),
        pose_covariance=np.eye(6) * 1e-4,
        velocity=np.zeros(3),
        angular_velocity=np.zeros(3),
        twist_covariance=np.eye(6) * 1e-2,
        size=np.array([0.3, 0.3, 0.3]),
        first_seen_ns=1_000_000_000,
        last_seen_ns=1_000_000_000,
    )
    return replace(made, **changes)


def labels(shape: tuple[int, int]) -> np.ndarray:
    """Prompt 0 in a rectangle on the left, prompt 1 in one on the right."""
    height, width = shape
    out = np.zeros(shape, np.uint16)
    out[height // 3 : height * 2 // 3, width // 8 : width * 3 // 8] = 1
    out[height // 3 : height * 2 // 3, width * 5 // 8 : width * 7 // 8] = 2
    return out


def cloud(count: int = 2000) -> Cloud:
    rng = np.random.default_rng(7)
    xyz = rng.uniform([0, -2, 0], [4, 2, 2.5], (count, 3)).astype(np.float32)
    label = np.zeros(count, np.uint16)
    label[: count // 10] = 1
    return Cloud(
        xyz,
        rng.integers(0, 255, (count, 3), np.uint8),
        label,
        (label > 0).astype(np.float32),
        np.zeros(count, np.float32),
        label.astype(np.uint32),
    )


class OnlyWords(Words):
    """An extractor for tests that show it no picture; what a text means is up to them."""

    name, dim, licence, threshold = "words", 3, "Apache-2.0", 0.5

    def dense(self, images: torch.Tensor) -> torch.Tensor:
        return images.new_zeros(len(images), self.dim, *images.shape[2:])

    def text(self, prompts: Sequence[str]) -> torch.Tensor:
        return torch.zeros(len(prompts), self.dim)

    def relevancy(self, features: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        return (torch.nn.functional.normalize(features, dim=-1) @ text.T).clamp(0, 1)


class FakePerception:
    """Answers every frame with the frame itself plus an error one can choose.

    `color_error` is added to the rendered colour, `depth_error_m` to the rendered depth.
    """

    def __init__(self, color_error: int = 4, depth_error_m: float = 0.02) -> None:
        self.color_error, self.depth_error_m = color_error, depth_error_m
        self.prompts = PROMPTS
        self.frames: list[Frame] = []
        self.held_out: list[bool] = []
        self.asked: list[Outputs] = []
        self.renders_at: list[int] = []
        self.gaussians, self.map_bytes = 2000, 123_456

    def process(
        self,
        frame: Frame,
        outputs: Outputs | None = None,
        *,
        hold_out: bool = False,
    ) -> Percept:
        outputs = outputs or Outputs()
        self.frames.append(frame)
        self.held_out.append(hold_out)
        self.asked.append(outputs)
        seen = self._see(frame)
        index = len(self.frames) - 1
        shown = labels(frame.rgb.shape[:2])
        return Percept(
            frame.stamp_ns,
            frame.frame_id,
            frame.map_frame,
            frame.camera,
            frame.T_map_camera,
            PROMPTS,
            (0.5, 0.5),
            "fake",
            np.stack([(shown == q + 1).astype(np.float32) for q in range(2)]),
            shown if outputs.masks or outputs.labels else None,
            (
                track(1, "red ball", (2.0, 0.5, 1.2)),
                track(2, "blue box", (2.0, -0.4 + 0.03 * index, 1.2), moving=True),
            )
            if outputs.tracks
            else (),
            cloud() if outputs.cloud else None,
            seen.color,
            seen.depth,
            seen.alpha,
        )

    def render(
        self, camera: PinholeCamera, T_map_camera: Pose, stamp_ns: int = 0, camera_name: str = ""
    ) -> RenderedView:
        self.renders_at.append(stamp_ns)
        return self._see(next(f for f in self.frames if f.stamp_ns == stamp_ns))

    def save(self, path: Path) -> None:
        Path(path).write_bytes(b"map" * 100)

    def export_ply(self, path: Path) -> None:
        Path(path).write_bytes(b"ply\n" * 100)

    def _see(self, frame: Frame) -> RenderedView:
        color = np.clip(frame.rgb.astype(int) + self.color_error, 0, 255).astype(np.uint8)
        depth = np.full(frame.rgb.shape[:2], 2.0 + self.depth_error_m, np.float32)
        return RenderedView(color, depth, np.ones(frame.rgb.shape[:2], np.float32))
