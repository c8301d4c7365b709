# SPDX-License-Identifier: Apache-2.0
"""`f4x edit`: several edits in order, pictures, undo, list, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from ask_scene import small_map
from cli_runs import refused

from f4x_ros.cli.main import main
from f4x_ros.core.perception import Perception


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("maps") / "map.f4x"
    small_map().save(path)
    return path


def test_edits_are_done_in_order_listed_and_taken_back(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, pictures = tmp_path / "edited.f4x", tmp_path / "pictures"
    texts = ["remove the red thing", "move the blue thing 10 cm along +x"]
    arguments = ["edit", str(saved), *texts, "--out", str(out), "--pictures", str(pictures)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "remove: red thing at" in said
    assert "without them it is found no longer" in said
    assert f"The map with 2 edits is in {out}." in said
    for number in (1, 2):
        picture = cv2.imread(str(pictures / f"edit_{number}.png"))
        before, after = (picture[:-25, k : k + picture.shape[1] // 3].astype(int)
                         for k in (0, picture.shape[1] // 3))  # fmt: skip
        assert abs(before - after).max() > 60
    assert main(["edit", str(out), "--undo", "--list", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "undone: move the blue thing" in said
    assert "1. remove the red thing" in said
    assert [one.kind for one in Perception.load(out).edits] == ["remove"]


def test_json_and_a_splat(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ply = tmp_path / "edited.ply"
    assert main(["edit", str(saved), "paint the red thing green", "--ply", str(ply), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["results"][0]["outcome"] == "done"
    assert document["edits"] == ["paint the red thing green"]
    assert ply.read_bytes().startswith(b"ply\n")


def test_the_first_that_is_not_done_ends_it(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "edited.f4x"
    texts = ["remove the purple thing", "remove the red thing"]
    assert main(["edit", str(saved), *texts, "--out", str(out)]) == 2
    assert "not present" in capsys.readouterr().out
    assert Perception.load(out).edits == ()


def test_what_is_refused(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(saved)
    assert "nothing to do" in refused(capsys, "edit", file)
    assert "would be lost" in refused(capsys, "edit", file, "remove the red thing")
    assert "the map has 0 edits" in refused(capsys, "edit", file, "--undo", "--out", file)
