# SPDX-License-Identifier: Apache-2.0
"""Learn when an encoder's answer means "it is there", on drawn worlds.

Maps each world, asks for things that are there and for things that are not (near misses among them:
the right class in another colour), and learns from the evidence by logistic regression. Prints how
good that is on worlds that were left out of the learning.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

    from f4x_ros.core.config import Config
    from f4x_ros.core.features.calibrated import PresenceCalibration
    from f4x_ros.eval.protocol.calibration import Case
    from f4x_ros.sim import World


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "scenes", nargs="+", metavar="SCENE",
        help="drawn worlds, two or more, e.g. random:8010:320x240:150",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="write the calibration there, as JSON")
    parser.add_argument(
        "--write", action="store_true", help="write it beside the weights, where it is used"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="map every n-th frame (default 1)"
    )
    parser.add_argument(
        "--cases", metavar="FILE",
        help="keep the evidence there, and use what is there instead of mapping that world again",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments",
        help="an option, e.g. features.extractor=embedded; may be given several times",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE", help="options in YAML, or ROS parameters")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pathlib import Path

    from f4x_ros.cli.settings import read_settings
    from f4x_ros.core.features.presence_file import store_presence, write_presence
    from f4x_ros.eval.metrics.libraries import check_libraries
    from f4x_ros.eval.protocol import calibration

    if options.every < 1:
        raise BadInputError(f"--every is {options.every}, expected at least 1")
    check_libraries()
    config, _ = read_settings(options.config, options.assignments)
    worlds = [_world(spec) for spec in options.scenes]
    kept = Path(options.cases).expanduser() if options.cases else None
    cases = _cases(worlds, config, options.every, kept)
    learned = calibration.learn(cases)
    checked = calibration.check(cases)
    about = dict(calibration.about(cases, checked))
    print(table(_rows(learned, about)))
    print("\nJudged most wrongly:\n")
    print(table(_worst(cases, learned), ("world", "asked for", "is there", "probability")))
    if options.out:
        path = write_presence(Path(options.out).expanduser(), learned, about)
        print(f"\nThe calibration is in {path}.")
    if options.write:
        path = store_presence(config.features, learned, about)
        print(f"\nThe calibration is in {path}, where it is used from now on.")
    return 0


def _world(spec: str) -> World:
    from f4x_ros.sim import World, open_source

    source = open_source(spec)
    if not isinstance(source, World):
        raise BadInputError(f"scene is {spec!r}, expected a drawn world, whose truth is known")
    return source


def _cases(worlds: list[World], config: Config, every: int, kept: Path | None) -> list[Case]:
    from f4x_ros.cli.progress import progress_bar
    from f4x_ros.cli.sources import prepared
    from f4x_ros.core.perception import Perception
    from f4x_ros.eval.protocol.calibration import read_cases, world_cases, write_cases

    known = read_cases(kept) if kept is not None and kept.exists() else []
    cases: list[Case] = []
    for world in worlds:
        of_world = [case for case in known if case.world == world.name]
        if not of_world:
            drawn: Any = prepared(world) if every == 1 else world  # else as they are needed
            with progress_bar(-(-len(world) // every), world.name) as bar:
                of_world = world_cases(drawn, Perception(config), every, lambda: bar.update(1))
            known += of_world
            if kept is not None:
                write_cases(kept, known)
        cases += of_world
    return cases


def _rows(learned: PresenceCalibration, about: dict[str, Any]) -> list[tuple[str, str]]:
    weights = ", ".join(f"{name} {weight:+.2f}" for name, weight in learned.weights.items())
    return [
        ("worlds", str(about["worlds"])),
        ("asked for", f"{about['present']} present, {about['absent']} absent"),
        ("weights", weights),
        ("limits", f"not present below {learned.no:.2f}, present from {learned.yes:.2f} on"),
        ("AUROC, worlds left out", f"{about['auroc']:.3f}"),
        ("F1, worlds left out", f"{about['f1']:.3f}"),
        ("unsure, worlds left out", f"{about['unsure']:.1%}"),
    ]


def _worst(cases: list[Case], learned: PresenceCalibration) -> list[tuple[str, str, str, str]]:
    from f4x_ros.eval.protocol.calibration import score, worst

    return [
        (case.world, case.text, "yes" if case.present else "no", f"{score(case, learned):.2f}")
        for case in worst(cases, learned)
    ]
