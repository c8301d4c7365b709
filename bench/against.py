# SPDX-License-Identifier: Apache-2.0
"""An earlier revision and the working tree in turns on the same inputs: how much faster, how good?

    python bench/against.py REVISION [--json FILE] [--repeats 2] [--worlds random:8101,random:8102]

Builds REVISION once, in a folder and an environment of its own (minutes), and maps the demo world
and the HoloLens recording with both (`f4x run`), one after the other, each in a process of its own:
A B A B ... A rate is frames per second of time spent in the map (`fps` of report.json); a ratio is
the median over the pairs of new / old, which a machine that grows slower does not bend. With
--worlds, `f4x eval` of both compares masks and tracks. What differs in settings between the two
(backend, features, prompts) is listed: such rates compare unlike things.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from revisions import Tree, built, working_tree  # noqa: E402

from f4x_ros.cli.prompts import DEMO, EXAMPLES  # noqa: E402
from f4x_ros.cli.table import table  # noqa: E402
from f4x_ros.eval.report.scoreboard import look_up  # noqa: E402

HOLOLENS = ROOT.parent / "shared" / "data" / "hololens"
SETTINGS = ("features", "render_backend", "device", "prompts", "frames", "frames_heldout")
SCORES = {"miou_change": "query.miou", "hota_change": "tracks.hota"}
Reports = tuple[Mapping[str, Any], Mapping[str, Any]]  # old, new


@dataclass(frozen=True)
class Input:
    """What both map.

    Attributes:
        name: as in the keys.
        source: of `f4x run`.
        prompts: the standing ones, given to both, whatever their defaults.
    """

    name: str
    source: str
    prompts: Sequence[str]


@dataclass
class Compared:
    """The reports of all pairs on one input."""

    pairs: list[Reports] = field(default_factory=list)

    def values(self, key: str, which: int) -> list[float]:
        """A number of all runs of the old (0) or the new (1)."""
        return [float(pair[which][key]) for pair in self.pairs]

    @property
    def ratios(self) -> list[float]:
        """new / old frames per second, by pair."""
        return [new["fps"] / old["fps"] for old, new in self.pairs]

    @property
    def psnr_change_db(self) -> float | None:
        """new - old on held-out frames, None where none was compared."""
        if any(report["psnr_heldout_db"] is None for pair in self.pairs for report in pair):
            return None
        old, new = (statistics.mean(self.values("psnr_heldout_db", which)) for which in (0, 1))
        return new - old

    @property
    def differing(self) -> dict[str, list[Any]]:
        """Settings that are not the same in old and new."""
        old, new = self.pairs[0]
        both = {key: [old.get(key), new.get(key)] for key in SETTINGS}
        return {key: values for key, values in both.items() if values[0] != values[1]}


def inputs(hololens: Path) -> list[Input]:
    """The demo world and the recording, if it is there."""
    found = [Input("demo", "demo", DEMO["embedded"])]
    if hololens.is_dir():
        found.append(Input("hololens", str(hololens.resolve()), EXAMPLES["embedded"]))
    else:
        print(f"hololens: not measured, there is no folder {hololens} (--hololens FOLDER)")
    return found


def mapped(tree: Tree, given: Input, frames: int, work: Path) -> dict[str, Any]:
    """The report of one run in a process of its own."""
    out = work / "run"
    words = [word for prompt in given.prompts for word in ("--prompt", prompt)]
    size = ["--frames", frames] if frames else []
    tree.f4x("run", given.source, *size, *words, "--out", out, log=work / "log.txt")
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    rate, psnr = report["fps"], report["psnr_heldout_db"]
    shown = "no PSNR" if psnr is None else f"{psnr:.2f} dB"
    load = os.getloadavg()[0]
    print(
        f"  {given.name:9s} {tree.name:13s} {rate:6.2f} frames/s  {shown}  load {load:.1f}",
        flush=True,
    )
    return report


def compare(trees: Sequence[Tree], given: Input, options: argparse.Namespace) -> Compared:
    """Old and new in turns."""
    compared = Compared()
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as name:
            old, new = (mapped(tree, given, options.frames, Path(name)) for tree in trees)
        compared.pairs.append((old, new))
    return compared


def numbers(results: Mapping[str, Compared]) -> dict[str, Any]:
    """The keys of the JSON file."""
    found: dict[str, Any] = {}
    for name, one in results.items():
        found[f"rate_ratio_{name}"] = statistics.median(one.ratios)
        found[f"rate_ratios_{name}"] = one.ratios
        found[f"psnr_change_{name}_db"] = one.psnr_change_db
        found[f"settings_differing_{name}"] = one.differing
        for which, who in enumerate(("old", "new")):
            found[f"fps_{name}_{who}"] = one.values("fps", which)
            found[f"psnr_{name}_{who}_db"] = [pair[which]["psnr_heldout_db"] for pair in one.pairs]
            found[f"gaussians_{name}_{who}"] = [pair[which]["gaussians"] for pair in one.pairs]
    changes = [change for one in results.values() if (change := one.psnr_change_db) is not None]
    return {"psnr_change_db": min(changes, default=None), **found}


def score_changes(trees: Sequence[Tree], worlds: Sequence[str], work: Path) -> dict[str, Any]:
    """What `f4x eval` of both says of drawn worlds: means over the worlds, new - old."""
    overall = []
    for tree, who in zip(trees, ("old", "new"), strict=True):
        print(f"  evaluating {', '.join(worlds)}: {tree.name}", flush=True)
        out = work / who
        tree.f4x("eval", *worlds, "--out", out, log=work / f"{who}.txt")
        overall.append(json.loads((out / "report.json").read_text(encoding="utf-8"))["overall"])
    found: dict[str, Any] = {"worlds": list(worlds)}
    for key, place in SCORES.items():
        old, new = (look_up(scores, place) for scores in overall)
        name = key.removesuffix("_change")
        found |= {f"{name}_old": old, f"{name}_new": new}
        found[key] = None if old is None or new is None else new - old
    return found


def show(results: Mapping[str, Compared], scores: Mapping[str, Any]) -> None:
    """The tables."""
    rows = []
    for name, one in results.items():
        old, new = (statistics.median(one.values("fps", which)) for which in (0, 1))
        ratios = ", ".join(f"{ratio:.2f}" for ratio in one.ratios)
        change = one.psnr_change_db
        psnr = "not measured" if change is None else f"{change:+.2f} dB"
        ratio = f"{statistics.median(one.ratios):.2f} ({ratios})"
        rows.append((name, f"{old:.2f}", f"{new:.2f}", ratio, psnr))
    print()
    print(table(rows, ("input", "old frames/s", "new", "new / old (pairs)", "PSNR, held out")))
    for name, one in results.items():
        for key, (was, now) in one.differing.items():
            print(f"{name}: NOT THE SAME in both: {key} is {was} in the old, {now} in the new")
    for key in SCORES:
        if key in scores:
            name = key.removesuffix("_change")
            old, new, change = (scores[k] for k in (f"{name}_old", f"{name}_new", key))
            text = "not measured" if change is None else f"{old:.4f} -> {new:.4f} ({change:+.4f})"
            print(f"{name}: {text}")


def main() -> int:
    """Build, run in turns, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", help="what git knows: a hash, a tag, a branch")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--repeats", type=int, default=2, help="pairs for each input")
    parser.add_argument("--frames", type=int, default=0, help="of each input; 0 = all")
    parser.add_argument("--threads", type=int, default=2, help="of each process")
    parser.add_argument("--hololens", type=Path, default=HOLOLENS, help="folder of the recording")
    parser.add_argument("--worlds", default="", help="also evaluate these, e.g. random:8101,crowd")
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "out" / "against", help="where revisions are built"
    )
    options = parser.parse_args()
    if options.repeats < 1 or options.frames < 0:
        parser.error("expected --repeats of at least 1 and --frames of at least 0")
    results: dict[str, Compared] = {}
    scores: dict[str, Any] = {}
    problem = ""
    try:
        trees = (
            built(options.revision, options.cache, options.threads),
            working_tree(options.threads),
        )
        trees[1].check()
        for one in inputs(options.hololens):
            results[one.name] = compare(trees, one, options)
        if worlds := [world for world in options.worlds.split(",") if world]:
            with tempfile.TemporaryDirectory() as name:
                scores = score_changes(trees, worlds, Path(name))
    except RuntimeError as error:  # what was measured before is worth its hour
        problem = f"not all was compared: {error}"
    if results:
        show(results, scores)
    if options.json and results:
        report = {"bench": "against", "revision": options.revision, "problem": problem or None}
        report |= {"frames": options.frames, "threads": options.threads}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        content = report | numbers(results) | scores
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if problem:
        print(problem)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
