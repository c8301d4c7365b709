# SPDX-License-Identifier: Apache-2.0
"""What a run costs: time, memory, bytes of the map and how fast they grow."""

from __future__ import annotations

from typing import Any

from f4x_ros.eval.metrics.common import percentile_or_none
from f4x_ros.eval.subjects.report import Report
from f4x_ros.eval.subjects.subject import Observed

_PERCENT = (50, 95, 99)


class Costs:
    """Collects what the frames of one run say about their cost."""

    def __init__(self) -> None:
        """Nothing collected yet."""
        self._stages_ms: dict[str, list[float]] = {}
        self._bytes: list[tuple[int, int]] = []  # stamp, bytes of the map

    def add(self, observed: Observed) -> None:
        """One frame."""
        for stage, ms in observed.timings_ms.items():
            self._stages_ms.setdefault(stage, []).append(ms)
        if "map_bytes" in observed.counts:
            self._bytes.append((observed.stamp_ns, observed.counts["map_bytes"]))

    def numbers(self, run: Report) -> dict[str, Any]:
        """The report's part "cost"; `run` is the recorder's report.

        ``growth_bytes_per_min`` is that of the second half of the run, by the frames' stamps.
        Latencies are of one frame in milliseconds, "total" being all of it.
        """
        total = self._stages_ms.get("total", [])
        names = [f"latency_p{p}_ms" for p in _PERCENT]
        latencies = [percentile_or_none(total, p) for p in _PERCENT]
        return {
            "fps": run.get("fps"),
            # (over ROS the node's own report has the times)
            **{n: run.get(n) if ms is None else ms for n, ms in zip(names, latencies, strict=True)},
            "stages_ms": {
                stage: {f"p{p}": percentile_or_none(times, p) for p in _PERCENT}
                for stage, times in self._stages_ms.items()
                if stage != "total"
            },
            "peak_rss_bytes": run.get("peak_rss_bytes"),
            "peak_gpu_bytes": run.get("peak_gpu_bytes"),
            "map_bytes": run.get("map_bytes"),
            "growth_bytes_per_min": self._growth(),
        }

    def _growth(self) -> float | None:
        half = self._bytes[len(self._bytes) // 2 :]
        if len(half) < 2:
            return None
        (start_ns, start), (end_ns, end) = half[0], half[-1]
        return (end - start) / ((end_ns - start_ns) / 60e9)
