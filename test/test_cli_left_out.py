# SPDX-License-Identifier: Apache-2.0
"""`f4x run` with recordings that are not whole: nothing is lost in silence, nothing is deleted."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eval_scene import QUICK, make_frame, write_folder

from f4x_ros.cli import main as cli
from f4x_ros.cli.sources import topic_options
from f4x_ros.core.data import Frame
from f4x_ros.core.errors import BadSampleError
from f4x_ros.eval.subjects.run_recorder import FILES, RunRecorder
from f4x_ros.io import write_bag
from f4x_ros.io.bag_topics import FLAGS
from f4x_ros.io.rgbd_folder import RgbdFolder
from f4x_ros.io.source import Source

FRAMES = 10
QUICKLY = [
    word
    for name in (
        *("features.extractor", "mapping.resolution"),
        *("mapping.iterations", "mapping.keyframe_iterations"),
    )
    for word in ("--set", f"{name}={QUICK.to_dotted()[name]}")
] + ["--holdout", "0"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("recording") / "small", FRAMES)


def run(source: Path, out: Path, *arguments: str) -> int:
    return cli.main(["run", str(source), "--out", str(out), *QUICKLY, *arguments])


def report_in(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def spoil(monkeypatch: pytest.MonkeyPatch, *indices: int) -> None:
    load = RgbdFolder.load

    def loaded(self: RgbdFolder, index: int) -> Frame:
        if index in indices:
            raise BadSampleError("pictures_unreadable", f"{index:03}.png: cut off")
        return load(self, index)

    monkeypatch.setattr(RgbdFolder, "load", loaded)


def test_a_frame_that_cannot_be_read_costs_itself_and_is_named(
    recording: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(monkeypatch, 4)
    assert run(recording, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert (
        "Left out of small:\n"
        "  1 picture unreadable, the first at 1700000000.400000000 s: 004.png: cut off\n" in said
    )
    assert "frames were used" not in said  # nine tenths were
    report = report_in(tmp_path / "out")
    assert (report["frames"], report["frames_there"]) == (FRAMES - 1, FRAMES)
    assert report["left_out"] == {"pictures_unreadable": 1}
    assert report["left_out_first_ns"] == {"pictures_unreadable": 1_700_000_000_400_000_000}
    assert report["ended_early"] is None


def test_a_run_that_used_few_frames_says_so_in_its_last_lines(
    recording: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(monkeypatch, 4, 9)
    assert run(recording, tmp_path / "out") == 0
    last = [line for line in capsys.readouterr().out.splitlines() if line][-2]
    assert last == "Only 8 of 10 frames were used: 2 pictures unreadable."


def test_no_usable_frame_is_one_line_and_what_was_there_stays(
    recording: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.json").write_text("of yesterday")
    spoil(monkeypatch, *range(FRAMES))
    assert run(recording, out) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("f4x: ")]
    assert lines == [
        "f4x: small: no frame could be used, left out: 10 pictures unreadable (the first: "
        "000.png: cut off)"
    ]
    assert [path.name for path in out.iterdir()] == ["report.json"]
    assert (out / "report.json").read_text() == "of yesterday"


def test_how_a_source_is_read_is_said_first_and_reported(
    recording: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Source.__init__

    def with_remark(self: Source, name: str, stamps_ns: np.ndarray) -> None:
        made(self, name, stamps_ns)
        self.remarks.append("stamps are taken for nanoseconds")

    monkeypatch.setattr(Source, "__init__", with_remark)
    assert run(recording, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert said.index("small: stamps are taken for nanoseconds\n") < said.index("measuring")
    assert report_in(tmp_path / "out")["remarks"] == ["stamps are taken for nanoseconds"]


# --- what ends a run -----------------------------------------------------------------------------


def after(
    monkeypatch: pytest.MonkeyPatch, frames: int, what: BaseException | signal.Signals
) -> None:
    """Let something happen when so many frames have been recorded."""
    process = RunRecorder.process

    def processed(self: RunRecorder, frame: Frame, **options: Any) -> Any:
        if self.frames == frames:
            if isinstance(what, signal.Signals):
                signal.raise_signal(what)
            else:
                raise what
        return process(self, frame, **options)

    monkeypatch.setattr(RunRecorder, "process", processed)


@pytest.mark.parametrize(
    ("what", "code", "why", "last"),
    [
        (signal.SIGINT, 130, "interrupted", "f4x: interrupted"),
        (signal.SIGTERM, 130, "interrupted", "f4x: interrupted"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "tracks.csv"),
            2,
            "[Errno 28] No space left on device: 'tracks.csv'",
            "f4x: tracks.csv: No space left on device",
        ),
        (
            KeyError("defect"),
            70,
            "internal error (KeyError: 'defect')",
            "f4x: internal error (KeyError): this is a defect of f4x_ros, please report it with "
            "the lines above",
        ),
    ],
)
def test_what_was_mapped_until_then_is_saved_and_reported(
    recording: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    what: BaseException | signal.Signals,
    code: int,
    why: str,
    last: str,
) -> None:
    after(monkeypatch, 3, what)
    out = tmp_path / "out"
    assert run(recording, out) == code
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == last
    assert f"The run ended before its last frame: {why}." in said.out
    assert "Only 3 of 10 frames were used: 7 frames not reached." in said.out
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    report = report_in(out)
    assert report["ended_early"] == why
    assert report["left_out"] == {"frames_not_reached": 7}
    assert report["frames"] + 7 == report["frames_there"] == FRAMES


@pytest.mark.parametrize("what", [signal.SIGINT, KeyError("defect")])
def test_what_fails_before_the_first_frame_leaves_earlier_results(
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: BaseException | signal.Signals,
) -> None:
    out = tmp_path / "out"
    assert run(recording, out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    after(monkeypatch, 0, what)
    assert run(recording, out) in (70, 130)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


# --- topics --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bag(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bag(RgbdFolder(recording), tmp_path_factory.mktemp("bag") / "bag").path


def topic_options_of(flag: str) -> dict[str, str]:
    return topic_options(cli.parser().parse_args(["run", "source", flag, "x"]))


def test_topics_are_named_by_flags(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {
        "--image-topic": "/camera/image_raw",
        "--depth-topic": "/camera/depth/image_rect_raw",
        "--info-topic": "/camera/camera_info",
        "--pose-topic": "tf",
        "--fixed-frame": "map",
    }
    words = [word for pair in flags.items() for word in pair]
    assert run(bag, tmp_path / "out", *words) == 0
    assert report_in(tmp_path / "out")["frames"] == FRAMES
    for name, flag in FLAGS.items():  # that errors of the reader name
        assert topic_options_of(flag) == {name: "x"}
    capsys.readouterr()
    for flag in flags:
        assert run(bag, tmp_path / "none", flag, "/not_there") == 2  # (of a frame, a slash is none)
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("f4x: ")]
        assert len(lines) == 1
        assert "not_there" in lines[0]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", ["run", "eval", "export-bag", "doctor"])
def test_topics_of_what_is_no_bag_are_refused(
    command: str, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = [str(tmp_path / "new")] if command == "export-bag" else []
    words = [command, str(recording), *extra, "--depth-topic", "/depth"]
    assert cli.main(words) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == (
        f"f4x: --depth-topic is '/depth', but source '{recording}' is no ROS 2 bag: only a bag "
        "has topics"
    )


def test_eval_counts_bad_frames_of_a_recording(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from f4x_ros.core.perception import Perception
    from f4x_ros.eval.protocol.evaluate import evaluate
    from f4x_ros.eval.subjects.subject import LibrarySubject

    spoil(monkeypatch, 2)
    source = RgbdFolder(recording)
    with LibrarySubject(Perception(QUICK), tmp_path, source="small", recording=source) as subject:
        run_report = evaluate(source, subject).run
    assert run_report["left_out"] == {"pictures_unreadable": 1}
    assert (run_report["frames"], run_report["frames_there"]) == (FRAMES - 1, FRAMES)
    assert make_frame(2).stamp_ns == run_report["left_out_first_ns"]["pictures_unreadable"]


def test_an_exported_bag_lacks_only_what_cannot_be_read(
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(monkeypatch, 3, 7)
    assert cli.main(["export-bag", str(recording), str(tmp_path / "bag")]) == 0
    said = capsys.readouterr().out
    assert f"{FRAMES - 2} frames of small are in" in said
    assert "2 pictures unreadable, the first at" in said
    assert "003.png: cut off" in said
    assert f"Only {FRAMES - 2} of {FRAMES} frames were used: 2 pictures unreadable." in said
