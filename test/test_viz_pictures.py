# SPDX-License-Identifier: Apache-2.0
"""Overlays, the bird's-eye view and the story: they show what they are given, where it is."""

from __future__ import annotations

from dataclasses import replace

import fabricated
import numpy as np
import pytest

from f4x_ros.core.data.percept import Cloud, Percept
from f4x_ros.core.data.track import TrackState
from f4x_ros.viz import birdseye, palette, story
from f4x_ros.viz import plan as plan_of
from f4x_ros.viz.marks import Chip, chip_height, draw_chips
from f4x_ros.viz.overlay import overlay, overlay_percept
from f4x_ros.viz.palette import prompt_colors
from f4x_ros.viz.story import Story, draw_story
from f4x_ros.viz.text import text_width

SIZE = (320, 240)
CLOUD = fabricated.cloud()
UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def percept() -> Percept:
    return fabricated.FakePerception().process(fabricated.frame(0, SIZE))


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return fabricated.frame(0, SIZE).rgb


def make_story(rgb: np.ndarray, percept: Percept, **changes: object) -> Story:
    path = np.stack([fabricated.pose(i)[:3, 3] for i in range(20)])
    trail = np.stack([[2.0, -0.4 + 0.05 * i, 1.2] for i in range(20)])
    return replace(
        Story(
            "a run",
            rgb,
            percept,
            percept.cloud,
            path,
            {2: trail},
            [("frames", "20"), ("PSNR", "30 dB")],
        ),
        **changes,
    )


def changed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a != b).any(-1)


def panels(page: np.ndarray) -> dict[str, np.ndarray]:
    """The pictures of the page for an input of 4:3, and its table."""
    return {
        "input": page[126:429, 24:428],
        "colour": page[126:429, 444:848],
        "depth": page[475:778, 24:428],
        "masks": page[475:778, 444:848],
        "table": page[826:976, 24:848],
        "map": page[126:976, 872:1576],
    }


# --- overlay -----------------------------------------------------------------------------------


def test_overlay_changes_only_masks_and_their_contours(rgb: np.ndarray) -> None:
    labels = fabricated.labels(rgb.shape[:2])
    before = rgb.copy()
    out = overlay(rgb, labels, ("a", "b"), legend=False)
    differs = changed(out, rgb)
    assert np.array_equal(rgb, before)  # the input is not drawn on
    assert differs[labels > 0].mean() > 0.98
    names_and_lines = 14  # pixels around a mask
    rows, columns = np.nonzero(labels)
    far = np.ones(labels.shape, bool)
    far[rows.min() - names_and_lines : rows.max() + names_and_lines] = False
    assert not differs[far].any()
    assert not differs[:, : columns.min() - 2].any()


def test_overlay_of_nothing_is_the_image(rgb: np.ndarray) -> None:
    labels = np.full(rgb.shape[:2], 65535, np.uint16)
    assert np.array_equal(overlay(rgb, labels, ("a",), legend=False), rgb)
    assert np.array_equal(overlay(rgb, None, ()), rgb)


def test_legend_takes_the_lower_edge_alone(rgb: np.ndarray) -> None:
    differs = changed(overlay(rgb, None, ("a", "b")), rgb)
    assert differs[-8:].all()
    assert not differs[:-40].any()


def test_box_is_drawn_where_the_object_is_seen(rgb: np.ndarray) -> None:
    frame = fabricated.frame(0, SIZE)
    track = fabricated.track(1, "a", (2.0, 0.5, 1.2))  # left of the middle, at the camera's height
    out = overlay(rgb, None, ("a",), None, [track], frame.camera, frame.T_map_camera, legend=False)
    rows, columns = np.nonzero(changed(out, rgb))
    # The near face is 1.85 m away, the far one 2.15 m; left is positive y.
    assert abs(columns.min() - (160 - 320 * 0.65 / 1.85)) < 3
    assert abs(columns.max() - (160 - 320 * 0.35 / 2.15)) < 3
    assert abs(rows.max() - (120 + 320 * 0.15 / 1.85)) < 3
    name = 22  # pixels above the box
    assert 0 <= 120 - 320 * 0.15 / 1.85 - rows.min() < name


@pytest.mark.parametrize("position", [(-2.0, 0.0, 1.2), (2.0, 40.0, 1.2)])
def test_objects_out_of_view_are_not_drawn(
    rgb: np.ndarray, position: tuple[float, float, float]
) -> None:
    frame = fabricated.frame(0, SIZE)
    track = fabricated.track(1, "a", position)
    out = overlay(rgb, None, ("a",), None, [track], frame.camera, frame.T_map_camera, legend=False)
    assert np.array_equal(out, rgb)


def test_lost_objects_are_not_drawn(rgb: np.ndarray) -> None:
    frame = fabricated.frame(0, SIZE)
    track = fabricated.track(1, "a", (2.0, 0.5, 1.2), state=TrackState.LOST)
    out = overlay(rgb, None, ("a",), None, [track], frame.camera, frame.T_map_camera, legend=False)
    assert np.array_equal(out, rgb)


def test_overlay_survives_many_prompts_and_an_object_around_the_camera(percept: Percept) -> None:
    around = fabricated.track(9, "red ball", (0.0, 0.0, 1.2), size=np.array([5.0, 5.0, 5.0]))
    many = tuple(f"a rather long prompt number {i}" for i in range(30))
    small = fabricated.frame(0, (64, 48))
    out = overlay(small.rgb, None, many, None, [around], small.camera, small.T_map_camera)
    assert out.shape == (48, 64, 3)


def test_overlay_of_as_many_prompts_as_there_may_be_names_those_in_sight(rgb: np.ndarray) -> None:
    names = tuple(f"thing {number} " + "x" * 180 for number in range(1000))
    labels = np.where(fabricated.labels(rgb.shape[:2]) > 0, 1000, 0).astype(np.uint16)
    out = overlay(rgb, labels, names)
    assert changed(out, rgb)[labels > 0].mean() > 0.98
    legend = out[-16:].astype(int)
    own = np.abs(legend - prompt_colors(names)[999]).max(-1) < 40
    assert own.any()  # the patch of the one that is in sight, though it is the last


def test_a_name_wider_than_the_picture_is_cut(rgb: np.ndarray) -> None:
    out = np.zeros_like(rgb)
    draw_chips(out, [Chip("W" * 200, 10.0, 60.0, (250, 250, 250))], 14, out.shape[0])
    row = (out.max(-1) > 0).any(0)
    assert row[: rgb.shape[1] // 2].all()
    assert not row[-4:].all()  # it ends within the picture: "...", then the ground's edge


def test_as_many_colours_as_there_may_be_prompts_are_chosen() -> None:
    names = [f"thing {number}" for number in range(1000)]
    colors = prompt_colors(names)  # (the search for one unlike all others found none, and went on)
    assert len(colors) == 1000
    assert colors[:10] == prompt_colors(names[:10])
    assert len(set(colors)) > 500


def test_overlay_scales_sizes_up(rgb: np.ndarray, percept: Percept) -> None:
    assert overlay_percept(rgb, percept, scale=2).shape == (480, 640, 3)


@pytest.mark.parametrize(
    "changes, name",
    [
        ({"labels": np.zeros((2, 2), np.uint16)}, "labels"),
        ({"certainty": np.zeros((2, 2), np.float32)}, "certainty"),
        ({"scale": 0}, "scale"),
        ({"rgb": np.zeros((4, 4), np.uint8)}, "rgb"),
    ],
)
def test_overlay_names_the_argument_that_does_not_fit(
    rgb: np.ndarray, changes: dict[str, object], name: str
) -> None:
    arguments = {"rgb": rgb, "labels": None, "prompts": ("a",)} | changes
    with pytest.raises(ValueError, match=name):
        overlay(**arguments)


# --- colours -----------------------------------------------------------------------------------


def test_prompts_have_different_colours() -> None:
    prompts = ("red cup", "a red ball", "blue thing", *(f"thing {i}" for i in range(20)))
    assert len(set(palette.prompt_colors(prompts))) == len(prompts)


@pytest.mark.parametrize("word, channel", [("red", 0), ("green", 1), ("blue", 2)])
def test_a_prompt_that_names_a_colour_is_shown_in_it(word: str, channel: int) -> None:
    color = palette.prompt_colors(("a cup", f"{word} thing"))[1]
    assert int(np.argmax(color)) == channel


@pytest.mark.parametrize("around", [False, True])
def test_names_at_one_place_do_not_cover_one_another(around: bool) -> None:
    inks = [palette.color_of(i) for i in range(8)]
    chips = [Chip(f"object {i}", 150.0, 150.0, ink) for i, ink in enumerate(inks)]
    page = np.zeros((300, 300, 3), np.uint8)
    draw_chips(page, chips, 14, 300, around=around)
    for chip, ink in zip(chips, inks, strict=True):
        ground = (page == np.round(np.array(ink, np.float32) * 0.85)).all(-1)
        area = chip_height(14) * (text_width(chip.text, 14) + 8)
        assert 0.5 * area < ground.sum() <= area, chip.text


# --- seen from above ---------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_up_is_found_for_worlds_of_any_axis(axis: int, sign: float) -> None:
    wanted = np.eye(3)[axis] * sign
    forward = np.roll(wanted, 1)
    poses = []
    for tilt in np.radians([-20, 10, 35]):
        down = -(np.cos(tilt) * wanted + np.sin(tilt) * forward)
        ahead = np.cos(tilt) * forward - np.sin(tilt) * wanted
        T = np.eye(4)
        T[:3, :3] = np.stack([np.cross(down, ahead), down, ahead], 1)
        poses.append(T)
    assert np.array_equal(plan_of.up_axis(np.stack(poses)), wanted)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("size", [(400, 200), (200, 400)])
def test_map_is_not_mirrored_and_fits(axis: int, sign: float, size: tuple[int, int]) -> None:
    up = np.eye(3)[axis] * sign
    points = np.random.default_rng(0).uniform(-3, [3, 1, 2], (200, 3))
    plan = plan_of.make_plan(np.zeros((0, 3), np.float32), points, up, size)
    assert np.allclose(np.cross(plan.across, plan.along), up)  # right x upwards: towards the eye
    pixels = plan.pixels(points)
    assert (pixels >= 0).all()
    assert (pixels <= size).all()
    assert np.ptp(pixels, axis=0).max() > 0.5 * min(size)


def draw_map(cloud: Cloud, tracks: tuple = (), trails: dict | None = None) -> np.ndarray:
    path = np.stack([fabricated.pose(i)[:3, 3] for i in range(10)])
    return birdseye.draw_birdseye(
        (300, 300),
        cloud,
        tracks,
        fabricated.PROMPTS,
        path,
        trails or {},
        fabricated.camera(),
        fabricated.pose(9),
        UP,
    )


def some_points(xyz: np.ndarray, label: int) -> Cloud:
    n = len(xyz)
    return Cloud(
        xyz.astype(np.float32),
        np.full((n, 3), 128, np.uint8),
        np.full(n, label, np.uint16),
        np.ones(n, np.float32),
        np.zeros(n, np.float32),
        np.zeros(n, np.uint32),
    )


def test_ceiling_is_cut_off() -> None:
    rng = np.random.default_rng(1)
    floor = rng.uniform([0, -2, 0], [4, 2, 0.1], (500, 3))
    both = np.concatenate([floor, floor + np.array([0, 0, 2.5])])
    label = np.repeat([0, 1], 500).astype(np.uint16)
    cloud = replace(some_points(both, 0), label=label)
    assert np.array_equal(draw_map(cloud), draw_map(some_points(floor, 0)))


def test_points_asked_for_are_coloured_and_others_grey() -> None:
    xyz = np.random.default_rng(1).uniform([0, -2, 0], [4, 2, 1], (500, 3))
    red, grey = draw_map(some_points(xyz, 1)), draw_map(some_points(xyz, 65535))
    redness = red[..., 0].astype(int) - red[..., 2]
    assert (redness > 80).mean() > 0.02
    assert (np.abs(grey[..., 0].astype(int) - grey[..., 2]) < 40).all()


def test_trails_are_drawn_for_motion_but_not_for_jumps() -> None:
    still = fabricated.track(1, "red ball", (2.0, 0.0, 1.0))
    jump = np.repeat([[2.0, 1.0, 1.0], [2.0, 0.0, 1.0]], 10, 0)
    way = np.linspace([2.0, 1.0, 1.0], [2.0, 0.0, 1.0], 20)
    without = draw_map(CLOUD, (still,))
    assert np.array_equal(draw_map(CLOUD, (still,), {1: jump}), without)
    assert changed(draw_map(CLOUD, (still,), {1: way}), without).sum() > 100


def test_map_of_nothing_but_one_pose_is_drawn() -> None:
    out = birdseye.draw_birdseye(
        (300, 200),
        some_points(np.zeros((0, 3)), 0),
        (),
        (),
        fabricated.pose(0)[None, :3, 3],
        {},
        fabricated.camera(),
        fabricated.pose(0),
        UP,
    )
    assert out.shape == (200, 300, 3)
    assert len(np.unique(out)) > 5


# --- the story ---------------------------------------------------------------------------------


def test_story_has_its_size_and_no_empty_panel(rgb: np.ndarray, percept: Percept) -> None:
    page = draw_story(make_story(rgb, percept))
    assert page.shape == (1000, 1600, 3)
    assert page.dtype == np.uint8
    percept = replace(percept, depth=np.linspace(1, 3, rgb[..., 0].size, dtype=np.float32))
    percept.depth = percept.depth.reshape(rgb.shape[:2])
    for name, panel in panels(draw_story(make_story(rgb, percept))).items():
        assert panel.std() > 5, name


@pytest.mark.parametrize("which", ["input", "colour", "depth", "masks", "map", "table"])
def test_each_panel_follows_its_own_input(rgb: np.ndarray, percept: Percept, which: str) -> None:
    other = {
        "input": lambda: make_story(255 - rgb, percept),
        "colour": lambda: make_story(rgb, replace(percept, color=255 - percept.color)),
        "depth": lambda: make_story(
            rgb, replace(percept, depth=percept.depth * (np.arange(SIZE[0]) % 2).astype(np.float32))
        ),
        "masks": lambda: make_story(rgb, replace(percept, labels=np.roll(percept.labels, 9, 0))),
        "map": lambda: make_story(rgb, replace(percept, cloud=fabricated.cloud(500))),
        "table": lambda: make_story(rgb, percept, rows=[("frames", "21")]),
    }[which]()
    before, after = panels(draw_story(make_story(rgb, percept))), panels(draw_story(other))
    differing = {name for name in before if not np.array_equal(before[name], after[name])}
    expected = {which, "masks"} if which == "input" else {which}  # masks lie on the input
    assert differing == expected


@pytest.mark.parametrize("size", [(64, 48), (640, 200), (120, 320)])
def test_story_keeps_the_proportions_of_any_image(size: tuple[int, int]) -> None:
    frame = fabricated.frame(0, size)
    frame.rgb[:] = (255, 0, 255)
    page = draw_story(make_story(frame.rgb, fabricated.FakePerception().process(frame)))
    rows, columns = np.nonzero((page[:900, :430] == (255, 0, 255)).all(-1))
    shown = (np.ptp(columns) + 1) / (np.ptp(rows) + 1)
    assert shown == pytest.approx(size[0] / size[1], rel=0.03)


def test_story_says_how_many_numbers_did_not_fit(rgb: np.ndarray, percept: Percept) -> None:
    rows = [(f"number {i}", str(i)) for i in range(200)]
    page = draw_story(make_story(rgb, percept, rows=rows))
    fewer = draw_story(make_story(rgb, percept, rows=rows[:150]))
    assert not np.array_equal(panels(page)["table"], panels(fewer)["table"])
    assert (page[980:] == 255).all()  # nothing runs off the page


def test_depth_colours_follow_depth_and_leave_out_what_is_unknown() -> None:
    depth = np.tile(np.linspace(1, 3, 100, dtype=np.float32), (10, 1))
    depth[0] = 0
    picture, (low, high) = story.depth_picture(depth)
    assert 1.0 <= low <= 1.1
    assert 2.9 <= high <= 3.0
    assert len(np.unique(picture[0], axis=0)) == 1
    assert picture[5, 5, 2] > picture[5, 5, 0]  # near is blue
    assert picture[5, 95, 0] > picture[5, 95, 2]  # far is red
    assert story.depth_picture(np.zeros((4, 4), np.float32))[0].shape == (4, 4, 3)


def test_story_names_what_is_missing(rgb: np.ndarray, percept: Percept) -> None:
    with pytest.raises(ValueError, match="labels"):
        make_story(rgb, replace(percept, labels=None))


@pytest.mark.parametrize(
    "changes, name",
    [
        ({"rgb": np.zeros((4, 4, 3), np.uint8)}, "rgb"),
        ({"camera_path": np.zeros((0, 3))}, "camera_path"),
        ({"trails": {7: np.zeros(3)}}, "track 7"),
    ],
)
def test_story_names_what_does_not_fit(
    rgb: np.ndarray, percept: Percept, changes: dict[str, object], name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        replace(make_story(rgb, percept), **changes)


def test_a_value_that_fits_beside_its_name_is_shown_whole(
    rgb: np.ndarray, percept: Percept
) -> None:
    value = "136,710 Gaussians, 35.3 MB"  # wider than half a column
    whole = draw_story(make_story(rgb, percept, rows=[("map", value)]))
    longer = draw_story(make_story(rgb, percept, rows=[("map", value + "!")]))
    shortened = draw_story(make_story(rgb, percept, rows=[("map", value * 3)]))
    again = draw_story(make_story(rgb, percept, rows=[("map", value * 4)]))
    assert (whole != longer).any()
    assert not (shortened != again).any()
