# SPDX-License-Identifier: Apache-2.0
"""`f4x weights check`: does a loaded model make sense of pictures that come with the package?"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.features.base import FeatureExtractor
    from f4x_ros.core.features.check import Trial, Verdict

DESCRIPTION = """\
Show a model pictures whose content is known, through the same code as a map does, and say whether
its answers make sense: that a cat is a cat, that a click on a teapot gives the teapot. A wrong
file, a wrong model for it, exchanged colours or another normalisation are found so, and the likely
cause is named. Exit code 1 if it makes no sense."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name", help="an extractor (openclip, sam2, ...), or a checkpoint of `f4x weights list`"
    )
    parser.add_argument(
        "--options", metavar="TEXT", default="", help='as features.options: "model=... size=..."'
    )
    parser.add_argument(
        "--file", metavar="PATH", type=Path, help="of a checkpoint that is not in the cache"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from f4x_ros.core.features import make_extractor
    from f4x_ros.core.features.check import check

    name, chosen = _chosen(options)
    start = time.monotonic()
    model = make_extractor(name, device=_device(options.device), options=chosen)
    loaded = time.monotonic()
    first = _seconds_per_picture(model)
    print("asking about pictures whose content is known ...", file=sys.stderr, flush=True)
    verdict = check(model)
    print(table(_rows(verdict.trials), ("trial", "asked", "expected", "found", "verdict")))
    if verdict.hints:
        print("\nTo find the cause, also:\n")
        print(table(_rows(verdict.hints), ("trial", "asked", "expected", "found", "verdict")))
    print()
    print("\n".join(_summary(trial) for trial in (*verdict.trials, *verdict.hints)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # kB, on Linux
    print(
        f"Loaded in {loaded - start:.1f} s; a picture of 480x360 takes {first:.2f} s on "
        f"{model.device}; the process took up to {memory:.1f} GB of memory."
    )
    print(f"\n{name} {_said(verdict)}")
    return 0 if verdict.sensible else 1


def _chosen(options: argparse.Namespace) -> tuple[str, dict[str, str]]:
    """Name and options of the extractor."""
    from f4x_ros.core.features.registry import extractor_names, parse_options
    from f4x_ros.core.features.weights import CHECKPOINTS

    given = parse_options(options.options)
    if options.name in extractor_names():
        if options.file is not None:
            raise BadInputError(
                f"--file needs the name of a checkpoint, {options.name!r} is an extractor: give "
                f'its own option instead, as --options "{_file_option(options.name)}=PATH"'
            )
        return options.name, given
    known = next((one for one in CHECKPOINTS if one.name == options.name), None)
    if known is None:
        raise BadInputError(
            f"{options.name!r} is neither an extractor ({', '.join(extractor_names())}) nor a "
            "checkpoint of `f4x weights list`"
        )
    chosen = known.chosen(options.file)
    if options.cache and options.file is None:
        chosen["cache"] = str(options.cache)
    return known.extractor, {**chosen, **given}


def _file_option(extractor: str) -> str:
    return {"openclip": "pretrained", "embedded": "weights"}.get(extractor, "checkpoint")


def _device(name: str) -> str:
    import torch

    if name not in ("cpu", "cuda"):
        raise BadInputError(f"--device is {name!r}, expected cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise BadInputError("--device is 'cuda', but torch finds none here")
    return name


def _seconds_per_picture(model: FeatureExtractor) -> float:
    """Of the second picture, as the first one also warms up."""
    import torch

    picture = torch.rand(1, 3, 360, 480)
    for _ in range(2):
        start = time.monotonic()
        model.dense(picture).cpu()
    return time.monotonic() - start


def _rows(trials: tuple[Trial, ...]) -> list[tuple[str, ...]]:
    return [
        (
            "" if number else trial.name,
            one.asked,
            one.expected,
            one.found,
            "ok" if one.right else "wrong",
        )
        for trial in trials
        for number, one in enumerate(trial.outcomes)
    ]


def _summary(trial: Trial) -> str:
    verdict = "ok" if trial.passed else "too few"
    count = len(trial.outcomes)
    return f"{trial.name}: {trial.right} of {count} right, {trial.needed} needed: {verdict}"


def _said(verdict: Verdict) -> str:
    if verdict.sensible:
        return "makes sense."
    return f"makes no sense. Likely cause: {verdict.cause}."
