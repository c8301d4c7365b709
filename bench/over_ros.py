# SPDX-License-Identifier: Apache-2.0
"""The same recording offline and, from a bag, over real ROS topics: are the answers the same?

    python bench/over_ros.py [SOURCE] [--prompt TEXT ...] [--frames N] [--json FILE]

Writes SOURCE to an MCAP bag (`f4x export-bag`), maps SOURCE offline (`f4x run`) and lets the camera
process play the bag into the node process (`f4x demo --source`). Prints both reports side by side
and compares the tracks stamp by stamp. Ends with 1 if PSNR differs by more than 0.5 dB or tracks
differ.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HOLOLENS = Path(__file__).resolve().parents[2] / "shared" / "data" / "hololens"
MAX_PSNR_DIFFERENCE_DB = 0.5
MAX_POSITION_DIFFERENCE_M = 0.02
SHOWN = ("frames", "frames_dropped", "psnr_heldout_db", "depth_median_error_m", "gaussians")


def f4x(*arguments: object) -> None:
    """Run one command of the package, with its output shown."""
    subprocess.run([sys.executable, "-m", "f4x_ros.cli.main", *map(str, arguments)], check=True)


def tracks(folder: Path) -> dict[tuple[float, int], tuple[str, list[float]]]:
    """Label and position (m) by seconds since the first row and id."""
    with (folder / "tracks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = float(rows[0]["stamp_s"]) if rows else 0.0
    return {
        (round(float(r["stamp_s"]) - first, 3), int(r["id"])): (
            r["label"],
            [float(r[k]) for k in ("x_m", "y_m", "z_m")],
        )
        for r in rows
    }


def compare(offline: Path, online: Path) -> dict[str, Any]:
    """Both reports and how far the tracks agree."""
    a, b = tracks(offline), tracks(online)
    both = a.keys() & b.keys()
    apart = [
        max(abs(p - q) for p, q in zip(a[k][1], b[k][1], strict=True))
        if a[k][0] == b[k][0]
        else float("inf")
        for k in both
    ]
    same = sum(d <= MAX_POSITION_DIFFERENCE_M for d in apart)
    return {
        "offline": json.loads((offline / "report.json").read_text()),
        "over_ros": json.loads((online / "report.json").read_text()),
        "track_rows_offline": len(a),
        "track_rows_over_ros": len(b),
        "track_rows_same": same,
        "track_rows_same_share": same / max(1, len(a | b)),
    }


def main() -> int:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default=str(HOLOLENS))
    parser.add_argument("--prompt", action="append", default=[])
    parser.add_argument("--frames", type=int, default=160)
    parser.add_argument("--extractor", default="color")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    prompts = options.prompt or ["green thing", "blue thing", "orange thing"]
    asked = [word for prompt in prompts for word in ("--prompt", prompt)]
    asked += ["--set", f"features.extractor={options.extractor}"]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        count = ("--frames", options.frames)
        f4x("export-bag", options.source, work / "bag.mcap", *count)
        f4x("run", options.source, *count, *asked, "--out", work / "offline")
        source = ("--source", work / "bag.mcap")
        f4x("demo", *source, *count, *asked, "--out", work / "online")
        result = compare(work / "offline", work / "online")
    offline, over_ros = result["offline"], result["over_ros"]
    print(f"\n{'':24}{'offline':>12}{'over ROS':>12}")
    for key in SHOWN:
        print(f"{key:24}{offline[key]:>12.5g}{over_ros[key]:>12.5g}")
    print(f"{'track rows':24}{result['track_rows_offline']:>12}{result['track_rows_over_ros']:>12}")
    share = result["track_rows_same_share"]
    print(f"the same id, label and place within 2 cm: {100 * share:.2f} % of the rows")
    difference = abs(offline["psnr_heldout_db"] - over_ros["psnr_heldout_db"])
    passed = difference <= MAX_PSNR_DIFFERENCE_DB and share >= 0.99
    print("PASS" if passed else "FAIL", f"PSNR differs by {difference:.3f} dB")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
