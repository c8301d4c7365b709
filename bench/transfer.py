# SPDX-License-Identifier: Apache-2.0
"""PCK@0.1 of keypoints carried from one instance of a class to the others, through the field.

    python bench/transfer.py [--seeds 8001:8011] [--find words] [--extractor embedded] [--json FILE]

Each seed is a scene with three instances each of two classes that differ in size, proportions,
colour and turn (`bench/instances.py`), filmed once around from 200 to 290 degrees. In the field
that `Perception` makes of it, one instance is marked by clicks on its keypoints, each in a frame
that shows it, and the others are given the marks; every instance is the marked one in turn.

    --find true     objects by their true masks: what the transfer alone can do
    --find clicks   objects by one click on the middle of each, in the frame that shows all best
    --find words    objects by the name of their class
    --exact         marks at the true places instead of clicks

Two numbers to compare with: `box` moves the marks with the objects' boxes and does not turn, `sure`
counts only what was given a confidence of at least 0.5. An object that was not found counts as
missed with all its keypoints. Symmetric objects have several true answers (`datasets.keypoints`).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "bench"))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from instances import CAMERA, FRAMES, Instances  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch import Tensor  # noqa: E402

from f4x_ros.cli.table import table  # noqa: E402
from f4x_ros.core.ask.pixels import from_pixel, to_pixels  # noqa: E402
from f4x_ros.core.ask.transfer import FoundPoint, transfer  # noqa: E402
from f4x_ros.core.config import Config  # noqa: E402
from f4x_ros.core.data.percept import Outputs  # noqa: E402
from f4x_ros.core.data.poses import viewmat  # noqa: E402
from f4x_ros.core.field.snapshot import take_snapshot  # noqa: E402
from f4x_ros.core.perception import Perception  # noqa: E402
from f4x_ros.core.render import uplift  # noqa: E402
from f4x_ros.eval.metrics.keypoints import KeypointErrors, keypoint_errors, mean_pck, pck  # noqa: E402
from f4x_ros.sim.scene import ObjectLabel  # noqa: E402

_SHARE = 0.6  # of the pixels a Gaussian drew that must be of one object
_SEEN_PX = 0.3  # pixels a Gaussian must have drawn
_NEAR = 0.4  # a find so near to an instance's middle, as a share of its size, is that instance
_SURE = 0.5  # confidence
_ROWS = ("pck 3d", "pck 2d", "sure", "box")


@dataclass
class Scores:
    """Errors by row and class."""

    rows: dict[str, dict[str, list[KeypointErrors]]] = field(
        default_factory=lambda: {name: {} for name in _ROWS}
    )
    ms: list[float] = field(default_factory=list)
    missed: int = 0

    def add(self, row: str, cls: str, errors: KeypointErrors) -> None:
        """Note one object."""
        self.rows[row].setdefault(cls, []).append(errors)


def main(arguments: list[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    first, stop = (int(part) for part in options.seeds.split(":"))
    scores = Scores()
    for seed in range(first, stop):
        began = time.perf_counter()
        world = Instances(seed, options.sensor)
        _score(world, _mapped(world, options), options, scores)
        done = {c: pck(scores.rows["pck 3d"].get(c, [])) for c in world.groups}
        print(seed, done, f"{time.perf_counter() - began:.0f} s", flush=True)
    print(_report(scores))
    if options.json:
        Path(options.json).write_text(json.dumps(_summary(scores, options), indent=1))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", default="8001:8011", help="from:to, the last one left out")
    parser.add_argument("--find", choices=("true", "clicks", "words"), default="words")
    parser.add_argument("--extractor", default="embedded")
    parser.add_argument("--sensor", default="ideal", help="what the camera does, e.g. noisy")
    parser.add_argument("--exact", action="store_true", help="marks at the true places")
    parser.add_argument("--json", metavar="FILE")
    return parser


def _mapped(world: Instances, options: argparse.Namespace) -> Perception:
    extractor = options.extractor if options.find != "true" else "color"
    perception = Perception(Config.from_dotted({"features.extractor": extractor}))
    nothing = Outputs(masks=False, cloud=False, tracks=False, moving=False)
    for index in range(FRAMES):
        perception.process(world.frame(index), nothing)
    return perception


def _score(
    world: Instances, perception: Perception, options: argparse.Namespace, scores: Scores
) -> None:
    depths = [perception.render(CAMERA, world.pose(index)).depth for index in range(FRAMES)]
    rows = _true_members(world, perception)
    for cls, labels in world.groups.items():
        for source in labels:
            marks = _marks(world, source, depths, exact=options.exact)
            goals = [one for one in labels if one.id != source.id]
            began = time.perf_counter()
            if options.find != "true":
                asked = (cls, None) if options.find == "words" else ("", _clicks(world, labels))
                found = _by_door(world, perception, asked, goals, marks)
            else:
                found = _by_rows(perception, rows, source, goals, marks)
            scores.ms.append(1e3 * (time.perf_counter() - began) / len(goals))
            for goal, points in zip(goals, found, strict=True):
                _compare(world, cls, source, goal, marks, points, scores)


def _marks(
    world: Instances, label: ObjectLabel, depths: list[NDArray[np.float32]], *, exact: bool
) -> dict[str, NDArray[np.float64]]:
    """Where the user's clicks lie: each in the frame that shows the place from nearest.

    What no frame shows cannot be clicked and is left out.
    """
    truth = world.keypoints(label)
    if exact:
        return dict(zip(truth.names, truth.points, strict=True))
    out: dict[str, tuple[float, NDArray[np.float64]]] = {}
    for index in range(0, FRAMES, 2):
        pixels, seen = _in_view(world, index, label, truth.points)
        for name, (x, y), there, point in zip(truth.names, pixels, seen, truth.points, strict=True):
            far = float(np.linalg.norm(world.pose(index)[:3, 3] - point))
            if there and far < out.get(name, (np.inf,))[0] and depths[index][int(y), int(x)] > 0:
                out[name] = far, from_pixel((x, y), CAMERA, world.pose(index), depths[index])
    return {name: out[name][1] for name in truth.names if name in out}


def _in_view(
    world: Instances, index: int, label: ObjectLabel, points: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pixels of points of an object, and whether the true picture shows them: the object's own."""
    drawing, reach_m = world.drawing(index), 0.03 * max(label.size)
    pixels, seen = to_pixels(points, CAMERA, world.pose(index), drawing.depth, reach_m)
    column, row = np.nan_to_num(pixels).astype(int).T
    own = np.zeros(len(points), bool)
    own[seen] = drawing.instances[row[seen], column[seen]] == label.id
    return pixels, own


Found = dict[str, FoundPoint] | None


def _clicks(world: Instances, labels: list[ObjectLabel]) -> tuple[int, list[tuple[float, float]]]:
    """A frame, and in it a pixel in the middle of what is seen of each object."""

    def least(index: int) -> int:
        instances = world.drawing(index).instances
        return min(int((instances == one.id).sum()) for one in labels)

    index = max(range(0, FRAMES, 3), key=least)
    clicks = []
    for one in labels:
        inside = (world.drawing(index).instances == one.id).astype(np.uint8)
        row, column = np.unravel_index(
            int(cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, 5).argmax()),
            (CAMERA.height + 2, CAMERA.width + 2),
        )
        clicks.append((float(column) - 0.5, float(row) - 0.5))
    return index, clicks


def _by_door(
    world: Instances,
    perception: Perception,
    asked: tuple[str, tuple[int, list[tuple[float, float]]] | None],
    goals: list[ObjectLabel],
    marks: dict[str, NDArray[np.float64]],
) -> list[Found]:
    """The door a user takes; finds belong to the instance in whose box their middle lies."""
    words, clicks = asked
    view = world.pose(clicks[0]) if clicks else None
    try:
        targets = perception.transfer(
            words, objects=clicks[1] if clicks else (), points=marks, view=view
        ).targets
    except ValueError as error:  # the marked object was not found
        print("  ", error)
        return [None] * len(goals)
    out: list[Found] = []
    for goal in goals:
        middle = world.center(goal)
        gaps = [float(np.linalg.norm(one.track.position - middle)) for one in targets]
        best = int(np.argmin(gaps)) if gaps else -1
        near = bool(gaps) and gaps[best] < _NEAR * max(goal.size)
        out.append({point.name: point for point in targets[best].points} if near else None)
    return out


def _by_rows(
    perception: Perception,
    rows: dict[int, Tensor],
    source: ObjectLabel,
    goals: list[ObjectLabel],
    marks: dict[str, NDArray[np.float64]],
) -> list[Found]:
    snapshot = take_snapshot(perception._memory.field)
    carried = transfer(snapshot, None, rows[source.id], [rows[g.id] for g in goals], marks)
    return [{point.name: point for point in one.points} for one in carried]


def _true_members(world: Instances, perception: Perception) -> dict[int, Tensor]:
    """Rows of the Gaussians whose pixels are of each object in the true pictures."""
    snapshot, count = take_snapshot(perception._memory.field), len(world.scene.objects) + 1
    votes = torch.zeros(len(snapshot), count)
    for index in range(0, FRAMES, 3):
        image = torch.from_numpy(world.drawing(index).instances.astype(np.int64))
        ones = torch.nn.functional.one_hot(image, count).float()
        votes += uplift(
            snapshot.means, snapshot.quats, snapshot.scales, snapshot.opacities,
            viewmat(world.pose(index)), CAMERA.K_tensor(), CAMERA.width, CAMERA.height, ones,
            backend=perception.backend,
        )[0]  # fmt: skip
    total = votes.sum(1)
    return {
        number: torch.nonzero((votes[:, number] > _SHARE * total) & (total > _SEEN_PX))[:, 0]
        for number in range(1, count)
    }


def _compare(
    world: Instances,
    cls: str,
    source: ObjectLabel,
    goal: ObjectLabel,
    marks: dict[str, NDArray[np.float64]],
    found: Found,
    scores: Scores,
) -> None:
    truth, size = world.keypoints(goal), max(goal.size)
    chosen = [k for k, name in enumerate(truth.names) if name in marks]
    if not chosen:
        return
    truth_at = truth.equivalents[:, chosen]
    names = [truth.names[k] for k in chosen]
    scores.add("box", cls, keypoint_errors(_by_box(world, source, goal, marks), truth_at, size))
    nowhere = np.full(3, np.nan)
    at = np.stack([found[name].position if found else nowhere for name in names])
    errors = keypoint_errors(at, truth_at, size)
    scores.add("pck 3d", cls, errors)
    scores.missed += found is None
    if found:
        sure = np.array([found[name].confidence >= _SURE for name in names])
        scores.add("sure", cls, KeypointErrors(np.where(sure, errors.errors, np.nan)))
    index = max(
        range(0, FRAMES, 3), key=lambda k: int((world.drawing(k).instances == goal.id).sum())
    )
    _, seen = _in_view(world, index, goal, truth.points[chosen])
    flat = np.stack([_in_view(world, index, goal, points)[0] for points in truth_at])
    mine = _in_view(world, index, goal, np.nan_to_num(at))[0] if found else at[:, :2]
    outline = _in_view(world, index, goal, world.corners(goal))[0]
    scores.add("pck 2d", cls, keypoint_errors(mine, flat, float(np.ptp(outline, 0).max()), seen))


def _by_box(
    world: Instances, source: ObjectLabel, goal: ObjectLabel, marks: dict[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The marks at the same shares of the (true) boxes in the map frame, not turned."""
    (low, high), (new_low, new_high) = (
        (c.min(0), c.max(0)) for c in (world.corners(source), world.corners(goal))
    )
    shares = (np.stack(list(marks.values())) - low) / (high - low)
    return np.asarray(new_low + shares * (new_high - new_low))


def _report(scores: Scores) -> str:
    classes = sorted(scores.rows["pck 3d"])
    rows = [(cls, *(_text(pck(scores.rows[row].get(cls, []))) for row in _ROWS)) for cls in classes]
    by_row = [list(scores.rows[row].values()) for row in _ROWS]
    rows.append(("all keypoints", *(_text(pck(list(chain(*one)))) for one in by_row)))
    rows.append(("mean of classes", *(_text(mean_pck(one)) for one in by_row)))
    return table(rows, ("PCK@0.1", *_ROWS)) + (
        f"\n{scores.missed} objects not found; {np.median(scores.ms):.0f} ms an object (median)"
    )


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _summary(scores: Scores, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "bench": "transfer",
        "options": vars(options),
        "pck": {row: pck(list(chain(*by.values()))) for row, by in scores.rows.items()},
        "pck_mean_of_classes": {
            row: mean_pck(list(by.values())) for row, by in scores.rows.items()
        },
        "classes": {
            row: {cls: pck(of) for cls, of in by.items()} for row, by in scores.rows.items()
        },
        "objects_missed": scores.missed,
        "ms_per_object_median": float(np.median(scores.ms)),
    }


if __name__ == "__main__":
    sys.exit(main())
