# SPDX-License-Identifier: Apache-2.0
"""How much memory one run took, also when several follow each other in one process."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

import torch

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_RESET_PEAK = "5"  # proc(5)


class PeakMemory:
    """The most memory taken since it was made."""

    def __init__(self) -> None:
        """Start counting."""
        self._was_reset = True
        try:
            _CLEAR.write_text(_RESET_PEAK)
        except OSError:  # not Linux, or a container that forbids it
            self._was_reset = False
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def rss_bytes(self) -> int:
        """Peak resident set; where the system cannot reset it, of the whole process."""
        if self._was_reset:
            found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
            if found:
                return int(found[1]) * 1024
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    def gpu_bytes(self) -> int | None:
        """Peak memory of torch's tensors on the GPU; None without one."""
        return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else None
