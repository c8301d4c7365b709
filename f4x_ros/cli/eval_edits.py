# SPDX-License-Identifier: Apache-2.0
"""`f4x eval --edits`: edits of maps against the same worlds with the edits made in truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from f4x_ros.cli.eval_questions import mapped_world
from f4x_ros.cli.table import table
from f4x_ros.core.errors import BadInputError

if TYPE_CHECKING:
    from f4x_ros.core.config import Config
    from f4x_ros.eval.protocol.edited import EditScore
    from f4x_ros.io.source import Source


def run_edits(opened: list[Source], config: Config, out: Path) -> None:
    """Edit a map of each world, print what the edits are worth, and leave edits.json and pictures.

    Raises:
        BadInputError: a source is no drawn world.
    """
    import numpy as np

    from f4x_ros.cli.run import file_name
    from f4x_ros.cli.sources import prepared
    from f4x_ros.eval.protocol.edited import edit_all, numbers_of
    from f4x_ros.eval.report.files import write_json
    from f4x_ros.sim import World
    from f4x_ros.viz.png import save_png

    for source in opened:
        if not isinstance(source, World):
            raise BadInputError(
                f"{source.name} with --edits, expected a drawn world: only they can be changed"
            )
    out.mkdir(parents=True, exist_ok=True)
    scores: list[EditScore] = []
    worlds: dict[str, Any] = {}
    for source in opened:
        assert isinstance(source, World)
        prepared(source)
        perception = mapped_world(source, config, out)
        folder = out / file_name(source.name.replace(":", "_"))
        folder.mkdir(exist_ok=True)

        def show(name: str, rows: list[Any], folder: Path = folder) -> None:
            picture = np.concatenate([np.concatenate(row, 1) for row in rows], 0)
            save_png(folder / f"{name}.png", picture)

        own = edit_all(source, perception, show)
        scores += own
        worlds[source.name] = numbers_of(own)
        print(f"{source.name}: {worlds[source.name]['done']} of {len(own)} edits done", flush=True)
        write_json(
            out / "edits.json",
            {
                "edits": numbers_of(scores),
                "worlds": worlds,
                "scores": [one.as_json() for one in scores],
            },
        )
    rows = [(name, "-" if value is None else f"{value:.3g}")
            for name, value in numbers_of(scores).items()]  # fmt: skip
    print(table(rows, ("edits", "")))
    refused = [one for one in scores if one.outcome != "done"]
    for one in refused:
        print(f"not done: {one.kind} {one.thing} in {one.world}: {one.message}")
    print(f"\nAll numbers are in {out / 'edits.json'}, pictures (before, edited, truth) beside it.")
