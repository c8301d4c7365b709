# SPDX-License-Identifier: Apache-2.0
"""Say how good it is: masks, answers, tracks, geometry and cost against exact truth.

Runs drawn worlds (tabletop, livingroom, corridor, warehouse, crowd, random:SEED), folders or bags
through the whole pipeline and leaves report.json, report.md and pictures. Only drawn worlds have
truth for every number; recordings are measured against their own held-out frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.errors import CommandError
from f4x_ros.cli.table import table

if TYPE_CHECKING:
    from f4x_ros.core.config import Config
    from f4x_ros.datasets.source import Source
    from f4x_ros.eval.evaluate import Evaluation

_DEFAULT = ("tabletop", "livingroom", "crowd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE",
        help=f"worlds, folders, bags (default: {' '.join(_DEFAULT)}); a world may carry its size, "
        "frames and sensor: tabletop:320x240:150:noisy",
    )  # fmt: skip
    parser.add_argument("--out", default="out/eval", metavar="DIR", help="default: out/eval")
    parser.add_argument(
        "--ros", action="store_true", help="through the node, over real topics and services"
    )
    parser.add_argument(
        "--baseline", metavar="FILE",
        help="earlier numbers to compare with (default: bench/baseline.json of the checkout)",
    )  # fmt: skip
    parser.add_argument(
        "--write-baseline", metavar="FILE", help="keep these numbers to compare later runs with"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments",
        help="an option, e.g. mapping.iterations=8; may be given several times",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="options in YAML, or ROS parameters")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from f4x_ros.cli.run import file_name
    from f4x_ros.cli.settings import read_settings
    from f4x_ros.datasets import open_source
    from f4x_ros.eval.libraries import check_libraries

    check_libraries()
    config, _ = read_settings(options.config, options.assignments)
    specs = options.sources or list(_DEFAULT)
    opened = [open_source(spec) for spec in specs]  # says what is wrong before hours are spent
    baseline = _baseline(options.baseline)
    out = Path(options.out).expanduser()
    results, failures = _Results(out, config, baseline), {}
    for spec, source in zip(specs, opened, strict=True):
        folder = out / file_name(source.name.replace(":", "_"))
        try:
            evaluated = _evaluated(source, spec, config, folder, over_ros=options.ros)
        except ValueError as error:
            failures[source.name] = str(error)
            print(f"{source.name} cannot be evaluated: {error}\n")
            continue
        results.add(evaluated, folder)
    results.finish(failures, Path(options.write_baseline) if options.write_baseline else None)
    if failures:
        raise CommandError(f"not evaluated: {', '.join(failures)} (reasons above)")
    return 0


def _baseline(given: str | None) -> dict[str, Any]:
    """The scenes of the baseline; without a file by default, none."""
    import f4x_ros
    from f4x_ros.eval.evaluation_files import read_baseline

    if given:
        return read_baseline(Path(given).expanduser())
    ours = Path(f4x_ros.__file__).parents[1] / "bench" / "baseline.json"
    return read_baseline(ours) if ours.exists() else {}


def _evaluated(
    source: Source, spec: str, config: Config, folder: Path, *, over_ros: bool
) -> Evaluation:
    from f4x_ros.cli.progress import progress_bar
    from f4x_ros.cli.sources import prepared
    from f4x_ros.eval.evaluate import evaluate

    source = prepared(source)
    with progress_bar(len(source), source.name) as bar:

        def show(done: int) -> None:
            bar.update(done - bar.n)
            if done == len(source):
                bar.set_postfix_str("asking and measuring ...")

        if over_ros:
            from f4x_ros.cli.node_subject import NodeSubject

            with NodeSubject(spec, source, config, folder) as node:
                return evaluate(source, node, show)
        from f4x_ros.core.pipeline import Perception
        from f4x_ros.eval.subject import LibrarySubject

        with LibrarySubject(Perception(config), folder, source=source.name) as library:
            return evaluate(source, library, show)


class _Results:
    """Collects evaluations, writes after each, prints at the end."""

    def __init__(self, out: Path, config: Config, baseline: dict[str, Any]) -> None:
        self._out, self._baseline = out, baseline
        default = type(config)().to_dotted()
        self._changed = {k: v for k, v in config.to_dotted().items() if v != default[k]}
        self._scenes: dict[str, Any] = {}
        self._pictures: dict[str, list[str]] = {}

    def add(self, evaluation: Evaluation, folder: Path) -> None:
        """One more; its pictures and the report so far are on disk afterwards."""
        from f4x_ros.eval.evaluation_pictures import draw_evaluation

        self._scenes[evaluation.name] = evaluation.numbers
        names = draw_evaluation(folder, evaluation)
        self._pictures[evaluation.name] = [f"{folder.name}/{name}" for name in names]
        self._write({})

    def _write(self, failures: dict[str, str]) -> dict[str, Any]:
        from f4x_ros.core.atomic import atomic_write
        from f4x_ros.eval.evaluation_files import full_report, markdown, write_json
        from f4x_ros.eval.scoreboard import compare

        report = full_report(self._scenes, failures, self._changed)
        self._out.mkdir(parents=True, exist_ok=True)
        write_json(self._out / "report.json", report)
        changes = compare(self._scenes, self._baseline)
        with atomic_write(self._out / "report.md") as file:
            file.write(markdown(report, changes, self._pictures).encode())
        return report

    def finish(self, failures: dict[str, str], keep: Path | None) -> None:
        """Write and print everything."""
        from f4x_ros.eval.evaluation_files import write_baseline
        from f4x_ros.eval.scoreboard import compare, score_rows

        report = self._write(failures)
        if not self._scenes:
            return
        names = [name.split(":")[0] if _unique(name, self._scenes) else name
                 for name in self._scenes]  # fmt: skip
        print(table(score_rows(self._scenes, report["overall"]), ("", *names, "all")))
        self._print_changes(compare(self._scenes, self._baseline))
        if keep is not None:
            keep.parent.mkdir(parents=True, exist_ok=True)
            write_baseline(keep, self._scenes)
            print(f"Kept as baseline in {keep}.")
        print(f"\nReport, plots and pictures are in {self._out}; begin with report.md.")

    def _print_changes(self, changes: list[Any]) -> None:
        known = [name for name in self._scenes if name in self._baseline]
        if not known:
            print("\nThe baseline has none of these scenes, so there is nothing to compare with.")
        elif not changes:
            print("\nAs good as the baseline, within tolerances.")
        else:
            print("\nAgainst the baseline:\n")
            rows = [change.row() for change in changes]
            print(table(rows, ("scene", "metric", "baseline", "now", "")))


def _unique(name: str, among: dict[str, Any]) -> bool:
    first = name.split(":")[0]
    return first != "random" and sum(other.split(":")[0] == first for other in among) == 1
