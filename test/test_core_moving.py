# SPDX-License-Identifier: Apache-2.0
"""What moves now: its mask, its flag, and the ids that go with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from box_world import BoxWorld, iou, still

from f4x_ros.core.config import Config
from f4x_ros.core.data.frame import Frame
from f4x_ros.core.data.percept import Outputs, Percept
from f4x_ros.core.perception import Perception

QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.iterations": 2,
        "mapping.keyframe_iterations": 4,
    }
)
PROMPTS = ("red thing", "blue thing")


def two_squares(speed_m: float) -> BoxWorld:
    """Red drives; blue stays."""
    red = lambda i: (-0.5 + speed_m * i, -0.2, 1.6)  # noqa: E731
    return BoxWorld({"red": red, "blue": still(0.4, 0.2, 1.5)})


def run(world: BoxWorld, count: int, prompts: tuple[str, ...]) -> list[Percept]:
    perception = Perception(QUICK, prompts)
    return [perception.process(world(i)) for i in range(count)]


@pytest.mark.parametrize("prompts", [PROMPTS, ()])
def test_the_mask_of_what_moves_shows_it_and_nothing_else(prompts: tuple[str, ...]) -> None:
    world = two_squares(0.04)
    percepts = run(world, 16, prompts)
    for index in (11, 15):
        percept = percepts[index]
        assert percept.moving.shape == percept.color.shape[:2]
        assert percept.moving.dtype == np.float32
        assert 0 <= percept.moving.min() <= percept.moving.max() <= 1
        assert iou(percept.moving >= 0.5, world.mask(index, "red")) > 0.65
        assert percept.moving[world.mask(index, "blue")].mean() < 0.05


def test_nothing_moves_in_a_static_scene_before_a_moving_camera() -> None:
    for percept in run(BoxWorld(speed_m=0.03), 15, PROMPTS):
        assert (percept.moving >= 0.5).mean() < 0.01


def test_what_has_stopped_no_longer_shows_as_moving() -> None:
    world = BoxWorld({"red": lambda i: (-0.5 + 0.04 * min(i, 10), -0.2, 1.6)}, speed_m=0.0)
    percepts = run(world, 24, ("red thing",))
    assert (percepts[10].moving >= 0.5).sum() > 100
    assert (percepts[23].moving >= 0.5).sum() == 0


def test_the_mask_of_what_moves_is_only_made_when_wanted_and_changes_nothing_else() -> None:
    world = two_squares(0.04)
    with_it, without = Perception(QUICK, PROMPTS), Perception(QUICK, PROMPTS)
    for index in range(6):
        a = with_it.process(world(index))
        b = without.process(world(index), Outputs(moving=False))
        assert b.moving is None
        assert np.array_equal(a.masks, b.masks)
        assert np.array_equal(a.labels, b.labels)
        assert np.array_equal(a.color, b.color)


def test_movers_are_found_below_one_frame_per_second() -> None:
    def slow(index: int) -> Frame:
        frame = two_squares(0.08)(index)
        return replace(frame, stamp_ns=frame.stamp_ns + index * 1_900_000_000)  # every 2 s

    perception = Perception(QUICK, PROMPTS)
    percepts = [perception.process(slow(i)) for i in range(12)]
    red, blue = (
        next(t for t in percepts[-1].tracks if t.label.startswith(c)) for c in ("red", "blue")
    )
    assert (percepts[-1].moving >= 0.5)[two_squares(0.08).mask(11, "red")].mean() > 0.5
    assert np.allclose(red.velocity, (0.04, 0, 0), atol=0.02)
    assert np.allclose(blue.velocity, 0, atol=0.005)


# --- ids -------------------------------------------------------------------------------------


def test_a_question_knows_the_tracks_though_nobody_listened() -> None:
    perception = Perception(QUICK, PROMPTS)
    for index in range(5):
        perception.process(BoxWorld()(index), Outputs(False, False, False, False))
    assert perception.query("red thing").tracks[0].id > 0


def test_track_ids_are_not_used_again_after_a_reset() -> None:
    perception = Perception(QUICK, PROMPTS)
    before = {t.id for i in range(3) for t in perception.process(BoxWorld()(i)).tracks}
    perception.reset()
    after = {t.id for i in range(3) for t in perception.process(BoxWorld()(i)).tracks}
    assert len(before) == len(after) == 2
    assert min(after) > max(before)


def test_gaussians_forget_the_ids_of_prompts_that_are_gone() -> None:
    perception = Perception(QUICK, PROMPTS)
    for index in range(4):
        tracks = perception.process(BoxWorld()(index)).tracks
    red = next(t.id for t in tracks if t.label == "red thing")
    perception.set_prompts(["red thing", "green thing"])
    cloud = perception.query("blue thing").cloud
    assert set(cloud.object) == {0}
    assert set(perception.query("red thing").cloud.object) == {red}
