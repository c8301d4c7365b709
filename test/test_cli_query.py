# SPDX-License-Identifier: Apache-2.0
"""`f4x query`: what it finds, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli_runs import QUICKLY, refused, run_quickly
from eval_scene import CAMERA, write_folder

from f4x_ros.cli import main as cli


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("recording") / "small", 9)


@pytest.fixture(scope="module")
def results(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_quickly(recording, tmp_path_factory.mktemp("run") / "results")


def test_query_prints_the_object_and_writes_the_mask(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = tmp_path / "mask.png"
    arguments = ["query", str(results / "map.f4x"), "red thing", "--out", str(mask)]
    assert cli.main(arguments) == 0
    assert "presence   present" in capsys.readouterr().out
    picture = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (CAMERA.height, CAMERA.width)
    assert picture[CAMERA.height // 2, CAMERA.width // 2] > 128
    assert picture[2, 2] < 64
    assert cli.main(["query", str(results / "map.f4x"), "green thing"]) == 0
    assert "presence   not present" in capsys.readouterr().out


def test_query_answers_several_texts_each_with_a_picture(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "answer.png"
    texts = ["red thing", "green thing", "red thing -dark"]
    arguments = ["query", str(results / "map.f4x"), *texts, "--picture", str(picture), "--top", "1"]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert said.count("asked for") == 3
    assert said.count("not present") >= 1
    drawn = [cv2.imread(str(tmp_path / f"answer_{number}.png")) for number in (1, 2, 3)]
    assert all(one.shape[1] >= 600 for one in drawn)
    middle = (drawn[0].shape[0] // 2, drawn[0].shape[1] // 2)
    assert (drawn[0][middle].astype(int) != drawn[1][middle]).any()  # tinted where it was found


def test_query_answers_programs_with_one_json_document_and_nothing_else(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    map_file, mask = str(results / "map.f4x"), tmp_path / "mask.png"
    texts = ["red thing", "green thing"]
    assert cli.main(["query", map_file, *texts, "--json", "--out", str(mask)]) == 0
    said = capsys.readouterr()
    found, missing = json.loads(said.out)
    assert "mask_2.png" in said.err
    keys = "prompt presence score threshold message stamp_ns encoder map_frame points objects"
    assert list(found) == list(missing) == keys.split()
    assert (found["prompt"], found["presence"]) == ("red thing", "present")
    assert (missing["prompt"], missing["presence"]) == ("green thing", "not present")
    assert 0 <= missing["score"] < missing["threshold"] == found["threshold"] <= found["score"] <= 1
    assert found["message"] == "1 object"
    assert found["stamp_ns"] == 1_700_000_000_800_000_000
    assert (found["encoder"], found["map_frame"]) == ("color", "map")
    assert found["points"] > 25
    assert missing["objects"] == []
    (box,) = found["objects"]
    assert box["id"] > 0
    assert found["threshold"] <= box["score"] <= 1
    assert box["position"] == pytest.approx([0, 0, 1.5], abs=0.1)
    assert box["size"][:2] == pytest.approx([0.5, 0.5], abs=0.15)

    assert cli.main(["query", map_file, "red", "--json", "--threshold", "7"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "threshold is 7" in said.err
    nowhere = str(tmp_path / "no" / "mask.png")
    assert cli.main(["query", map_file, "red", "--json", "--out", nowhere]) == 2
    assert capsys.readouterr().out == ""


def test_query_says_which_part_is_not_understood_and_answers_the_others(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    map_file, mask = str(results / "map.f4x"), tmp_path / "mask.png"
    texts = ["\U0001fab4", "red thing", "red \U0001f3b8", "red\x07 thing"]
    assert cli.main(["query", map_file, *texts, "--out", str(mask)]) == 2
    first, second, third, last = capsys.readouterr().out.split("\n\n\n")[0].split("asked for")[1:]
    for told, part in ((first, "\U0001fab4"), (third, "'\U0001f3b8'"), (last, "U+0007")):
        assert "presence   not understood" in told
        assert part in told.partition("message")[2]
        assert "score" not in told
        assert "not present" not in told
    assert "presence   present" in second
    assert [path.name for path in tmp_path.iterdir()] == ["mask_2.png"]

    assert cli.main(["query", map_file, *texts[:2], "--json"]) == 2
    unknown, found = json.loads(capsys.readouterr().out)
    assert list(unknown) == list(found)
    assert (unknown["presence"], unknown["score"]) == ("not understood", None)
    assert found["presence"] == "present"


def test_run_goes_on_with_the_prompts_it_understands_and_names_the_others(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "prompts.txt", tmp_path / "out"
    file.write_text("\ufeff\U0001fab4\r\nred thing\r\n" + "sofa" * 30 + "\r\n", encoding="utf-8")
    arguments = ["run", str(recording), "--frames", "4", "--holdout", "2", *QUICKLY]
    assert cli.main([*arguments, "--prompts-file", str(file), "--out", str(out)]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "not understood" in line]
    assert len(said) == 2
    assert "\U0001fab4" in said[0]
    assert "sofasofa" in said[1]
    assert len(said[1]) < 1000
    assert cli.main(["query", str(out / "map.f4x"), "red thing"]) == 0


def test_query_finds_what_a_picture_shows_and_what_resembles_an_object(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    map_file, red = str(results / "map.f4x"), tmp_path / "red.png"
    cv2.imwrite(str(red), np.full((16, 16, 3), (20, 20, 210), np.uint8))
    assert cli.main(["query", map_file, "--example", str(red)]) == 0
    assert "presence   present" in capsys.readouterr().out
    assert cli.main(["query", map_file, "--like", "1"]) == 0
    assert "like object 1" in capsys.readouterr().out
    assert "expected the id of an object" in refused(capsys, "query", map_file, "--like", "99")
    assert "can be read" in refused(capsys, "query", map_file, "--example", str(tmp_path / "no"))
    assert "nothing to look for" in refused(capsys, "query", map_file)
    assert "more than one thing" in refused(capsys, "query", map_file, "red", "--like", "1")


def test_query_looks_from_anywhere(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    map_file, mask = str(results / "map.f4x"), tmp_path / "mask.png"
    away = ["--view", "0,0,0,1,0,0", "--out", str(mask)]  # the camera of the run looks along z
    assert cli.main(["query", map_file, "red thing", *away]) == 0
    assert cv2.imread(str(mask)).max() < 64
    for view in ("1,2,3", "0,0,0,0,0,1", "a,b,c,d,e,f"):
        assert "--view" in refused(capsys, "query", map_file, "red", "--view", view)


def test_query_answers_at_a_past_time_given_either_way(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for stamp in ("1700000000.2", "-0.6"):
        assert cli.main(["query", str(results / "map.f4x"), "red", "--stamp", stamp]) == 0
        assert "1700000000.200000000 s" in capsys.readouterr().out
    for stamp in ("5", "yesterday", "nan"):
        map_file = str(results / "map.f4x")
        assert "stamp" in refused(capsys, "query", map_file, "red", "--stamp", stamp)
