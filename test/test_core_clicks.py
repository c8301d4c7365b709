# SPDX-License-Identifier: Apache-2.0
"""Clicks and boxes to objects, answered by the field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from box_world import CAMERA, START_NS, STEP_NS, BoxWorld, iou, still

from f4x_ros.core.ask.segment_clicks import check_clicks, met_by_click
from f4x_ros.core.config import Config
from f4x_ros.core.data.answer import Presence
from f4x_ros.core.perception import Perception

CONFIG = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 1,
        "mapping.keyframe_iterations": 4,
        "mapping.resolution": 96,
    }
)
LAST = 5
WORLD = BoxWorld(
    {
        "red": still(-0.45, 0.0, 1.6),
        "blue": still(0.4, 0.1, 1.5),
        "green": still(0.0, -0.35, 1.7),
    }
)


@pytest.fixture(scope="module")
def perception() -> Perception:
    made = Perception(CONFIG)
    for index in range(LAST + 1):
        made.process(WORLD(index))
    return made


def middle(mask: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()) + 0.5, float(rows.mean()) + 0.5


@pytest.mark.parametrize("color", ["red", "blue", "green"])
def test_one_click_selects_the_whole_thing_and_nothing_else(
    perception: Perception, color: str
) -> None:
    truth = WORLD.mask(LAST, color)
    found = perception.segment([middle(truth)])
    assert found.presence is Presence.PRESENT
    assert iou(found.mask >= found.threshold, truth) > 0.7
    assert 0.5 < found.score <= 1
    assert found.encoder == "color"
    (track,) = found.tracks
    place = WORLD.squares[color](LAST)
    assert np.abs(track.position - place).max() < 0.06
    assert found.cloud is not None
    assert len(found.cloud) > 20
    assert (found.cloud.label == 1).all()


def test_a_box_selects_what_it_is_around(perception: Perception) -> None:
    truth = WORLD.mask(LAST, "blue")
    rows, columns = np.nonzero(truth)
    box = (columns.min() - 4, rows.min() - 3, columns.max() + 5, rows.max() + 4)
    found = perception.segment(box=box, want_cloud=False)
    assert iou(found.mask >= found.threshold, truth) > 0.8  # a pixel is 0.03 of it
    assert found.cloud is None


def test_two_clicks_on_two_things_select_both(perception: Perception) -> None:
    red, blue = WORLD.mask(LAST, "red"), WORLD.mask(LAST, "blue")
    found = perception.segment([middle(red), middle(blue)])
    assert iou(found.mask >= found.threshold, red | blue) > 0.8


def test_a_click_that_is_not_part_of_it_takes_away(perception: Perception) -> None:
    wall = (CAMERA.width / 2, CAMERA.height - 8.5)
    whole = perception.segment([wall]).mask >= 0.5
    spot = (20.5, CAMERA.height - 8.5)
    assert whole[int(spot[1]), int(spot[0])]
    less = perception.segment([wall, spot], [1, 0]).mask >= 0.5
    assert not less[int(spot[1]), int(spot[0])]
    assert less[int(wall[1]), int(wall[0])]


def test_the_first_click_inside_counts_wherever_it_stands_in_the_list(
    perception: Perception,
) -> None:
    blue, wall = middle(WORLD.mask(LAST, "blue")), (CAMERA.width / 2, 60.5)
    one = perception.segment([blue, wall], [1, 0]).mask
    other = perception.segment([wall, blue], [0, 1]).mask
    assert np.abs(one - other).max() < 1e-3


def test_it_answers_from_another_view_with_the_same_thing(perception: Perception) -> None:
    there = np.eye(4)
    there[0, 3] = 0.3
    depth = 1.5
    blue = (0.4, 0.1)
    click = (
        (blue[0] - 0.3) / depth * CAMERA.fx + CAMERA.cx,
        blue[1] / depth * CAMERA.fy + CAMERA.cy,
    )
    found = perception.segment([click], view=there)
    (track,) = found.tracks
    assert np.abs(track.position - (0.4, 0.1, depth)).max() < 0.06
    assert found.mask[int(click[1]), int(click[0])] > 0.5


def test_a_past_moment_shows_what_was_there_then() -> None:
    world = BoxWorld({"red": lambda i: (-0.4 + 0.1 * i, 0.0, 1.5)}, speed_m=0.0)
    perception = Perception(CONFIG)
    for index in range(8):
        perception.process(world(index))
    then = 2
    past = perception.segment([middle(world.mask(then, "red"))], stamp_ns=START_NS + then * STEP_NS)
    assert past.stamp_ns == START_NS + then * STEP_NS
    assert iou(past.mask >= 0.5, world.mask(then, "red")) > 0.4  # it was not known to move yet
    assert iou(past.mask >= 0.5, world.mask(7, "red")) == 0
    now = perception.segment([middle(world.mask(7, "red"))])
    assert iou(now.mask >= 0.5, world.mask(7, "red")) > 0.45
    assert iou(now.mask >= 0.5, world.mask(then, "red")) == 0


def test_a_click_on_nothing_finds_nothing(perception: Perception) -> None:
    away = np.diag([1.0, -1.0, -1.0, 1.0])  # looks where no camera did
    found = perception.segment([(48.0, 36.0)], view=away)
    assert found.presence is Presence.NOT_PRESENT
    assert (found.score, found.tracks) == (0.0, ())
    assert found.mask.max() < 0.5
    assert "nothing" in found.message


def test_a_click_meets_what_is_drawn_at_its_pixel(perception: Perception) -> None:
    scene = perception._memory.scene()
    x, y = middle(WORLD.mask(LAST, "red"))
    met = met_by_click(
        scene.snapshot, scene.camera, scene.T_map_camera, np.array([x, y]), perception.backend
    )
    out = scene.snapshot.render(
        scene.snapshot.colors, scene.camera, scene.T_map_camera, perception.backend
    )
    pixel = out.image[int(y), int(x)]
    assert (met @ scene.snapshot.colors).numpy() == pytest.approx(pixel.numpy(), abs=0.02)
    assert float(met.sum()) == pytest.approx(float(out.alpha[int(y), int(x)]), abs=0.02)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no box"),
        ({"points": [(1, 2, 3)]}, r"points has shape \(1, 3\)"),
        ({"points": [(96.0, 3)]}, "outside"),
        ({"points": [(float("nan"), 3)]}, "outside"),
        ({"points": [(3, 3)], "labels": [1, 1]}, "labels has shape"),
        ({"points": [(3, 3)], "labels": [-1]}, "labels has -1"),
        ({"points": [(3, 3)], "labels": [0]}, "none of them labelled 1"),
        ({"box": (1, 2, 3)}, "four numbers"),
        ({"box": (1, 2, float("inf"), 4)}, "four numbers"),
        ({"box": (9, 2, 3, 4)}, "no pixel"),
        ({"box": (96, 2, 99, 4)}, "no pixel"),
    ],
)
def test_what_is_no_click_is_refused(given: dict[str, Any], said: str) -> None:
    arguments = {"points": None, "labels": None, "box": None} | given
    with pytest.raises(ValueError, match=said):
        check_clicks(**arguments, camera=CAMERA)


def test_without_a_frame_it_says_so() -> None:
    with pytest.raises(ValueError, match="no frame"):
        Perception(CONFIG).segment([(3, 3)])
