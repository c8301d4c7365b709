# SPDX-License-Identifier: Apache-2.0
"""The worlds and the arithmetic of bench/scale.py, bench/budget.py and bench/against.py."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import against  # noqa: E402
import budget  # noqa: E402
import revisions  # noqa: E402
import scale  # noqa: E402
import walks  # noqa: E402

from f4x_ros.core.config import Config  # noqa: E402
from f4x_ros.core.data import PinholeCamera, Pose  # noqa: E402
from f4x_ros.core.perception import Perception  # noqa: E402

COLOR = Config.from_dotted({"features.extractor": "color"})
SMALL = walks.camera(80)


def points_of(world: walks.World, camera: PinholeCamera, pose: Pose) -> np.ndarray:
    """What a view shows, [H, W, 3] in the map frame."""
    _, depth = world.draw(camera, pose)
    return camera.unproject(depth) @ pose[:3, :3].T + pose[:3, 3]


# --- the worlds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "world, poses",
    [
        (walks.room(), list(walks.swaying(5))[::4]),
        (walks.corridor(4), list(walks.along(4))[2:]),
        (walks.rooms(3), list(walks.around(1))[4:6]),
    ],
    ids=["room", "corridor", "rooms"],
)
def test_two_views_of_a_world_show_the_same_surfaces(world, poses):
    """Where one sees a point the other saw, or the same colour at the same place."""
    one, other = poses
    points = points_of(world, SMALL, one).reshape(-1, 3)
    colors = world.draw(SMALL, one)[0].reshape(-1, 3).astype(float)
    local = (points - other[:3, 3]) @ other[:3, :3]
    pixels = SMALL.project(local)
    inside = (pixels > 1).all(1) & (pixels < (SMALL.width - 1, SMALL.height - 1)).all(1)
    columns, rows = np.floor(pixels[inside]).astype(int).T
    rgb, depth = world.draw(SMALL, other)
    apart = depth[rows, columns] - local[inside, 2]
    assert inside.mean() > 0.3
    assert (apart < 0.3).mean() > 0.97  # nearer is hidden; farther would be a hole
    visible = np.abs(apart) < 0.05
    assert visible.mean() > 0.8
    difference = np.abs(rgb[rows, columns].astype(float) - colors[inside])[visible]
    assert np.median(difference) < 12
    assert np.median(difference) < 0.5 * np.median(np.abs(colors - colors[::-1]))


def test_a_world_is_the_same_each_time_it_is_made():
    pose = next(walks.along(1))
    for one, other in zip(
        walks.corridor(8).draw(SMALL, pose), walks.corridor(8).draw(SMALL, pose), strict=True
    ):
        assert (one == other).all()


def test_the_end_of_the_corridor_shows_what_the_beginning_shows():
    """Rates at both ends then compare maps, not pictures."""
    count = 4 * walks.PERIOD
    world, poses = walks.corridor(count), list(walks.along(count))
    for k in (3, 10):
        rgb, depth = world.draw(SMALL, poses[k])
        rgb_late, depth_late = world.draw(SMALL, poses[k + 3 * walks.PERIOD])
        assert np.abs(depth - depth_late).max() < 1e-5
        assert (np.abs(rgb.astype(int) - rgb_late) <= 1).mean() > 0.999
        assert rgb.std() > 20


def test_poses_are_of_an_upright_optical_frame():
    pose = walks.looking(1, 2, 3, 90)
    assert np.allclose(pose[:3, 2], [0, 1, 0])
    assert np.allclose(pose[:3, 0], [1, 0, 0])
    assert np.allclose(pose[:3, 1], [0, 0, -1])


def test_the_views_of_the_first_room_see_nothing_else():
    world = walks.rooms(4)
    for pose in walks.first_room_views():
        assert points_of(world, SMALL, pose)[..., 0].max() < walks.ROOM_M / 2


def test_the_way_back_never_shows_the_first_room():
    """Else it would be mapped anew, and the bench would not ask for what the map remembers."""
    world = walks.rooms(4)
    poses = list(walks.back(3))
    assert np.allclose(poses[0][:3, 3], [3 * walks.ROOM_M, 0, 1.2])
    assert np.allclose(poses[-1][:3, 3], [walks.ROOM_M, 0, 1.2])
    for pose in poses:
        assert points_of(world, SMALL, pose)[..., 0].min() > walks.ROOM_M / 2


# --- bench/scale.py ------------------------------------------------------------------------------


def test_no_view_of_the_room_could_show_what_is_far():
    places, cubes = scale.far_places(20_000, np.random.default_rng(0))
    assert len(np.unique(cubes)) == 20_000 // scale.CUBE_FILL
    distance = np.linalg.norm(places[:, :2], axis=1)
    assert distance.min() > scale.NEAR_M - 2
    assert distance.max() < scale.FAR_M + 2
    for pose in walks.swaying(20):
        pixels = walks.camera().project((places - pose[:3, 3]) @ pose[:3, :3])
        seen = ((pixels >= 0) & (pixels < (320, 240))).all(1)  # NaN: behind
        assert not seen.any()


def test_what_is_far_is_in_the_map_and_changes_no_picture():
    perception = Perception(COLOR, ["red thing"])
    world, pose = walks.room(), next(walks.swaying(1))
    perception.process(world.frame(SMALL, pose, 0))
    before, count = perception.render(SMALL, pose), perception.gaussians
    scale.insert_far(perception, 3000)
    assert perception.gaussians == count + 3000
    after = perception.render(SMALL, pose)
    assert (after.color == before.color).all()
    frame = world.frame(SMALL, pose, 1)
    in_view = scale.in_view(perception.process(frame))
    assert 0 < in_view <= count + 100


def test_a_ratio_of_cycles_counts_the_frames_that_group():
    """The median over single frames would not notice one in five."""
    plain, grouped = [1.0] * 10, [1.0, 1.0, 1.0, 1.0, 6.0] * 2
    assert scale.ratio_of_cycles(grouped, plain, 5) == 2.0


# --- bench/budget.py -----------------------------------------------------------------------------


def test_a_walk_counts_what_is_above_the_budget_and_looks_without_mapping():
    config = Config.from_dotted({"features.extractor": "color", "field.max_bytes": 100_000})
    walker = budget.Walker(Perception(config, ["red thing"]), walks.rooms(3), 50_000)
    walker.camera = SMALL
    walker.walk(islice(walks.around(0), 3), "room 0")
    assert max(walker.over) > 0.5  # obeys twice what it is measured by
    inserted = walker.counts["inserted"]
    views = walks.first_room_views()[:2]
    assert walker.seen(views) == pytest.approx(walker.asked(views))
    assert walker.counts["inserted"] == inserted > 0


def test_psnr_is_that_of_the_mean_squared_error():
    black = np.zeros((4, 4, 3), np.uint8)
    assert budget.psnr_db(black + np.uint8(51), black) == pytest.approx(20 * np.log10(5))


# --- bench/against.py ----------------------------------------------------------------------------


def report_of(fps: float, psnr_db: float | None, **more: object) -> dict[str, object]:
    settings: dict[str, object] = dict.fromkeys(against.SETTINGS, 1)
    return {**settings, "fps": fps, "psnr_heldout_db": psnr_db, "gaussians": 5, **more}


def test_a_rate_is_compared_within_its_pair_and_quality_by_the_worse_input():
    demo = against.Compared(
        [
            (report_of(1.0, 30.0), report_of(2.0, 30.5)),
            (report_of(0.1, 30.0), report_of(0.3, 30.5)),  # the machine became busy
            (report_of(1.0, 30.0), report_of(2.5, 30.5)),
        ]
    )
    walk = against.Compared([(report_of(1.0, 22.0), report_of(1.5, 21.75))])
    numbers = against.numbers({"demo": demo, "hololens": walk})
    assert numbers["rate_ratio_demo"] == pytest.approx(2.5)
    assert numbers["rate_ratio_hololens"] == pytest.approx(1.5)
    assert numbers["psnr_change_demo_db"] == pytest.approx(0.5)
    assert numbers["psnr_change_db"] == pytest.approx(-0.25)


def test_without_held_out_frames_there_is_no_change_of_quality():
    one = against.Compared([(report_of(1.0, None), report_of(2.0, None))])
    assert against.numbers({"demo": one})["psnr_change_db"] is None


def test_settings_that_differ_are_named():
    one = against.Compared([(report_of(1.0, 1.0), report_of(2.0, 1.0, render_backend="padded"))])
    assert one.differing == {"render_backend": [1, "padded"]}


def test_a_missing_recording_is_said(tmp_path, capsys):
    assert [one.name for one in against.inputs(tmp_path / "none")] == ["demo"]
    assert str(tmp_path / "none") in capsys.readouterr().out


def test_nothing_leads_a_process_to_other_code(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/elsewhere")
    assert "/elsewhere" not in revisions.clean_environment().values()


def test_a_tree_that_imports_other_sources_is_refused(tmp_path):
    tree = revisions.Tree("empty", tmp_path, Path(sys.executable))
    with pytest.raises(RuntimeError, match="empty imports"):
        tree.check()


def test_an_unknown_revision_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(revisions, "_git", lambda *_: "")
    with pytest.raises(RuntimeError, match="no revision 'no-such-revision'"):
        revisions.built("no-such-revision", tmp_path)
