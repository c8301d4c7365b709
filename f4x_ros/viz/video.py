# SPDX-License-Identifier: Apache-2.0
"""MP4 files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from f4x_ros.core.errors import BadInputError
from f4x_ros.viz.text import Image8

_CODEC = "mp4v"  # MPEG-4 part 2: in every build of OpenCV, without libraries of the system


class VideoWriter:
    """Writes frames into an MP4 that takes its name when the `with` block ends without an error.

    Until then it has a temporary name beside it, which is removed if anything fails.

    Args:
        path: where the video goes; its folder must exist. An older file there is replaced.
        size: (width, height) of the frames in pixels, from 2; MPEG-4 wants even numbers, so an odd
            last column or row is cut off.
        fps: frames per second of the playback, above 0.

    Raises:
        ValueError: a size or rate that cannot be, a frame that does not fit, or a block that ends
            without a single frame.
        OSError: the path cannot be written, the codec is missing, or the file does not hold all
            frames (a full disk); names the path.
    """

    def __init__(self, path: str | Path, size: tuple[int, int], fps: float) -> None:
        if len(size) != 2 or min(size) < 2:
            raise BadInputError(f"size of video {path} is {size}, expected (width, height) from 2")
        if not (np.isfinite(fps) and fps > 0):
            raise BadInputError(f"fps of video {path} is {fps}, expected a finite number above 0")
        self.path, self.size, self.fps = Path(path), (int(size[0]), int(size[1])), float(fps)
        self.frames = 0  # written so far
        self._even = (self.size[0] // 2 * 2, self.size[1] // 2 * 2)
        self._temporary: Path | None = None
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> VideoWriter:
        try:
            handle, name = tempfile.mkstemp(
                prefix=f".{self.path.stem}.", suffix=".mp4", dir=self.path.parent
            )
        except OSError as error:
            message = f"cannot write video: {error.strerror}"
            raise OSError(error.errno, message, str(self.path)) from error
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(handle, 0o666 & ~mask)
        os.close(handle)
        self._temporary = Path(name)
        try:
            fourcc = cv2.VideoWriter.fourcc(*_CODEC)
            self._writer = cv2.VideoWriter(name, fourcc, self.fps, self._even)
            if not self._writer.isOpened():
                raise OSError(f"video {self.path}: this OpenCV cannot encode {_CODEC} as MP4")
        except BaseException:
            self._discard()
            raise
        return self

    def write(self, rgb: Image8) -> None:
        """Append one frame, [height, width, 3] uint8 RGB."""
        if self._writer is None:
            raise BadInputError(f"video {self.path} is not open, expected to be used in `with`")
        width, height = self.size
        if rgb.shape != (height, width, 3) or rgb.dtype != np.uint8:
            raise BadInputError(
                f"frame {self.frames} of video {self.path} is {rgb.shape} {rgb.dtype}, "
                f"expected {(height, width, 3)} uint8"
            )
        self._writer.write(cv2.cvtColor(rgb[: self._even[1], : self._even[0]], cv2.COLOR_RGB2BGR))
        self.frames += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()

    def _finish(self) -> None:
        assert self._writer is not None
        assert self._temporary is not None
        if self.frames == 0:
            raise BadInputError(f"video {self.path} got no frames, expected at least one")
        self._writer.release()
        self._writer = None
        self._check_whole(self._temporary)
        os.replace(self._temporary, self.path)

    def _check_whole(self, written: Path) -> None:
        """OpenCV reports no failed writes, but a cut file lacks the index at its end."""
        reader = cv2.VideoCapture(str(written))
        found = int(reader.get(cv2.CAP_PROP_FRAME_COUNT)) if reader.isOpened() else 0
        reader.release()
        if found != self.frames:
            raise OSError(
                f"video {self.path} holds {max(found, 0)} of {self.frames} frames "
                "(is the disk full?); nothing was left"
            )

    def _discard(self) -> None:
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
            self._temporary = None
