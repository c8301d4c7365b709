# SPDX-License-Identifier: Apache-2.0
"""The page of movers over time, and strips."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fabricated import camera, pose, track
from scipy.spatial.transform import Rotation

from f4x_ros.core.data import MotionModel, Prediction, ShownView, ThingStates
from f4x_ros.viz.moments import Moments, draw_moments
from f4x_ros.viz.palette import color_of_label
from f4x_ros.viz.strip import strip

PROMPTS = ("red ball", "blue box")
UP = np.array([0.0, 0.0, 1.0])


def view(stamp_ns: int) -> ShownView:
    cam = camera(160, 120)
    color = np.full((120, 160, 3), 90, np.uint8)
    color[60, 80] = 255
    return ShownView(
        color=color, depth=np.ones((120, 160), np.float32), alpha=np.ones((120, 160), np.float32),
        stamp_ns=stamp_ns, frame_id="camera", map_frame="map", camera=cam, T_map_camera=pose(0),
        labels=None, prompts=(),
    )  # fmt: skip


def things(yaw_deg: float = 0.0, y_end: float = 0.6) -> tuple[ThingStates, ...]:
    turn = Rotation.from_euler("z", yaw_deg, degrees=True).as_quat()
    known = np.diag([1e-4] * 3 + [0.01] * 3)
    made = [
        replace(
            track(1, "blue box", (3.0, y, 1.0), moving=True, size=np.array([0.6, 0.2, 0.3])),
            orientation=turn, pose_covariance=known,
        )
        for y in np.linspace(-0.4, y_end, 5)
    ]  # fmt: skip
    still = track(2, "red ball", (2.5, 0.9, 1.0))
    stamps = tuple(range(0, 5_000_000_000, 1_000_000_000))
    return ThingStates(1, "blue box", stamps, tuple(made)), ThingStates(
        2, "red ball", stamps[:1], (still,)
    )


def page(shown: tuple[ThingStates, ...], **changes: Any) -> np.ndarray:
    given: dict[str, Any] = {
        "title": "time",
        "views": [view(k * 1_000_000_000) for k in range(4)],
        "captions": ["0 s", "1 s", "2 s", "3 s"],
        "things": shown,
        "followed": 1,
        "predictions": (),
        "prompts": PROMPTS,
        "up": UP,
    }
    return draw_moments(Moments(**{**given, **changes}))


def of_color(image: np.ndarray, label: str) -> int:
    near = np.abs(image.astype(int) - color_of_label(label, PROMPTS)).sum(-1) < 40
    return int(near.sum())


def test_the_page_shows_boxes_of_the_mover_in_pictures_and_from_above() -> None:
    drawn = page(things())
    assert drawn.shape[1] == 1600
    above = drawn[-620:]
    assert of_color(above, "blue box") > 500
    assert of_color(drawn[:-620], "blue box") > 300  # boxes, frames of the crops
    assert of_color(above, "red ball") < 20  # what rests is grey


def test_a_box_that_is_turned_is_drawn_turned() -> None:
    straight, turned = page(things()), page(things(yaw_deg=45.0))
    assert straight.shape == turned.shape
    assert (straight[-620:] != turned[-620:]).any(-1).sum() > 1000


def test_boxes_to_come_are_added() -> None:
    shown = things()
    now = shown[0].states[-1]
    ahead = (replace(now, position=now.position + np.array([0.0, 0.2, 0.0])),)
    coming = Prediction(now, MotionModel.CONSTANT_TWIST, 0.0, ahead)
    more = of_color(page(shown, predictions=(coming,))[-620:], "blue box")
    assert more > of_color(page(shown)[-620:], "blue box") + 50


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="thing #9"):
        page(things(), followed=9)
    with pytest.raises(ValueError, match="0 views"):
        page(things(), views=[], captions=[])


def test_a_strip_has_a_line_above_each_picture_and_checks_what_it_gets() -> None:
    pictures = [np.full((30, 40, 3), 10 * k, np.uint8) for k in range(5)]
    made = strip(pictures, [str(k) for k in range(5)])
    assert made.shape[1] == 4 * 320 + 3 * 6
    assert made[60, 100].tolist() == [0, 0, 0]
    assert made[60, 420].tolist() == [10, 10, 10]
    assert made[-60, 100].tolist() == [40, 40, 40]  # the fifth begins a new row
    with pytest.raises(ValueError, match="expected one size"):
        strip([pictures[0], pictures[1][:20]], ["a", "b"])
    with pytest.raises(ValueError, match="1 captions for 2 pictures"):
        strip(pictures[:2], ["a"])
