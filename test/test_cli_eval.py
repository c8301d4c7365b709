# SPDX-License-Identifier: Apache-2.0
"""`f4x eval`: the same input gives the same report, offline and over ROS, and failures are said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eval_scene import write_folder

from f4x_ros.cli.main import main

SPEC = "demo:96x72:10"


@pytest.fixture(autouse=True)
def drawn_once(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache of drawn worlds for all tests of this file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def evaluated(out: Path, *arguments: str) -> dict[str, Any]:
    quickly = ("--set", "features.extractor=color")
    assert main(["eval", *arguments, *quickly, "--out", str(out)]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    """The report without what depends on the machine's speed and memory, and without clicks."""
    for numbers in (*report["scenes"].values(), report["overall"]):
        cost = numbers["cost"]
        numbers["cost"] = {k: cost[k] for k in ("map_bytes", "growth_bytes_per_min")}
        numbers["query"] = {k: v for k, v in numbers["query"].items() if "click" not in k}
    return report


def clicks(report: dict[str, Any]) -> dict[str, Any]:
    """What else `without_times` leaves out.

    The last bits of a walk depend on where BLAS finds its numbers, and may move a pixel.
    """
    found: dict[str, Any] = report["overall"]["query"]
    return {k: v for k, v in found.items() if "click" in k}


def test_the_same_input_gives_the_same_report_and_equals_its_own_baseline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "baseline.json"
    first = evaluated(tmp_path / "first", SPEC, "--write-baseline", str(kept))
    said = capsys.readouterr().out
    again = evaluated(tmp_path / "again", SPEC, "--baseline", str(kept))
    said_again = capsys.readouterr().out
    assert clicks(first) == pytest.approx(clicks(again), abs=0.01)
    assert without_times(first) == without_times(again)
    assert "query mIoU" in said
    assert "nothing to compare with" in said
    compared = said_again.split("Against the baseline:")
    assert len(compared) == 1 or "worse " not in compared[1].replace("worse (machine)", "")
    folder = tmp_path / "first" / "demo_96x72_10"
    assert {"masks.png", "phrases.png", "over_time.png", "from_above.png", "story.png"} <= {
        path.name for path in folder.iterdir()
    }
    page = (tmp_path / "first" / "report.md").read_text()
    assert "demo_96x72_10/masks.png" in page


def test_over_ros_the_answers_are_those_of_the_library(tmp_path: Path) -> None:
    library = evaluated(tmp_path / "library", SPEC)["scenes"][SPEC]
    node = evaluated(tmp_path / "node", SPEC, "--ros")["scenes"][SPEC]
    assert node["run"]["frames"] == library["run"]["frames"] == 10
    for key in ("miou", "macc", "miou_aside", "miou_live", "presence_auroc", "understood"):
        assert node["query"][key] == pytest.approx(library["query"][key], abs=0.03), key
    assert node["tracks_all"]["hota"] == pytest.approx(library["tracks_all"]["hota"], abs=0.05)
    assert node["geometry"]["f1_5cm"] == pytest.approx(library["geometry"]["f1_5cm"], abs=0.02)
    assert library["motion"]["j"] > 0
    # (whether a thing is seen to move within ten frames turns on millimetres of its depth)
    assert node["motion"]["j"] == pytest.approx(library["motion"]["j"], abs=0.1)
    assert node["cost"]["fps"] > 0


def test_a_recording_without_truth_is_measured_against_itself(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "small", 9)
    numbers = evaluated(tmp_path / "out", str(folder))["scenes"]["small"]
    assert numbers["render"]["psnr_past_db"] > 15
    assert numbers["cost"]["fps"] > 0
    assert "query" not in numbers


def test_what_cannot_be_evaluated_is_said_and_the_rest_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "blind", 3)
    for image in (folder / "depth").iterdir():
        image.unlink()
    (folder / "depth").rmdir()
    out = tmp_path / "out"
    quickly = ("--set", "features.extractor=color")
    assert main(["eval", str(folder), SPEC, *quickly, "--out", str(out)]) == 1
    said = capsys.readouterr()
    reason = "blind: no frame could be used, left out: 3 frames without depth"
    assert f"blind cannot be evaluated: {reason}" in said.out
    assert "not evaluated: blind" in said.err
    report = json.loads((out / "report.json").read_text())
    assert list(report["scenes"]) == [SPEC]
    assert report["failures"]["blind"].startswith(reason)


def test_a_source_that_is_none_is_an_error_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", SPEC, "nowhere", "--out", str(tmp_path / "out")]) == 2
    assert "source 'nowhere'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_sources_of_one_name_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rooms = [str(write_folder(tmp_path / part / "room", 2)) for part in ("a", "b")]
    assert main(["eval", *rooms, "--out", str(tmp_path / "out")]) == 2
    assert "two sources are called 'room'" in capsys.readouterr().err


def test_results_that_cannot_be_written_are_an_error_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    assert main(["eval", SPEC, "--out", str(file)]) == 2
    assert main(["eval", SPEC, "--out", str(tmp_path), "--write-baseline", str(file)]) == 2
    assert "baseline" in capsys.readouterr().err
    assert file.read_text() == "mine"
