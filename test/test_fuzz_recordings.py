# SPDX-License-Identifier: Apache-2.0
"""Bad recordings of every kind: no traceback, and every picture is either used or counted.

F4X_FUZZ_EXAMPLES=3000 tries so many.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from eval_scene import QUICK
from hypothesis import Phase, given, settings
from mutations import FRAMES, Bag, bags

from f4x_ros.cli import main as cli
from f4x_ros.cli.sources import Part
from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError, F4xError
from f4x_ros.eval.subjects.feed import Feed
from f4x_ros.io import open_source
from f4x_ros.io.bags import BagSource
from f4x_ros.io.survey import survey

EXAMPLES = int(os.environ.get("F4X_FUZZ_EXAMPLES", "150"))
# (To shrink a bag takes minutes, and its changes are listed in it: `Bag.done`.)
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


class Counting:
    """Stands in for the map: takes what the map takes, and looks at it."""

    def __init__(self) -> None:
        self.frames = 0

    def process(self, frame: Frame) -> None:
        assert frame.depth is not None
        assert frame.T_map_camera is not None
        assert np.isfinite(frame.depth).all()
        assert (frame.depth >= 0).all()
        assert np.isfinite(frame.T_map_camera).all()
        self.frames += 1


def check_counts(bag: Bag, path: Path) -> None:
    """Through the loop of `f4x run`, with a map that only counts."""
    try:
        source = open_source(path)
    except F4xError:  # one line that says why; anything else is a defect
        return
    with source:
        assert isinstance(source, BagSource)
        part, counting = Part(source), Counting()
        feed = Feed(part)
        try:
            feed.run(counting.process)
        except BadInputError:
            assert feed.used == 0
        lost = sum(count for _, count, _ in feed.lost)
        missing = sum(n for reason, n in source.left_out.counts.items() if "images_" in reason)
        assert feed.used == counting.frames
        assert feed.used + lost + missing == part.frames_there
        if bag.file_damage is None:
            assert part.frames_there == bag.written(source.topics.image)
        else:
            assert part.frames_there <= bag.written(source.topics.image)


@settings(max_examples=EXAMPLES, phases=PHASES, derandomize=True)
@given(bag=bags())
def test_every_picture_of_a_bad_bag_is_used_or_counted(bag: Bag) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = bag.write(Path(folder) / "bag")
        check_counts(bag, path)
        found = survey(path)
        assert found.frames or found.problems


@settings(max_examples=max(6, EXAMPLES // 100), phases=PHASES, derandomize=True)
@given(bag=bags(damage=False))
def test_run_maps_what_can_be_used_of_a_bad_bag(bag: Bag) -> None:
    options = [f"{name}={value}" for name, value in QUICK.to_dotted().items()]
    words = [word for option in options for word in ("--set", option)]
    with tempfile.TemporaryDirectory() as folder:
        path, out = bag.write(Path(folder) / "bag"), Path(folder) / "out"
        code = cli.main(["run", str(path), "--out", str(out), "--holdout", "3", *words])
        assert code in (0, 2)
        if code == 2:
            return
        report = json.loads((out / "report.json").read_text())
        assert 0 < report["frames"] <= report["frames_there"] <= 2 * FRAMES
        assert report["frames"] == report["frames_there"] or report["left_out"]
