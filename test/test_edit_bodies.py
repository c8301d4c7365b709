# SPDX-License-Identifier: Apache-2.0
"""Edits of what moves follow its motion: at every moment, in a span, saved and loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from box_world import iou
from turning_box import CAMERA, STEP_NS, BoxRoom, at

from f4x_ros.core.config import Config
from f4x_ros.core.data import Pose
from f4x_ros.core.edit import Edit
from f4x_ros.core.perception import Perception

FRAMES = 30
MOMENTS = (12, 20, 29)
QUICK = Config.from_dotted(
    {
        "features.extractor": "color",
        "mapping.resolution": CAMERA.width,
        "mapping.iterations": 3,
        "mapping.keyframe_iterations": 5,
    }
)


def driving(index: int) -> Pose:
    """Along an arc, turning at 0.5 rad/s."""
    t = STEP_NS / 1e9 * index
    return at(-0.4 + 0.25 * t, 2.0 - 0.1 * t, 0.2, 0.3 + 0.5 * t)


ROOM = BoxRoom(driving)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Perception(QUICK, ("red thing",))
    for index in range(FRAMES):
        made.process(ROOM(index))
    path = tmp_path_factory.mktemp("bodies") / "map.f4x"
    made.save(path)
    return path


@pytest.fixture
def perception(whole: Path) -> Perception:
    return Perception.load(whole)


def stamp(index: int) -> int:
    """0 for the last frame."""
    return 0 if index == FRAMES - 1 else ROOM(index).stamp_ns


def picture(perception: Perception, index: int) -> np.ndarray:
    return perception.render(CAMERA, ROOM.pose(index), stamp(index), layer="edited").color


def mask(perception: Perception, index: int) -> np.ndarray:
    """What the edit made, pixels that are mostly it."""
    made = perception.editor.edited(stamp(index))
    own = (made.touched & ~made.guessed).float()[:, None]
    out = made.snapshot.render(own, CAMERA, ROOM.pose(index), perception.backend)
    return (out.image[..., 0] / out.alpha.clamp(min=0.5) >= 0.5).cpu().numpy()


def off(picture: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(picture[where].astype(float) - truth[where]).mean())


def test_what_moves_is_removed_at_all_of_its_moments(perception: Perception) -> None:
    result = perception.edit("remove the red thing")
    assert result.done, result.message
    assert result.edits[0].region is not None
    assert result.edits[0].region.bodies
    for index in MOMENTS:
        where, empty = ROOM.mask(index), BoxRoom(None)(index).rgb
        assert off(picture(perception, index), empty, where) < 25
        assert off(ROOM(index).rgb, empty, where) > 40


@pytest.mark.parametrize(
    "text, box, least",  # (of what is turned sides show that nobody saw)
    [
        ("move the red thing 0.3 m along +y", lambda pose: at_shifted(pose, (0, 0.3, 0)), 0.75),
        ("turn the red thing by 90 degrees", lambda pose: pose @ at(0, 0, 0, np.pi / 2), 0.6),
    ],
)
def test_what_is_moved_or_turned_goes_on_moving(
    perception: Perception, text: str, box: Callable[[Pose], Pose], least: float
) -> None:
    assert perception.edit(text).done
    for index in MOMENTS:
        truth = BoxRoom(lambda k: box(driving(k)))
        assert iou(mask(perception, index), truth.mask(index)) > least, index


def at_shifted(pose: Pose, shift: tuple[float, float, float]) -> Pose:
    out = pose.copy()
    out[:3, 3] += shift
    return out


def test_a_copy_of_what_moves_moves_as_well(perception: Perception) -> None:
    assert perception.edit("copy the red thing 0.5 m along +y").done
    for index in MOMENTS:
        truth = BoxRoom(lambda k: at_shifted(driving(k), (0, 0.5, 0)))
        alone = truth.mask(index) & ~ROOM.mask(index)
        assert (mask(perception, index) & alone).sum() > 0.7 * alone.sum()


def test_a_scaled_thing_grows_about_its_foot_wherever_it_is(perception: Perception) -> None:
    assert perception.edit("make the red thing half as big").done
    for index in MOMENTS:
        small, large = mask(perception, index), ROOM.mask(index)
        assert 0.1 < small.sum() / large.sum() < 0.45
        assert (small & ~large).sum() < 0.1 * small.sum()


def test_a_recoloured_mover_is_recoloured_at_all_moments(perception: Perception) -> None:
    assert perception.edit("paint the red thing green").done
    for index in MOMENTS:
        red, green, _ = picture(perception, index)[ROOM.mask(index)].mean(0)
        assert green > red + 20


def test_an_edit_of_a_mover_asked_for_in_the_past_holds_in_its_span(
    perception: Perception,
) -> None:
    until = stamp(20) - ROOM(0).stamp_ns
    text = f"remove the red thing between 0 and {until / 1e9 - 0.2:.2f} s"
    assert perception.edit(text).done
    assert off(picture(perception, 12), BoxRoom(None)(12).rgb, ROOM.mask(12)) < 25
    assert off(picture(perception, 29), ROOM(29).rgb, ROOM.mask(29)) < 35


def test_edits_of_movers_are_saved(perception: Perception, tmp_path: Path) -> None:
    assert perception.edit("turn the red thing by 90 degrees").done
    path = tmp_path / "edited.f4x"
    perception.save(path)
    again = Perception.load(path)
    one, other = again.edits[0], perception.edits[0]
    assert isinstance(one, Edit)
    assert one.region is not None
    assert other.region is not None
    assert one.region.bodies == other.region.bodies
    assert (one.at_s, one.pivot) == (other.at_s, other.pivot)
    for index in MOMENTS:
        assert np.array_equal(picture(again, index), picture(perception, index))


def test_what_moves_goes_on_moving_in_a_map_of_its_own(
    perception: Perception, tmp_path: Path
) -> None:
    file = tmp_path / "red.f4x"
    assert perception.edit(f"extract the red thing to {file}").done
    alone = Perception.load(file)
    for index in MOMENTS:
        alpha = alone.render(CAMERA, ROOM.pose(index), stamp(index)).alpha
        assert iou(alpha >= 0.5, ROOM.mask(index)) > 0.75, index
