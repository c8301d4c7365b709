# SPDX-License-Identifier: Apache-2.0
"""Edit a saved map by words: remove, recolour, move, turn, scale, copy, extract, insert; undo.

Edits are a layer over the map: what was measured stays in the file, to the bit, and every edit can
be undone. They are done in the order in which they are given. Where several things fit, f4x asks
which and edits nothing. Exit code 2 if an edit was not done; those before it are kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from f4x_ros.cli.moment import add_map_argument
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.edit import EditResult
    from f4x_ros.core.perception import Perception


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_map_argument(parser)
    parser.add_argument(
        "edit", nargs="*",
        help='e.g. "remove the red mug" "make the sofa blue" "move the ball 50 cm to the left"',
    )  # fmt: skip
    parser.add_argument("--out", metavar="FILE", help="write the map with its edits to FILE")
    parser.add_argument(
        "--undo", type=int, nargs="?", const=1, default=0, metavar="N",
        help="first take back the last N edits (1)",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the edits of the map at the end")
    parser.add_argument(
        "--pictures", metavar="DIR",
        help="write before and after of each edit, what was guessed hatched, and the measured map",
    )  # fmt: skip
    parser.add_argument(
        "--ply", metavar="FILE", help="write the edited map as Gaussians for splat viewers"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the results as one JSON document, nothing else"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    _check(options)
    from f4x_ros.core.perception import Perception

    perception = Perception.load(options.map)
    if options.undo > len(perception.edits):
        raise BadInputError(f"--undo is {options.undo}, the map has {len(perception.edits)} edits")
    say = _silent if options.json else print
    for _ in range(options.undo):
        last = perception.undo()
        say(f"undone: {'' if last is None else last.about}")
    results = _edited(perception, options, say)
    if options.out:
        perception.save(options.out)
    if options.ply:
        perception.editor.export_ply(Path(options.ply).expanduser())
    _tell(perception, options, results)
    return 2 if any(not one.done for one in results) else 0


def _check(options: argparse.Namespace) -> None:
    """BadInputError where there is nothing to do, or what is done would be lost."""
    kept = options.out or options.pictures or options.ply
    if not (options.edit or options.undo or options.list or kept):
        raise BadInputError('there is nothing to do, expected edits such as "remove the mug"')
    if options.undo < 0:
        raise BadInputError(f"--undo is {options.undo}, expected a number from 1 on")
    changes = options.undo or any(not _writes_itself(text) for text in options.edit)
    if changes and not kept:
        raise BadInputError("edits without --out, --ply or --pictures would be lost, add one")


def _silent(*_: object) -> None:
    """Say nothing."""


def _tell(perception: Perception, options: argparse.Namespace, results: list[EditResult]) -> None:
    """What there is at the end."""
    if options.json:
        document = {
            "results": [one.as_json() for one in results],
            "edits": [one.about for one in perception.edits],
        }
        print(json.dumps(document, indent=2, allow_nan=False))
        return
    if options.list:
        lines = [f"{k}. {one.about}" for k, one in enumerate(perception.edits, 1)]
        print("\n".join(lines) if lines else "The map has no edits.")
    if options.out:
        print(f"The map with {len(perception.edits)} edits is in {options.out}.")


def _writes_itself(text: str) -> bool:
    """Whether an edit leaves a file of its own."""
    return text.strip().lower().startswith(("extract", "export", "save"))


def _edited(
    perception: Perception, options: argparse.Namespace, say: Callable[[str], None]
) -> list[EditResult]:
    """Do the edits in order; the first that is not done ends it."""
    from f4x_ros.viz.edit_picture import edit_picture
    from f4x_ros.viz.png import save_png

    folder = None if options.pictures is None else Path(options.pictures).expanduser()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    results: list[EditResult] = []
    for number, text in enumerate(options.edit, 1):
        before = perception.edits
        result = perception.edit(text)
        results.append(result)
        say(f"{result.outcome}: {result.message}" if not result.done else result.message)
        for check in result.checks:
            say(f"    {check}")
        if not result.done:
            break
        if folder is not None:
            picture = edit_picture(perception, before, result)
            save_png(folder / f"edit_{number}.png", picture)
    if folder is not None:
        say(f"Pictures are in {folder}.")
    return results
