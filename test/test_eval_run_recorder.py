# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind, on a real map of a small scene."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from eval_scene import CAMERA, QUICK, STEP_NS, make_frame
from fabricated import track

from f4x_ros.core.base import LeftOut
from f4x_ros.core.perception import Perception
from f4x_ros.eval.subjects.held_out import HeldOut, Quality
from f4x_ros.eval.subjects.history import Paths
from f4x_ros.eval.subjects.report import (
    few_used_text,
    left_out_lines,
    report_rows,
    write_report,
)
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
    assert report.pop("left_out_first_ns") == {}
    assert report.pop("remarks") == []
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


def test_a_disk_that_fills_up_late_leaves_the_map_where_it_mixes_with_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, rgb: np.ndarray) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    out = tmp_path / "new"
    record(out, 2, holdout_every=0).finish()
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    recorder = record(out, 2)
    monkeypatch.setattr("f4x_ros.eval.subjects.run_recorder.save_png", full)
    with pytest.raises(OSError, match="No space left") as caught:
        recorder.finish()  # the map has been written by then
    assert caught.value.filename == str(out / "story.png")
    assert str(out / "rescued") in str(caught.value)
    assert sorted(path.name for path in (out / "rescued").iterdir()) == ["map.f4x", "map.ply"]
    assert Perception.load(out / "rescued" / "map.f4x").gaussians > 0
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == before
    recorder = record(out, 2)
    with pytest.raises(OSError, match="rescued-2"):
        recorder.finish()


def test_a_run_that_is_given_up_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")  # of an earlier run, of the files beside it
    with record(tmp_path, 2):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_finished_run_replaces_the_report_after_the_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.json").write_text("old")
    recorder = record(tmp_path, 2)
    moved, really = [], os.replace

    def watched(source: Path, target: Path) -> None:
        if Path(target).parent == tmp_path:
            moved.append(Path(target).name)
            assert not (tmp_path / "report.json").exists()
        really(source, target)

    monkeypatch.setattr(os, "replace", watched)
    recorder.finish()
    assert moved[-1] == "report.json"
    assert sorted(moved) == sorted(FILES)


def test_folders_of_killed_runs_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib\n"
        "from f4x_ros.eval.subjects.unfinished import UnfinishedFolder\n"
        "folder = UnfinishedFolder(pathlib.Path(sys.argv[1]))\n"
        "(folder.path / 'map.f4x').write_text('half')\n"
        "print(folder.path, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        hidden = Path(other.stdout.readline().strip())
        with record(tmp_path, 1):
            assert (hidden / "map.f4x").exists()
            assert len(list(tmp_path.glob(".unfinished-*"))) == 2
        other.kill()
        other.wait()
    assert hidden.exists()
    without_lock = tmp_path / ".unfinished-of-somebody"
    without_lock.mkdir()
    with record(tmp_path, 1):
        assert not hidden.exists()
    assert [path.name for path in tmp_path.iterdir()] == [without_lock.name]


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


# --- what shows nothing --------------------------------------------------------------------------


def test_pixels_that_show_nothing_are_not_compared(tmp_path: Path) -> None:
    perception = Perception(QUICK)
    for index in range(4):
        perception.process(make_frame(index))
    frame = make_frame(3)
    observed = np.ones(frame.rgb.shape[:2], bool)
    observed[:, :20] = False
    black = frame.rgb.copy()
    black[~observed] = 0
    depth = frame.depth.copy()
    depth[~observed] = 9.0

    def measured(rgb: np.ndarray, depth: np.ndarray, seen: np.ndarray | None) -> Quality:
        held_out = HeldOut()
        held_out.add(replace(frame, rgb=rgb, depth=depth, observed=seen))
        return held_out.evaluate(perception)

    masked = measured(black, depth, observed)
    assert masked == measured(frame.rgb, frame.depth, observed)
    all_of_it = measured(black, depth, None)
    assert masked.psnr_db > all_of_it.psnr_db + 5
    nothing = measured(black, depth, np.zeros_like(observed))
    assert nothing == Quality(None, None, 0)


def test_what_was_left_out_is_reported_with_reasons_stamps_and_how_it_was_read(
    tmp_path: Path,
) -> None:
    left_out = LeftOut()
    left_out.add("images_without_pose", 8, 1_700_000_000_500_000_000)
    left_out.add("messages_on_other_topics", 1)
    with record(tmp_path, 2) as recorder:
        report = recorder.finish(
            left_out, frames_there=10, remarks=["the slash means nothing"], ended_early="no power"
        )
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["left_out"] == {"images_without_pose": 8, "messages_on_other_topics": 1}
    assert written["left_out_first_ns"] == {"images_without_pose": 1_700_000_000_500_000_000}
    assert written["frames_there"] == 10
    assert written["remarks"] == ["the slash means nothing"]
    assert written["ended_early"] == "no power"
    assert left_out_lines(report, {"images_without_pose": "TF is silent"}) == [
        "8 images without pose, the first at 1700000000.500000000 s: TF is silent",
        "1 message on other topics",
    ]
    few = "Only 2 of 10 frames were used: 8 images without pose."
    assert few_used_text(report) == few
    assert few_used_text(report | {"frames": 9}) == ""
    assert few_used_text(report | {"frames_there": None}) == ""
