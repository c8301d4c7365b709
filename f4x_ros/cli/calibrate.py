# SPDX-License-Identifier: Apache-2.0
"""Learn when an encoder's answer means "it is there", on drawn worlds or recordings of yours.

Maps each, asks for things that are there and for things that are not (in drawn worlds near misses
among them: the right class in another colour), and learns from the evidence by logistic regression.
Prints how good that is on what was left out of the learning, and which threshold is best.

What is in a recording stands in a file, by the names of the recordings:
  {"kitchen": {"present": ["cup", "table"], "absent": ["bicycle", "bed"], "other_words": ["mug"]}}
"present" is in clear sight at some time and still there at the end, "other_words" are less usual
words for what is there. Twenty words or more of each kind, also near misses, are worth marking.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NamedTuple

from f4x_ros.cli.sources import add_topic_arguments
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    from f4x_ros.core.config import Config
    from f4x_ros.core.features.calibrated import PresenceCalibration
    from f4x_ros.eval.protocol.calibration import Case
    from f4x_ros.eval.protocol.marked import Marks
    from f4x_ros.io.source import Source
    from f4x_ros.sim import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "scenes", nargs="+", metavar="SOURCE",
        help="drawn worlds, e.g. random:8010:320x240:150, or recordings; better two or more",
    )  # fmt: skip
    parser.add_argument(
        "--words", metavar="FILE", help="what is and is not in the recordings, as JSON (see above)"
    )
    parser.add_argument("--out", metavar="FILE", help="write the calibration there, as JSON")
    parser.add_argument(
        "--write", action="store_true", help="write it beside the weights, where it is used"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="map every n-th frame (default 1)"
    )
    parser.add_argument(
        "--cases", metavar="FILE",
        help="keep the evidence there, and use what is there instead of mapping that source again",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments",
        help="an option, e.g. features.extractor=embedded; may be given several times",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="options in YAML, or ROS parameters")
    add_topic_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pathlib import Path

    from f4x_ros.cli.settings import read_settings
    from f4x_ros.core.features.presence_file import store_presence, write_presence
    from f4x_ros.eval.metrics.libraries import library
    from f4x_ros.eval.protocol import calibration

    if options.every < 1:
        raise BadInputError(f"--every is {options.every}, expected at least 1")
    if len(options.scenes) > 1:
        library("torchmetrics.functional")  # for AUROC of what is left out; not only at the end
    config, _ = read_settings(options.config, options.assignments)
    subjects = _subjects(options)
    kept = Path(options.cases).expanduser() if options.cases else None
    cases = _cases(subjects, config, options.every, kept)
    learned = calibration.learn(cases)
    checked = calibration.check(cases) if len(subjects) > 1 else None
    about = dict(calibration.about(cases, checked))
    print(table(_rows(learned, about)))
    print("\nJudged most wrongly:\n")
    print(table(_worst(cases, learned), ("source", "asked for", "is there", "probability")))
    if checked is None:
        print("\nNot checked: with one source alone nothing could be left out.")
    print(
        f"\nBy the relevancy of the best thing alone, {about['threshold']:.3f} divides best (F1 "
        f"{about['threshold_f1']:.2f}): --set query.threshold={about['threshold']:.3f} makes that "
        "the limit of masks and standing prompts."
    )
    if options.out:
        path = write_presence(Path(options.out).expanduser(), learned, about)
        print(f"\nThe calibration is in {path}.")
    if options.write:
        path = store_presence(config.features, learned, about)
        print(f"\nThe calibration is in {path}, where it is used from now on.")
    return 0


class _Subject(NamedTuple):
    """What is mapped and asked about; a recording has marks, a drawn world knows by itself."""

    name: str
    source: World | Source
    marks: Marks | None


def _subjects(options: argparse.Namespace) -> list[_Subject]:
    """All that is named, opened, before anything is mapped."""
    from pathlib import Path

    from f4x_ros.cli.sources import open_recording, topic_options
    from f4x_ros.eval.protocol.marked import marks_of, read_marks
    from f4x_ros.sim import World

    marks = read_marks(Path(options.words).expanduser()) if options.words else {}
    subjects = []
    for spec in options.scenes:
        source = open_recording(spec, topic_options(options))
        if isinstance(source, World):
            subjects.append(_Subject(source.name, source, None))
        elif not options.words:
            raise BadInputError(
                f"{spec!r} is a recording: --words FILE has to say what is in it and what is not "
                "(f4x calibrate --help shows how)"
            )
        else:
            name = Path(spec).expanduser().resolve().name
            subjects.append(_Subject(name, source, marks_of(marks, spec)))
    names = [subject.name for subject in subjects]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInputError(f"sources {', '.join(twice)} are given twice, expected each once")
    unused = [key for key in marks if Path(key).expanduser().resolve().name not in names]
    if unused:
        print(f"Not used: words for {', '.join(unused)}, as there is no such source.")
    return subjects


def _cases(subjects: list[_Subject], config: Config, every: int, kept: Path | None) -> list[Case]:
    from f4x_ros.eval.protocol.calibration import read_cases, write_cases

    known = read_cases(kept) if kept is not None and kept.exists() else []
    cases: list[Case] = []
    for subject in subjects:
        found = [case for case in known if case.world == subject.name]
        if not found:
            found = _mapped(subject, config, every)
            known += found
            if kept is not None:
                write_cases(kept, known)
        cases += found
    return cases


def _mapped(subject: _Subject, config: Config, every: int) -> list[Case]:
    """Map it and ask."""
    from f4x_ros.cli.progress import progress_bar
    from f4x_ros.cli.sources import prepared
    from f4x_ros.core.perception import Perception
    from f4x_ros.eval.protocol.calibration import world_cases
    from f4x_ros.eval.protocol.marked import Thinned, recording_cases
    from f4x_ros.eval.subjects.feed import Feed
    from f4x_ros.eval.subjects.report import in_words

    source: Any = subject.source
    with progress_bar(-(-len(source) // every), subject.name) as bar:
        if subject.marks is None:
            drawn = prepared(source) if every == 1 else source  # else as they are needed
            return world_cases(drawn, Perception(config), every, lambda: bar.update(1))
        feed = Feed(Thinned(source, every))
        cases, refused = recording_cases(
            feed, subject.name, subject.marks, Perception(config), lambda n: bar.update(n - bar.n)
        )
    if refused:
        print(f"{subject.name}: not understood, so not asked: {', '.join(refused)}")
    if left_out := [in_words(reason, count) for reason, count, _ in feed.left_out]:
        print(f"{subject.name}: left out {', '.join(left_out)}")
    return cases


def _rows(learned: PresenceCalibration, about: dict[str, Any]) -> list[tuple[str, str]]:
    weights = ", ".join(f"{name} {weight:+.2f}" for name, weight in learned.weights.items())
    rows = [
        ("sources", str(about["worlds"])),
        ("asked for", f"{about['present']} present, {about['absent']} absent"),
        ("weights", weights),
        ("limits", f"not present below {learned.no:.2f}, present from {learned.yes:.2f} on"),
    ]
    if about["auroc"] is None:
        return rows
    return [
        *rows,
        ("AUROC, sources left out", f"{about['auroc']:.3f}"),
        ("F1, sources left out", f"{about['f1']:.3f}"),
        ("unsure, sources left out", f"{about['unsure']:.1%}"),
    ]


def _worst(cases: list[Case], learned: PresenceCalibration) -> list[tuple[str, str, str, str]]:
    from f4x_ros.eval.protocol.calibration import score, worst

    return [
        (case.world, case.text, "yes" if case.present else "no", f"{score(case, learned):.2f}")
        for case in worst(cases, learned)
    ]
