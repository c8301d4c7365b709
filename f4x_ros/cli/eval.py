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
from f4x_ros.cli.sources import add_topic_arguments, flags_of, open_recording, topic_options
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.config import Config
    from f4x_ros.eval.protocol.evaluate import Evaluation
    from f4x_ros.eval.report.files import Baseline
    from f4x_ros.io.source import Source

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
    parser.add_argument(
        "--questions", action="store_true",
        help="instead ask drawn worlds about space and time, of the truth and of a map: doc/ask.md",
    )  # fmt: skip
    parser.add_argument(
        "--edits", action="store_true",
        help="instead edit maps of drawn worlds, against worlds with the edits made: doc/edit.md",
    )  # fmt: skip
    parser.add_argument(
        "--truth-only", action="store_true",
        help="with --questions: reasoning alone, no map is made",
    )  # fmt: skip
    add_topic_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from f4x_ros.cli.settings import read_settings
    from f4x_ros.eval.metrics.libraries import check_libraries

    check_libraries()
    config, _ = read_settings(options.config, options.assignments)
    specs = options.sources or list(_DEFAULT)
    # All that may be wrong is said before hours are spent.
    chosen = topic_options(options)
    if chosen and options.ros:
        raise BadInputError(
            f"{flags_of(chosen)[0]} with --ros: expected one of them, as the node "
            "of --ros gets the topics of our own camera"
        )
    opened = [open_recording(spec, chosen) for spec in specs]
    if options.ros and (rigs := [one.name for one in opened if hasattr(one, "cameras")]):
        raise BadInputError(
            f"--ros with {rigs[0]!r}, expected a source of one camera: it compares frame by frame"
        )
    if options.questions:
        from f4x_ros.cli.eval_questions import run_questions

        out = Path(options.out).expanduser()
        run_questions(opened, config, out, truth_only=options.truth_only)
        return 0
    if options.edits:
        from f4x_ros.cli.eval_edits import run_edits

        run_edits(opened, config, Path(options.out).expanduser())
        return 0
    folders = _folders(Path(options.out).expanduser(), [source.name for source in opened])
    keep = _new_baseline(options.write_baseline)
    if not options.ros:
        from f4x_ros.core.perception import Perception

        Perception(config)
    results = _Results(folders[0].parent, config, _baseline(options.baseline))
    failures: dict[str, str] = {}
    for spec, source, folder in zip(specs, opened, folders, strict=True):
        try:
            evaluated = _evaluated(source, spec, config, folder, over_ros=options.ros)
        except (ValueError, RuntimeError, CommandError) as error:
            failures[source.name] = str(error)
            print(f"{source.name} cannot be evaluated: {error}\n")
            continue
        results.add(evaluated, folder)
    results.finish(failures, keep)
    if failures:
        raise CommandError(f"not evaluated: {', '.join(failures)} (reasons above)")
    return 0


def _folders(out: Path, names: list[str]) -> list[Path]:
    """A folder for each source, made; ValueError if two have one name."""
    from f4x_ros.cli.run import file_name

    folders = [out / file_name(name.replace(":", "_")) for name in names]
    for number, folder in enumerate(folders):
        if folder in folders[:number]:
            raise BadInputError(
                f"two sources are called {names[number]!r}, expected different names"
            )
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def _new_baseline(given: str | None) -> Path | None:
    """The file to write to, its folder made; ValueError if it is there and no baseline."""
    from f4x_ros.eval.report.files import read_baseline

    if given is None:
        return None
    path = Path(given).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        read_baseline(path)
    return path


def _baseline(given: str | None) -> Baseline:
    """The baseline; without a file by default, an empty one."""
    import f4x_ros
    from f4x_ros.eval.report.files import Baseline, read_baseline

    if given:
        return read_baseline(Path(given).expanduser())
    ours = Path(f4x_ros.__file__).parents[1] / "bench" / "baseline.json"
    return read_baseline(ours) if ours.exists() else Baseline({}, {})


def _evaluated(
    source: Source, spec: str, config: Config, folder: Path, *, over_ros: bool
) -> Evaluation:
    from f4x_ros.cli.progress import progress_bar
    from f4x_ros.cli.run import say_remarks
    from f4x_ros.cli.sources import prepared
    from f4x_ros.eval.protocol.evaluate import evaluate

    source = prepared(source)
    say_remarks(source.name, source.remarks)
    with progress_bar(len(source), source.name) as bar:

        def show(done: int) -> None:
            bar.update(done - bar.n)
            if done == len(source):
                bar.set_postfix_str("asking and measuring ...")

        if over_ros:
            from f4x_ros.cli.node_subject import NodeSubject

            with NodeSubject(spec, source, config, folder) as node:
                return evaluate(source, node, show)
        from f4x_ros.core.perception import Perception
        from f4x_ros.eval.subjects.subject import LibrarySubject

        with LibrarySubject(
            Perception(config, cameras=getattr(source, "cameras", ())),
            folder,
            source=source.name,
            recording=source,
        ) as library:
            return evaluate(source, library, show)


class _Results:
    """Collects evaluations, writes after each, prints at the end."""

    def __init__(self, out: Path, config: Config, baseline: Baseline) -> None:
        self._out, self._baseline = out, baseline
        default = type(config)().to_dotted()
        self._changed = {k: v for k, v in config.to_dotted().items() if v != default[k]}
        self._scenes: dict[str, Any] = {}
        self._pictures: dict[str, list[str]] = {}

    def add(self, evaluation: Evaluation, folder: Path) -> None:
        """One more; its pictures and the report so far are on disk afterwards."""
        from f4x_ros.eval.report.pictures import draw_evaluation

        self._scenes[evaluation.name] = evaluation.numbers
        names = draw_evaluation(folder, evaluation)
        self._pictures[evaluation.name] = [f"{folder.name}/{name}" for name in names]
        self._write({})

    def _write(self, failures: dict[str, str]) -> dict[str, Any]:
        from f4x_ros.core.base import atomic_write
        from f4x_ros.eval.report.files import full_report, markdown, write_json
        from f4x_ros.eval.report.scoreboard import compare

        report = full_report(self._scenes, failures, self._changed)
        self._out.mkdir(parents=True, exist_ok=True)
        write_json(self._out / "report.json", report)
        changes = compare(self._scenes, self._baseline.scenes)
        with atomic_write(self._out / "report.md") as file:
            file.write(markdown(report, changes, self._pictures).encode())
        return report

    def finish(self, failures: dict[str, str], keep: Path | None) -> None:
        """Write and print everything."""
        from f4x_ros.eval.report.files import write_baseline
        from f4x_ros.eval.report.scoreboard import compare, score_rows

        report = self._write(failures)
        if not self._scenes:
            return
        names = [name.split(":")[0] if _unique(name, self._scenes) else name
                 for name in self._scenes]  # fmt: skip
        print(table(score_rows(self._scenes, report["overall"]), ("", *names, "all")))
        self._print_changes(compare(self._scenes, self._baseline.scenes))
        if keep is not None:
            write_baseline(keep, self._scenes, self._changed)
            print(f"Kept as baseline in {keep}.")
        print(f"\nReport, plots and pictures are in {self._out}; begin with report.md.")

    def _print_changes(self, changes: list[Any]) -> None:
        from f4x_ros.eval.report.scoreboard import have_in_common

        known = have_in_common(self._scenes, self._baseline.scenes)
        for name in known:
            options = self._baseline.config.get(name, {})
            if options != self._changed:
                print(f"\nThe baseline of {name} was made with other options: {options or 'none'}.")
        if not known:
            print("\nThe baseline has none of these scenes, so there is nothing to compare with.")
        elif not changes:
            print(f"\nAs good as the baseline, within tolerances: {', '.join(known)}.")
        else:
            print("\nAgainst the baseline:\n")
            rows = [change.row() for change in changes]
            print(table(rows, ("scene", "metric", "baseline", "now", "")))


def _unique(name: str, among: dict[str, Any]) -> bool:
    first = name.split(":")[0]
    return first != "random" and sum(other.split(":")[0] == first for other in among) == 1
