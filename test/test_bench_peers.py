# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of bench/peers.py, without any peer's library."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import peer_run  # noqa: E402
import peer_table  # noqa: E402
import peers  # noqa: E402
from peer_camera import Odometry, rigid  # noqa: E402
from peer_run import ENTRIES, Entry, collected, death, measure, plain  # noqa: E402
from peer_subjects import Contestant, Seen, Stopwatch  # noqa: E402
from peer_table import LINES, Line, compared, ratio, reasons, rows, verdict  # noqa: E402
from peer_tracks import PerFrameMasks, Speedometer, lifted, pieces_of  # noqa: E402

from f4x_ros.core.config import Config  # noqa: E402
from f4x_ros.core.data.camera import PinholeCamera  # noqa: E402
from f4x_ros.core.data.frame import Frame  # noqa: E402
from f4x_ros.io.source import Source, stamps_at_rate  # noqa: E402

COLOR = Config.from_dotted({"features.extractor": "color"})
CAMERA = PinholeCamera(40, 30, 40.0, 40.0, 20.0, 15.0)


# --- the table -----------------------------------------------------------------------------------


def test_ratio_is_ours_over_the_peers():
    assert ratio(1.0, 4.0) == 0.25
    assert ratio(0.0, 4.0) == 0.0


@pytest.mark.parametrize("ours, peer", [(None, 1.0), (1.0, None), (1.0, 0.0), (-1.0, 1.0), (1, -1)])
def test_ratio_is_none_where_it_would_mean_nothing(ours, peer):
    assert ratio(ours, peer) is None


def test_verdict_knows_which_way_is_better():
    assert verdict(2.0, 1.0, higher=True) == "ours"
    assert verdict(2.0, 1.0, higher=False) == "peer"
    assert verdict(-0.5, -8.0, higher=True) == "ours"
    assert verdict(1.00, 1.01, higher=True) == "even"
    assert verdict(None, 1.0, higher=True) == ""


def test_line_shows_both_in_the_unit_and_their_ratio():
    line = Line("error", "numbers.a.error_m", unit="cm", factor=100, digits=1)
    ours, peer = ({"numbers": {"a": {"error_m": value}}} for value in (0.02, 0.08))
    assert compared(line, ours, peer) == ("error", "2.0 cm", "8.0 cm", "0.25", "ours")


def test_a_given_pose_is_no_contest():
    line = LINES["kiss-icp"][0]
    result: Any = {"numbers": {"camera": {"ate_aligned_rmse_m": 0.03}}}
    ours: Any = {"numbers": {"camera": {"ate_aligned_rmse_m": 0.0}}}
    assert compared(line, ours, result)[1:] == ("given: 0.00 cm", "3.00 cm", "-", "")
    assert compared(line, {}, result)[1:] == ("pose given", "3.00 cm", "-", "")


def test_peers_that_did_not_run_have_a_row_and_a_reason():
    results: Any = {
        "kiss-icp": {"status": "missing", "reason": "kiss_icp not installed: pip install it"},
        "sort": {"status": "failed", "reason": "crashed: SIGSEGV"},
    }
    table = rows("demo", results)
    assert [row[:3] for row in table] == [
        ("demo", "kiss-icp", "not installed, see below"),
        ("demo", "sort", "failed, see below"),
    ]
    assert reasons(results) == [
        "kiss-icp: kiss_icp not installed: pip install it",
        "sort: crashed: SIGSEGV",
    ]


def test_each_peer_has_lines_and_each_line_a_way_to_run():
    assert set(LINES) == set(ENTRIES) - {"ours"}
    assert all(entry.install for entry in ENTRIES.values() if entry.modules)


# --- processes -----------------------------------------------------------------------------------


def _dies(*_: object) -> Contestant:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _sleep() -> None:
    time.sleep(600)


def test_a_missing_module_is_said_and_not_tried(monkeypatch):
    monkeypatch.setitem(
        peer_run.ENTRIES, "ghost", Entry(_dies, ("no_such_module",), "pip install ghost")
    )
    result = measure("ghost", "demo:32x24:2", (), 60.0)
    assert result == {
        "status": "missing",
        "reason": "no_such_module not installed: pip install ghost",
    }


def test_how_a_process_died_is_said():
    assert death(-signal.SIGSEGV) == "crashed: SIGSEGV"
    assert death(3) == "ended with exit code 3 and no result"


def test_an_error_of_open3d_is_cut_to_its_words():
    raw = "\x1b[1;31m[Open3D Error] (void f(int)) /a/b/Grid.cpp:180: Unsupported type. \x1b[0;m\n"
    assert plain(raw) == "Unsupported type."


def test_a_contestant_runs_in_a_process_of_its_own_and_comes_back_with_scores():
    result = measure("re-encoding", "demo:48x36:9", ("features.extractor=color",), 500.0)
    assert result["status"] == "ok", result
    assert 0 < result["numbers"]["query"]["miou_live"] < 1
    assert result["cost"]["masks"]["p50_ms"] > 0


def test_an_error_becomes_a_failure_with_its_reason():
    here, there = multiprocessing.Pipe(duplex=False)
    peer_run._child(there, "re-encoding", "demo:48x36:0", ())
    result = here.recv()
    assert result["status"] == "failed"
    assert result["reason"].startswith("BadInputError: ")


def test_a_library_that_does_not_load_is_said_with_the_way_to_install_it(monkeypatch):
    def broken(*_: object) -> Contestant:
        raise ImportError("libusb-1.0.so.0: cannot open shared object file")

    monkeypatch.setitem(peer_run.ENTRIES, "ghost", Entry(broken, ("json",), "apt install libusb"))
    here, there = multiprocessing.Pipe(duplex=False)
    peer_run._child(there, "ghost", "demo:48x36:2", ())
    assert here.recv()["reason"] == (
        "cannot be imported (libusb-1.0.so.0: cannot open shared object file): apt install libusb"
    )


@pytest.mark.parametrize(
    "target, reason", [(_dies, "crashed: SIGKILL"), (_sleep, "no result after 0.5 s")]
)
def test_a_process_that_dies_or_hangs_is_a_failure_and_gone(target, reason):
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=target)
    process.start()
    there.close()
    result = collected(process, here, 500.0 if target is _dies else 0.5)
    assert result == {"status": "failed", "reason": reason}
    assert not process.is_alive()


# --- times ---------------------------------------------------------------------------------------


def test_stopwatch_leaves_out_the_first_steps_and_tells_waiting_from_work(monkeypatch):
    now = {"wall": 0.0, "processor": 0.0}
    clock = SimpleNamespace(perf_counter=lambda: now["wall"], process_time=lambda: now["processor"])
    monkeypatch.setattr("peer_subjects.time", clock)

    def step(wall_s: float, processor_s: float) -> None:
        now["wall"] += wall_s
        now["processor"] += processor_s

    watch = Stopwatch()
    assert watch(lambda: step(3.0, 3.0)) is None
    for _ in range(3):
        watch(lambda: step(0.01, 0.004))
    numbers = watch.numbers(skip=1)
    assert numbers["p95_ms"] == pytest.approx(10)
    assert numbers["cpu_p50_ms"] == pytest.approx(4)
    assert numbers["hz"] == pytest.approx(100)
    assert numbers["cores"] == pytest.approx(0.4)
    assert watch.numbers(skip=9)["hz"] is None


# --- pieces, lifting, velocity -------------------------------------------------------------------


def test_pieces_are_the_connected_parts_that_are_large_enough():
    mask = np.zeros((30, 40), bool)
    mask[2:6, 3:9] = True  # 24 px
    mask[6, 9] = True  # touches by its corner
    mask[20:22, 20:22] = True  # 4 px
    scores = np.where(mask, 0.5, 0.0).astype(np.float32)
    (piece,) = pieces_of(mask, scores, 5)
    assert piece.box == (3, 2, 10, 7)
    assert piece.score == pytest.approx(0.5)
    assert piece.pixels.sum() == 25
    assert len(pieces_of(mask, scores, 4)) == 2


def test_lifting_finds_a_plate_where_it_is_and_ignores_what_shines_through():
    pixels = np.zeros((30, 40), bool)
    pixels[10:20, 15:25] = True
    depth = np.where(pixels, 2.0, 0.0).astype(np.float32)
    depth[12, 15:20] = 5.0  # the wall behind, through holes
    depth[13, 15] = 0.0  # no reading
    pose = np.eye(4)
    pose[:3, 3] = (1, 2, 3)
    box = lifted(pixels, depth, CAMERA, pose)
    assert box is not None
    np.testing.assert_allclose(box[0], (1, 2, 5), atol=0.01)
    np.testing.assert_allclose(box[1], (0.45, 0.45, 0), atol=0.03)
    assert lifted(pixels, np.zeros_like(depth), CAMERA, pose) is None


def test_velocity_is_the_difference_of_positions_over_the_window():
    speed = Speedometer(window_s=0.2)
    found = [speed(7, round(t * 1e8), np.array([0.05 * t, 0, 0])) for t in range(10)]
    np.testing.assert_array_equal(found[0], np.zeros(3))
    np.testing.assert_allclose(found[1:], np.tile([0.5, 0, 0], (9, 1)))
    np.testing.assert_array_equal(speed(8, 0, np.ones(3)), np.zeros(3))  # another id
    assert speed.settled(7)
    assert not speed.settled(8)


# --- masks ---------------------------------------------------------------------------------------


class _RedCorner(Source):
    """One picture, white, its upper left quarter red; the camera is at the origin."""

    def __init__(self) -> None:
        super().__init__("corner", stamps_at_rate(1, 30.0))

    def load(self, index: int) -> Frame:
        rgb = np.full((30, 40, 3), 255, np.uint8)
        rgb[:15, :20] = (220, 20, 20)
        depth = np.full((30, 40), 2.0, np.float32)
        return Frame(int(self.stamps_ns[index]), rgb, CAMERA, depth, np.eye(4))


def test_re_encoding_finds_what_the_picture_shows_and_nothing_from_elsewhere():
    source = _RedCorner()
    masks = PerFrameMasks(COLOR, source)
    assert masks.understood(["red thing", "mug"]) == ["red thing"]
    masks.begin(["red thing"])
    observed = masks.process(source[0])
    assert (observed.labels[2:13, 2:18] == 1).all()
    assert (observed.labels[17:] == 0).all()
    answer = masks.ask("red thing", int(source.stamps_ns[0]), np.eye(4))
    assert answer.present
    np.testing.assert_array_equal(answer.mask, observed.labels == 1)
    elsewhere = np.diag([-1.0, 1.0, -1.0, 1.0])
    assert not masks.ask("red thing", int(source.stamps_ns[0]), elsewhere).mask.any()


# --- odometry ------------------------------------------------------------------------------------


class _Stepper(Odometry):
    """Moves 1 m forward a frame, but is lost in the third."""

    def first(self, frame: Frame) -> None:
        self.calls = 0

    def move(self, frame, last):
        self.calls += 1
        if self.calls == 2:
            raise RuntimeError("Singular 6x6 linear system")
        out = last.copy()
        out[2, 3] += 1
        return out


def test_odometry_starts_at_the_first_pose_and_rests_where_it_is_lost():
    start = np.diag([-1.0, 1.0, -1.0, 1.0])
    start[:3, 3] = (5, 0, 0)
    frame = _RedCorner()[0]
    odometry = _Stepper()
    seen: list[Seen] = []
    for k in range(4):
        moved = Frame(k, frame.rgb, CAMERA, frame.depth, start)
        seen.append(odometry.process(moved))
    positions = [s.T_map_camera[:3, 3].tolist() for s in seen]
    assert positions == [[5, 0, 0], [5, 0, -1], [5, 0, -1], [5, 0, -2]]
    assert odometry.counts() == {"frames_lost": 1}


def test_rigid_removes_the_drift_of_many_products():
    pose = np.eye(4)
    pose[:3, :3] *= 1.001
    np.testing.assert_allclose(rigid(pose), np.eye(4), atol=1e-12)


def test_table_module_shows_what_a_peer_cannot_do():
    line = next(line for line in peer_table.LINES["re-encoding"] if line.cannot)
    ours: Any = {"numbers": {"query": {"miou_aside": 0.5}}}
    peer: Any = {"numbers": {"query": {"miou_aside": 0.0}}}
    assert compared(line, ours, peer)[1:] == ("0.500", "cannot", "-", "ours")


def test_a_source_that_is_none_is_one_line(capsys):
    assert peers.main(["nosuch"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("peers: source 'nosuch'")
    assert len(said.splitlines()) == 1
    assert peers.main(["demo", "--set", "features.extractr=color"]) == 2
    assert "features.extractr" in capsys.readouterr().err
