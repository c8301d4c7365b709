# SPDX-License-Identifier: Apache-2.0
"""Follow points of a saved map through time: where what some pixels show was, in sight or not.

f4x points map.f4x --pixel 120,80 --pixel 200,90 --at 1 --picture ways.png
f4x points map.f4x --point 0.4,-0.2,0.8 --at -1 --since 0 --step 0.1 --json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.moment import since_first, view_of
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from f4x_ros.core.data import PointTracks

_SAID = 12  # moments in the table for people


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("map", help="a file map.f4x, as left by `f4x run`")
    parser.add_argument(
        "--pixel", action="append", default=[], metavar="X,Y",
        help="column and row in the picture of the moment; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--point", action="append", default=[], metavar="X,Y,Z",
        help="instead of pixels: a place on a surface, metres in the map frame",
    )  # fmt: skip
    parser.add_argument(
        "--at", metavar="SECONDS", help="the moment they are picked at: seconds since the first "
        "frame, negative: before the last one (default: the last frame)"
    )  # fmt: skip
    parser.add_argument(
        "--view", metavar="x,y,z,tx,ty,tz",
        help="the pixels are of a look from x,y,z at tx,ty,tz (default: as the camera did)",
    )  # fmt: skip
    parser.add_argument("--since", metavar="SECONDS", help="begin of the span, as --at")
    parser.add_argument("--until", metavar="SECONDS", help="end of the span, as --at")
    parser.add_argument(
        "--step", type=float, default=0.0, metavar="SECONDS",
        help="seconds between the moments; 0 = those of the frames, 200 at most (default)",
    )  # fmt: skip
    parser.add_argument(
        "--picture", metavar="PNG", help="draw the ways over the picture of the moment"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, nothing else (doc/time.md)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    import numpy as np

    if bool(options.pixel) == bool(options.point):
        raise BadInputError("expected one of --pixel and --point")
    from f4x_ros.core.perception import Perception

    perception = Perception.load(options.map)
    span = perception.span_ns

    def stamp(text: str | None, name: str, otherwise: int) -> int:
        return otherwise if text is None else since_first(text, span, name)

    at = stamp(options.at, "--at", span[1])
    view = view_of(options.view)
    stamps = perception.moments(
        stamp(options.since, "--since", span[0]), stamp(options.until, "--until", span[1]),
        options.step,
    )  # fmt: skip
    pixels = np.array([_numbers(one, "--pixel", 2) for one in options.pixel])
    points = np.array([_numbers(one, "--point", 3) for one in options.point])
    found = perception.follow_points(
        pixels if len(pixels) else None, points=points if len(points) else None,
        stamp_ns=at, stamps_ns=stamps, view=view,
    )  # fmt: skip
    if options.picture:
        _draw(perception, found, at, view, Path(options.picture).expanduser())
    if options.json:
        print(json.dumps(as_json(found, span[0])))
        return 0
    print(told(found, span[0]))
    if options.picture:
        print(f"The ways are drawn in {options.picture}.")
    return 0


def _numbers(text: str, name: str, count: int) -> list[float]:
    import numpy as np

    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise BadInputError(f"{name} is '{text}', expected {count} numbers with commas between")
    return numbers


def _draw(
    perception: Any, found: PointTracks, at_ns: int, view: NDArray[np.float64] | None, path: Path
) -> None:
    from f4x_ros.viz.png import save_png
    from f4x_ros.viz.ways import draw_ways

    shown = perception.show(at_ns, view, want_labels=False)
    save_png(path, draw_ways(shown, found))


def told(found: PointTracks, first_ns: int) -> str:
    """Point tracks for a terminal; times are seconds since the first frame."""
    step = max(1, -(-len(found.stamps_ns) // _SAID))
    parts = []
    for number, body in enumerate(found.bodies.tolist()):
        rows = [
            (
                f"{(found.stamps_ns[k] - first_ns) / 1e9:.2f}",
                " ".join(f"{value:6.3f}" for value in found.positions[k, number]),
                "" if found.visible is None else ("yes" if found.visible[k, number] else "no"),
            )
            for k in range(0, len(found.stamps_ns), step)
        ]
        kind = f"goes with moving thing {body}" if body else "rests"
        names = ("at [s]", f"x y z [m] in {found.map_frame}", "in sight")
        parts.append(f"point {number + 1} {kind}\n{table(rows, names)}")
    return "\n\n".join(parts)


def as_json(found: PointTracks, first_ns: int) -> dict[str, Any]:
    """What --json says; doc/time.md has the fields."""
    return {
        "map_frame": found.map_frame,
        "first_frame_ns": first_ns,
        "stamps_ns": list(found.stamps_ns),
        "points": [
            {
                "body": body,
                "positions": found.positions[:, number].tolist(),
                "visible": None if found.visible is None else found.visible[:, number].tolist(),
            }
            for number, body in enumerate(found.bodies.tolist())
        ],
    }
