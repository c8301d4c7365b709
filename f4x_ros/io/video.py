# SPDX-License-Identifier: Apache-2.0
"""Videos: colour and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.io.lens import Lens
from f4x_ros.io.source import Source, stamps_at_rate

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
_RATES_HZ = (0.1, 1000.0)
_USUAL_HZ = 30.0


def is_video(path: Path) -> bool:
    """True for a file whose name ends like a video's."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


class VideoFile(Source):
    """Frames of a video, decoded by OpenCV's FFmpeg, turned as the file says.

    Args:
        path: the file.
        rate_hz: frames a second; 0 = as the file says.
        fov: horizontal field of view in degrees; 0 = guessed, and said, see `Lens`.
        calibration: file of a calibration instead; "" = none.
    """

    def __init__(
        self, path: str | Path, *, rate_hz: float = 0.0, fov: float = 0.0, calibration: str = ""
    ) -> None:
        """Open the video; raises ValueError naming what does not fit."""
        self.path = Path(path)
        self._reader: Any = None
        self._next = 0
        first = self._rewound()
        count = self._count()
        said_hz = float(self._reader.get(cv2.CAP_PROP_FPS))
        known = _RATES_HZ[0] <= said_hz <= _RATES_HZ[1]
        rate_hz = rate_hz or (said_hz if known else _USUAL_HZ)
        super().__init__(self.path.stem, stamps_at_rate(count, rate_hz))
        if not known:
            self.remarks.append(f"It says no frame rate: {rate_hz:g} Hz is taken.")
        height, width = first.shape[:2]
        lens = Lens(width, height, fov, calibration)
        self._rectifier = lens.rectifier
        self.remarks += lens.remarks

    def load(self, index: int) -> Frame:
        return Frame(
            stamp_ns=int(self.stamps_ns[index]),
            rgb=self._rectifier.color(self._decoded(index)),
            camera=self._rectifier.camera,
            observed=self._rectifier.observed,
        )

    def close(self) -> None:
        if self._reader is not None:
            self._reader.release()
            self._reader = None

    def _rewound(self) -> NDArray[np.uint8]:
        """Begin again; the first picture."""
        self.close()
        try:
            empty = self.path.stat().st_size == 0
        except OSError as error:
            raise BadInputError(f"video {self.path}: {error.strerror}") from error
        reader = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if empty or not reader.isOpened():
            what = "an empty file" if empty else "it cannot be opened"
            raise BadInputError(
                f"video {self.path}: {what}, expected one that OpenCV's FFmpeg decodes, such as "
                "MP4 with H.264 or MPEG-4"
            )
        there, bgr = reader.read()
        if not there:
            reader.release()
            raise BadInputError(
                f"video {self.path}: it has no frame that can be decoded, expected some (is its "
                "codec known here, is the file whole?)"
            )
        self._reader, self._next = reader, 1
        return np.asarray(bgr, np.uint8)

    def _count(self) -> int:
        """Frames, as the file says; counted where it does not."""
        said = int(self._reader.get(cv2.CAP_PROP_FRAME_COUNT))
        if said > 0:
            return said
        count = 1
        while self._reader.grab():
            count += 1
        self._next = count
        return count

    def _decoded(self, index: int) -> NDArray[np.uint8]:
        """A picture; going back begins again, as seeking is not exact in every codec."""
        if index == 0 or self._reader is None or index < self._next:
            first = self._rewound()
            if index == 0:
                return np.ascontiguousarray(first[..., ::-1])
        while self._next < index and self._reader.grab():
            self._next += 1
        there, bgr = self._reader.read() if self._next == index else (False, None)
        if not there:
            raise BadSampleError(
                "frames_undecodable", f"video {self.path}: frame {index} cannot be decoded"
            )
        self._next += 1
        return np.ascontiguousarray(bgr[..., ::-1])
