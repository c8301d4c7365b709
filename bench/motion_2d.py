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
    for share, colour, memory in itertools.product((0.4, 0.5, 0.6), (0.7, 1.0), (0.3, 0.5, 0.7))
]


class Sequence:
    """One DAVIS folder with the evidence of its frames, which no option changes."""

    def __init__(self, folder: Path) -> None:
        """Look at all frames."""
        self._source = DavisFolder(folder)
        self.name = self._source.name
        source = EvidenceSource()
        started = time.perf_counter()
        self._evidence = [
            source.look(
                frame.rgb, self._source[1].rgb if i == 0 and len(self._source) > 1 else None
            )
            for i, frame in enumerate(self._source)
        ]
        self._look_s = time.perf_counter() - started
        self._truth = [self._source.moving_mask(i) for i in range(len(self._source))]

    def masks(self, options: MoverOptions) -> list[Mask]:
        """The mask of each frame."""
        segmenter = MoverSegmenter(options)
        return [segmenter.segment(evidence) for evidence in self._evidence]

    def j(self, options: MoverOptions) -> float:
        """Mean J [0..1]."""
        pairs = zip(self.masks(options), self._truth, strict=True)
        return float(np.mean([jaccard(mask, truth) for mask, truth in pairs]))

    def score(self, pictures: Path | None) -> dict[str, float]:
        """J, F, J&F [0..1] and milliseconds a frame (reading it included) with default options."""
        started = time.perf_counter()
        masks = self.masks(MoverOptions())
        took = self._look_s + time.perf_counter() - started
        scores = MaskSequence()
        for index, (mask, truth) in enumerate(zip(masks, self._truth, strict=True)):
            scores.add(mask, truth)
            if pictures is not None and index % 20 == 10:
                rgb = self._source[index].rgb
                _picture(pictures / f"{self.name}_{index:03d}.png", rgb, mask, truth)
        result = scores.result()
        assert result.j is not None
        assert result.f is not None
        both = (result.j + result.f) / 2
        return {"j": result.j, "f": result.f, "j_and_f": both, "ms": 1000 * took / len(masks)}


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
    fit = not given.no_fit and len(folders) > 1
    rows: dict[str, Any] = {}
    js = np.zeros((len(folders), len(GRID)))
    print(f"{'sequence':<16}{'J':>8}{'F':>8}{'J&F':>8}{'ms':>8}", flush=True)
    for number, folder in enumerate(folders):
        sequence = Sequence(folder)
        rows[sequence.name] = row = sequence.score(given.pictures)
        _print(sequence.name, row)
        if fit:
            js[number] = [sequence.j(options) for options in GRID]
    names = list(rows)
    rows["mean"] = {key: float(np.mean([rows[n][key] for n in names])) for key in rows[names[0]]}
    _print("mean", rows["mean"])
    rows["j_mean"] = rows["mean"]["j"]
    if fit:
        best = left_out(js)
        for name, row, column in zip(names, js, best, strict=True):
            rows[name]["left_out"] = {"j": float(row[column]), **_said(GRID[column])}
            print(f"{name:<16}{row[column]:8.3f} left out, with {_said(GRID[column])}")
        rows["j_leave_one_out"] = float(np.mean([rows[name]["left_out"]["j"] for name in names]))
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
