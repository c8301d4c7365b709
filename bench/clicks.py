# SPDX-License-Identifier: Apache-2.0
"""IoU of a simulated user's clicks on every visible thing of drawn worlds, and a sheet of masks.

Run: python bench/clicks.py random:8001 random:8002 [--maps DIR] [--frames N] [--pictures DIR]

Each world is mapped once; with --maps its map is kept there and read the next time, whatever the
options are by then.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from f4x_ros.cli.settings import read_settings
from f4x_ros.cli.table import table
from f4x_ros.core.config import Config
from f4x_ros.core.data.percept import Outputs
from f4x_ros.core.data.poses import Pose
from f4x_ros.core.perception import Perception
from f4x_ros.eval.metrics.clicks import CLICKS, Click, as_arguments
from f4x_ros.eval.protocol.click_questions import Clicked, click_things
from f4x_ros.eval.subjects.subject import is_held_out
from f4x_ros.sim import World, open_source
from f4x_ros.viz.mask_sheet import MaskPicture, mask_sheet
from f4x_ros.viz.png import save_png

_NOTHING = Outputs(masks=False, cloud=False, tracks=False, moving=False)
_SIZES = ((0, 150), (150, 600), (600, 10**9))  # pixels at 320x240


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", nargs="+", help="worlds, e.g. random:8001 or livingroom")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--maps", type=Path, help="folder of maps")
    parser.add_argument("--set", action="append", default=[], dest="assignments",
                        metavar="KEY=VALUE", help="an option of the map")  # fmt: skip
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pictures", type=Path, help="folder for sheets of masks")
    parser.add_argument("--json", type=Path, help="write the numbers there")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config, _ = read_settings(None, options.assignments)
    things: list[Clicked] = []
    for spec in options.scenes:
        world = drawn_world(spec, options.frames)
        clicked = _Map(map_of(world, config, options.maps))
        found = click_things(world, clicked)
        print(table(_rows(found), _header(spec)), flush=True)
        print(f"{1e3 * clicked.seconds / max(1, clicked.asked):.0f} ms an answer\n", flush=True)
        things += found
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
            path = options.pictures / f"clicks_{spec.replace(':', '_')}.png"
            save_png(path, mask_sheet(_tiles(world, found)))
    print(table(_rows(things), _header("all")))
    if options.json:
        mean = np.mean([thing.ious for thing in things], 0).tolist()
        numbers = {f"click_iou_{n}": mean[n - 1] for n in (1, CLICKS)}
        options.json.write_text(json.dumps(numbers | {"objects": len(things)}, indent=1) + "\n")


class _Map:
    """A map that is clicked on."""

    def __init__(self, perception: Perception) -> None:
        self._perception, self.asked, self.seconds = perception, 0, 0.0

    def segment(
        self, clicks: Sequence[Click], stamp_ns: int = 0, view: Pose | None = None
    ) -> NDArray[np.bool_]:
        began = time.perf_counter()
        given = as_arguments(clicks)
        found = self._perception.segment(**given, stamp_ns=stamp_ns, view=view, want_cloud=False)
        self.asked, self.seconds = self.asked + 1, self.seconds + time.perf_counter() - began
        return np.asarray(found.mask >= found.threshold)


def drawn_world(spec: str, frames: int) -> World:
    """The world of a short name at 320x240, or of a whole one."""
    source = open_source(f"{spec}:320x240:{frames}" if spec.count("x") == 0 else spec)
    if not isinstance(source, World):
        raise SystemExit(f"{spec} is no drawn world, expected e.g. random:8001")
    return source


def map_of(world: World, config: Config, folder: Path | None) -> Perception:
    """The finished map of a world, from the folder if it is there, else made and kept there."""
    file = None if folder is None else folder / f"{world.name.replace(':', '_')}.f4x"
    if file is not None and file.is_file():
        return Perception.load(file)
    perception = Perception(config)
    for index in range(len(world)):
        perception.process(world[index], _NOTHING, hold_out=is_held_out(index))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        perception.save(file)
    return perception


def _header(name: str) -> tuple[str, ...]:
    return (name, "objects", *(f"{n} click{'s' * (n > 1)}" for n in range(1, CLICKS + 1)))


def _rows(things: Sequence[Clicked]) -> list[tuple[object, ...]]:
    """Mean IoU by kind of view, by size, and of all."""
    groups = {
        "camera's view": [t for t in things if not t.aside],
        "new views": [t for t in things if t.aside],
    }
    for low, high in _SIZES:
        name = f"{low} to {high} px" if high < 10**9 else f"above {low} px"
        groups[name] = [t for t in things if low <= t.truth.sum() < high]
    groups["all"] = list(things)
    return [
        (name, len(some), *(f"{iou:.3f}" for iou in np.mean([t.ious for t in some], 0)))
        for name, some in groups.items()
        if some
    ]


def _tiles(world: World, things: Sequence[Clicked]) -> list[MaskPicture]:
    """What one click selects, the worst first."""
    worst = sorted(things, key=lambda thing: thing.ious[0])
    return [
        MaskPicture(thing.rgb, thing.first, thing.truth, f"{thing.name} {thing.ious[0]:.2f}")
        for thing in worst[:32]
    ]


if __name__ == "__main__":
    main()
