# SPDX-License-Identifier: Apache-2.0
"""A good bag to spoil, and what a reader makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_messages import Message, depth, recording, rgb, stamp_of, with_tf, write

from f4x_ros.core.errors import BadSampleError
from f4x_ros.io.bags import BagSource
from f4x_ros.io.source import Source

COLOR, DEPTH = "/cam/color/image_raw", "/cam/depth/image_rect_raw"
FRAMES = 6
Change = Callable[[str, int, Any], Any]


def changed(messages: list[Message], topic: str, change: Change) -> list[Message]:
    """With each message of a topic replaced by what `change(topic, number, message)` gives."""
    numbers: dict[str, int] = {}
    out = []
    for name, _, at, message in messages:
        number = numbers[name] = numbers.get(name, -1) + 1
        new = change(name, number, message) if name == topic else message
        if new is not None:
            out.append((name, new.__msgtype__, at, new))
    return out


def good(frames: int = FRAMES) -> list[Message]:
    return with_tf(recording(frames), frames)


def load(source: Source) -> list[Any]:
    """All frames; what cannot be used is counted, as those do who loop over a source."""
    frames = []
    for index in range(len(source)):
        try:
            frames.append(source[index])
        except BadSampleError as error:
            source.left_out.add(error.reason, 1, int(source.stamps_ns[index]))
    return frames


def opened(path: Path, messages: list[Message], **options: Any) -> tuple[list[Any], BagSource]:
    with BagSource(write(path / "bag", messages), **options) as source:
        return load(source), source


def positions(frames: list[Any]) -> list[float]:
    return [round(float(frame.T_map_camera[0, 3]), 6) for frame in frames]


def check_frames(source: BagSource, frames: int = 3) -> None:
    """They are those of `bag_messages.with_tf(recording())`, untouched."""
    assert len(source) == frames
    for k, frame in enumerate(source):
        assert frame.stamp_ns == stamp_of(k)
        assert np.array_equal(frame.rgb, rgb(k))
        assert frame.depth == pytest.approx(depth(k) / 1000, abs=1e-6)
        assert (frame.camera.cx, frame.camera.cy) == (4.0, 3.0)
        assert frame.T_map_camera is not None
        # Halfway between the samples k and k + 1 of the robot, and the camera 0.5 m ahead of it.
        assert frame.T_map_camera[:3, 3] == pytest.approx([k + 0.5 + 0.5, 0, 0])
        assert (frame.frame_id, frame.map_frame) == ("camera_optical", "map")
