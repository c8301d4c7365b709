# SPDX-License-Identifier: Apache-2.0
"""A frame that cannot be used costs itself, and is counted once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from eval_scene import START_NS, STEP_NS, make_frame

from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadInputError, BadSampleError
from f4x_ros.eval.subjects.feed import Feed
from f4x_ros.io.source import Source


class Fabricated(Source):
    """Frames of the small scene, some of which are spoilt."""

    def __init__(self, count: int, spoilt: dict[int, Callable[[Frame], Frame]]) -> None:
        super().__init__("fabricated", START_NS + STEP_NS * np.arange(count))
        self._spoilt = spoilt

    def load(self, index: int) -> Frame:
        return self._spoilt.get(index, lambda frame: frame)(make_frame(index))


def raising(error: Exception) -> Callable[[Frame], Frame]:
    def load(frame: Frame) -> Frame:
        raise error

    return load


def test_every_kind_of_bad_frame_costs_itself_and_is_counted_with_its_stamp() -> None:
    source = Fabricated(
        10,
        {
            1: raising(BadSampleError("images_unreadable", "1.png: cut")),
            2: raising(BadInputError("2.png: of another size")),
            3: lambda frame: replace(frame, depth=None),
            4: lambda frame: replace(frame, T_map_camera=None),
            5: lambda frame: replace(frame, stamp_ns=START_NS),
            6: raising(PermissionError(13, "Permission denied", "6.png")),
            8: raising(BadSampleError("images_unreadable", "8.png: cut")),
        },
    )
    source.left_out.add("images_without_depth", 2, START_NS)
    source.left_out.add("depth_without_image", 5)
    source.left_out.add("frames_without_pose", 1)  # the same that comes along
    there = source.frames_there
    used, done = [], []
    feed = Feed(source)
    feed.run(lambda frame: used.append(frame.stamp_ns), done.append)
    assert [(ns - START_NS) // STEP_NS for ns in used] == [0, 7, 9]
    assert feed.used == 3
    assert done == list(range(1, 11))
    assert feed.lost.counts == {
        "images_unreadable": 2,
        "frames_unreadable": 2,
        "frames_without_depth": 1,
        "frames_without_pose": 1,
        "frames_out_of_order": 1,
    }
    steps = {r: (ns - START_NS) // STEP_NS for r, ns in feed.lost.first_ns.items()}
    assert steps == {
        "images_unreadable": 1,
        "frames_unreadable": 2,
        "frames_without_depth": 3,
        "frames_without_pose": 4,
        "frames_out_of_order": 0,
    }
    assert feed.why["images_unreadable"] == "1.png: cut"
    assert "more than" in feed.why["frames_out_of_order"]
    assert feed.left_out.counts == {
        "images_without_depth": 2,
        "depth_without_image": 5,
        **feed.lost.counts,
    }
    assert there == 12 == feed.used + 2 + sum(feed.lost.counts.values())


def test_what_the_map_refuses_is_counted_too() -> None:
    def refuse(frame: Frame) -> None:
        if frame.stamp_ns != START_NS:
            raise BadInputError("no memory for it")

    feed = Feed(Fabricated(3, {}))
    feed.run(refuse)
    assert (feed.used, feed.lost.counts) == (1, {"frames_refused": 2})


def test_no_frame_at_all_is_an_error_that_says_what_the_first_lacked() -> None:
    source = Fabricated(2, {i: raising(BadInputError(f"{i}.png: cut")) for i in range(2)})
    source.left_out.add("images_without_depth", 4)
    with pytest.raises(BadInputError) as caught:
        Feed(source).run(lambda frame: None)
    assert str(caught.value) == (
        "fabricated: no frame could be used, left out: 4 images without depth, 2 frames "
        "unreadable (the first: 0.png: cut)"
    )


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt(), KeyError("defect")])
def test_what_is_no_fault_of_the_frame_ends_it_and_the_rest_is_counted(
    error: BaseException,
) -> None:
    def process(frame: Frame) -> None:
        if frame.stamp_ns >= START_NS + 3 * STEP_NS:
            raise error

    feed = Feed(Fabricated(8, {1: raising(BadInputError("cut"))}))
    with pytest.raises(type(error)):
        feed.run(process)
    assert feed.used == 2
    assert feed.left_out.counts == {"frames_unreadable": 1, "frames_not_reached": 5}
