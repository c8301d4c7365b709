# SPDX-License-Identifier: Apache-2.0
"""A walk through a world ten budgets large, and back: is it obeyed, is the first room still there?

    python bench/budget.py [--json FILE] [--rooms 30] [--max-bytes 8000000]

A camera looks around in each of a row of rooms and walks back without seeing the first one.
Held-out views of the first room are compared with the truth just before it is left and when the
camera is back in it, before any new frame of it is mapped: `psnr_return_change_db` is the mean PSNR
then less the one before; `psnr_asked_change_db` is the same for views that are asked for from the
room next door. `over_budget_max` is the largest share by which the map was larger than the budget
in any frame (below 0: it never was). With the option `map.dir` blocks go to a folder, without it
they are forgotten. Prints PASS or FAIL per bar; the exit code is 1 if a bar failed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import f4x_ros  # noqa: E402, I001, F401  (sets what torch reads when it is imported)
import torch  # noqa: E402
import walks  # noqa: E402
from render import Report, cpu_model, judge  # noqa: E402

from f4x_ros.core.config import Config  # noqa: E402
from f4x_ros.core.data import Percept, Pose  # noqa: E402
from f4x_ros.core.perception import Perception  # noqa: E402

OVER_BAR = 0.05
RETURN_BAR_DB = -0.5
PAGES = "map.dir"
PROMPTS = ("bookshelf", "table")
COLOR_PROMPTS = ("red thing", "green thing")
WIDTH_PX = 160
ONGOING = ("paged_out", "paged_in", "lost_with_pages", "states_forgotten")


class Walker:
    """Feeds the frames of a walk to a map and watches its bytes."""

    def __init__(self, perception: Perception, world: walks.World, max_bytes: int) -> None:
        self.perception, self.world, self.max_bytes = perception, world, max_bytes
        self.camera = walks.camera(WIDTH_PX)
        self.frames = 0
        self.over: list[float] = []  # share above the budget, by frame
        self.counts: Counter[str] = Counter()  # sums of what the frames counted
        self.last_counts: dict[str, int] = {}
        self.row_bytes: list[float] = []

    def look(self, pose: Pose, *, hold_out: bool = False) -> Percept:
        """One frame."""
        frame = self.world.frame(self.camera, pose, self.frames)
        percept = self.perception.process(frame, hold_out=hold_out)
        self.frames += 1
        counts = dict(percept.counts)
        gaussians, nbytes = counts.pop("gaussians"), counts.pop("map_bytes")
        self.over.append(nbytes / self.max_bytes - 1)
        self.row_bytes.append(nbytes / max(1, gaussians))
        for name in ONGOING:  # these are of the whole map, not of the frame
            self.counts[name] = counts.pop(name)
        self.counts.update(counts)
        self.last_counts = percept.counts
        return percept

    def walk(self, poses: Iterable[Pose], where: str) -> None:
        """Map a part of the way."""
        for pose in poses:
            self.look(pose)
        print(
            f"  {where:22s} frame {self.frames:4d}: {self.perception.gaussians:,d} Gaussians, "
            f"{self.perception.map_bytes / 1e6:.2f} MB",
            flush=True,
        )

    def seen(self, views: Iterable[Pose]) -> list[float]:
        """PSNR (dB) of frames that are not mapped."""
        found = []
        for view in views:
            truth, _ = self.world.draw(self.camera, view)
            found.append(psnr_db(self.look(view, hold_out=True).color, truth))
        return found

    def asked(self, views: Iterable[Pose]) -> list[float]:
        """PSNR (dB) of pictures that are asked for; the camera stays where it is."""
        found = []
        for view in views:
            truth, _ = self.world.draw(self.camera, view)
            found.append(psnr_db(self.perception.render(self.camera, view).color, truth))
            self.over.append(self.perception.map_bytes / self.max_bytes - 1)
        return found


def psnr_db(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Of two pictures [H, W, 3], which differ."""
    error = (picture.astype(np.float64) - truth) / 255
    return float(-10 * np.log10((error**2).mean()))


def configured(options: argparse.Namespace, pages: Path) -> tuple[Config, bool]:
    """The options of the map, and whether it has pages."""
    values: dict[str, bool | int | float | str] = {
        "features.extractor": options.extractor,
        "field.max_bytes": options.max_bytes,
    }
    with_pages = PAGES in {parameter.name for parameter in Config.parameters()}
    if with_pages and not options.no_pages:
        return Config.from_dotted(values | {PAGES: str(pages)}), True
    reason = "as told" if with_pages else f"there is no option {PAGES}"
    print(f"without pages, {reason}: what does not fit is forgotten")
    return Config.from_dotted(values), False


def measure(options: argparse.Namespace, pages: Path) -> Report:
    """The whole walk."""
    config, with_pages = configured(options, pages)
    prompts = COLOR_PROMPTS if options.extractor == "color" else PROMPTS
    perception = Perception(config, prompts)
    walker = Walker(perception, walks.rooms(options.rooms), options.max_bytes)
    views = walks.first_room_views()
    walker.walk(walks.around(0), "room 0")
    before, asked_before = walker.seen(views), walker.asked(views)
    room_0 = walker.counts["inserted"] - walker.counts["pruned"]
    for number in range(options.rooms - 1):
        walker.walk(walks.through(number), f"to room {number + 1}")
        walker.walk(walks.around(number + 1), f"room {number + 1}")
    mapped = walker.counts["inserted"] - walker.counts["pruned"]
    way_out = walker.frames
    walker.walk(walks.back(options.rooms - 1), "back to room 1")
    asked_after = walker.asked(views)
    after = walker.seen(views)
    row = max(walker.row_bytes)  # later, many are on disk
    return {
        "over_budget_max": max(walker.over),
        "psnr_return_change_db": statistics.mean(after) - statistics.mean(before),
        "psnr_asked_change_db": statistics.mean(asked_after) - statistics.mean(asked_before),
        "pages": with_pages,
        "page_files": sum(1 for path in pages.rglob("*") if path.is_file()),
        "page_bytes": sum(path.stat().st_size for path in pages.rglob("*") if path.is_file()),
        "max_bytes": options.max_bytes,
        "rooms": options.rooms,
        "frames": walker.frames,
        "frames_out": way_out,
        "gaussians_room_0": room_0,
        "world_budgets": mapped * row / options.max_bytes,
        "counts": dict(sorted(walker.counts.items())),
        "counts_last_frame": walker.last_counts,
        "psnr_before_db": before,
        "psnr_after_db": after,
        "psnr_asked_before_db": asked_before,
        "psnr_asked_after_db": asked_after,
    }


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--extractor", default="embedded")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rooms", type=int, default=30)
    parser.add_argument("--max-bytes", type=int, default=8_000_000, help="field.max_bytes")
    parser.add_argument("--no-pages", action="store_true", help="forget, though there is map.dir")
    options = parser.parse_args()
    if options.rooms < 3:
        parser.error("expected --rooms of at least 3")
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        found = measure(options, Path(name))
    report: Report = {"bench": "budget", "cpu": cpu_model(), "extractor": options.extractor}
    report |= found
    print(f"a world of {found['world_budgets']:.1f} budgets; counted: {found['counts']}")
    over, change = found["over_budget_max"], found["psnr_return_change_db"]
    words = f"at most {100 * over:+.1f} %, bar {100 * OVER_BAR:+.0f} %"
    good = judge(report, "over_budget", over <= OVER_BAR, words)
    words = f"{change:+.2f} dB, bar {RETURN_BAR_DB} dB ({found['psnr_asked_change_db']:+.2f} asked)"
    good &= judge(report, "psnr_return", change >= RETURN_BAR_DB, words)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
