# SPDX-License-Identifier: Apache-2.0
"""Mark points or parts on one object of a saved map, find them on all others of its kind.

First look where to click: without a mark, --out gets the map as seen from there, with a grid of
pixels. Then mark, on one object, as many points and parts as wanted:

  f4x transfer map.f4x mug --out view.png
  f4x transfer map.f4x mug --mark handle=212,140 --mark rim=190,121 --out marked.png
  f4x transfer map.f4x mug --part handle=212,140 --part body=195,150;188,160 --out parts.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from f4x_ros.cli.moment import add_map_argument, add_moment_arguments, nanoseconds, view_of
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.ask import MarkedObject, TransferResult
    from f4x_ros.core.data import Pose
    from f4x_ros.core.perception import Perception
    from f4x_ros.viz.text import Image8

_UNSURE = 0.5  # confidence under which another place is named as well


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_map_argument(parser)
    parser.add_argument(
        "target", nargs="?", default="", help="words for the objects that are to get the marks: mug"
    )
    parser.add_argument(
        "--object", action="append", default=[], metavar="X,Y",
        help="instead of words, a click on each object, the marked one included",
    )  # fmt: skip
    parser.add_argument(
        "--source", default="", metavar="WORDS",
        help="words for the marked object (default: whichever target the marks are on)",
    )  # fmt: skip
    parser.add_argument(
        "--mark", action="append", default=[], metavar="NAME=X,Y",
        help="a point: pixel of the view, or NAME=X,Y,Z in metres of the map",
    )  # fmt: skip
    parser.add_argument(
        "--part", action="append", default=[], metavar="NAME=X,Y[;X,Y...]",
        help="a part: some clicks on it; mark the parts beside it as well, to tell them apart",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=float, default=0.0, metavar="SCORE",
        help="score 0..1 that counts as found; 0 = calibrated (default)",
    )  # fmt: skip
    add_moment_arguments(parser)
    parser.add_argument("--out", metavar="PNG", help="write the view with all marks on it")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    stamp_ns, view = nanoseconds(options.stamp), view_of(options.view)
    points = _marks("--mark", options.mark)
    parts = _marks("--part", options.part)
    objects = _marks("--object", [f"{k}={click}" for k, click in enumerate(options.object)])
    if not points and not parts and not options.out:
        raise BadInputError("no --mark, --part or --out: nothing to do, see `f4x transfer --help`")
    for name, given in points.items():
        if len(given) != 1:
            raise BadInputError(f"--mark {name} has {len(given)} places, expected one")

    from f4x_ros.core.perception import Perception

    perception = Perception.load(options.map)
    if stamp_ns < 0:
        stamp_ns += perception.stamp_ns
    if not points and not parts:
        return _show_view(perception, view, stamp_ns, options.out)
    result = perception.transfer(
        options.target,
        objects=[click[0] for click in objects.values()],
        points={name: given[0] for name, given in points.items()},
        parts=parts,
        source=options.source,
        threshold=options.threshold,
        stamp_ns=stamp_ns,
        view=view,
    )
    print(_answer(result))
    if options.out:
        from f4x_ros.viz.png import save_png
        from f4x_ros.viz.transfer_picture import transfer_picture

        path = Path(options.out).expanduser()
        save_png(path, transfer_picture(result))
        print(f"\nThe picture is in {path}.")
    return 0


def _marks(option: str, given: Sequence[str]) -> dict[str, list[tuple[float, ...]]]:
    """`NAME=X,Y[;X,Y...]` to numbers; ValueError names what is not understood."""
    out: dict[str, list[tuple[float, ...]]] = {}
    for text in given:
        name, _, places = text.partition("=")
        try:
            clicks = [tuple(float(x) for x in place.split(",")) for place in places.split(";")]
        except ValueError:
            clicks = []
        if not name.strip() or not clicks or {len(c) for c in clicks} not in ({2}, {3}):
            raise BadInputError(
                f"{option} is '{text}', expected NAME=X,Y (pixels) or NAME=X,Y,Z (m)"
            )
        if name.strip() in out:
            raise BadInputError(f"{option} {name.strip()} is given twice")
        out[name.strip()] = clicks
    return out


def _show_view(perception: Perception, view: Pose | None, stamp_ns: int, out: str) -> int:
    from f4x_ros.viz.png import save_png
    from f4x_ros.viz.transfer_picture import pixel_grid

    path = Path(out).expanduser()
    save_png(path, pixel_grid(_view(perception, view, stamp_ns)))
    print(f"The view is in {path}; its lines are pixels. Mark with --mark NAME=X,Y.")
    return 0


def _view(perception: Perception, view: Pose | None, stamp_ns: int) -> Image8:
    """The map as seen by the last frame's camera."""
    camera, pose = perception.viewpoint(view, stamp_ns)
    return perception.render(camera, pose, stamp_ns).color


def _answer(result: TransferResult) -> str:
    about = table(
        [
            ("marked", _called(result.source)),
            ("found", result.message),
        ]
    )
    rows = [row for target in result.targets for row in _rows(target, result.part_names)]
    if not rows:
        return about
    names = ("object", "fit", "mark", "sure", f"x y z in {result.scene.map_frame} [m]", "pixel", "")
    return f"{about}\n\n{table(rows, names)}"


def _called(one: MarkedObject) -> str:
    place = " ".join(f"{x:.2f}" for x in one.track.position)
    number = f" {one.track.id}" if one.track.id else ""
    return f"{one.track.label}{number} at {place}"


def _rows(target: MarkedObject, part_names: Sequence[str]) -> list[tuple[object, ...]]:
    """One row for each point and each part."""
    about = (_called(target), f"{target.fit:.2f}")
    rows: list[tuple[object, ...]] = []
    for point, (x, y), seen in zip(target.points, target.pixels, target.seen, strict=True):
        place = " ".join(f"{v:7.2f}" for v in point.position)
        note = "" if seen else "out of sight"
        if point.others and point.confidence < _UNSURE:
            other = " ".join(f"{v:.2f}" for v in point.others[0].position)
            note = f"{note + ', ' if note else ''}or at {other}"
        pixel = "-" if x != x else f"{x:.0f},{y:.0f}"
        rows.append((*about, point.name, f"{point.confidence:.2f}", place, pixel, note))
        about = ("", "")
    for number, name in enumerate(part_names, 1):
        count = int((target.parts == number).sum())
        middle = target.positions[target.parts == number].mean(0) if count else None
        place = "" if middle is None else " ".join(f"{v:7.2f}" for v in middle)
        rows.append((*about, name, "", place, "", f"{count} Gaussians"))
        about = ("", "")
    return rows
