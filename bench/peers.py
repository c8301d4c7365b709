# SPDX-License-Identifier: Apache-2.0
"""Ours beside what a user would install with pip instead, on the same frames and the same truth.

    python bench/peers.py [SOURCE ...] [--json FILE] [--only PEER ...] [--cores 2]

Sources are those of `f4x eval` (default: tabletop livingroom crowd). Worlds are compared in all of
it, recordings only in the path of the camera, with their own poses as truth.

- camera: Open3D's dense SLAM and RGB-D odometry, KISS-ICP. Ours takes the pose as given.
- tracks: ByteTrack and SORT of the package trackers, on boxes of each picture's own masks, lifted
  to 3D by the depth.
- masks: encoding each picture anew, against asking the map.
- geometry: Open3D's TSDF volume at the same given poses.

Every contestant is scored by `f4x_ros.eval` (camera paths by its camera_metrics alone) and runs
in a process of its own on the same cores.
Times are of the step alone (no reading, no drawing, no scoring), without the first frames. A peer
that is not installed or fails has a row that says so. What they need: the extra [peers], in an
environment of its own, see doc/evaluation.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "bench"))

from peer_run import ENTRIES, measure  # noqa: E402
from peer_table import HEADER, reasons, rows  # noqa: E402

from f4x_ros.cli.settings import read_settings  # noqa: E402
from f4x_ros.cli.sources import prepared  # noqa: E402
from f4x_ros.cli.table import table  # noqa: E402
from f4x_ros.eval.report.files import write_json  # noqa: E402
from f4x_ros.io.source import Source  # noqa: E402
from f4x_ros.sim import World, open_source  # noqa: E402

_DEFAULT = ("tabletop", "livingroom", "crowd")


def main(arguments: list[str] | None = None) -> int:
    """Run; 1 if a contestant failed (one that is not installed has not), 2 if asked wrongly."""
    options = _options(arguments)
    specs = options.sources or _DEFAULT
    try:  # all that may be wrong is said before anything is measured
        for spec in specs:
            open_source(spec)
        read_settings(None, options.assignments)
    except (ValueError, OSError) as error:
        print(f"peers: {error}", file=sys.stderr)
        return 2
    cores = sorted(os.sched_getaffinity(0))[: options.cores or None]
    os.sched_setaffinity(0, cores)  # children inherit it, and every library keeps to it
    os.environ["OMP_NUM_THREADS"] = str(len(cores))
    report: dict[str, Any] = {
        "bench": "peers",
        "cpu": _cpu(),
        "cores": len(cores),
        "python": platform.python_version(),
        "options": options.assignments,
        "sources": {},
    }
    lines: list[tuple[str, ...]] = []
    notes: dict[str, None] = {}  # each once, in order
    failed = False
    for spec in specs:
        results = _results(spec, options)
        report["sources"][results["name"]] = results
        lines += rows(_short(results["name"]), results["contestants"])
        notes |= dict.fromkeys(reasons(results["contestants"]))
        failed |= any(r["status"] == "failed" for r in results["contestants"].values())
        if options.json:
            write_json(options.json, report)
    report["load_average"] = os.getloadavg()
    print(table(lines, HEADER), *notes, sep="\n")
    if options.json:
        write_json(options.json, report)
    return int(failed)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("sources", nargs="*", metavar="SOURCE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", nargs="+", choices=tuple(ENTRIES), metavar="PEER",
                        help=f"some of {', '.join(ENTRIES)}")  # fmt: skip
    parser.add_argument("--cores", type=int, default=0, help="use only so many (default: all)")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for each contestant")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        dest="assignments", help="an option of ours")  # fmt: skip
    return parser.parse_args(arguments)


def _results(spec: str, options: argparse.Namespace) -> dict[str, Any]:
    """All contestants on one source."""
    source: Source = prepared(open_source(spec))
    contestants: dict[str, Any] = {}
    for name, entry in ENTRIES.items():
        if options.only and name not in options.only:
            continue
        if not isinstance(source, World) and (name == "ours" or entry.world_only):
            continue
        load = os.getloadavg()[0]
        result = measure(name, spec, options.assignments, options.timeout)
        result["load_before"] = round(load, 1)
        contestants[name] = result
        note = result.get("reason") or f"{result['seconds']:.0f} s"
        print(f"{source.name}: {name}: {note}", file=sys.stderr, flush=True)
    return {"name": source.name, "frames": len(source), "contestants": contestants}


def _short(name: str) -> str:
    """A world's scene and sensor without size and length."""
    parts = name.split(":")
    return ":".join(part for part in parts if not part[:1].isdigit()) or name


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
