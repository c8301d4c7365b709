# SPDX-License-Identifier: Apache-2.0
"""Does a frame cost what is in view, or what the whole map holds?

    python bench/scale.py [--json FILE] [--extractor embedded] [--only far|corridor]

far: the same frames of a small room to two maps in turns, one of which also holds a million
Gaussians far out of the camera's view. `time_ratio_1m` is the median over cycles of the time of
all frames of a cycle with them over that without; a cycle is `features.group_every` frames, so that
each pays for one grouping.
corridor: a corridor that repeats itself is walked until 300,000 Gaussians are mapped; then the next
50 frames of the walk take turns with the first 50 of the same walk (after `WARM` that fill the
view), which a second map begins: the same pictures, early and late. `corridor_rate_ratio` is the
rate at the end over the rate at the beginning. The first map's own first 50 frames give
`corridor_rate_ratio_one_walk`, which a machine that is busy at one end bends. Prints PASS or FAIL
per bar; the exit code is 1 if a bar failed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import f4x_ros  # noqa: E402, I001, F401  (sets what torch reads when it is imported)
import torch  # noqa: E402
import walks  # noqa: E402
from render import Report, cpu_model, judge  # noqa: E402

from f4x_ros.core.config import Config  # noqa: E402
from f4x_ros.core.data import Frame, Percept  # noqa: E402
from f4x_ros.core.perception import Perception  # noqa: E402

FAR_BAR = 1.2
CORRIDOR_BAR = 0.9
PROMPTS = ("bookshelf", "table")
COLOR_PROMPTS = ("red thing", "green thing")
WARM = 10  # frames until the view of the corridor is filled
LONGEST = 1200  # frames; a walk that has not mapped enough by then does not end
NEAR_M, FAR_M = 50.0, 500.0  # where the Gaussians out of view are
CUBE_FILL = 500  # Gaussians in a cube of 1 m
FIRST_FAR_PIECE = 1_000_000_000  # no grouping of the frames counts up to it


@dataclass
class Subject:
    """A map and what its frames took."""

    perception: Perception
    seconds: list[float] = field(default_factory=list)
    group_ms: list[float] = field(default_factory=list)
    in_view: list[int] = field(default_factory=list)

    def take(self, frame: Frame) -> None:
        """One frame, timed."""
        began = time.perf_counter()
        percept = self.perception.process(frame)
        self.seconds.append(time.perf_counter() - began)
        self.group_ms.append(percept.timings_ms.get("group", 0.0))
        self.in_view.append(in_view(percept))


def in_view(percept: Percept) -> int:
    """Points of the cloud within the picture, hidden ones included."""
    assert percept.cloud is not None
    T, camera = percept.T_map_camera, percept.camera
    pixels = camera.project((percept.cloud.xyz - T[:3, 3]) @ T[:3, :3])
    with np.errstate(invalid="ignore"):
        return int(((pixels >= 0) & (pixels < (camera.width, camera.height))).all(1).sum())


def far_places(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Places [N, 3] and the cube [N] each is in: not within 60 degrees of the direction +x."""
    cubes = max(1, count // CUBE_FILL)
    angle = np.radians(180 + rng.uniform(-120, 120, cubes))
    radius = np.sqrt(rng.uniform(NEAR_M**2, FAR_M**2, cubes))
    height = rng.uniform(-5, 20, cubes)
    corner = np.floor(np.stack([radius * np.cos(angle), radius * np.sin(angle), height], -1))
    cube = np.arange(count) * cubes // count
    return (corner[cube] + rng.random((count, 3))).astype(np.float32), cube


def insert_far(perception: Perception, count: int) -> None:
    """Give a map Gaussians out of view that look as if they had been mapped long ago.

    The one place of the benchmarks that reaches into the field.
    """
    rng = np.random.default_rng(5)
    means, cube = far_places(count, rng)
    field = perception._memory.field
    latent_dim = perception.config.field.latent_dim
    quats = rng.normal(size=(count, 4))
    columns = {
        "means": means,
        "quats": quats / np.linalg.norm(quats, axis=1, keepdims=True),
        "log_scales": np.log(rng.uniform(0.01, 0.05, (count, 3)) * (1.0, 1.0, 0.3)),
        "logit_opacities": rng.uniform(1, 4, count),
        "colors": rng.random((count, 3)),
        "latents": rng.normal(size=(count, latent_dim)) / np.sqrt(latent_dim),
        "latent_weights": rng.uniform(1, 200, count),
        "latent_vars": rng.uniform(0.1, 0.6, count),
        "piece_ids": FIRST_FAR_PIECE + cube,
        "steps": rng.uniform(50, 500, count).round(),
    }
    device = perception.device
    field.present.append(
        {name: torch.from_numpy(np.asarray(v)).to(device) for name, v in columns.items()}
    )
    field.settle(full=True)  # as if it had been left behind frame by frame


def interleave(pair: Sequence[Subject], frames: Sequence[Frame], number: int) -> None:
    """One frame each; who is first changes from frame to frame."""
    order = (0, 1) if number % 2 == 0 else (1, 0)
    for which in order:
        pair[which].take(frames[which])


def ratio_of_cycles(seconds: Sequence[float], other: Sequence[float], cycle: int) -> float:
    """Median over whole cycles of the time of a cycle over that of the other's."""
    starts = range(0, len(seconds) - cycle + 1, cycle)
    return statistics.median(
        sum(seconds[k : k + cycle]) / sum(other[k : k + cycle]) for k in starts
    )


def bench_far(
    report: Report, config: Config, prompts: Sequence[str], options: argparse.Namespace
) -> bool:
    """The room, with and without what is far."""
    cycle = max(1, config.features.group_every)
    warm, settle = options.warm, cycle
    measured = -(-options.frames // cycle) * cycle
    world, camera = walks.room(), walks.camera()
    alone, crowded = Subject(Perception(config, prompts)), Subject(Perception(config, prompts))
    for number, pose in enumerate(walks.swaying(warm + settle + measured)):
        if number == warm:
            insert_far(crowded.perception, options.count)
        frame = world.frame(camera, pose, number)
        interleave((alone, crowded), (frame, frame), number)
        print(
            f"  far {number:4d}: {1e3 * alone.seconds[-1]:6.0f} ms with "
            f"{alone.perception.gaussians:,d}, {1e3 * crowded.seconds[-1]:6.0f} ms with "
            f"{crowded.perception.gaussians:,d} Gaussians",
            flush=True,
        )
    a, b = (one.seconds[warm + settle :] for one in (alone, crowded))
    ratio = ratio_of_cycles(b, a, cycle)
    groups = [
        (g, h)
        for g, h in zip(
            alone.group_ms[warm + settle :], crowded.group_ms[warm + settle :], strict=True
        )
        if g > 0
    ]
    report |= {
        "time_ratio_1m": ratio,
        "time_ratio_1m_single_frames": statistics.median(y / x for x, y in zip(a, b, strict=True)),
        "time_ratio_1m_grouping": statistics.median(h / g for g, h in groups) if groups else None,
        "far_count": options.count,
        "far_frames": measured,
        "far_frame_alone_ms": 1e3 * statistics.mean(a),
        "far_frame_crowded_ms": 1e3 * statistics.mean(b),
        "far_gaussians_alone": alone.perception.gaussians,
        "far_gaussians_crowded": crowded.perception.gaussians,
        "far_in_view_alone": statistics.median(alone.in_view[warm + settle :]),
        "far_in_view_crowded": statistics.median(crowded.in_view[warm + settle :]),
    }
    words = f"{ratio:.2f} times the time, bar {FAR_BAR}"
    return judge(report, "time_ratio_1m", ratio <= FAR_BAR, words)


def bench_corridor(
    report: Report, config: Config, prompts: Sequence[str], options: argparse.Namespace
) -> bool:
    """The corridor, its end against its beginning."""
    stretch = options.stretch
    world, camera = walks.corridor(LONGEST), walks.camera()
    walked, fresh = Subject(Perception(config, prompts)), Subject(Perception(config, prompts))
    ends, starts = (enumerate(walks.along(LONGEST)) for _ in range(2))
    for number, pose in ends:
        walked.take(world.frame(camera, pose, number))
        show(number, walked)
        same_again = (number + 1) % walks.PERIOD == WARM % walks.PERIOD
        enough = walked.perception.gaussians >= options.mapped and number + 1 >= WARM + stretch
        if enough and same_again:
            break
    else:
        mapped = f"{walked.perception.gaussians:,d} of {options.mapped:,d} Gaussians"
        print(f"corridor: not measured, {LONGEST} frames mapped {mapped}")
        return False
    for number, pose in islice(starts, WARM):
        fresh.take(world.frame(camera, pose, number))
    for (early, at_start), (late, at_end) in islice(zip(starts, ends, strict=False), stretch):
        frames = (world.frame(camera, at_start, early), world.frame(camera, at_end, late))
        interleave((fresh, walked), frames, early)
        show(early, fresh)
        show(late, walked)
    first, last = fresh.seconds[WARM:], walked.seconds[-stretch:]
    cycle = max(1, config.features.group_every)
    ratio = sum(first) / sum(last)
    report |= {
        "corridor_rate_ratio": ratio,
        "corridor_rate_ratio_of_cycles": ratio_of_cycles(first, last, cycle),
        "corridor_rate_ratio_one_walk": sum(walked.seconds[WARM : WARM + stretch]) / sum(last),
        "corridor_frames": len(walked.seconds),
        "corridor_fps_first": stretch / sum(first),
        "corridor_fps_last": stretch / sum(last),
        "corridor_gaussians_last": walked.perception.gaussians,
        "corridor_in_view_first": statistics.median(fresh.in_view[WARM:]),
        "corridor_in_view_last": statistics.median(walked.in_view[-stretch:]),
    }
    words = f"{ratio:.2f} of the rate at the beginning, bar {CORRIDOR_BAR}"
    return judge(report, "corridor_rate_ratio", ratio >= CORRIDOR_BAR, words)


def show(number: int, subject: Subject) -> None:
    """Where a walk is."""
    print(
        f"  corridor {number:4d}: {1e3 * subject.seconds[-1]:6.0f} ms, "
        f"{subject.in_view[-1]:,d} in view of {subject.perception.gaussians:,d} Gaussians",
        flush=True,
    )


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--extractor", default="embedded")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("far", "corridor"), help="one of the two")
    parser.add_argument("--count", type=int, default=1_000_000, help="Gaussians out of view")
    parser.add_argument("--mapped", type=int, default=300_000, help="Gaussians of the corridor")
    parser.add_argument("--stretch", type=int, default=50, help="corridor: frames at either end")
    parser.add_argument("--frames", type=int, default=60, help="far: measured frames")
    parser.add_argument("--warm", type=int, default=40, help="far: frames that map the room before")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = Config.from_dotted(
        {"features.extractor": options.extractor, "field.max_bytes": 4_000_000_000}
    )
    prompts = COLOR_PROMPTS if options.extractor == "color" else PROMPTS
    report: Report = {"bench": "scale", "cpu": cpu_model(), "threads": options.threads}
    report |= {"torch": torch.__version__, "extractor": options.extractor}
    good = True
    if options.only != "corridor":
        good &= bench_far(report, config, prompts, options)
    if options.only != "far":
        good &= bench_corridor(report, config, prompts, options)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
