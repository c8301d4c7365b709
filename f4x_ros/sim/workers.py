# SPDX-License-Identifier: Apache-2.0
"""Drawing a world on several cores.

Workers are plain processes that write into the cache, so that nothing has to be sent back and a
caller needs no ``if __name__ == "__main__"``. Run as a module, this file is such a worker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from f4x_ros.sim.dataset import World

_POLL_S = 0.25


def draw_missing(world: World, workers: int, progress: Callable[[int, int], None] | None) -> float:
    """See `World.prepare`."""
    started = time.monotonic()
    todo = len(world.missing())
    running = [_start(world, part, workers) for part in range(workers)] if todo else []
    try:
        while any(worker.poll() is None for worker in running):
            if progress is not None:
                progress(todo - len(world.missing()), todo)
            time.sleep(_POLL_S)
    finally:
        for worker in running:
            worker.terminate()  # does nothing to one that has ended
        words = [worker.communicate()[1] for worker in running]
    for worker, said in zip(running, words, strict=True):
        if worker.returncode:
            last = said.strip().splitlines()[-1:] or [f"exit code {worker.returncode}"]
            raise RuntimeError(f"drawing {world.name} failed: {last[0]}")
    left = len(world.missing())
    if left:
        raise RuntimeError(
            f"drawing {world.name} left out {left} of {todo} frames: the code that draws, or the "
            f"cache {world.cache.folder}, has changed meanwhile; draw again"
        )
    if progress is not None:
        progress(todo, todo)
    return time.monotonic() - started


def _start(world: World, part: int, parts: int) -> subprocess.Popen[str]:
    job = {"world": world.parameters(), "part": part, "parts": parts}
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-m", __name__, json.dumps(job)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def draw_part(job: dict[str, Any]) -> None:
    """Draw every ``parts``-th frame that is missing, beginning with number ``part``."""
    from f4x_ros.sim.dataset import World

    parameters = dict(job["world"])
    cache = parameters.pop("cache", None)
    world = World(**parameters, cache=Path(cache) if cache else None)
    for index in range(job["part"], len(world), job["parts"]):
        world.draw(index)


if __name__ == "__main__":
    draw_part(json.loads(sys.argv[1]))
