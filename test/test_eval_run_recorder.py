# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind, on a real map of a small scene."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from eval_scene import CAMERA, QUICK, STEP_NS, make_frame
from fabricated import track

from f4x_ros.core.perception import Perception
from f4x_ros.eval.subjects.held_out import HeldOut
from f4x_ros.eval.subjects.history import Paths
from f4x_ros.eval.subjects.report import report_rows, write_report
from f4x_ros.eval.subjects.run_recorder import FILES, RunRecorder

FRAMES = 8


def record(folder: Path, count: int = FRAMES, **options: int) -> RunRecorder:
    recorder = RunRecorder(Perception(QUICK, ["red thing"]), folder, source="small", **options)
    for index in range(count):
        recorder.process(make_frame(index))
    return recorder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    left_out = {"queue_full": 3, "late": 0, "no_transform": 1}
    record(folder, holdout_every=4).finish(left_out, dropped=4)
    return folder


def test_all_files_are_there_and_no_other(results: Path) -> None:
    assert sorted(path.name for path in results.iterdir()) == sorted(FILES)


def test_the_report_is_json_with_plausible_numbers(results: Path) -> None:
    report = json.loads((results / "report.json").read_text())
    assert report["frames"] == FRAMES
    assert report["frames_heldout"] == report["frames_compared"] == 2
    assert report["frames_mapped"] == FRAMES - 2
    assert report["frames_dropped"] == 4
    assert report.pop("left_out") == {"queue_full": 3, "no_transform": 1}
    assert report["features"] == "color"
    assert report["latent_cosine_color"] > 0.999
    assert dict(report_rows(report))["latent cosine"] == "1.000 color"
    assert report["source"] == "small"
    assert report["psnr_heldout_db"] > 20
    assert report["depth_median_error_m"] < 0.02
    assert report["fps"] > 0
    assert 0 < report["latency_p50_ms"] <= report["latency_p95_ms"]
    assert report["map_bytes"] > report["gaussians"] > 0
    assert report["peak_rss_bytes"] > 50e6
    assert all(value is None or isinstance(value, (int, float, str)) for value in report.values())


def test_the_pictures_can_be_read_and_the_video_has_every_frame(results: Path) -> None:
    story = cv2.imread(str(results / "story.png"))
    assert story is not None
    assert story.std() > 10
    video = cv2.VideoCapture(str(results / "overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    assert video.get(cv2.CAP_PROP_FRAME_HEIGHT) >= 480


def test_the_table_of_tracks_has_the_red_box(results: Path) -> None:
    rows = list(csv.DictReader((results / "tracks.csv").open(newline="")))
    assert {row["label"] for row in rows} == {"red thing"}
    last = rows[-1]
    assert last["stamp_s"] == "1700000000.700000000"
    place = [float(last[f"{axis}_m"]) for axis in "xyz"]
    assert place == pytest.approx([0, 0, 1.5], abs=0.1)


def test_the_saved_map_answers(results: Path) -> None:
    loaded = Perception.load(results / "map.f4x")
    assert loaded.query("red thing").present
    assert (results / "map.ply").read_bytes().startswith(b"ply\n")


def test_held_out_frames_are_not_mapped(tmp_path: Path) -> None:
    with record(tmp_path, 1, holdout_every=2) as recorder:
        mapped = recorder._perception.gaussians
        recorder.process(make_frame(60))  # sees much that is new
        assert recorder._perception.gaussians == mapped
        recorder.process(make_frame(61))
        assert recorder._perception.gaussians > mapped


def test_only_what_moves_leaves_a_trail() -> None:
    paths = Paths()
    for index in range(5):
        place = (0.1 * index, 0.0, 0.0)  # the still one grows into view
        still, moving = track(1, "sofa", place), track(2, "car", place, moving=True)
        paths.add(np.eye(4), (still, moving))
    assert {number: len(trail) for number, trail in paths.trails().items()} == {2: 5}


def test_a_wrong_map_scores_worse() -> None:
    held_out = HeldOut()
    right, wrong = Perception(QUICK), Perception(QUICK)
    for index in range(6):
        right.process(make_frame(index))
        frame = make_frame(index)
        moved = np.array(frame.T_map_camera)
        moved[2, 3] += 0.2 * (index % 2)  # poses that contradict each other
        wrong.process(
            type(frame)(frame.stamp_ns, frame.rgb[:, ::-1].copy(), CAMERA, frame.depth, moved)
        )
    held_out.add(make_frame(5))
    good, bad = held_out.evaluate(right), held_out.evaluate(wrong)
    assert good.psnr_db is not None
    assert bad.psnr_db is not None
    assert good.depth_median_error_m is not None
    assert bad.depth_median_error_m is not None
    assert good.psnr_db > bad.psnr_db + 3
    assert good.depth_median_error_m < bad.depth_median_error_m


def test_held_out_frames_stay_within_their_memory_and_spread_over_the_run() -> None:
    one = HeldOut()
    one.add(make_frame(0))
    held_out = HeldOut(max_bytes=int(one._nbytes * 4.5))
    for index in range(40):
        held_out.add(make_frame(index))
    assert held_out._nbytes <= held_out._max_bytes
    stamps = [kept.stamp_ns for kept in held_out._kept]
    gaps = np.diff(stamps) // STEP_NS
    assert 2 <= len(stamps) <= 5
    assert len(set(gaps)) == 1
    assert np.array_equal(held_out._kept[0].rgb(), make_frame(0).rgb)
    assert np.array_equal(held_out._kept[0].depth(), make_frame(0).depth)


def test_what_cannot_be_measured_is_null_in_the_report_and_said_in_the_table(
    tmp_path: Path,
) -> None:
    with record(tmp_path, 2, holdout_every=0) as recorder:
        report = recorder.finish()
    assert json.loads((tmp_path / "report.json").read_text())["psnr_heldout_db"] is None
    assert dict(report_rows(report))["PSNR, held out"] == "not measured"
    write_report(tmp_path / "nan.json", {"a": float("nan"), "b": float("inf"), "c": 1.5})
    assert json.loads((tmp_path / "nan.json").read_text()) == {"a": None, "b": None, "c": 1.5}


def test_a_full_disk_is_named_and_nothing_half_written_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = record(tmp_path, 2)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        recorder.finish()
    assert str(caught.value.filename).startswith(str(tmp_path))
    assert "bytes are free" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_late_leaves_no_part_of_the_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, rgb: np.ndarray) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    recorder = record(tmp_path / "new", 2)
    monkeypatch.setattr("f4x_ros.eval.subjects.run_recorder.save_png", full)
    with pytest.raises(OSError, match="No space left") as caught:
        recorder.finish()  # the map has been written by then
    assert caught.value.filename == str(tmp_path / "new" / "story.png")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_run_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")  # of an earlier run: it would be of other files
    with record(tmp_path, 2):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_map_that_was_reset_is_measured_by_its_own_frames_only(tmp_path: Path) -> None:
    with record(tmp_path, 4, holdout_every=2) as recorder:
        recorder._perception.reset()
        recorder.restart()
        for index in range(4):
            recorder.process(make_frame(index))
        report = recorder.finish()
    assert report["frames"] == 8
    assert report["frames_compared"] == 2


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holdout is 1"):
        RunRecorder(Perception(QUICK), tmp_path, holdout_every=1)
    with pytest.raises(ValueError, match="no frame has been processed"):
        RunRecorder(Perception(QUICK), tmp_path).finish()
    assert list(tmp_path.iterdir()) == []
