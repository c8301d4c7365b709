# SPDX-License-Identifier: Apache-2.0
"""Select one object of a saved map by clicks or a box.

f4x segment map.f4x --point 160,120 --not 40,200 --picture seen.png: pixels are those of the view,
which is the camera's own unless --view is given.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from f4x_ros.cli.moment import add_map_argument, add_moment_arguments, nanoseconds, view_of
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_map_argument(parser)
    parser.add_argument(
        "--point", action="append", default=[], metavar="X,Y", help="a pixel of the object"
    )
    parser.add_argument(
        "--not", action="append", default=[], dest="off", metavar="X,Y",
        help="a pixel that is not part of it",
    )  # fmt: skip
    parser.add_argument("--box", metavar="X0,Y0,X1,Y1", help="pixels around the object")
    add_moment_arguments(parser)
    parser.add_argument("--out", metavar="PNG", help="write the mask, grey 0..255 = 0..1")
    parser.add_argument(
        "--picture", metavar="PNG", help="write the map as seen from there, mask and box on it"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    stamp_ns, view = nanoseconds(options.stamp), view_of(options.view)
    on = [_numbers("--point", text, 2) for text in options.point]
    off = [_numbers("--not", text, 2) for text in options.off]
    box = None if options.box is None else _numbers("--box", options.box, 4)

    import numpy as np

    from f4x_ros.core.perception import Perception
    from f4x_ros.eval.subjects.history import seconds
    from f4x_ros.viz.answer_picture import answer_picture
    from f4x_ros.viz.png import save_png

    perception = Perception.load(options.map)
    if stamp_ns < 0:
        stamp_ns += perception.stamp_ns
    labels = [1] * len(on) + [0] * len(off)
    result = perception.segment([*on, *off], labels, box, stamp_ns=stamp_ns, view=view)
    rows: list[tuple[str, object]] = [
        ("found", result.message),
        ("score", f"{result.score:.3f}"),
        ("features", result.encoder),
        ("time", f"{seconds(result.stamp_ns)} s"),
    ]
    for track in result.tracks:
        rows += [
            ("object", track.id or "not followed"),
            (f"x y z in {result.map_frame} [m]", " ".join(f"{x:.2f}" for x in track.position)),
            ("size [m]", " ".join(f"{x:.2f}" for x in track.size)),
        ]
    print(table(rows))
    if options.out:
        grey = (result.mask.clip(0, 1) * 255).round().astype(np.uint8)
        save_png(Path(options.out).expanduser(), np.repeat(grey[..., None], 3, axis=-1))
        print(f"\nThe mask is in {options.out}.")
    if options.picture:
        seen = perception.render(result.camera, result.T_map_camera, result.stamp_ns)
        named = replace(result, prompt="selected")
        save_png(Path(options.picture).expanduser(), answer_picture(seen.color, named))
        print(f"\nThe picture is in {options.picture}.")
    return 0


def _numbers(option: str, text: str, count: int) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count:
        raise BadInputError(f"{option} is '{text}', expected {count} numbers with commas between")
    return values
