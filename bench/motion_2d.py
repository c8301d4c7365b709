# SPDX-License-Identifier: Apache-2.0
"""Masks of what moves from pictures alone: no depth, map, learned weight or prompt.

    python bench/motion_2d.py [FOLDER ...] [--json FILE] [--pictures DIR] [--no-fit]

For each DAVIS folder (default: all of ../shared/data/davis): J, F and J&F of the mask that
`f4x_ros.core.motion.picture` gives each frame against the annotated one, and the time of a frame.
Only frames of the past are used; the first frame, which has none, is compared with the one after.

`j_mean` is with the options as they are by default, which were chosen on these folders.
`j_leave_one_out` is the mean over the folders with the options of `GRID` that are best on the other
folders, so no folder has a say in its own options.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from f4x_ros.core.motion.picture import EvidenceSource, MoverOptions, MoverSegmenter  # noqa: E402
from f4x_ros.eval.metrics.masks import MaskSequence, jaccard  # noqa: E402
from f4x_ros.io.davis import DavisFolder  # noqa: E402

DAVIS = ROOT.parent / "shared" / "data" / "davis"

Image = NDArray[Any]  # [H, W, 3] uint8
Mask = NDArray[Any]  # [H, W] bool

GRID = [
    MoverOptions(share=share, colour=colour, memory=memory)
    for share, colour, memory in itertools.product((0.4, 0.5, 0.6), (0.7, 1.0), (0.3, 0.5))
]


class Scored:
    """One DAVIS folder: the scores with default options, and J with those of a grid."""

    def __init__(self, folder: Path, grid: list[MoverOptions], pictures: Path | None) -> None:
        """Look at each frame once; all options see the same evidence."""
        source, evidence_of, segmenter = DavisFolder(folder), EvidenceSource(), MoverSegmenter()
        tried = [MoverSegmenter(options) for options in grid]
        js = np.zeros((len(source), len(grid)))
        scores, took = MaskSequence(), 0.0
        second = source[1].rgb if len(source) > 1 else None
        for index, frame in enumerate(source):
            started = time.perf_counter()
            evidence = evidence_of.look(frame.rgb, second)
            mask = segmenter.segment(evidence)
            took += time.perf_counter() - started
            truth = source.moving_mask(index)
            scores.add(mask, truth)
            js[index] = [jaccard(other.segment(evidence), truth) for other in tried]
            if pictures is not None and index % 20 == 10:
                _picture(pictures / f"{source.name}_{index:03d}.png", frame.rgb, mask, truth)
        result = scores.result()
        assert result.j is not None
        assert result.f is not None
        both, ms = (result.j + result.f) / 2, 1000 * took / len(source)
        self.name = source.name
        self.row: dict[str, Any] = {"j": result.j, "f": result.f, "j_and_f": both, "ms": ms}
        self.js = js.mean(0)  # of each of the grid's options


def left_out(js: NDArray[np.float64]) -> NDArray[np.intp]:
    """For each row of ``[sequences, options]``, the column that is best on average elsewhere."""
    others = js.sum(0) - js
    return np.argmax(others, axis=1)


def _picture(path: Path, rgb: Image, mask: Mask, truth: Mask) -> None:
    """Found and true in green, found only in red, missed in blue."""
    out = rgb[..., ::-1] // 2
    out[mask & truth] += np.array([0, 110, 0], np.uint8)
    out[mask & ~truth] += np.array([0, 0, 110], np.uint8)
    out[~mask & truth] += np.array([110, 0, 0], np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), out)


def _said(options: MoverOptions) -> dict[str, float]:
    return {"share": options.share, "colour": options.colour, "memory": options.memory}


def main() -> int:
    """Print the table; the exit code is 2 where there is no sequence."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="DAVIS folders")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--pictures", type=Path, help="write pictures of masks here")
    parser.add_argument("--no-fit", action="store_true", help="no j_leave_one_out (much quicker)")
    given = parser.parse_args()
    folders = given.folders or sorted(DAVIS.glob("*"))
    if not folders:
        print(f"motion_2d: no folders given, and none in {DAVIS}", file=sys.stderr)
        return 2
    grid = [] if given.no_fit or len(folders) < 2 else GRID
    print(f"{'sequence':<16}{'J':>8}{'F':>8}{'J&F':>8}{'ms':>8}", flush=True)
    scored = []
    for folder in folders:
        scored.append(Scored(folder, grid, given.pictures))
        _print(scored[-1].name, scored[-1].row)
    rows: dict[str, Any] = {one.name: one.row for one in scored}
    mean = {key: float(np.mean([one.row[key] for one in scored])) for key in scored[0].row}
    rows["mean"], rows["j_mean"] = mean, mean["j"]
    _print("mean", mean)
    if grid:
        js = np.array([one.js for one in scored])
        for one, column in zip(scored, left_out(js), strict=True):
            one.row["left_out"] = {"j": float(one.js[column]), **_said(grid[column])}
            print(f"{one.name:<16}{one.js[column]:8.3f} left out, with {_said(grid[column])}")
        rows["j_leave_one_out"] = float(np.mean([one.row["left_out"]["j"] for one in scored]))
        print(f"j_leave_one_out {rows['j_leave_one_out']:8.3f}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def _print(name: str, row: dict[str, float]) -> None:
    print(
        f"{name:<16}{row['j']:8.3f}{row['f']:8.3f}{row['j_and_f']:8.3f}{row['ms']:8.1f}", flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
