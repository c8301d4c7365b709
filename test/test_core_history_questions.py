# SPDX-License-Identifier: Apache-2.0
"""`Perception.history` and `Perception.show` on a small map whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from ask_scene import small_map
from box_world import COLORS, START_NS, STEP_NS

from f4x_ros.core.base import limits
from f4x_ros.core.data import Happening
from f4x_ros.core.perception import Perception

# (blue slides from x = 0.4 at 0.8 s to 0.12 at 2.2 s; green, which nobody follows, is there from
# 1 to 2 s; the camera moves by 1 cm a frame)


def at(seconds: float) -> int:
    return START_NS + round(seconds * 10) * STEP_NS


def test_what_moved_is_named_with_where_it_was_moved_from_and_to() -> None:
    result = small_map().history(want_states=False)
    (moved,) = [one for one in result.events if one.event is Happening.MOVED]
    assert moved.label == "blue thing"
    np.testing.assert_allclose(moved.before.position[:2], [0.4, 0.1], atol=0.05)
    np.testing.assert_allclose(moved.after.position[:2], [0.12, 0.1], atol=0.05)
    assert at(0.7) <= moved.begin_ns <= at(1.4)  # (a track is behind its thing)
    assert at(2.0) <= moved.end_ns <= at(2.9)
    assert 0.15 < moved.length_m < 0.45
    assert result.things == ()


def test_where_something_was_at_a_moment() -> None:
    result = small_map().history("blue thing", at(0.5), at(0.5))
    (thing,) = result.things
    assert thing.stamps_ns == (at(0.5),)
    (state,) = thing.states
    np.testing.assert_allclose(state.position[:2], [0.4, 0.1], atol=0.05)
    assert not state.moving
    assert result.events == ()
    again = small_map().history(f"#{thing.id}", at(0.5), at(0.5)).things[0]
    np.testing.assert_array_equal(again.states[0].position, state.position)


def test_states_are_those_that_are_kept_or_a_step_apart_and_never_more_than_asked_for() -> None:
    world = small_map()
    kept = world.history("blue thing").things[0]
    assert list(kept.stamps_ns) == sorted(set(kept.stamps_ns))
    assert (kept.stamps_ns[0] >= at(0), kept.stamps_ns[-1]) == (True, at(2.9))
    stepped = world.history("blue thing", at(1), at(2), step_s=0.25).things[0]
    assert np.diff(stepped.stamps_ns).tolist() == [250_000_000] * 4
    few = world.history("blue thing", step_s=0.01, max_states=5).things[0]
    assert len(few.states) == 5
    assert few.stamps_ns[-1] == at(2.9)
    moving = [state.moving for state in stepped.states]
    assert any(moving)


def test_words_that_find_nothing_are_said_and_not_an_error() -> None:
    result = small_map().history("purple thing")
    assert (result.things, result.events) == ((), ())
    assert "no purple thing" in result.message


def test_what_is_not_as_expected_is_refused_with_its_name() -> None:
    world = small_map()
    for arguments, said in (
        ({"since_ns": at(-1)}, "since is"),
        ({"until_ns": at(30)}, "until is"),
        ({"since_ns": at(2), "until_ns": at(1)}, "no moment before since"),
        ({"step_s": -1.0}, "step is -1"),
        ({"step_s": float("nan")}, "step is nan"),
        ({"max_states": limits.MAX_STATES + 1}, "max_states is"),
        ({"thing": "#99"}, "no thing has the id"),
        ({"thing": "x" * 201}, "expected at most 200"),
    ):
        with pytest.raises(ValueError, match=said):
            world.history(**arguments)
    with pytest.raises(ValueError, match="no frame"):
        Perception().history()


def test_a_past_moment_is_shown_with_its_colours_depth_and_labels() -> None:
    world = small_map()
    then, now = world.show(at(1.5), world.viewpoint()[1]), world.show()
    assert (then.stamp_ns, now.stamp_ns) == (at(1.5), at(2.9))
    assert then.prompts == ("red thing", "blue thing")
    green = np.abs(then.color.astype(int) - COLORS["green"]).sum(-1) < 90
    assert green.sum() > 40  # it was there then
    assert (np.abs(now.color.astype(int) - COLORS["green"]).sum(-1) < 90).sum() < 10
    assert np.median(then.depth[green]) == pytest.approx(1.7, abs=0.1)
    blue = np.argwhere(then.labels == 2)[:, 1], np.argwhere(now.labels == 2)[:, 1]
    assert np.median(blue[0]) > np.median(blue[1]) + 3  # it slid to the left since
    assert set(np.unique(now.labels)) <= {0, 1, 2, 65535}


def test_labels_are_those_of_the_published_masks() -> None:
    from box_world import BoxWorld

    world = small_map()
    percept = Perception(world.config, ["red thing"])
    shown = None
    for index in range(6):
        seen = percept.process(BoxWorld()(index))
        shown = percept.show()
        assert seen.labels is not None
        assert (seen.labels == shown.labels).mean() > 0.999
        np.testing.assert_array_equal(seen.color, shown.color)


def test_other_prompts_a_width_and_no_labels() -> None:
    shown = small_map().show(prompts=["red thing"], width=48)
    assert (shown.color.shape, shown.depth.shape) == ((36, 48, 3), (36, 48))
    assert shown.prompts == ("red thing",)
    assert 1 in shown.labels
    bare = small_map().show(want_labels=False)
    assert (bare.labels, bare.prompts) == (None, ())


def test_an_orbit_turns_about_what_is_in_the_middle() -> None:
    world = small_map()
    pose = world.viewpoint()[1]
    turned = world.show(orbit_rad=0.3).T_map_camera
    middle_m = float(np.median(world.show().depth[30:42, 40:56]))
    target, after = (T[:3, 3] + middle_m * T[:3, 2] for T in (pose, turned))
    np.testing.assert_allclose(after, target, atol=0.05)
    angle = np.arccos((np.trace(pose[:3, :3].T @ turned[:3, :3]) - 1) / 2)
    assert angle == pytest.approx(0.3, abs=1e-6)


def test_what_cannot_be_shown_is_refused_with_the_reason() -> None:
    world = small_map()
    for arguments, said in (
        ({"stamp_ns": at(3.9)}, "1.000 s after the last frame"),
        ({"stamp_ns": at(-1)}, "outside of what the field remembers"),
        ({"width": limits.MAX_PICTURE_PX + 1}, "width is"),
        ({"width": -1}, "width is"),
        ({"orbit_rad": float("nan")}, "orbit is"),
        ({"prompts": [" "]}, "blank"),
    ):
        with pytest.raises(ValueError, match=said):
            world.show(**arguments)
