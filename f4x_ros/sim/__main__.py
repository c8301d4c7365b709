# SPDX-License-Identifier: Apache-2.0
"""Draw a world, say how long it took, check its truth, make its contact sheet.

``python -m f4x_ros.sim tabletop:320x240:150 [--workers 2] [--check] [--sheet FILE.png]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from f4x_ros.sim import open_source
from f4x_ros.sim.check import check_truth
from f4x_ros.sim.dataset import World
from f4x_ros.sim.sheet import write_sheet


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m f4x_ros.sim")
    parser.add_argument("spec", nargs="?", default="demo", help="e.g. random:7:160x120:60")
    parser.add_argument("--workers", type=int, help="processes that draw (default: cores)")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of four frames here")
    parser.add_argument("--check", action="store_true", help="hold the truth against itself")
    arguments = parser.parse_args()
    try:
        world = open_source(arguments.spec)
    except ValueError as error:
        parser.error(str(error))
    if not isinstance(world, World):
        parser.error(f"{arguments.spec!r} is not a drawn world, expected e.g. tabletop:320x240:150")
    todo = len(world.missing())
    seconds = world.prepare(arguments.workers)
    print(f"{world.name}: drew {todo} of {len(world)} frames in {seconds:.1f} s")
    print(f"  cache {world.cache.folder}")
    if arguments.check:
        found = check_truth(world)
        print(
            f"  {found.objects} poses against masks: {found.outside_px} pixels farther than 1 px "
            f"outside, {found.missing_px} missing inside\n"
            f"  {found.depth_points} depths carried into another frame: median "
            f"{found.depth_median_m * 1e3:.4f} mm, 99 % within {found.depth_p99_m * 1e3:.4f} mm"
        )
    if arguments.sheet:
        write_sheet(world, arguments.sheet)
        print(f"  contact sheet {arguments.sheet}")


if __name__ == "__main__":
    main()
