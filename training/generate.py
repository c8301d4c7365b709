# SPDX-License-Identifier: Apache-2.0
"""Draw rooms to learn from: ``python -m training.generate FOLDER --rooms 0:400 --worlds 0:100``.

What is there already is not drawn again, so an interrupted run can be continued.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from f4x_ros.sim.scene import Scene, build_scene
from f4x_ros.sim.scenes.anything import anything
from training.rooms import training_room
from training.store import is_stored, room_folder, write_room
from training.views import WIDTH, RoomCaster, View, camera_of, views_of

LAST_TRAINING_SEED = 7999
"""Worlds up to this seed may be trained on; those up to 8999 are for tuning, the rest for tests."""

LAST_TUNING_SEED = 8999

_FOCAL_PX = 0.82 * WIDTH  # of the worlds' camera
_PERIOD_S = 20.0  # of a world that views are taken from


class Job(NamedTuple):
    """One room to be drawn."""

    root: Path
    name: str  # "room" or "world"
    seed: int
    views: int


def draw_room(job: Job) -> int:
    """Draw one room and store it; returns how many views it has, 0 if it was there already."""
    folder = room_folder(job.root, job.name, job.seed)
    if is_stored(folder):
        return 0
    rng = np.random.default_rng([job.seed, *job.name.encode()])
    if job.name == "room":
        scene = build_scene(training_room(job.seed))
        views: Iterable[View] = views_of(scene, job.views, rng)
    else:
        scene = build_scene(anything(job.seed))
        views = _world_views(scene, job.views, rng)
    return write_room(folder, (made.label for made in scene.objects), views)


def _world_views(scene: Scene, count: int, rng: np.random.Generator) -> Iterator[View]:
    """Half of them what the world's own camera sees at some time, half from anywhere."""
    caster = RoomCaster(scene)
    own = (count + 1) // 2
    for k in range(own):
        t = float((k + rng.random()) * _PERIOD_S / own)
        pose = scene.spec.camera(t)
        rgb, ids, _ = caster.picture(camera_of(_FOCAL_PX), pose, t, int(rng.integers(2**31)))
        yield View(rgb, ids, _FOCAL_PX, pose)
    for _ in range(count - own):
        yield from views_of(scene, 1, rng, float(rng.uniform(0, _PERIOD_S)))


def draw_rooms(jobs: list[Job], workers: int) -> Iterator[int]:
    """Draw all, in their order with one worker; yields the number of views of each."""
    if workers <= 1:
        yield from map(draw_room, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw_room, jobs, chunksize=2)


def span(text: str) -> range:
    """FIRST:STOP of a command line as a range."""
    try:
        start, stop = (int(part) for part in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}, expected FIRST:STOP, e.g. 0:100") from None
    if not 0 <= start <= stop:
        raise argparse.ArgumentTypeError(f"{text!r}, expected 0 <= FIRST <= STOP")
    return range(start, stop)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.generate")
    parser.add_argument("folder", type=Path, help="where the rooms go")
    parser.add_argument("--rooms", type=span, default=range(0), help="seeds of training rooms")
    parser.add_argument("--worlds", type=span, default=range(0), help="seeds of random worlds")
    parser.add_argument("--views", type=int, default=8, help="pictures of each")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after that; 0: never")
    arguments = parser.parse_args()
    if arguments.worlds and arguments.worlds[-1] > LAST_TUNING_SEED:
        parser.error(f"--worlds: seeds above {LAST_TUNING_SEED} are for tests only")
    return arguments


def main() -> None:
    """See the module."""
    arguments = _arguments()
    named = [("room", seed) for seed in arguments.rooms]
    named += [("world", seed) for seed in arguments.worlds]
    order = np.random.default_rng(0).permutation(len(named))  # a part is as mixed as the whole
    shuffled = [named[k] for k in order]
    jobs = [Job(arguments.folder, name, seed, arguments.views) for name, seed in shuffled]
    start, images = time.monotonic(), 0
    for number, count in enumerate(draw_rooms(jobs, arguments.workers), start=1):
        images += count
        seconds = time.monotonic() - start
        if number % 10 == 0 or number == len(jobs):
            print(f"{number}/{len(jobs)} rooms, {images} images, {images / seconds:.2f} images/s",
                  flush=True)  # fmt: skip
        if arguments.minutes and seconds > 60 * arguments.minutes:
            print(f"stopped after {seconds:.0f} s")
            break


if __name__ == "__main__":
    main()
