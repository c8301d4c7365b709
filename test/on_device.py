# SPDX-License-Identifier: Apache-2.0
"""A world, questions about it, and whether two devices say the same of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from box_world import CAMERA, START_NS, STEP_NS, BoxWorld, iou, still

from f4x_ros.core.config import Config
from f4x_ros.core.data import Percept, QueryResult
from f4x_ros.core.perception import Perception

# How often the host may wait for the device (doc/rasteriser.md):
A_FRAME = 58  # in a frame with all outputs, however many steps, prompts and Gaussians
GROUPING = 10  # more in those that put Gaussians together
RESTING = 12  # more in those that lay blocks to rest or clear the memory, ...
A_BLOCK = 2  # ... and for each block that goes to rest or to disk
SEEING = 12  # in a frame that is held out
A_QUESTION = 27

PROMPTS = ("red thing", "blue thing")
FRAMES = 12
PAST = START_NS + 5 * STEP_NS
MOVING = BoxWorld(
    {
        "red": still(-0.4, 0.0, 1.6),
        "blue": lambda index: (-0.5 + 0.05 * index, 0.1, 1.3),
        "green": still(0.5, -0.2, 1.7),
    }
)


def config(**more: object) -> Config:
    """Few steps, and other options with `__` for the dot."""
    quick = {"mapping.iterations": 2, "mapping.keyframe_iterations": 4}
    return Config.from_dotted({**quick, **{k.replace("__", "."): v for k, v in more.items()}})


def held_out(index: int) -> bool:
    """Whether a frame is only described."""
    return index % 4 == 3


def elsewhere() -> np.ndarray:
    """A view that no frame has."""
    view = np.eye(4)
    view[0, 3] = -0.1
    return view


def middle(color: str, index: int = FRAMES - 1) -> tuple[float, float]:
    """Of what is seen of a square, a pixel."""
    rows, columns = np.nonzero(MOVING.mask(index, color))
    return float(np.median(columns)) + 0.5, float(np.median(rows)) + 0.5


def cut(color: str) -> np.ndarray:
    """A picture of a square alone."""
    rows, columns = np.nonzero(MOVING.mask(0, color))
    part = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    return np.ascontiguousarray(MOVING(0).rgb[part])


QUESTIONS: dict[str, Callable[[Perception], QueryResult]] = {
    "now": lambda p: p.query("red thing"),
    "then": lambda p: p.query("blue thing", stamp_ns=PAST),
    "from elsewhere": lambda p: p.query("red thing -blue", view=elsewhere(), threshold=0.3),
    "by another camera": lambda p: p.query("red thing", camera=CAMERA.scaled(0.5), max_results=1),
    "what is not there": lambda p: p.query("yellow thing", want_cloud=False),
    "like a picture": lambda p: p.query(example=cut("red")),
    "like an object": lambda p: p.query(like_object=1),
    "a click": lambda p: p.segment([middle("green")]),
    "two clicks then": lambda p: p.segment([(17.5, 30.5), (90.5, 4.5)], [1, 0], stamp_ns=PAST),
    "a box": lambda p: p.segment(box=(58, 14, 80, 40)),
}


def check_percepts(have: Percept, want: Percept) -> None:
    """Both show the same, up to what another order of sums makes of it."""
    assert np.abs(have.depth - want.depth).mean() < 0.01
    assert np.abs(have.color.astype(float) - want.color).mean() < 2
    assert (have.labels == want.labels).mean() > 0.97
    assert np.abs(have.masks - want.masks).mean() < 0.02
    names = [[(t.id, t.label, t.moving) for t in one.tracks] for one in (have, want)]
    assert names[0] == names[1]
    assert abs(len(have.cloud) - len(want.cloud)) < 0.05 * len(want.cloud)


def check_answers(have: QueryResult, want: QueryResult) -> None:
    """Both say the same."""
    assert have.presence == want.presence
    assert abs(have.score - want.score) < 0.05
    check_masks(have.mask >= have.threshold, want.mask >= want.threshold)
    assert [one.id for one in have.tracks] == [one.id for one in want.tracks]
    for a, b in zip(have.tracks, want.tracks, strict=True):
        assert np.abs(a.position - b.position).max() < 0.03
    assert (have.cloud is None) == (want.cloud is None)
    if want.cloud is not None:
        assert abs(len(have.cloud) - len(want.cloud)) <= 3 + 0.1 * len(want.cloud)


def check_masks(have: np.ndarray, want: np.ndarray) -> None:
    """Both select the same, or next to nothing."""
    assert iou(have, want) > 0.9 or max(have.sum(), want.sum()) < 20, (
        iou(have, want),
        have.sum(),
        want.sum(),
    )
