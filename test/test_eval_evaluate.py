# SPDX-License-Identifier: Apache-2.0
"""The whole evaluation: the truth scores full marks, and each kind of error costs its own marks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle import Oracle, oracle_world

from f4x_ros.eval.protocol.asides import seen_in_run, views_aside
from f4x_ros.eval.protocol.evaluate import evaluate
from f4x_ros.eval.protocol.questions import aside_moments
from f4x_ros.eval.report.pictures import draw_evaluation
from f4x_ros.eval.report.scoreboard import METRICS, look_up
from f4x_ros.sim import World

PERFECT = {
    "query.miou": 1.0,
    "query.macc": 1.0,
    "query.miou_all": 1.0,
    "query.miou_paraphrase": 1.0,
    "query.miou_at_the_time": 1.0,
    "query.miou_aside": 1.0,
    "query.miou_aside_seen": 1.0,
    "query.miou_beside": 1.0,
    "query.aside_fall": 0.0,
    "query.click_iou_1": 1.0,
    "query.click_iou_3": 1.0,
    "query.click_iou_3_aside": 1.0,
    "query.miou_live": 1.0,
    "query.understood": 1.0,
    "query.presence_auroc": 1.0,
    "query.presence_f1": 1.0,
    "motion.j": 1.0,
    "motion.f": 1.0,
    "tracks.hota": 1.0,
    "tracks.mota": 1.0,
    "tracks.idf1": 1.0,
    "tracks.id_switches": 0,
    "tracks.position_median_m": 0.0,
    "tracks.rigid.position_median_m": 0.0,
    "tracks.rigid.velocity_median_mps": 0.0,
    "tracks.rigid.motion_median_m": 0.0,
    "tracks.rigid.orientation_median_rad": 0.0,
    "points.within_5cm": 1.0,
    "points.movers_within_5cm": 1.0,
    "tracks_all.hota": 1.0,
    "camera.ate_rmse_m": 0.0,
    "geometry.depth_l1_m": 0.0,
    "geometry.f1_5cm": 1.0,
    "render.psnr_db": 100.0,
    "render.psnr_past_db": 100.0,
    "render.psnr_movers_db": 100.0,
    "render.psnr_static_db": 100.0,
    "render.ssim": 1.0,
    "cost.fps": 5.0,
}

COSTS = {
    "shift": [
        "query.miou",
        "query.macc",
        "query.miou_paraphrase",
        "query.miou_aside",
        "query.miou_aside_seen",
        "query.miou_beside",
        "query.click_iou_1",
        "query.click_iou_3",
        "query.click_iou_3_aside",
    ],
    "swap": ["tracks.hota", "tracks.idf1", "tracks.id_switches"],
    "late": ["tracks.hota", "tracks.mota", "tracks_all.hota"],
    "alarm": ["tracks.hota", "tracks.mota"],
    "drift": ["camera.ate_rmse_m"],
    "boast": ["query.presence_auroc", "query.presence_f1"],
    "blur": [
        "render.psnr_db",
        "render.psnr_past_db",
        "render.psnr_movers_db",
        "render.psnr_aside_db",
        "render.ssim",
    ],
    "near": ["geometry.depth_l1_m"],
    "deaf": ["query.miou_all", "query.understood"],
    "still": ["motion.j", "motion.f", "points.movers_within_5cm"],
    "forget": ["query.miou", "query.miou_paraphrase"],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = oracle_world(tmp_path_factory.mktemp("worlds"))
    made.prepare(workers=1)
    return made


@pytest.fixture(scope="module")
def score(world: World) -> Any:
    return cache(lambda errs: evaluate(world, Oracle(world, errs)))


@pytest.mark.parametrize("key", PERFECT)
def test_the_truth_scores_full_marks(score: Any, key: str) -> None:
    assert look_up(score("").numbers, key) == pytest.approx(PERFECT[key], abs=5e-3)


@pytest.mark.parametrize("errs", COSTS)
def test_each_error_costs_its_own_marks(score: Any, errs: str) -> None:
    right, wrong = score("").numbers, score(errs).numbers
    metrics = {metric.key: metric for metric in METRICS}
    for key in COSTS[errs]:
        before, after = look_up(right, key), look_up(wrong, key)
        assert before is not None
        assert after is not None
        loss = before - after if metrics[key].higher else after - before
        assert loss > metrics[key].tolerance, key


def test_errors_in_one_thing_leave_the_others_alone(score: Any) -> None:
    right, wrong = score("").numbers, score("shift").numbers
    for key in ("tracks.hota", "camera.ate_rmse_m", "render.psnr_past_db", "query.presence_auroc"):
        assert look_up(wrong, key) == look_up(right, key)


def test_what_was_known_at_the_time_is_told_apart_from_what_is_remembered(score: Any) -> None:
    key = "query.miou_at_the_time"
    assert look_up(score("forget").numbers, key) == look_up(score("").numbers, key)
    assert look_up(score("shift").numbers, key) < look_up(score("").numbers, key) - 0.05


def test_a_tracker_that_knows_few_words_still_misses_the_movers(score: Any) -> None:
    assert score("deaf").numbers["tracks"]["objects"] == score("").numbers["tracks"]["objects"]


@pytest.mark.parametrize("scene", ["crowd", "corridor"])
def test_in_other_scenes_the_truth_scores_full_marks_too(scene: str, tmp_path: Path) -> None:
    world = World(width=64, frames=9, scene=scene, cache=tmp_path)
    world.prepare(workers=1)
    numbers = evaluate(world, Oracle(world)).numbers
    for key in ("query.miou", "query.miou_live", "query.miou_aside", "motion.j", "tracks.hota",
                "tracks_all.hota", "query.presence_f1", "geometry.f1_5cm"):  # fmt: skip
        assert look_up(numbers, key) == pytest.approx(1.0, abs=0.03), key


def test_views_aside_are_inside_of_the_room(tmp_path: Path) -> None:
    world = World(width=48, frames=60, scene="corridor", cache=tmp_path)
    views = views_aside(world, aside_moments(len(world)))
    assert len(views) >= 3
    for view in views:
        assert (view.truth.depth > 0).all()  # outside, rays pass the open side of the room's box
        x, y, z = world.scene.spec.room.size
        assert (np.abs(view.truth.T_map_camera[:2, 3]) < [x / 2, y / 2]).all()
        assert 0 < view.truth.T_map_camera[2, 3] < z


def test_every_metric_of_the_table_is_measured(score: Any) -> None:
    missing = [m.key for m in METRICS if look_up(score("").numbers, m.key) is None]
    # (the world ends before there is a later, what moves in it never rests, and nobody is in it)
    without = ("tracks.persons.", "predictions.", "history.")
    later = [m.key for m in METRICS if m.key.startswith(without)]
    assert missing == ["motion.false_share", *later]  # something moves in every frame


def test_growth_is_that_of_the_second_half_by_the_frames_stamps(score: Any) -> None:
    # 1000 bytes a frame at 30 frames a second
    assert score("").numbers["cost"]["growth_bytes_per_min"] == pytest.approx(1.8e6, rel=1e-3)


def test_pictures_show_every_part_of_the_evaluation(score: Any, tmp_path: Path) -> None:
    names = draw_evaluation(tmp_path, score("boast"))
    assert names == [
        "masks.png",
        "moving.png",
        "from_above.png",
        "over_time.png",
        "phrases.png",
        "presence.png",
    ]
    assert all((tmp_path / name).stat().st_size > 3000 for name in names)


def test_a_phrase_that_the_encoder_refuses_counts_as_not_found(score: Any) -> None:
    numbers = score("deaf").numbers["query"]
    assert numbers["miou"] == pytest.approx(1.0)
    assert 0 < numbers["miou_all"] < 0.5
    assert "red mug" in numbers["refused"]
    assert np.isclose(numbers["understood"], len(numbers["iou"]) / (len(numbers["iou"]) + len(
        numbers["refused"])), atol=0.1)  # fmt: skip


def test_what_the_camera_showed_counts_as_seen_and_what_is_behind_it_does_not(
    tmp_path: Path,
) -> None:
    world = World(width=48, frames=8, scene="tabletop", cache=tmp_path)
    assert seen_in_run(world, 4, world.truth(4)).mean() > 0.9
    behind = world.camera_pose(4).copy()
    behind[:3, 0], behind[:3, 2] = -behind[:3, 0], -behind[:3, 2]  # half a turn about its y axis
    _, truth = world.view(4, behind)
    assert seen_in_run(world, 4, truth).mean() < 0.1


def test_where_somebody_went_that_the_camera_does_not_show_counts_as_unseen(tmp_path: Path) -> None:
    world = World(width=64, frames=150, seed=8005, scene="random", cache=tmp_path)
    people = {number for number, label in world.labels.items() if label.cls == "person"}
    assert not world.truth(60).mask(people).any()
    assert world.truth(0).mask(people).any()
    view = next(v for v in views_aside(world, [60]) if v.truth.mask(people).any())
    somebody = view.truth.mask(people)
    assert not view.seen[somebody].any()
    assert view.seen[~somebody].mean() > 0.9
