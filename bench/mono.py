# SPDX-License-Identifier: Apache-2.0
"""A camera without depth: path, depth, masks and pictures, against what depth gives.

    python bench/mono.py [WORLD ...] [--only worlds hololens given bedroom] [--frames N] \
        [--json FILE] [--out DIR]

Worlds (default: 8731, which the start was developed on) are evaluated twice, with the camera's pose
estimated both times: with their depth images, and with the depth that motion gives. The HoloLens
recording is mapped from its pictures alone (poses and depth are compared with afterwards), and once
more with its poses given; `bedroom` as it is, pictures without anything.

`ate_ratio` is the path's RMSE after the best motion and scale by its length, `depth_error_median`
the relative error of the map's depth in held-out frames after one scale, `miou_ratio` masks by
words against those with depth, `psnr_db` that of held-out frames.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from f4x_ros.core.config import Config  # noqa: E402
from f4x_ros.core.data import Frame  # noqa: E402
from f4x_ros.core.perception import Perception  # noqa: E402
from f4x_ros.eval.protocol.evaluate import evaluate  # noqa: E402
from f4x_ros.eval.subjects.camera_path import CameraPath  # noqa: E402
from f4x_ros.eval.subjects.feed import Feed  # noqa: E402
from f4x_ros.eval.subjects.run_recorder import RunRecorder  # noqa: E402
from f4x_ros.eval.subjects.subject import LibrarySubject  # noqa: E402
from f4x_ros.sim import World, open_source  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
WORLDS = ("random:8731:320x240:100:noisy",)
PARTS = ("worlds", "hololens", "given", "bedroom")
BLIND = {"pose.source": "odometry", "depth.source": "motion"}

Row = dict[str, Any]


class _Shortened:
    """The first frames of a source."""

    def __init__(self, source: Any, count: int) -> None:
        self._source, self._count = source, min(count or len(source), len(source))
        self.name, self.left_out = source.name, source.left_out
        self.frames_there = self._count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Frame:
        frame: Frame = self._source[index]
        return frame


def of_world(spec: str, out: Path) -> Row:
    """One world with its depth and without."""
    world = open_source(spec)
    assert isinstance(world, World)
    world.prepare()
    found = {}
    for name, options in (("depth", {"pose.source": "odometry"}), ("motion", BLIND)):
        folder = out / f"{world.name}_{name}".replace(":", "_")
        perception = Perception(Config.from_dotted(options))
        with LibrarySubject(perception, folder, source=spec, recording=world) as subject:
            found[name] = evaluate(world, subject)
    ours, theirs = found["motion"], found["depth"]
    camera = ours.numbers["camera"]
    return {
        "ate_ratio": camera["ate_scaled_rmse_m"] / camera["path_m"],
        "scale": camera["scale"],
        "depth_error_median": ours.run["depth_relative_error"],
        "miou": ours.numbers["query"]["miou"],
        "miou_with_depth": theirs.numbers["query"]["miou"],
        "miou_ratio": ours.numbers["query"]["miou"] / theirs.numbers["query"]["miou"],
        "psnr_db": ours.run["psnr_heldout_db"],
        "psnr_with_depth_db": theirs.run["psnr_heldout_db"],
        "lost_frames": camera["lost_frames"],
        "frames": ours.run["frames"],
    }


def of_recording(
    path: Path, options: dict[str, str], hide: Callable[[Frame], Frame], count: int, out: Path
) -> Row:
    """A recording from what `hide` leaves of its frames."""
    source = _Shortened(open_source(path), count)
    perception = Perception(Config.from_dotted(options))
    states: Counter[str] = Counter()
    beside, moving = CameraPath(), []

    def process(frame: Frame) -> None:
        try:
            percept = recorder.process(hide(frame))
        finally:
            estimate = perception.camera_pose
            states[estimate.state.value if estimate else "given"] += 1
        beside.add(percept.T_map_camera, frame.T_map_camera)
        if percept.moving is not None:
            moving.append(float((percept.moving >= 0.5).mean()))

    with RunRecorder(perception, out / path.name, source=path.name) as recorder:
        feed = Feed(source, needs_pose=False, needs_depth=False)
        feed.run(process)
        report = recorder.finish(feed.left_out, frames_there=len(source))
    after, scale = beside.scaled()
    length = beside.errors().path_m
    return {
        "ate_ratio": after / length if after is not None and length else None,
        "path_m": length,
        "scale": scale,
        "depth_error_median": report["depth_relative_error"],
        "psnr_db": report["psnr_heldout_db"],
        "lost_frames": states["lost"],
        "states": dict(states),
        "moving_share": sum(moving) / len(moving) if moving else None,
        "frames": report["frames"],
        "fps": report["fps"],
        "remarks": perception.remarks,
    }


def main() -> int:
    """Print one row for each part; the exit code is 2 where a recording is not there."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("worlds", nargs="*", default=list(WORLDS), help="drawn worlds")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run")
    parser.add_argument("--frames", type=int, default=0, help="of recordings; 0 = all")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--out", type=Path, help="keep maps and pictures here")
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="mono_"))
    for name in ("hololens", "bedroom"):
        if name in given.only and not (DATA / name).is_dir():
            print(f"mono: there is no {DATA / name}", file=sys.stderr)
            return 2
    rows: dict[str, Row] = {}

    def add(name: str, row: Row) -> None:
        rows[name] = row
        print(name, json.dumps(row), flush=True)
        if given.json:
            given.json.write_text(json.dumps(rows, indent=1) + "\n")

    if "worlds" in given.only:
        for spec in given.worlds:
            add(spec, of_world(spec, out))
    if "hololens" in given.only:
        blind = of_recording(
            DATA / "hololens", BLIND, lambda one: replace(one, T_map_camera=None), given.frames,
            out / "alone",
        )  # fmt: skip
        add("hololens", blind)
    if "given" in given.only:
        options = {"depth.source": "motion"}
        posed = of_recording(
            DATA / "hololens", options, lambda one: one, given.frames, out / "given"
        )
        add("hololens_given_pose", posed)
    if "bedroom" in given.only:
        add("bedroom", of_recording(DATA / "bedroom", BLIND, lambda one: one, given.frames, out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
