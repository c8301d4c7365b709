# SPDX-License-Identifier: Apache-2.0
"""What every source of frames has in common: a length, lazy frames by index, stamps and counts."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType

import numpy as np

from f4x_ros.core.base import LeftOut
from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError

#: First stamp of sources that carry no time of their own [ns]; not 0, which means "now" in a query.
START_NS = 1_700_000_000_000_000_000


class Source(ABC):
    """A finite sequence of frames, decoded one at a time when asked for.

    Consumers rely on the duck type only: ``len(source)``, ``source[i] -> Frame``, ``source.name``,
    ``source.close()`` and, asked for by ``hasattr``, ``source.truth(i)``. Deriving from this class
    gives iteration, negative indices, ``with`` and the two attributes below.

    Attributes:
        name: short name for reports and window titles.
        stamps_ns: ``[N]`` int64, stamp of each frame in nanoseconds, known without decoding.
        left_out: what was found but not used, and why, e.g. 3 ``images_without_depth``. Reasons
            that begin with ``images_`` count pictures that are no frame of the source; one that
            lacks several things is counted once.
        remarks: what people should know of how it is read, in sentences: what was chosen where
            several would do, what was taken to mean what.
    """

    def __init__(self, name: str, stamps_ns: np.ndarray) -> None:
        self.name = name
        self.stamps_ns = np.asarray(stamps_ns, np.int64)
        self.left_out = LeftOut()
        self.remarks: list[str] = []
        self._void: set[int] = set()  # frames whose depth has no reading, as far as they were seen

    @abstractmethod
    def load(self, index: int) -> Frame:
        """Decode frame ``index``, which lies in ``0..len(self)-1``.

        Raises:
            BadSampleError: this frame cannot be used, the others can.
        """

    @property
    def counts(self) -> dict[str, int]:
        """Count by reason of what was left out."""
        return self.left_out.counts

    @property
    def frames_there(self) -> int:
        """Frames of the source, and pictures of which none could be made."""
        missing = sum(count for reason, count, _ in self.left_out if reason.startswith("images_"))
        return len(self) + missing

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Release files and caches; the source must not be used afterwards."""

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def __getitem__(self, index: int) -> Frame:
        return self._loaded(self.checked_index(index))

    def __iter__(self) -> Iterator[Frame]:
        return (self._loaded(index) for index in range(len(self)))

    def _loaded(self, index: int) -> Frame:
        """A frame; depth of which no pixel is known is counted, though the frame is one."""
        frame = self.load(index)
        if frame.depth is not None and not frame.depth.any() and index not in self._void:
            self._void.add(index)
            self.left_out.add("depth_without_reading", 1, frame.stamp_ns)
        return frame

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def checked_index(self, index: int) -> int:
        """Turn a Python index into ``0..len-1``; raises IndexError naming source and length."""
        wanted = operator.index(index)
        position = wanted + len(self) if wanted < 0 else wanted
        if not 0 <= position < len(self):
            raise IndexError(f"frame {wanted} of {self.name}: it has {len(self)} frames")
        return position


def stamps_at_rate(count: int, rate_hz: float, start_ns: int = START_NS) -> np.ndarray:
    """Evenly spaced stamps ``[count]`` int64 ns; raises ValueError if ``rate_hz`` is not > 0."""
    if not rate_hz > 0 or not np.isfinite(rate_hz):
        raise BadInputError(f"rate_hz is {rate_hz!r}: expected a finite number above 0")
    return np.int64(start_ns) + np.round(np.arange(count) * (1e9 / rate_hz)).astype(np.int64)
