# SPDX-License-Identifier: Apache-2.0
"""Wall times of the stages of a frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageClock:
    """Wall time of each stage of a frame in milliseconds: `with clock("map"): ...`."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._stages[stage] = (time.perf_counter() - began) * 1e3

    def finish(self) -> dict[str, float]:
        """All stages, and `total` since the clock was made."""
        self._stages["total"] = (time.perf_counter() - self._started) * 1e3
        return self._stages
