# SPDX-License-Identifier: Apache-2.0
"""Several cameras into one field, against each of them alone.

    python bench/cameras.py [WORLD] [--cameras front,left] [--set KEY=VALUE] [--json FILE]

The same drawn world is mapped by each camera of a rig alone and by all of them together. Of each
camera: PSNR of its held-out frames (every 8th of its own, never mapped) out of the finished map,
and mIoU of its published masks against exact truth. `loss_db` is what a camera loses by company,
below 0 where it gains.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from f4x_ros.cli.settings import read_settings
from f4x_ros.cli.sources import prepared
from f4x_ros.cli.table import table
from f4x_ros.core.base import atomic_write
from f4x_ros.core.config import Config
from f4x_ros.core.perception import Perception
from f4x_ros.eval.protocol.rig import evaluate_rig
from f4x_ros.eval.subjects.subject import LibrarySubject
from f4x_ros.io.cameras import check_names
from f4x_ros.sim import Rig, open_source


def mapped(world: str, cameras: tuple[str, ...], config: Config, out: Path) -> dict[str, Any]:
    """The numbers of each camera of a rig, mapped together."""
    rig = prepared(open_source(world, cameras=cameras))
    assert isinstance(rig, Rig)
    perception = Perception(config, cameras=cameras)
    with LibrarySubject(perception, out, source=rig.name, recording=rig) as subject:
        numbers, run = evaluate_rig(rig, subject)
    print(f"{rig.name}: {run['frames']} frames, {run['psnr_heldout_db']:.2f} dB", flush=True)
    return numbers["cameras"] | {"gaussians": run["gaussians"], "tracks": run["tracks"]}


def compared(world: str, cameras: tuple[str, ...], config: Config, out: Path) -> dict[str, Any]:
    """Each camera alone and in company."""
    together = mapped(world, cameras, config, out / "together")
    rows: dict[str, Any] = {}
    for name in cameras:
        alone = mapped(world, (name,), config, out / name)
        db, alone_db = together[f"{name}_psnr_past_db"], alone[f"{name}_psnr_past_db"]
        rows[name] = {
            "frames": together[f"{name}_frames"],
            "psnr_alone_db": alone_db,
            "psnr_together_db": db,
            "loss_db": alone_db - db,
            "miou_alone": alone[f"{name}_miou_live"],
            "miou_together": together[f"{name}_miou_live"],
        }
    return {"world": world, "cameras": rows, "gaussians": together["gaussians"]}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("world", nargs="?", default="livingroom:320x240:90")
    parser.add_argument("--cameras", default="front,left")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--out", type=Path, help="keep videos, maps and reports here")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config, _ = read_settings(None, options.assignments)
    cameras = check_names(options.cameras.split(","), "--cameras")
    with tempfile.TemporaryDirectory() as scratch:
        result = compared(options.world, cameras, config, options.out or Path(scratch))
    rows = [
        (
            name,
            f"{own['psnr_alone_db']:.2f}",
            f"{own['psnr_together_db']:.2f}",
            f"{own['loss_db']:+.2f}",
            f"{own['miou_alone'] or 0:.3f}",
            f"{own['miou_together'] or 0:.3f}",
        )
        for name, own in result["cameras"].items()
    ]
    heads = ("camera", "dB alone", "together", "loss", "mIoU alone", "together")
    print(table(rows, heads))
    if options.json:
        with atomic_write(options.json) as file:
            file.write((json.dumps(result, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
