# SPDX-License-Identifier: Apache-2.0
"""The video of a run: every frame with what was found in it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from f4x_ros.core.data import Frame, Percept
from f4x_ros.viz.overlay import overlay_percept
from f4x_ros.viz.video import VideoWriter

_HEIGHT_PX = 480  # smaller pictures are enlarged, so that names stay readable


class OverlayVideo:
    """Opened with the first frame, whose size it has; frames of another size are scaled to it.

    Args:
        path: of the file.
        fps: frames per second.
        stack: closes it.
    """

    def __init__(self, path: Path, fps: float, stack: ExitStack) -> None:
        self._path, self._fps, self._stack = path, fps, stack
        self._writer: VideoWriter | None = None
        self._scale = 1

    def write(self, frame: Frame, percept: Percept) -> None:
        """One more frame; raises OSError if the file cannot be written."""
        if self._writer is None:
            height, width = frame.rgb.shape[:2]
            self._scale = max(1, round(_HEIGHT_PX / height))
            size = (width * self._scale, height * self._scale)
            self._writer = self._stack.enter_context(VideoWriter(self._path, size, self._fps))
        picture = overlay_percept(frame.rgb, percept, scale=self._scale)
        if picture.shape[1::-1] != self._writer.size:  # the camera has changed
            picture = np.asarray(cv2.resize(picture, self._writer.size), np.uint8)
        self._writer.write(picture)
