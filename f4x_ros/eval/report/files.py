# SPDX-License-Identifier: Apache-2.0
"""What `f4x eval` leaves: report.json, report.md and the pictures of each scene."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from f4x_ros import __version__
from f4x_ros.core.base import atomic_write
from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.report.scoreboard import Change, comparable, overall, score_rows

Numbers = Mapping[str, Any]

_DIGITS = 7  # significant; what comes after differs with the number of threads


def full_report(
    scenes: Mapping[str, Numbers], failures: Mapping[str, str], config: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of report.json.

    Args:
        scenes: numbers of each source that was evaluated.
        failures: why other sources could not be.
        config: dotted options of the run.
    """
    return {
        "version": __version__,
        "config": dict(config),
        "scenes": dict(scenes),
        "overall": overall(scenes.values()),
        "failures": dict(failures),
    }


def write_json(path: Path, content: Any) -> None:
    """Write whole or not at all; numbers that are not finite become null. OSError."""
    with atomic_write(path) as file:
        file.write((json.dumps(_finite(content), indent=1, allow_nan=False) + "\n").encode())


class Baseline(NamedTuple):
    """Numbers of an earlier run.

    Attributes:
        scenes: metrics of each scene, nested.
        config: dotted options that differed from the defaults, by scene.
    """

    scenes: dict[str, Any]
    config: dict[str, Any]


def read_baseline(path: Path) -> Baseline:
    """A baseline written by `write_baseline`.

    Raises:
        ValueError: the file is not a baseline; names it.
        OSError: it cannot be read.
    """
    expected = "expected what f4x eval --write-baseline wrote"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Baseline(content["scenes"], content["config"])
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise BadInputError(f"baseline {path} is not one ({error!r}), {expected}") from error
    for name, part in (("scenes", found.scenes), ("config", found.config)):
        if not isinstance(part, dict) or not all(isinstance(v, dict) for v in part.values()):
            raise BadInputError(f"baseline {path}: '{name}' is no object of objects, {expected}")
    return found


def write_baseline(
    path: Path, scenes: Mapping[str, Numbers], config: Mapping[str, Any] | None = None
) -> None:
    """Keep the metrics of these scenes, and the options, to compare later runs with.

    Scenes that the file already has and this run has not are kept. Raises OSError, and ValueError
    if the file is there and no baseline.
    """
    kept = read_baseline(path) if path.exists() else Baseline({}, {})
    write_json(
        path,
        {
            "version": __version__,
            "scenes": {**kept.scenes, **comparable(scenes)},
            "config": {**kept.config, **{name: dict(config or {}) for name in scenes}},
        },
    )


def markdown(
    report: Mapping[str, Any], changes: Sequence[Change], pictures: Mapping[str, Sequence[str]]
) -> str:
    """report.md: the table, what changed, and each scene's pictures.

    Args:
        report: as `full_report`.
        changes: against the baseline.
        pictures: file names of each scene, relative to the report.
    """
    scenes = report["scenes"]
    options = [f"{name}={value}" for name, value in report["config"].items()]
    lines = ["# f4x eval", "", ", ".join([f"f4x_ros {report['version']}", *options]), ""]
    if scenes:
        header = ("", *scenes, "all")
        lines += [markdown_table(score_rows(scenes, report["overall"]), header), ""]
    for name, reason in report["failures"].items():
        lines += [f"**{name}** was not evaluated: {reason}", ""]
    if changes:
        rows = [change.row() for change in changes]
        header = ("scene", "metric", "baseline", "now", "")
        lines += ["## Against the baseline", "", markdown_table(rows, header), ""]
    for name, files in pictures.items():
        lines += [f"## {name}", "", *(f"![{Path(f).stem}]({f})\n" for f in files)]
    return "\n".join(lines).rstrip() + "\n"


def markdown_table(rows: Sequence[Sequence[str]], header: Sequence[str]) -> str:
    """A table of GitHub's Markdown; the first column is text, the others numbers."""
    marks = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, marks, *rows))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
