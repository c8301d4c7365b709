# SPDX-License-Identifier: Apache-2.0
"""Ask a saved map one question."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation

from f4x_ros.cli.table import table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("map", help="a file map.f4x, as left by `f4x run`")
    parser.add_argument("text", help="what to look for")
    parser.add_argument(
        "--threshold", type=float, default=0.0, metavar="SCORE",
        help="score 0..1 that counts as found; 0 = calibrated (default)",
    )  # fmt: skip
    parser.add_argument(
        "--stamp", default="0", metavar="SECONDS",
        help="time of the answer: ROS time, or negative: so long before the last frame",
    )  # fmt: skip
    parser.add_argument("--out", metavar="PNG", help="write the mask, grey 0..255 = 0..1")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    stamp_ns = _nanoseconds(options.stamp)

    import numpy as np

    from f4x_ros.core.pipeline import Perception
    from f4x_ros.eval.history import seconds
    from f4x_ros.viz.png import save_png

    perception = Perception.load(options.map)
    if stamp_ns < 0:
        stamp_ns += perception.stamp_ns
    result = perception.query(options.text, threshold=options.threshold, stamp_ns=stamp_ns)
    print(
        table(
            [
                ("present", "yes" if result.present else "no"),
                ("score", f"{result.score:.3f} (threshold {result.threshold:.3f})"),
                ("features", result.encoder),
                ("time", f"{seconds(result.stamp_ns)} s"),
                ("points", 0 if result.cloud is None else len(result.cloud)),
                *([("message", result.message)] if result.message else []),
            ]
        )
    )
    if result.tracks:
        rows = [
            (
                track.id or "-",
                f"{track.score:.3f}",
                " ".join(f"{x:7.2f}" for x in track.position),
                " ".join(f"{x:5.2f}" for x in track.size),
            )
            for track in result.tracks
        ]
        print(
            "\n" + table(rows, ("object", "score", f"x y z in {result.map_frame} [m]", "size [m]"))
        )
    if options.out:
        grey = (result.mask.clip(0, 1) * 255).round().astype(np.uint8)
        save_png(options.out, np.repeat(grey[..., None], 3, axis=-1))
        print(f"\nThe mask is in {options.out}.")
    return 0


def _nanoseconds(text: str) -> int:
    try:
        return int(Decimal(text) * 1_000_000_000)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"--stamp is '{text}', expected seconds") from None
