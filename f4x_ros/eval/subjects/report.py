# SPDX-License-Identifier: Apache-2.0
"""The report of a run: flat keys and what was left out, JSON, its most telling rows as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from f4x_ros.core.base import atomic_write
from f4x_ros.core.errors import BadInputError
from f4x_ros.eval.subjects.history import seconds

Value = int | float | str | None | dict[str, int] | dict[str, float | None] | list[str]
Report = dict[str, Value]


def write_report(path: Path, report: Mapping[str, Value]) -> None:
    """Write as JSON; what is not a finite number becomes null. Whole or not at all (OSError)."""
    clean = {key: _finite(value) for key, value in report.items()}
    with atomic_write(path) as file:
        file.write((json.dumps(clean, indent=2, allow_nan=False) + "\n").encode())


def read_report(path: Path) -> Report:
    """What `write_report` wrote. Raises OSError, or ValueError naming a file that is no report."""
    report = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(report, dict):
        raise BadInputError(f"{path} holds {type(report).__name__}, expected the report of a run")
    return report


def in_words(reason: str, count: int) -> str:
    """A reason as people read it: "2 images without pose"."""
    first, *others = reason.replace(".", "_").split("_")
    if count == 1 and first.endswith("s"):
        first = first.removesuffix("s")
    return " ".join([f"{count:d}", first, *others])


def left_out_lines(report: Mapping[str, Value], why: Mapping[str, str] | None = None) -> list[str]:
    """What was found and not used: count and reason, stamp of the first, what its error said.

    Args:
        report: of a run.
        why: by reason, the text of the first error, where there was one.
    """
    counts, first_ns = report.get("left_out"), report.get("left_out_first_ns")
    stamps = first_ns if isinstance(first_ns, dict) else {}
    lines = []
    for reason, count in counts.items() if isinstance(counts, dict) else ():
        first = f", the first at {seconds(stamps[reason])} s" if reason in stamps else ""
        text = (why or {}).get(reason)
        lines.append(f"{in_words(reason, count)}{first}{f': {text}' if text else ''}")
    return lines


def few_used_text(report: Mapping[str, Value], why: Mapping[str, str] | None = None) -> str:
    """That many frames were not used and why; "" if nine tenths or more were.

    `why` is as for `left_out_lines`: what is in it has cost frames.
    """
    used, there = report.get("frames"), report.get("frames_there")
    if not isinstance(used, int) or not isinstance(there, int) or used >= 0.9 * there:
        return ""
    left_out = report.get("left_out")
    counts = left_out if isinstance(left_out, dict) else {}
    reasons = [
        in_words(reason, count)
        for reason, count in counts.items()
        if reason.startswith(("images_", "frames_")) or reason in (why or {})
    ]
    because = f": {', '.join(reasons)}" if reasons else ""
    return f"Only {used} of {there} frames were used{because}."


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _by_head(report: Mapping[str, Value], prefix: str) -> str:
    """The numbers whose key begins so, with the rest of the key."""
    return ", ".join(
        f"{value:.3f} {key.removeprefix(prefix)}"
        for key, value in report.items()
        if key.startswith(prefix) and isinstance(value, (int, float)) and math.isfinite(value)
    )


def _camera_rows(report: Mapping[str, Value]) -> list[tuple[str, str]]:
    """A row for each of several cameras."""
    frames, psnr = report.get("frames_of"), report.get("psnr_heldout_db_of")
    if not isinstance(frames, dict):
        return []
    of = psnr if isinstance(psnr, dict) else {}
    rows = []
    for name, count in frames.items():
        value = of.get(name)
        shown = f"{value:.2f} dB" if isinstance(value, (int, float)) else "not measured"
        rows.append((f"camera {name}", f"{count} frames, PSNR {shown}"))
    return rows


def _of_motion(report: Mapping[str, Value]) -> list[tuple[str, str]]:
    """Where motion measures depth: whether sizes are known, and how good it is after scaling."""
    if report.get("depth_source", "given") == "given":
        return []
    error, still = report.get("depth_relative_error"), report.get("still_frames")
    said = "in metres" if report.get("scale_known") else "up to scale"
    if still:
        said += f"; {still} frames nearly still"
    rows = [("depth", f"from motion, {said}")]
    if isinstance(error, float):
        rows.append(("depth error, scaled", f"{100 * error:.1f} % median"))
    return rows


def report_rows(report: Mapping[str, Value]) -> list[tuple[str, str]]:
    """What a person wants to know, as (name, value with unit)."""

    def number(key: str, form: str, unit: str, factor: float = 1) -> str:
        value = report.get(key)
        if not isinstance(value, (int, float)):
            return "not measured"
        scaled = value if factor == 1 else value * factor
        return f"{scaled:{form}} {unit}".rstrip()

    camera = []
    if report.get("pose_source", "given") != "given":
        lost, weak = number("lost_frames", "d", "lost"), number("weak_frames", "d", "weak")
        apart = number("ate_rmse_m", ".1f", "cm", 100)
        aligned = number("ate_aligned_rmse_m", ".1f", "cm aligned", 100)
        length = number("path_m", ".2f", "m")
        if report.get("depth_source", "given") != "given":
            aligned = number("ate_scaled_rmse_m", ".1f", "cm aligned and scaled", 100)
        camera = [
            ("pose", f"{report.get('pose_source')}; frames: {lost}, {weak}"),
            ("off the given path", apart if apart == "not measured" else
             f"{apart} RMSE, {aligned}, over {length}"),
        ]  # fmt: skip
    return [
        ("source", str(report.get("source"))),
        (
            "frames",
            f"{report.get('frames')}, {report.get('frames_heldout')} of them held out",
        ),
        ("frames dropped", str(report.get("frames_dropped"))),
        ("speed", number("fps", ".2f", "frames/s")),
        (
            "latency 50, 95 %",
            f"{number('latency_p50_ms', '.0f', '')}, {number('latency_p95_ms', '.0f', 'ms')}",
        ),
        *camera,
        *_of_motion(report),
        ("PSNR, held out", number("psnr_heldout_db", ".2f", "dB")),
        *_camera_rows(report),
        ("depth error", number("depth_median_error_m", ".2f", "cm median", 100)),
        (
            "map",
            f"{number('gaussians', ',d', 'Gaussians')}, {number('map_bytes', '.1f', 'MB', 1e-6)}",
        ),
        ("memory, peak", number("peak_rss_bytes", ".0f", "MB", 1e-6)),
        ("objects confirmed", number("tracks", "d", "")),
        ("features", str(report.get("features"))),
        ("latent cosine", _by_head(report, "latent_cosine_") or "not measured"),
        ("drawn by", str(report.get("render_backend"))),
    ]
